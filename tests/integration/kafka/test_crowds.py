"""Hundreds of people with devices that they share, on a real broker with kills: a plain union-find says the same.

What is compared is what the linker's transactions left in its changelog, each for itself: the links are fed to the
reference in the order in which they were committed, and after every commit the graph is the reference's.
"""

import asyncio
import json
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest

from integration.kafka.conftest import Shop
from orchestrator.model import codec
from orchestrator.model.identity import Identity
from orchestrator.model.ids import profile_id_of
from orchestrator.runtime.kafka.header import HEADER_KEY, Header, decode_header
from orchestrator.runtime.kafka.linking_partition import read_name
from orchestrator.runtime.kafka.resolved import CLOCK_KEY
from orchestrator.testing.streams import Loaded, committed, latest_by_key
from shop.crowds import KINDS, NOBODY, Refusing, crowd, plain_union_find

PARTITIONS = 4
START = 1_700_000_000_000
STRICT = {"limit": 8, "limits": {"customer_id": 1, "email": 2}}
FREE = {"limit": 10_000, "limits": {"customer_id": 10_000}}
# Of resolve's, the linker's or the turns': whose is reached first is chance.
POINTS = ["commit.lines:4", "commit.check:8", "commit.end:11", "commit.ended:6", "commit.changes:5", "begin.opened:7"]
STEP_MS = 20_000


def identity(rules) -> str:
    """Write what a project says of a crowd's identifiers."""
    said = {"identifiers": list(KINDS), "never": {"email": [NOBODY]}, **rules}
    return f"identity: {json.dumps(said)}\n"


@pytest.fixture
async def open_shop(broker, fresh_name, project, tmp_path):
    """Return what opens a shop that links by these limits."""
    written = project / "orchestrator.yaml"
    text, opened = written.read_text(), []

    async def open_by(rules) -> Shop:
        written.write_text(text + identity(rules))
        shop = Shop(broker, fresh_name("shop"), tmp_path, project)
        opened.append(shop)
        shop.variables |= {"RESOLVE": "on", "TRANSACTION_FACTS": "60"}
        await shop.open()
        return shop

    yield open_by
    for shop in opened:
        shop.close()


def records_of(sightings, ends, dice) -> list[Loaded]:
    """Put what a crowd sends into any partitions, some of it twice; behind it what moves every clock."""
    made = []
    for at, each in enumerate(sightings):
        at_ms = START + at * STEP_MS
        value = json.dumps(each.event(dice.choice(["cart_updated", "order_placed", "seen"]), at_ms, total=50)).encode()
        made += [Loaded(dice.randrange(PARTITIONS), at_ms, None, value) for _ in range(dice.choice([1, 1, 1, 2]))]
    return made + ends


async def clusters_of(shop) -> set[frozenset[str]]:
    """Read from the graph's changelog who is whose."""
    links = latest_by_key(await committed(shop.servers, shop.topics.links_changelog, 1))
    links.pop(HEADER_KEY, None)
    found: dict[str, set[str]] = defaultdict(set)
    for name, record in links.items():
        found[read_name(record)[0]].add(name)
    assert all(root in names for root, names in found.items())
    return {frozenset(names) for names in found.values()}


def hashed(clusters) -> set[frozenset[str]]:
    """Write a reference's clusters by the names under which identifiers are kept."""
    return {frozenset(profile_id_of(*name) for name in cluster) for cluster in clusters}


def commits_of(changelog) -> Iterator[tuple[dict[str, bytes | None], Header]]:
    """Take a changelog apart into its transactions, each closed by the partition's header."""
    changes: dict[str, bytes | None] = {}
    for record in changelog:
        if record.key == HEADER_KEY.encode():
            yield changes, decode_header(record.value)
            changes = {}
        else:
            changes[record.key.decode()] = record.value
    assert not changes


def is_taken(record, header: Header) -> bool:
    """Whether the linker had processed a record of its input at a commit."""
    is_past = (record.timestamp, record.offset) <= (header.mark_ms, header.mark_offset)
    return record.offset < header.read and is_past and record.offset not in header.late


