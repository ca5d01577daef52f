"""One customer under many names on a real broker: whatever is killed when, it comes to what one process decides."""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import replace

import pytest

from orchestrator.cli.customers import candidates
from orchestrator.model import instants
from orchestrator.runtime.kafka.catalogs import keyed, publish
from orchestrator.runtime.kafka.exporting import export
from orchestrator.runtime.kafka.linking_partition import read_name
from orchestrator.runtime.kafka.rights import CLEANING_MS, request_erasure
from orchestrator.testing.streams import Loaded, committed, latest_by_key

PARTITIONS = 4
HOUR = 3_600_000
START = 1_700_000_000_000
IDENTITY = """
identity:
  identifiers: [customer_id, email, loyalty_card, cookie]
  limits: {customer_id: 1, email: 2}
  limit: 8
  never: {email: [null@shop.example]}
"""


@pytest.fixture
async def open_shop(shop):
    """Return a shop that links identifiers, whose events come from anywhere."""
    shop.variables["RESOLVE"] = "on"
    written = shop.project / "orchestrator.yaml"
    written.write_text(written.read_text() + IDENTITY)
    return shop


def walked(records, seed, people=40):
    """Let the events of a day be those of people with several devices, some of them shared, known by this or that."""
    dice = random.Random(seed)
    made = []
    for record in records[:-PARTITIONS]:
        event = json.loads(record.value)
        person = dice.randrange(people)
        who = {
            "customer_id": f"c{person}",
            "email": dice.choice([f"M{person}@Shop.example", f"m{person}@shop.example", "null@shop.example"]),
            "cookie": f"k{dice.choice([person, person + people, person // 10 + 1000])}",
        }
        named = {kind: who[kind] for kind in dice.sample(sorted(who), dice.choice([1, 1, 2, 3]))}
        customer = named.pop("customer_id", None)
        value = {**event, "customer_id": customer, "identifiers": named}
        made.append(replace(record, partition=dice.randrange(PARTITIONS), key=None, value=json.dumps(value).encode()))
    return made + records[-PARTITIONS:]


async def same(shop, copy, expected) -> None:
    """Wait until a copy holds what the state is, knows everybody by all their names, and what was decided."""
    links = latest_by_key(await committed(shop.servers, shop.topics.links_changelog, 1))
    links.pop("@partition", None)

    async def is_same() -> bool:
        with copy() as store:
            if dict(store.records()) != expected.records or Counter(store.decisions()) != Counter(expected.decisions):
                return False
            assert {name: store.named(name) for name in links} == {name: read_name(links[name])[0] for name in links}
            # Everybody has a record here, and what was decided under any of their names is theirs.
            told = [line for each in expected.records for line in store.decisions_of(each)]
            return len(told) == len(expected.decisions)

    await shop.until(is_same)


@pytest.mark.slow
async def test_people_with_shared_devices_over_all_partitions_are_whom_one_process_says_they_are(
    open_shop, a_day, tmp_path
):
    records = walked(a_day(2000, seed=61), seed=61)
    await open_shop.receive(records)
    worker = open_shop.start_worker()
    async with open_shop.copying(tmp_path / "along.db") as along:
        await open_shop.resolved()
        assert worker.stop() == 0, open_shop.said()
        expected = await open_shop.check(records)
        await same(open_shop, along, expected)
    # One that begins when all is over knows the same.
    async with open_shop.copying(tmp_path / "anew.db") as anew:
        await same(open_shop, anew, expected)
    verdicts = [json.loads(line)["reason"] for line in expected.decisions]
    assert {"same_customer", "kind_limit", "never"} <= set(verdicts)
    assert verdicts.count("same_customer") > 40


