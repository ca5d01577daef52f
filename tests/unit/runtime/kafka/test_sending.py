"""A producer for channels, without a broker: one that does not work any more is not kept."""

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber

from orchestrator.errors import Unavailable
from orchestrator.runtime.kafka import sending
from orchestrator.runtime.kafka.sending import Sender
from orchestrator.runtime.kafka.settings import KafkaSettings


class Producer:
    """A producer that the brokers have forgotten, if it is the first."""

    made = 0

    def __init__(self, **_):
        Producer.made += 1
        self.number = Producer.made
        self.stopped = False

    async def start(self):
        pass

    async def stop(self):
        self.stopped = True

    async def send_and_wait(self, topic, value, key, partition):
        assert not self.stopped
        if self.number == 1:
            raise OutOfOrderSequenceNumber


async def test_after_a_failure_the_next_message_has_another_producer(monkeypatch):
    monkeypatch.setattr(sending, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(Producer, "made", 0)
    sender = Sender(KafkaSettings.of({"app_id": "shop"}), "messages")
    with pytest.raises(Unavailable):
        await sender.send(b"ana", b"hello")
    for _ in range(2):
        await sender.send(b"ana", b"hello")
    assert Producer.made == 2
    await sender.close()
