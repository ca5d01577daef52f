"""Resolve on a real broker: one customer over all partitions, and what must wait for what still waits there."""

import asyncio
import json
import time
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from orchestrator.runtime.kafka import watching
from orchestrator.runtime.kafka.catalogs import keyed
from orchestrator.runtime.kafka.topics import look
from orchestrator.runtime.kafka.worker import Worker

PARTITIONS = 4
HOUR = 3_600_000
# Some of the resolver's, some of the turn's: which of the two units comes to a point first is chance.
POINTS = ["turn.fetched:3", "commit.lines:5", "commit.check:9", "commit.end:12", "commit.ended:7", "begin.opened:6"]


@pytest.fixture
async def open_shop(shop):
    """Return a shop whose events come from anywhere."""
    shop.variables["RESOLVE"] = "on"
    return shop


@pytest.mark.slow
async def test_a_customer_scattered_over_all_partitions_has_one_life(open_shop, a_day, scatter):
    records = scatter(a_day(3000, seed=41), seed=41)
    await open_shop.receive(records)
    worker = open_shop.start_worker()
    await open_shop.resolved()
    assert worker.stop() == 0, open_shop.said()
    expected = await open_shop.check(records)
    assert len(expected.actions) > 100


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_killed_at_fault_points_of_both_hops_nothing_is_lost_or_doubled(open_shop, a_day, scatter):
    records = scatter(a_day(12_000, seed=42), seed=42)
    await open_shop.receive(records)
    same = {"INSTANCE_ID": "w", "TRANSACTION_FACTS": "100"}
    worker = await open_shop.killed_at(POINTS, **same)
    await open_shop.resolved()
    assert worker.stop() == 0, open_shop.said()
    await open_shop.check(records)


@pytest.mark.slow
async def test_a_worker_that_was_down_fires_no_timer_while_the_order_waits_in_resolve(open_shop, one_event):
    now = int(time.time() * 1000)
    # The cart lies alone in its partition; the order of half an hour later at the end of a long one.
    cart = replace(one_event(now - 2 * HOUR, "e1", "cart_updated", "ana", 50), partition=0)
    order = replace(one_event(now - 3 * HOUR // 2, "e2", "order_placed", "ana"), partition=1)
    before = [
        replace(one_event(now - 3 * HOUR + number, f"p{number}", "page_viewed", f"c{number}"), partition=1)
        for number in range(4000)
    ]
    await open_shop.receive([cart, *before, order])
    worker = open_shop.start_worker(TRANSACTION_FACTS="100")
    await open_shop.drained(group=f"{open_shop.variables['APP_ID']}-resolve")

    async def exited() -> bool:
        verdicts = [json.loads(line)["verdict"] for line in await open_shop.lines(open_shop.topics.decisions)]
        return "exited" in verdicts

    await open_shop.until(exited)
    assert worker.stop() == 0, open_shop.said()
    verdicts = [json.loads(line)["verdict"] for line in await open_shop.lines(open_shop.topics.decisions)]
    assert verdicts == ["entered", "waited", "exited"]
    assert await open_shop.lines(open_shop.topics.actions) == []


@pytest.mark.slow
async def test_a_timestamp_in_the_future_fires_nothing_behind_resolve(open_shop, one_event):
    now = int(time.time() * 1000)
    cart = replace(one_event(now - 40 * HOUR // 60, "e1", "cart_updated", "ana", 50), partition=0)
    # Due in twenty minutes; this record claims to be of in fifty.
    future = replace(one_event(now, "e2", "x", "ana"), partition=1, timestamp=now + 50 * HOUR // 60)
    await open_shop.receive([cart, future])
    worker = open_shop.start_worker()
    await open_shop.drained(group=f"{open_shop.variables['APP_ID']}-resolve")

    async def entered() -> bool:
        return bool(await open_shop.lines(open_shop.topics.decisions))

    await open_shop.until(entered)
    # Stopped cleanly, so everything that was taken in is committed.
    assert worker.stop() == 0, open_shop.said()
    assert await open_shop.lines(open_shop.topics.actions) == []


async def test_partitions_that_are_added_to_the_events_are_read_from_their_beginning(open_shop, one_event, monkeypatch):
    monkeypatch.setattr(watching, "WATCH_S", 0.3)
    settings = open_shop.settings(START="latest")
    worker = Worker(settings, keyed(open_shop.loaded))
    await worker.start()
    running = asyncio.create_task(worker.run())
    try:
        await open_shop.until(lambda: _told(worker._is_ready()))
        admin = AIOKafkaAdminClient(bootstrap_servers=open_shop.servers)
        await admin.start()
        await admin.create_partitions({open_shop.events: NewPartitions(PARTITIONS + 2)})
        await admin.close()

        async def there() -> bool:
            return (await look(settings, open_shop.topics)).partitions[open_shop.events] == PARTITIONS + 2

        await open_shop.until(there)
        # Long before any worker knows of it.
        now = int(time.time() * 1000)
        await open_shop.receive([replace(one_event(now, "e1", "cart_updated", "ana", 50), partition=PARTITIONS + 1)])

        async def entered() -> bool:
            return b'"entered"' in b"".join(await open_shop.lines(open_shop.topics.decisions))

        await open_shop.until(entered)
    finally:
        await worker.stop()
        await running


async def test_events_that_are_made_anew_while_a_worker_runs_are_read_from_their_beginning(
    open_shop, one_event, monkeypatch, caplog
):
    monkeypatch.setattr(watching, "WATCH_S", 0.3)
    worker = Worker(open_shop.settings(START="latest"), keyed(open_shop.loaded))
    await worker.start()
    running = asyncio.create_task(worker.run())

    async def entered(count: int) -> bool:
        return b"".join(await open_shop.lines(open_shop.topics.decisions)).count(b'"entered"') == count

    try:
        await open_shop.until(lambda: _told(worker._is_ready()))
        now = int(time.time() * 1000)
        await open_shop.receive([one_event(now, f"e{at}", "cart_updated", f"c{at}", 50) for at in range(8)])
        await open_shop.until(lambda: entered(8))
        admin = AIOKafkaAdminClient(bootstrap_servers=open_shop.servers)
        await admin.start()
        await admin.delete_topics([open_shop.events])
        await admin.close()
        await open_shop.until(lambda: _told(f"{open_shop.events} is gone" in caplog.text))
        await open_shop.open()
        # Long before any worker knows of it, and no more than there was before.
        await open_shop.receive([one_event(now, f"f{at}", "cart_updated", f"d{at}", 50) for at in range(4)])
        await open_shop.until(lambda: entered(12))
        assert f"{open_shop.events}/0 was made anew: it is read from 0 on" in caplog.text
    finally:
        await worker.stop()
        await running


async def _told(condition: bool) -> bool:
    return condition