@pytest.mark.slow
async def test_an_erased_customer_is_in_no_compacted_topic_and_the_receipt_names_the_last_copys_date(
    open_shop, tmp_path
):
    now = START + 96 * HOUR + 1
    who = {"email": "planted@shop.example", "cookie": "planted-cookie"}
    event = {"id": "e1", "type": "cart_updated", "customer_id": "planted", "identifiers": who, "time": START}
    value = json.dumps({**event, "properties": {"total": 50}}).encode()
    await open_shop.receive([Loaded(0, START, None, value)])
    worker = open_shop.start_worker()

    async def kept() -> dict[tuple[str, str], bytes]:
        found: dict[tuple[str, str], bytes] = {}
        for topic, count in ((open_shop.topics.changelog, PARTITIONS), (open_shop.topics.links_changelog, 1)):
            # What compaction leaves.
            latest = latest_by_key(await committed(open_shop.servers, topic, count))
            latest.pop("@partition", None)
            found |= {(topic, key): value for key, value in latest.items()}
        return found

    async def known() -> bool:
        return len(await kept()) == 4  # one profile, three names

    await open_shop.drained(group=f"{open_shop.variables['APP_ID']}-resolve")
    settings = open_shop.settings()
    async with open_shop.copying(tmp_path / "copy.db") as copy:
        await open_shop.until(known)

        async def copied() -> bool:
            with copy() as store:
                return store.profiles() == 1

        await open_shop.until(copied)
        receipt = await request_erasure(settings, open_shop.topics, None, {"cookie": "planted-cookie"}, now)

        async def gone() -> bool:
            return not await kept()

        await open_shop.until(gone)

        async def is_scrubbed() -> bool:
            return not any(b"planted" in path.read_bytes() for path in tmp_path.glob("copy.db*"))

        await open_shop.until(is_scrubbed)
    assert worker.stop() == 0, open_shop.said()
    assert receipt.remains[0].until == instants.to_text(now + settings.retention_ms + instants.DAY_MS + CLEANING_MS)
    assert "planted" not in str(receipt)
    assert "planted" not in open_shop.said_all()


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_project_that_begins_to_link_while_workers_run_is_taken_up_by_them(shop):
    shop.variables |= {"RESOLVE": "on", "START": "latest"}
    worker = shop.start_worker()
    await shop.resolving()

    def visited(number: int, **who) -> Loaded:
        now = int(time.time() * 1000)
        event = {"id": f"e{number}", "type": "cart_updated", "time": now, "properties": {"total": 50}, **who}
        return Loaded(number % PARTITIONS, now, None, json.dumps(event).encode())

    await shop.receive([visited(1, customer_id="ana")])
    await shop.until(lambda: verdicts(shop, 1, "entered"))
    written = shop.project / "orchestrator.yaml"
    written.write_text(written.read_text() + IDENTITY)
    settings = shop.settings()
    await publish(settings, shop.topics, keyed(shop.loaded))
    await shop.until(lambda: linking(shop))
    await shop.receive([visited(2, identifiers={"cookie": "k1"})])
    await shop.receive([visited(3, customer_id="ana", identifiers={"cookie": "k1"})])
    await shop.until(lambda: verdicts(shop, 1, "merged"))
    await it_is_one_customer_who_buys(shop)
    assert await asyncio.to_thread(worker.stop) == 0, shop.said()
    assert "joins its groups anew" in shop.said_all()


STORY = [
    ("cart_updated", {"cookie": "phone"}),
    ("newsletter_joined", {"cookie": "phone", "email": "Ana@Example.com"}),
    ("message_opened", {"cookie": "laptop", "email": "ana@example.com"}),
    ("card_shown", {"loyalty_card": "L-7", "email": "ANA@example.com"}),
    ("order_placed", {"loyalty_card": "L-7"}),
]


async def it_is_one_customer_who_buys(shop) -> None:
    """Tell the story of a visitor on a phone and a laptop, with a card in the shop: one profile, one journey."""
    now = int(time.time() * 1000)
    events = [
        {"id": f"s{at}", "type": kind, "time": now + at, "identifiers": who, "properties": {"total": 40}}
        for at, (kind, who) in enumerate(STORY)
    ]
    await shop.receive([Loaded(0, now + at, None, json.dumps(event).encode()) for at, event in enumerate(events)])
    found: list[dict] = []

    async def has_left() -> bool:
        told = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
        found[:] = [
            one for one in told if one["verdict"] == "exited" and one["cause"] in ("s0", "s1", "s2", "s3", "s4")
        ]
        return bool(found)

    await shop.until(has_left)
    [left] = found
    assert (left["reason"], left["cause"]) == ("bought", "s4")
    document = await export(shop.settings(), shop.topics, candidates("cookie:laptop"), now)
    assert document.profile_id == left["profile_id"]
    assert sorted(document.names.values()) == ["cookie", "cookie", "email", "loyalty_card"]
    assert [one["verdict"] for one in document.decisions][:2] == ["entered", "waited"]
    assert (document.actions, document.journeys) == ([], [])


async def linking(shop) -> bool:
    """Tell whether the release with an identity was taken up."""
    return "joins its groups anew" in shop.said_all()


async def verdicts(shop, count: int, verdict: str) -> bool:
    lines = await shop.lines(shop.topics.decisions)
    return [json.loads(line)["verdict"] for line in lines].count(verdict) >= count
