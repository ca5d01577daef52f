"""Reading topics without a group: for whoever follows one, or asks what stands there.

Owns the reader of committed records, and the reading of partitions up to the ends that were asked for at the beginning.
Must never join a group, nor write.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from orchestrator.runtime.kafka.closing import close, start
from orchestrator.runtime.kafka.describing import partition_counts
from orchestrator.runtime.kafka.header import HEADER_KEY, Header, decode_header
from orchestrator.runtime.kafka.settings import KafkaSettings

POLL_MS = 200
LOOKED_BACK = (10, 1_000, 50_000)
FETCH_BYTES = 4 << 20


@asynccontextmanager
async def reader(settings: KafkaSettings, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer without a group and with nothing assigned to it yet, of committed records if not told else."""
    defaults = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **defaults | options, **settings.connection())
    await start(consumer.start(), consumer.stop)
    try:
        yield consumer
    finally:
        await close(consumer.stop())


async def read(
    settings: KafkaSettings, partitions: Iterable[TopicPartition], take: Callable[[ConsumerRecord], None]
) -> None:
    """Hand over every committed record of some partitions, each one's in its order, as they stand now.

    Transactions under way are waited for: behind one that a worker left open as it died may lie what others committed.
    """
    wanted = list(partitions)
    if not wanted:
        return  # a topic that this application does not need
    async with reader(settings, isolation_level="read_uncommitted") as asker:
        ends = await asker.end_offsets(wanted)
    async with reader(settings, max_partition_fetch_bytes=FETCH_BYTES) as consumer:
        consumer.assign(wanted)
        await consumer.seek_to_beginning(*wanted)
        await _read_on(consumer, ends, take)


async def _read_on(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], take: Callable[[ConsumerRecord], None]
) -> None:
    """Hand over what stands between a consumer's positions and these ends."""
    left = set(ends)
    while left := {tp for tp in left if await consumer.position(tp) < ends[tp]}:
        for records in (await consumer.getmany(*left, timeout_ms=POLL_MS)).values():
            for record in records:
                take(record)


async def newest_headers(settings: KafkaSettings, changelog: str, count: int) -> dict[int, Header]:
    """Find what the last commits said of a changelog's partitions, those where anything was committed lately."""
    found: dict[TopicPartition, bytes] = {}

    def look_for_header(record: ConsumerRecord) -> None:
        if record.key == HEADER_KEY.encode() and record.value is not None:
            found[TopicPartition(record.topic, record.partition)] = record.value

    async with reader(settings) as consumer:
        left = {TopicPartition(changelog, number) for number in range(count)}
        consumer.assign(left)
        firsts, ends = await consumer.beginning_offsets(left), await consumer.end_offsets(left)
        # It is the last record of each commit; behind it lies at most what was aborted.
        for back in LOOKED_BACK:
            for tp in left:
                consumer.seek(tp, max(firsts[tp], ends[tp] - back))
            await _read_on(consumer, {tp: ends[tp] for tp in left}, look_for_header)
            left = {tp for tp in left if tp not in found and ends[tp] - back > firsts[tp]}
    return {tp.partition: decode_header(raw) for tp, raw in found.items()}


async def was_written(settings: KafkaSettings, topic: str) -> bool:
    """Tell whether anything was ever written to the first partition of a topic, whatever is left of it."""
    return await end_of(settings, TopicPartition(topic, 0), "read_uncommitted") > 0


async def end_of(settings: KafkaSettings, tp: TopicPartition, isolation_level: str = "read_committed") -> int:
    """Tell where a partition ends now: as far as everything is committed, or with `read_uncommitted` as a whole."""
    async with reader(settings, isolation_level=isolation_level) as consumer:
        end: int = (await consumer.end_offsets([tp]))[tp]
        return end


async def partitions_of(settings: KafkaSettings, topics: Collection[str]) -> list[TopicPartition]:
    """List all partitions of those of some topics that there are."""
    there = await partition_counts(settings)
    return [TopicPartition(topic, number) for topic in topics for number in range(there.get(topic, 0))]
