"""The rights of the person concerned on a real broker: erased means nowhere, exported means everything, a no stays.

Values are planted and then looked for in every byte of the topics, after the broker was made to clean them.
"""

import asyncio
import json
import re
import time

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from jsonschema import Draft7Validator

from orchestrator.cli.customers import candidates
from orchestrator.language import load
from orchestrator.language.schemas import schemas
from orchestrator.model import instants
from orchestrator.model.event import Event
from orchestrator.runtime.kafka.cases import ASKED, PLACE, whose
from orchestrator.runtime.kafka.exporting import export
from orchestrator.runtime.kafka.reading import partitions_of
from orchestrator.runtime.kafka.records import receipt_line
from orchestrator.runtime.kafka.rights import CLEANING_MS, request_erasure
from orchestrator.testing.streams import Loaded, committed, latest_by_key

PARTITIONS = 4
DAY_MS = instants.DAY_MS
PLANTED = {
    "customer_id": "planted-customer-4711",
    "email": "planted.ana@example.com",
    "cookie": "planted-cookie-0815",
    "name": "Plantina",
    "cart": "planted-cart-77",
    "complaint": "planted-complaint-88",
    "note": "planted-note-99",
}
WHO = {"email": PLANTED["email"], "cookie": PLANTED["cookie"]}
KEY = "a-key-that-nobody-can-guess-4711"
FILES = {
    "orchestrator.yaml": """
project: shop
channels: {email: {address: profile.email, preferred_order: 1}}
purposes: {tips: {consent: opt_out}, news: {consent: opt_out}}
identity: {identifiers: [customer_id, email, cookie]}
teams: {care: {}}
""",
    "unhappy.journey.yaml": """
journey: unhappy
version: 1
purpose: tips
status: live
enter: {event: comment_left, again: always}
steps:
  - {id: to-care, handoff: {to: care, reason: angry, summary: "{{ event.properties.text }}", until: closed}}
""",
    "messages/tip.message.yaml": """
message: tip
email: {subject: "For {{ profile.first_name }}", text: "{{ data.cart }}"}
""",
    "cart.journey.yaml": """
journey: tips
version: 1
purpose: tips
status: live
enter: {event: cart_updated, key: cart_id, again: always}
steps:
  - {id: tip, send: {message: tip, data: {cart: entry.cart_id}}}
  - {id: rest, wait: 30d}
""",
    "news.journey.yaml": """
journey: news
version: 1
purpose: news
status: live
enter: {event: article_read, again: always}
steps: [{id: tell, send: {message: tip, purpose: news}}]
""",
}
# What makes the broker clean and delete whatever it may, at once.
CLEANED = {
    "min.cleanable.dirty.ratio": "0.0",
    "max.compaction.lag.ms": "1",
    "segment.ms": "1",
    "delete.retention.ms": "0",
    "file.delete.delay.ms": "0",
}
EXPIRED = {"retention.ms": "1", "segment.ms": "1", "file.delete.delay.ms": "0"}


@pytest.fixture
async def rights_shop(shop):
    """Return a shop that remembers noes, whose mail has no provider, so that it stays with delivery."""
    for name, text in FILES.items():
        (shop.project / name).write_text(text)
    (shop.project / "messages" / "cart-reminder.message.yaml").unlink()
    shop.variables |= {"RESOLVE": "on", "OBJECTION_KEY": KEY}
    return shop


def told(number: int, event_type: str, properties: dict | None = None, customer: str | None = None, **who) -> Loaded:
    """Make a record that nobody keyed, now."""
    now = int(time.time() * 1000)
    event = {"id": f"e{number}-{now}", "type": event_type, "time": now, "identifiers": who}
    about = {"properties": properties or {}, **({"customer_id": customer} if customer else {})}
    return Loaded(number % PARTITIONS, now, None, json.dumps({**event, **about}).encode())


