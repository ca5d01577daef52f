"""A worker without a broker: how it ends where it cannot begin."""

import asyncio
import socket

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.runtime.kafka import worker as module
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.worker import Worker


async def test_a_worker_whose_address_is_taken_ends_at_once_and_says_nothing_else(monkeypatch, caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = KafkaSettings.of({"app_id": "shop", "http": address})

        async def prepared(*_):
            return {topic.name: 4 for topic in Topics.of(settings).ours} | {"events": 4}

        monkeypatch.setattr(module, "once_brokers_answer", prepared)
        worker = Worker(settings, {})
        with pytest.raises(OrchestratorError, match=f"cannot listen on {address}"):
            await worker.start()
        async with asyncio.timeout(module.STOPPING_S / 2):
            await worker.stop()
    assert "did not end" not in caplog.text
