"""Workers that die, freeze, join and leave: each line once, and the state of a run in which nothing happened."""

import asyncio
import signal
import time

import pytest

from orchestrator.runtime.kafka.writer import Writer

HOUR = 3_600_000

# Passages: a worker of four partitions begins and restores four times, and commits four times or more.
POINTS = [
    "turn.fetched:1",
    "commit.begin:2",
    "commit.lines:2",
    "commit.changes:2",
    "commit.check:2",
    "commit.offsets:2",
    "commit.end:2",
    "commit.ended:2",
    "commit.state:2",
    "begin.opened:2",
    "restore.begin:2",
    "restore.records:2",
    "restore.end:2",
    "begin.restored:2",
    "begin.positioned:2",
]


async def test_one_worker_does_what_the_simulated_runtime_does(shop, a_day):
    records = a_day(3000, seed=1)
    await shop.receive(records)
    worker = shop.start_worker()
    await shop.drained()
    assert worker.stop() == 0, shop.said()
    expected = await shop.check(records)
    assert len(expected.actions) > 100


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("state", "points"), [("memory", POINTS), ("rocksdb", POINTS[6:9])])
async def test_killed_at_every_fault_point_nothing_is_lost_or_doubled(shop, a_day, tmp_path, state, points):
    records = a_day(20_000, seed=2)
    await shop.receive(records)
    where = "memory" if state == "memory" else f"rocksdb:{tmp_path / 'state'}"
    # A static member: the next worker need not wait until the dead one's session is over.
    same = {"INSTANCE_ID": "w", "STATE": where, "TRANSACTION_FACTS": "100"}
    worker = await shop.killed_at(points, **same)
    await shop.drained()
    assert worker.stop() == 0, shop.said()
    await shop.check(records)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_workers_that_join_and_leave_come_to_the_same(shop, a_day):
    records = a_day(20_000, seed=3)
    await shop.receive(records)
    small = {"TRANSACTION_FACTS": "25"}
    first, second = shop.start_worker(**small), shop.start_worker(**small)
    await shop.until(lambda: _says(first, "restored"), 30)
    await shop.until(lambda: _says(second, "restored"), 30)
    third = shop.start_worker(**small)
    await shop.until(lambda: _says(third, "restored"), 30)
    assert await asyncio.to_thread(first.stop) == 0, shop.said()
    await shop.drained()
    assert [await asyncio.to_thread(worker.stop) for worker in (second, third)] == [0, 0], shop.said()
    await shop.check(records)
    assert "keeps its memory" in second.said()


async def _says(worker, text: str) -> bool:
    return text in worker.said()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_worker_frozen_past_its_session_does_nothing_when_it_wakes(shop, a_day):
    records = a_day(10_000, seed=4)
    await shop.receive(records)
    # It freezes with a transaction open, which its successor aborts.
    zombie = shop.start_worker(FAULT="commit.check:5:freeze", TRANSACTION_FACTS="100")
    await shop.until(lambda: _says(zombie, "restored"), 30)
    successor = shop.start_worker(TRANSACTION_FACTS="25")
    await shop.until(lambda: _says(successor, "restored"), 30)
    zombie.thaw()
    await shop.drained()
    assert [await asyncio.to_thread(worker.stop) for worker in (zombie, successor)] == [0, 0], shop.said()
    await shop.check(records)


async def test_a_lost_answer_to_the_end_of_a_transaction_doubles_nothing(shop, a_day):
    records = a_day(2000, seed=5)
    await shop.receive(records)
    worker = shop.start_worker(FAULT="commit.ended:6:raise")
    await shop.drained()
    assert worker.stop() == 0, shop.said()
    assert "is restored" in worker.said()
    await shop.check(records)


@pytest.mark.slow
async def test_a_worker_killed_with_a_transaction_open_leaves_nothing_to_readers(shop, a_day):
    records = a_day(2000, seed=6)
    await shop.receive(records)
    worker = shop.start_worker(FAULT="commit.end:2", INSTANCE_ID="w", COMMIT_INTERVAL_MS="10000")
    assert await asyncio.to_thread(worker.wait, 40) == -signal.SIGKILL
    # Two transactions came to their end, and one of those not: it stays out of sight.
    assert len(await shop.lines(shop.topics.decisions)) < 2000
    again = shop.start_worker(INSTANCE_ID="w")
    await shop.drained()
    assert again.stop() == 0
    await shop.check(records)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_an_order_behind_a_transaction_that_others_left_open_stops_the_reminder(shop, one_event):
    now, settings = int(time.time() * 1000), shop.settings()
    cart, order = (
        one_event(now - HOUR, "e1", "cart_updated", "ana", 50),
        one_event(now - 9, "e2", "order_placed", "ana"),
    )
    await shop.receive([cart])
    theirs, successor = Writer(settings, f"{shop.events}-theirs"), Writer(settings, f"{shop.events}-theirs")
    await theirs.open()
    await theirs.begin()
    for future, _ in await theirs.send(shop.events, cart.partition, [(b"ben", b"{}")]):
        await future
    await shop.receive([order])  # in the log, and nobody who reads what is committed gets there
    async with shop.member() as member:

        async def waits_for_the_end() -> bool:
            incarnation = member._ownership and member._ownership.at_work.get(cart.partition)
            waits = incarnation is not None and incarnation.promise is not None
            return waits or bool(await shop.lines(shop.topics.actions))

        await shop.until(waits_for_the_end)
        await theirs.discard()
        await successor.open()  # which aborts it
        await shop.drained()
    await successor.close()
    assert await shop.lines(shop.topics.actions) == []
    assert b'"bought"' in b"".join(await shop.lines(shop.topics.decisions))
