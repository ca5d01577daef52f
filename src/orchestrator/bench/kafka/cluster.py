"""The broker as a bench sees it: topics made and loaded, how far groups have come, what was committed.

Owns these questions. Must never interpret what it carries.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
from aiokafka.structs import ConsumerRecord, TopicPartition

from orchestrator.bench.kafka.workload import Record
from orchestrator.errors import StorageError
from orchestrator.testing.streams import committed, whole_ends

BATCH_BYTES = 500_000
AT_ONCE = 32


class Cluster:
    """A connection to the broker for as long as the bench runs."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self._admin = AIOKafkaAdminClient(bootstrap_servers=servers)

    async def __aenter__(self) -> "Cluster":
        await self._admin.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._admin.close()

    async def create(self, topic: str, partitions: int) -> str:
        """Create a topic whose records stay, however old their timestamps are."""
        answer = await self._admin.create_topics([NewTopic(topic, partitions, 1, topic_configs={"retention.ms": "-1"})])
        (refused,) = [error[1:] for error in answer.topic_errors]
        if refused[0]:
            raise StorageError(f"{topic} could not be created: error {refused[0]}")
        return topic

    async def delete(self, prefix: str) -> None:
        """Delete all topics whose names begin so."""
        mine = [name for name in await self._admin.list_topics() if name.startswith(prefix)]
        if mine:
            await self._admin.delete_topics(mine)

    async def load(self, topic: str, records: Iterable[Record]) -> int:
        """Write records, each partition's in their order, and return how many there were."""
        async with self.producer() as producer:
            batches: dict[int, Any] = {}
            sent: list[Any] = []
            count = 0
            for partition, timestamp, key, value in records:
                count += 1
                batch = batches.get(partition) or batches.setdefault(partition, producer.create_batch())
                if batch.append(key=key, value=value, timestamp=timestamp) is None:
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = batches[partition] = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=timestamp)
                if len(sent) >= AT_ONCE:
                    await sent.pop(0)
            sent += [await producer.send_batch(batch, topic, partition=number) for number, batch in batches.items()]
            for future in sent:
                await future
        return count

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        """Give a producer of large batches."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.servers, max_batch_size=BATCH_BYTES, max_request_size=8 << 20
        )
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    @asynccontextmanager
    async def reader(self, topic: str, partitions: int) -> AsyncIterator[AIOKafkaConsumer]:
        """Give a consumer of a topic's committed records, without a group."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        try:
            parts = [TopicPartition(topic, number) for number in range(partitions)]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            yield consumer
        finally:
            await consumer.stop()

    async def committed(self, topic: str, partitions: int) -> list[ConsumerRecord]:
        """Read all committed records of a topic as it stands; transactions under way are waited for."""
        return await committed(self.servers, topic, partitions)

    async def ends(self, topic: str, partitions: int) -> int:
        """Sum up the ends of a topic's partitions, with all that is not committed yet."""
        return sum((await whole_ends(self.servers, topic, partitions)).values())

    async def reached(self, group: str, topic: str) -> int:
        """Sum up how far a group has committed in a topic; nothing yet, where its coordinator is only being found."""
        try:
            offsets = await self._admin.list_consumer_group_offsets(group)
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError):
            return 0
        return sum(max(0, meta.offset) for tp, meta in offsets.items() if tp.topic == topic)
