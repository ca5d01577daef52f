"""Records into topics and out of them, for tests: by partition, with their timestamps, committed ones only.

Owns the writing and the reading. Must never interpret what it carries.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord, TopicPartition

BATCH_BYTES = 900_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """One record as it is to be written."""

    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


async def load(servers: str, topic: str, records: Iterable[Loaded]) -> dict[int, int]:
    """Write records, each partition's in their order; return how many each got."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, max_batch_size=BATCH_BYTES, max_request_size=8 << 20)
    await producer.start()
    counts: dict[int, int] = defaultdict(int)
    batches: defaultdict[int, Any] = defaultdict(producer.create_batch)
    try:
        for record in records:
            counts[record.partition] += 1
            fields = {"key": record.key, "value": record.value, "timestamp": record.timestamp}
            while batches[record.partition].append(**fields, headers=list(record.headers)) is None:
                await _send(producer, batches.pop(record.partition), topic, record.partition)
        for partition, batch in batches.items():
            await _send(producer, batch, topic, partition)
    finally:
        await producer.stop()
    return dict(counts)


async def _send(producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> None:
    batch.close()
    await (await producer.send_batch(batch, topic, partition=partition))


async def committed(servers: str, topic: str, partitions: int) -> list[ConsumerRecord]:
    """Read all committed records of a topic as it stands, by partition and offset.

    Transactions under way are waited for. A commit is answered, and the offsets in it are a group's, before its mark
    stands in each partition; to whoever reads what is committed, a partition seems to end before it until then.
    """
    ends = await whole_ends(servers, topic, partitions)
    found: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in sorted(ends)}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        consumer.assign(list(found))
        await consumer.seek_to_beginning(*found)
        while not all([await consumer.position(tp) >= end for tp, end in ends.items()]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                found[tp] += records
    finally:
        await consumer.stop()
    return [record for records in found.values() for record in records]


async def whole_ends(servers: str, topic: str, partitions: int) -> dict[TopicPartition, int]:
    """Ask where a topic's partitions end, with all that is not committed yet."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        tps = [TopicPartition(topic, number) for number in range(partitions)]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
        return ends
    finally:
        await consumer.stop()


def latest_by_key(records: Iterable[ConsumerRecord]) -> dict[str, bytes]:
    """Reduce a compacted topic's records to what it means: the last value of each key, tombstones left out."""
    latest = {record.key.decode(): record.value for record in records}
    return {key: value for key, value in latest.items() if value is not None}
