"""Delivery's outbox on Kafka, without a broker: what it tells its lanes of what was noted before."""

import asyncio

import pytest

from orchestrator.runtime.kafka import delivery
from orchestrator.runtime.kafka.delivery import KafkaOutbox
from orchestrator.runtime.kafka.pendings import NOTE, Row, encode_row
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics

KEPT = {0: {f"{NOTE}ramp email": b"zero"}, 3: {f"{NOTE}ramp email": b"three", "a1": encode_row(Row("a1", 3, 7))}}


class Log:
    """A partition's journal that holds what it is told, and takes nothing."""

    def __init__(self, settings, topics, number, fail):
        self.number = number

    async def open(self):
        return KEPT[self.number]

    async def close(self):
        pass


@pytest.fixture
def outbox(monkeypatch):
    monkeypatch.setattr(delivery, "Journal", Log)
    settings = KafkaSettings.of({"app_id": "shop"})
    return KafkaOutbox(settings, Topics.of(settings), 0)


async def opened(outbox, *partitions):
    outbox.assign(partitions)
    await asyncio.gather(*outbox._opening.values())


async def test_a_note_is_told_by_the_partition_that_holds_it_and_again_when_that_is_opened_anew(outbox):
    assert await outbox.recall("ramp email") == {}
    await opened(outbox, 0)
    assert await outbox.recall("ramp email") == {"0/1": b"zero"}
    await opened(outbox, 3)
    assert await outbox.recall("ramp email") == {"0/1": b"zero", "3/2": b"three"}
    await outbox.revoke([3])
    await opened(outbox, 3)
    assert await outbox.recall("ramp email") == {"0/1": b"zero", "3/3": b"three"}
    assert await outbox.recall("ramp push") == {}
    await outbox.close()
