"""Where inputs end, without a broker: an input that nobody answers for holds up its own partition's timers alone."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import TopicPartition

from orchestrator.runtime.kafka import ends
from orchestrator.runtime.kafka.ends import Asking
from orchestrator.runtime.kafka.settings import KafkaSettings

TOPICS = ("events", "receipts")


class Cluster:
    """Brokers of which those that lead some inputs are away: nobody answers, or that is what is answered."""

    def __init__(self) -> None:
        self.away: set[TopicPartition] = set()
        self.is_silent = True
        self.end = 5
        self.in_vain = 0

    async def end_offsets(self, tps):
        if self.away.intersection(tps):
            self.in_vain += 1
            if self.is_silent:
                await asyncio.Event().wait()
            raise KafkaTimeoutError
        return dict.fromkeys(tps, self.end)


class Incarnation:
    """A partition with a timer that is due, and the promises it was given."""

    def __init__(self, number: int) -> None:
        self.unit = SimpleNamespace(number=number, wants_end=lambda wall_ms: True)
        self.promise = None


@pytest.fixture
def cluster(monkeypatch):
    """Return the brokers that are asked; without a pause, and with little patience."""
    cluster = Cluster()

    @asynccontextmanager
    async def reader(*_, **__):
        yield cluster

    monkeypatch.setattr(ends, "reader", reader)
    monkeypatch.setattr(ends, "ASK_S", 0.0)
    monkeypatch.setattr(ends, "TOGETHER_S", 0.01)
    return cluster


@asynccontextmanager
async def asking(at_work):
    """Ask for what is at work for as long as the block lasts."""
    ownership = SimpleNamespace(at_work=at_work)
    inputs = lambda incarnation: [TopicPartition(topic, incarnation.unit.number) for topic in TOPICS]  # noqa: E731
    running = asyncio.create_task(Asking(KafkaSettings.of({"app_id": "shop"}), ownership, inputs).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def promised(*incarnations):
    """Wait until all of these are promised an end; give those ends, and let them ask again."""
    while not all(incarnation.promise for incarnation in incarnations):  # noqa: ASYNC110 - its loop goes round beside
        await asyncio.sleep(0)
    found = [incarnation.promise[1] for incarnation in incarnations]
    for incarnation in incarnations:
        incarnation.promise = None
    return found


@pytest.mark.timeout(10)
@pytest.mark.parametrize("is_silent", [True, False])
async def test_an_input_whose_leader_is_away_holds_up_its_own_partition_and_no_other(cluster, is_silent):
    at_work = {number: Incarnation(number) for number in range(4)}
    cluster.away, cluster.is_silent = {TopicPartition("receipts", 2)}, is_silent
    others = [at_work[number] for number in (0, 1, 3)]
    async with asking(at_work):
        for cluster.end in range(6, 30):
            await promised(*others)
            # Asked for by now, whatever was on its way before.
            assert await promised(*others) == [{"events": cluster.end, "receipts": cluster.end}] * 3
    assert at_work[2].promise is None
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.timeout(10)
async def test_an_input_whose_leader_is_there_again_is_asked_for_with_the_others(cluster, caplog):
    at_work = {number: Incarnation(number) for number in range(3)}
    cluster.away, cluster.is_silent = {TopicPartition("events", 0), TopicPartition("events", 1)}, False
    async with asking(at_work):
        await promised(at_work[2])
        assert (at_work[0].promise, at_work[1].promise) == (None, None)
        cluster.away.clear()
        assert await promised(*at_work.values()) == [{"events": 5, "receipts": 5}] * 3
    [said] = [each for each in caplog.messages if "end, and" in each]
    assert "nobody says where events/0, receipts/0 end, and their timers wait: KafkaTimeoutError" in said


@pytest.mark.timeout(10)
async def test_a_partition_that_is_given_away_is_asked_for_no_longer(cluster):
    at_work = {number: Incarnation(number) for number in range(2)}
    cluster.away, cluster.is_silent = {TopicPartition("events", 0)}, False
    async with asking(at_work):
        while cluster.in_vain < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
        del at_work[0]
        await promised(at_work[1])
        in_vain = cluster.in_vain
        for _ in range(20):
            await promised(at_work[1])
    assert cluster.in_vain <= in_vain + 1
