"""A producer for channels whose messages are records: opened when the first of them goes, and closed with its channel.

Owns that life. Must never say that a record is written before every replica in step has it.
"""

import asyncio
from collections.abc import Collection

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from orchestrator.errors import Unavailable
from orchestrator.runtime.kafka.closing import close, start
from orchestrator.runtime.kafka.settings import KafkaSettings


class Sender:
    """Writes to one topic."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, key: bytes, value: bytes, *, everywhere: bool = False) -> None:
        """Write a record where its key leads, or to all partitions; it is there once this returns.

        Raises Unavailable when it is not known to be. The next one has another producer then: behind a batch that was
        lost, or once the brokers have forgotten it, an idempotent one is refused for good.
        """
        producer = None
        try:
            producer = await self._ready()
            where: Collection[int | None] = await producer.partitions_for(self._topic) if everywhere else [None]
            for partition in where:
                await producer.send_and_wait(self._topic, value, key, partition=partition)
        except KafkaError as error:
            if producer is not None and producer is self._producer:
                await self.close()
            raise Unavailable(None, f"the topic {self._topic} cannot be written: {error!r}") from error

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **self._settings.connection())
                await start(producer.start(), producer.stop)
                self._producer = producer
        return self._producer

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer.stop())
