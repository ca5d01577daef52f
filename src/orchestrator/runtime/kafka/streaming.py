"""Streams on Kafka: messages for the company's own apps, tills and tablets, into a topic that they and gateways read.

Keyed by the profile, so that one customer's messages stay in order. Sending is at-least-once: a message that comes
twice has the same id. Owns the records. Must never read.
"""

import msgspec

from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.channels.streaming import content_of
from orchestrator.runtime.kafka.sending import Sender
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.streams import end_of, keep_of

_encode = msgspec.json.Encoder().encode


class KafkaStreams:
    """Opens the channels whose messages go into one topic; what is read there is kept as long as the topic keeps it."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic

    def open_channel(self, setup: Setup) -> Channel:
        """Make the channel that `stream:` names."""
        return TopicChannel(Sender(self._settings, self._topic), keep_of(setup, self._settings.retention_ms))


class TopicChannel:
    """A channel whose messages are records."""

    def __init__(self, sender: Sender, keep_ms: int) -> None:
        self._sender = sender
        self._keep_ms = keep_ms

    async def send(self, delivery: Delivery) -> Receipt:
        """Write one message; it is there once this returns."""
        value = _encode(content_of(delivery, end_of(delivery, self._keep_ms)))
        await self._sender.send(delivery.action.profile_id.encode(), value)
        return Receipt(delivery.key)

    async def close(self) -> None:
        """Let go of the producer."""
        await self._sender.close()
