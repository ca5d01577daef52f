"""The intake in front of Kafka: who is answered when, and who is turned away."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from orchestrator.errors import StorageError
from orchestrator.runtime.kafka import intake as module
from orchestrator.runtime.kafka.intake import Intake
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.live import Busy
from providers.live import until

SETTINGS = KafkaSettings.of({"app_id": "shop"})
PLACE = ("events", 0)


class Brokers:
    """What the writers of a test write to: answers when told, or breaks."""

    def __init__(self):
        self.written, self.opened, self.discarded = [], 0, 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Event()
        self.breaks: Exception | None = None
        self.refuses_to_open = 0

    def writer(self, settings, transactional_id, *, batch_bytes):
        assert transactional_id is None
        return Writer(self)


class Writer:
    def __init__(self, brokers):
        self.brokers = brokers

    async def open(self):
        if self.brokers.refuses_to_open:
            self.brokers.refuses_to_open -= 1
            raise KafkaConnectionError
        self.brokers.opened += 1

    async def send(self, topic, partition, lines):
        return [(asyncio.ensure_future(self._answer(topic, partition, list(lines))), len(lines))]

    async def _answer(self, topic, partition, lines):
        self.brokers.asked.set()
        await self.brokers.may_answer.wait()
        if self.brokers.breaks is not None:
            raise self.brokers.breaks
        self.brokers.written += [(topic, partition, value) for _, value in lines]

    async def close(self):
        pass

    async def discard(self):
        self.brokers.discarded += 1


@pytest.fixture
async def brokers(monkeypatch):
    brokers = Brokers()
    monkeypatch.setattr(module, "Writer", brokers.writer)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    return brokers


@pytest.fixture
async def intake(brokers):
    intake = Intake(SETTINGS, lambda seconds: None)
    await intake.start(1 << 20)
    yield intake
    brokers.may_answer.set()
    brokers.refuses_to_open = 0
    await intake.stop()


async def test_nobody_is_answered_before_the_brokers_have_it(intake, brokers):
    brokers.may_answer.clear()
    first = asyncio.create_task(intake.write({PLACE: [(b"ana", b"1")]}))
    await brokers.asked.wait()
    assert not first.done()
    brokers.may_answer.set()
    await first
    assert brokers.written == [("events", 0, b"1")]


async def test_what_comes_while_a_round_is_on_its_way_is_one_round(intake, brokers):
    brokers.may_answer.clear()
    writing = [asyncio.create_task(intake.write({PLACE: [(b"ana", b"1")]}))]
    await brokers.asked.wait()
    brokers.asked.clear()
    writing += [asyncio.create_task(intake.write({PLACE: [(b"ana", b"%d" % n)]})) for n in range(2, 6)]
    await asyncio.sleep(0)
    brokers.may_answer.set()
    await asyncio.gather(*writing)
    assert [value for _, _, value in brokers.written] == [b"1", b"2", b"3", b"4", b"5"]


async def test_beyond_the_bound_callers_are_told_to_come_back(intake, brokers, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 3_000)
    brokers.may_answer.clear()
    waiting = asyncio.create_task(intake.write({PLACE: [(b"ana", bytes(2_000))]}))
    await brokers.asked.wait()
    with pytest.raises(Busy):
        await intake.write({PLACE: [(b"ana", bytes(2_000))]})
    brokers.may_answer.set()
    await waiting
    await intake.write({PLACE: [(b"ana", bytes(2_000))]})
    assert len(brokers.written) == 2


async def test_brokers_that_do_not_answer_in_time_cost_the_producer_and_nobody_hears_a_yes(
    intake, brokers, monkeypatch
):
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    brokers.may_answer.clear()
    brokers.refuses_to_open = 3
    writing = [asyncio.create_task(intake.write({PLACE: [(b"ana", b"1")]}))]
    await brokers.asked.wait()
    writing.append(asyncio.create_task(intake.write({PLACE: [(b"ana", b"2")]})))
    answers = await asyncio.gather(*writing, return_exceptions=True)
    assert [type(each) for each in answers] == [StorageError, StorageError]
    with pytest.raises(StorageError, match="do not take events"):
        await intake.write({PLACE: [(b"ana", b"3")]})
    brokers.may_answer.set()
    await until(lambda: intake.trouble is None)
    await intake.write({PLACE: [(b"ana", b"4")]})
    assert (brokers.written, brokers.opened) == ([("events", 0, b"4")], 2)


async def test_a_batch_that_is_refused_is_no_yes_either(intake, brokers):
    brokers.breaks = KafkaConnectionError()
    with pytest.raises(StorageError):
        await intake.write({PLACE: [(b"ana", b"1")], ("events", 1): [(b"ben", b"2")]})


async def test_stopping_it_writes_what_waits_and_takes_nothing_more(intake, brokers):
    brokers.may_answer.clear()
    writing = [asyncio.create_task(intake.write({PLACE: [(b"ana", b"1")]}))]
    await brokers.asked.wait()
    writing.append(asyncio.create_task(intake.write({PLACE: [(b"ana", b"2")]})))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(intake.stop())
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await intake.write({PLACE: [(b"ana", b"3")]})
    brokers.may_answer.set()
    await asyncio.gather(*writing, stopping)
    assert [value for _, _, value in brokers.written] == [b"1", b"2"]
