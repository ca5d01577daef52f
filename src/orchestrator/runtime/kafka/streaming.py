"""Streams on Kafka: messages for the company's own apps, tills and tablets, into a topic that they read.

Keyed by the profile, so that one customer's messages stay in order. Sending is at-least-once: a message that comes
twice has the same id. Owns the producer. Must never read.
"""

import asyncio

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.channels.streaming import content_of
from orchestrator.errors import Unavailable
from orchestrator.model import instants
from orchestrator.runtime.kafka.closing import close
from orchestrator.runtime.kafka.settings import KafkaSettings

_encode = msgspec.json.Encoder().encode


class KafkaStreams:
    """Opens the channels whose messages go into one topic; what is read there is kept as long as the topic keeps it."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic

    def open_channel(self, setup: Setup) -> Channel:
        """Make the channel that `stream:` names."""
        return TopicChannel(self._settings, self._topic)


class TopicChannel:
    """A channel whose messages are records."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, delivery: Delivery) -> Receipt:
        """Write one message; it is there once this returns."""
        until_ms = delivery.now_ms + self._settings.retention_ms
        expires_ms = instants.parse(delivery.action.expires_at) if delivery.action.expires_at else None
        value = _encode(content_of(delivery, until_ms if expires_ms is None else expires_ms))
        try:
            producer = await self._ready()
            await producer.send_and_wait(self._topic, value, delivery.action.profile_id.encode())
        except KafkaError as error:
            raise Unavailable(None, f"the topic {self._topic} cannot be written: {error!r}") from error
        return Receipt(delivery.key)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **self._settings.connection())
                await producer.start()
                self._producer = producer
        return self._producer

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer.stop())