async def every_byte(shop, topics: list[str]) -> bytes:
    """Read all that the broker gives of these topics, keys, values and headers, committed or not."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=shop.servers,
        isolation_level="read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        tps = await partitions_of(shop.settings(), topics)
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends, read = await consumer.end_offsets(tps), []
        while not all([await consumer.position(tp) >= end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    headers = [part for name, value in record.headers for part in (name.encode(), value)]
                    read += [record.key or b"", record.value or b"", *headers]
    finally:
        await consumer.stop()
    return b"\n".join(read)


async def planted_in(shop, topics: list[str]) -> set[str]:
    raw = (await every_byte(shop, topics)).lower()
    return {value for value in PLANTED.values() if value.lower().encode() in raw}


async def change(shop, topics: list[str], configs: dict[str, str]) -> None:
    """Give topics these settings beside those that they were made with, which would be gone otherwise."""
    own = {topic.name: topic.config for topic in shop.topics.ours}
    admin = AIOKafkaAdminClient(bootstrap_servers=shop.servers)
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, own[topic] | configs) for topic in topics]
        )
    finally:
        await admin.close()


async def roll(shop, topics: dict[str, int]) -> None:
    """Write a tombstone of nobody's to every partition: at the next record a segment ends, and may be cleaned."""
    producer = AIOKafkaProducer(bootstrap_servers=shop.servers)
    await producer.start()
    try:
        for topic, count in topics.items():
            for number in range(count):
                await producer.send_and_wait(topic, None, b"@roll", partition=number)
    finally:
        await producer.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_exported_means_everything_erased_means_nowhere_and_a_no_outlives_both(rights_shop):
    shop, topics = rights_shop, rights_shop.topics
    compacted = {topics.changelog: PARTITIONS, topics.links_changelog: 1, topics.delivery_changelog: PARTITIONS}
    expiring = [topics.actions, topics.decisions, topics.dead_letters, topics.receipts, topics.resolved, topics.links]
    worker, deliverer = shop.start_worker(), shop.start_worker("deliver")
    await shop.resolving()
    ana = PLANTED["customer_id"]
    traits = {"first_name": PLANTED["name"]}
    await shop.receive([told(1, "profile_updated", traits, ana, **WHO)])
    await shop.receive([told(2, "cart_updated", {"cart_id": PLANTED["cart"]}, ana, **WHO)])
    await shop.receive([told(3, "cart_updated", {"cart_id": "b1"}, "ben", email="ben@example.com")])

    async def waiting(count: int) -> bool:
        rows = latest_by_key(await committed(shop.servers, topics.delivery_changelog, PARTITIONS))
        return sum(b'"action":{' in row for row in rows.values()) == count

    await shop.until(lambda: waiting(2), 120)
    await shop.receive([told(4, "consent_changed", {"purpose": "news", "granted": False}, ana)])
    await shop.receive([told(8, "article_read", {}, ana)])
    await shop.until(lambda: decided(shop, "no_consent"))  # of one source, so one comes after the other
    await shop.receive([told(12, "comment_left", {"text": PLANTED["complaint"]}, ana)])
    await note(shop, PLANTED["note"])
    await shop.until(lambda: handed_over(shop))
    assert await planted_in(shop, list(compacted)) == set(PLANTED.values())

    await all_of_ana_is_exported(shop)
    now_ms = int(time.time() * 1000)
    receipt = await request_erasure(shop.settings(), topics, None, {"cookie": PLANTED["cookie"]}, now_ms, 60)
    assert (receipt.in_force_at is not None, await remembered(shop)) == (True, True)  # every partition knows the no
    await shop.until(lambda: waiting(1))  # ben's
    await change(shop, list(compacted), CLEANED)

    async def cleaned() -> bool:
        await roll(shop, compacted)
        return not await planted_in(shop, list(compacted))

    await shop.until(cleaned, 120)
    assert {remains.until for remains in receipt.remains} == {
        instants.to_text(now_ms + 8 * DAY_MS + CLEANING_MS),
        instants.to_text(now_ms + DAY_MS + CLEANING_MS),
        None,
    }
    assert receipt.remains[-1].where == [shop.events]

    await shop.receive([told(6, "article_read", {}, cookie="new", email="Planted.ANA@example.com")])
    await shop.until(lambda: decided(shop, "no_consent", 2))
    await the_no_is_exported_and_outlives_another_erasure(shop)
    # All that remains goes by age.
    await change(shop, expiring, EXPIRED)

    async def expired() -> bool:
        await roll(shop, compacted | dict.fromkeys(expiring[:-1], PARTITIONS) | {topics.links: 1})
        return not await planted_in(shop, [*expiring, *compacted])

    measured = "".join([await metrics_of(each) for each in (deliverer, worker)])
    assert "orchestrator_delivery_total" in measured
    assert [await asyncio.to_thread(each.stop) for each in (deliverer, worker)] == [0, 0], shop.said()
    await shop.until(expired, 120)
    said = shop.said_all() + str(msgspec.to_builtins(receipt)) + measured
    assert [value for value in (*PLANTED.values(), KEY) if value in said] == []


