"""What a member owns: nothing of what was taken from it."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from unittest.mock import Mock

from aiokafka.structs import TopicPartition

from orchestrator.runtime.kafka.incarnation import Incarnation
from orchestrator.runtime.kafka.ownership import Ownership


async def test_a_partition_that_is_revoked_while_it_begins_is_given_up_though_its_cancellation_was_swallowed(
    monkeypatch,
):
    begins, dropped = asyncio.Event(), []

    async def drop():
        dropped.append(0)

    async def begin(*_):
        begins.set()
        with suppress(asyncio.CancelledError):  # as aiokafka does where a consumer is stopped
            await asyncio.Event().wait()
        return SimpleNamespace(drop=drop)

    monkeypatch.setattr(Incarnation, "begin", begin)
    ownership = Ownership(Mock(), Mock())
    await ownership.on_partitions_assigned([TopicPartition("events", 0)])
    await begins.wait()
    await ownership.on_partitions_revoked([])
    assert (ownership.at_work, dropped) == ({}, [0])