async def as_committed(shop, sightings) -> Refusing:
    """Feed the reference with each transaction's links, and compare the graph after each; give the reference."""
    links = await committed(shop.servers, shop.topics.links, 1)
    waiting = sorted(
        [each for each in links if each.key != CLOCK_KEY and not each.headers[-1][0].endswith("kind")],
        key=lambda each: (each.timestamp, each.offset),
    )
    by_id = {each.id: each for each in sightings}
    reference, graph, told, count = Refusing(**STRICT), {}, Counter(), 0
    for changes, header in commits_of(await committed(shop.servers, shop.topics.links_changelog, 1)):
        taken = [each for each in waiting if is_taken(each, header)]
        if not taken:
            assert not changes
            continue
        assert taken == waiting[: len(taken)]
        waiting = waiting[len(taken) :]
        linked = [by_id[name] for name in (json.loads(each.value)["id"] for each in taken) if name in by_id]
        told += reference.told(linked)
        graph |= changes
        count += 1
        assert None not in graph.values()
        roots = {name: read_name(record)[0] for name, record in graph.items()}
        for name, cluster in reference.clusters.items():
            assert len({roots[profile_id_of(*other)] for other in cluster}) == 1, (count, name)
        assert len(set(roots.values())) == len(reference.all()), count
    assert waiting == []
    assert count > 20
    decisions = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
    said = [one for one in decisions if one["verdict"] == "not_merged"]
    assert Counter((one["cause"], one["saw"]["kind"], one["reason"]) for one in said) == told
    assert {reason for _, _, reason in told} == {"kind_limit", "profile_limit", "never"}
    return reference


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_killed_at_fault_points_of_all_hops_nobody_is_mixed_up_and_each_no_is_on_record_as_committed(
    open_shop, a_day, rounds, first_round
):
    for seed in range(first_round, first_round + rounds):
        shop, dice, sightings = await open_shop(STRICT), random.Random(seed), crowd(1_200, seed)
        records = records_of(sightings, a_day(1, seed=seed)[1:], dice)
        await shop.receive(records)
        worker = await shop.killed_at(POINTS, INSTANCE_ID="w")
        await shop.resolved()
        assert await asyncio.to_thread(worker.stop) == 0, shop.said()
        await shop.check(records)
        reference = await as_committed(shop, sightings)
        clusters = reference.all()
        assert await clusters_of(shop) == hashed(clusters)
        assert [cluster for cluster in clusters if reference.broken_by(set(cluster)) is not None] == []
        await everybody_has_one_life(shop, clusters)


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_without_limits_any_order_and_any_kills_come_to_a_plain_union_finds_clusters(
    open_shop, a_day, rounds, first_round
):
    for seed in range(first_round, first_round + rounds):
        shop, dice, sightings = await open_shop(FREE), random.Random(seed), crowd(1_200, seed)
        records = records_of(sightings, [], dice)
        moments = [each.timestamp for each in records]
        dice.shuffle(moments)
        anyhow = [replace(each, timestamp=at) for each, at in zip(records, moments, strict=True)]
        await shop.receive(anyhow + a_day(1, seed=seed)[1:])
        # Two, so that the hops are spread over them, and who is killed takes any of them along.
        doomed = [
            shop.start_worker(FAULT=f"{point}:{dice.randint(3, 9)}") for point in ("commit.ended", "commit.check")
        ]
        for worker in doomed:
            assert await asyncio.to_thread(worker.wait, 40) == -signal.SIGKILL, shop.said()
        worker = shop.start_worker()
        await shop.resolved()
        assert await asyncio.to_thread(worker.stop) == 0, shop.said()
        clusters = plain_union_find(each.names for each in sightings)
        assert max(map(len, clusters)) > 20
        assert await clusters_of(shop) == hashed(clusters)
        await everybody_has_one_life(shop, clusters)


async def everybody_has_one_life(shop, clusters) -> None:
    """Look whether nobody's names are in two profiles' records, nor strangers' in one."""
    states = latest_by_key(await committed(shop.servers, shop.topics.changelog, PARTITIONS))
    states.pop(HEADER_KEY, None)
    rules = Identity(KINDS)
    named = {}
    for name, record in states.items():
        profile = codec.decode(record).profile
        named[name] = frozenset(rules.names_of(profile.customer_id, profile.identifiers))
    together = {names for names in named.values() if len(names) > 1}
    assert together == hashed(clusters)
    assert sum(map(len, named.values())) == len(frozenset().union(*named.values()))