async def handed_over(shop) -> bool:
    """Tell whether delivery has settled anything: the case, for all else waits."""
    rows = latest_by_key(await committed(shop.servers, shop.topics.delivery_changelog, PARTITIONS))
    return any(not name.startswith("@") and b'"action":{' not in row for name, row in rows.items())


async def note(shop, text: str) -> None:
    """Have an agent write a note into the only case there is, as a gateway asks for it."""

    async def noted() -> dict[str, bytes]:
        found = latest_by_key(await committed(shop.servers, shop.topics.changelog, PARTITIONS))
        return {place: file for place, file in found.items() if place.startswith(PLACE)}

    await shop.until(noted)
    [place] = await noted()
    profile_id, case_id = whose(place)
    ask = {"case_id": case_id, "verb": "note", "agent": "eva", "once": "1", "text": text}
    event = Event("1", ASKED, int(time.time() * 1000), decoded={"asking": "1", "ask": ask})
    producer = AIOKafkaProducer(bootstrap_servers=shop.servers)
    await producer.start()
    try:
        await producer.send_and_wait(shop.topics.receipts, receipt_line(event), profile_id.encode())
    finally:
        await producer.stop()

    async def is_noted() -> bool:
        return text.encode() in (await noted())[place]

    await shop.until(is_noted)


async def the_no_is_exported_and_outlives_another_erasure(shop) -> None:
    project = load(shop.project).catalog.project
    exported = await export(shop.settings(), shop.topics, candidates("cookie:new"), 0, project)
    assert [(no["channel"], no["purpose"]) for no in exported.objections] == [("email", "news")]
    await request_erasure(shop.settings(), shop.topics, None, {"cookie": "new"}, int(time.time() * 1000), 60)
    assert await remembered(shop)


async def all_of_ana_is_exported(shop) -> None:
    document = await export(shop.settings(), shop.topics, candidates(f"cookie:{PLANTED['cookie']}"), 0)
    text = json.dumps(msgspec.to_builtins(document))
    Draft7Validator(json.loads(schemas()["export.schema.json"])).validate(json.loads(text))
    assert [value for value in PLANTED.values() if value not in text] == []
    assert "ben" not in text
    assert len(document.pending) == 1
    assert [one["kind"] for one in document.actions] == ["message", "handoff"]
    [case] = document.cases
    assert [line["text"] for line in case["lines"]] == [PLANTED["note"]]
    assert sorted(document.names.values()) == ["cookie", "customer_id", "email"]
    assert await export(shop.settings(), shop.topics, candidates("nobody"), 0) is None


async def metrics_of(process) -> str:
    """Read the metrics of a process at the address that it logged."""
    [address] = re.findall(r"health and metrics on (http://[\d.:]+)", process.said())
    async with aiohttp.ClientSession() as session, session.get(f"{address}/metrics") as answer:
        return await answer.text()


async def decided(shop, reason: str, count: int = 1) -> bool:
    lines = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
    return [line["reason"] for line in lines].count(reason) == count


async def remembered(shop) -> bool:
    """Tell whether every partition knows the one no, and nobody knows the customer."""
    found = await committed(shop.servers, shop.topics.changelog, PARTITIONS)
    places = {each.partition for each in found if each.key.startswith(b"@objection/")}
    names = latest_by_key(await committed(shop.servers, shop.topics.links_changelog, 1))
    return len(places) == PARTITIONS and len(names) == 3  # ben's, and the partition's header
