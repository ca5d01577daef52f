"""A worker without a broker: what it looks at now and then does not end it."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from orchestrator.runtime.kafka import worker as worker_module
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.worker import Worker


@pytest.mark.timeout(10)
async def test_brokers_that_do_not_say_whether_the_events_have_grown_are_asked_again(monkeypatch):
    answers = [KafkaConnectionError(), OSError(), TimeoutError(), {"events": 4}, {"events": 6}]

    async def look(*_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(worker_module, "partition_counts", look)
    monkeypatch.setattr(worker_module, "WATCH_S", 0.0)
    worker = Worker(KafkaSettings.of({"app_id": "shop"}), {})
    worker._counts = {"events": 4, "actions": 4}
    joins_anew = asyncio.Event()
    monkeypatch.setattr(worker, "_join_anew", joins_anew.set)
    watching = asyncio.create_task(worker._watch())
    await asyncio.wait([watching, asyncio.create_task(joins_anew.wait())], return_when=asyncio.FIRST_COMPLETED)
    watching.cancel()
    assert joins_anew.is_set()
    assert (worker._counts, answers) == ({"events": 6, "actions": 4}, [])
