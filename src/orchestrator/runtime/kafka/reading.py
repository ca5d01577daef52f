"""Reading topics without a group: for whoever follows one, or asks what stands there.

Owns the reader of committed records, and the reading of partitions up to the ends that were asked for at the beginning.
Must never join a group, nor write.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from orchestrator.runtime.kafka.closing import close
from orchestrator.runtime.kafka.header import HEADER_KEY, Header, decode_header
from orchestrator.runtime.kafka.settings import KafkaSettings

POLL_MS = 200
LOOKED_BACK = (10, 1_000, 50_000)
FETCH_BYTES = 4 << 20


@asynccontextmanager
async def reader(settings: KafkaSettings, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer without a group and with nothing assigned to it yet, of committed records if not told else."""
    consumer = AIOKafkaConsumer(
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **{"isolation_level": "read_committed", **options},
        **settings.connection(),
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await close(consumer.stop())


async def read(
    settings: KafkaSettings, partitions: Iterable[TopicPartition], take: Callable[[ConsumerRecord], None]
) -> None:
    """Hand over every committed record of some partitions, each one's in its order, as they stand now."""
    wanted = list(partitions)
    if not wanted:
        return  # a topic that this application does not need
    async with reader(settings, max_partition_fetch_bytes=FETCH_BYTES) as consumer:
        ends = await consumer.end_offsets(wanted)
        consumer.assign(wanted)
        await consumer.seek_to_beginning(*wanted)
        left = set(wanted)
        while left := {tp for tp in left if await consumer.position(tp) < ends[tp]}:
            for records in (await consumer.getmany(*left, timeout_ms=POLL_MS)).values():
                for record in records:
                    take(record)


async def newest_header(settings: KafkaSettings, changelog: TopicPartition) -> Header | None:
    """Find what a partition's last commit said of it; None where nothing was committed yet, or not lately."""
    async with reader(settings) as consumer:
        consumer.assign([changelog])
        first = (await consumer.beginning_offsets([changelog]))[changelog]
        end = (await consumer.end_offsets([changelog]))[changelog]
        # It is the last record of each commit; behind it lies at most what was aborted.
        for back in LOOKED_BACK:
            found = None
            consumer.seek(changelog, max(first, end - back))
            while await consumer.position(changelog) < end:
                for record in (await consumer.getmany(changelog, timeout_ms=POLL_MS)).get(changelog, []):
                    if record.key == HEADER_KEY.encode():
                        found = record.value
            if found is not None or end - back <= first:
                return None if found is None else decode_header(found)
        return None


async def was_written(settings: KafkaSettings, topic: str) -> bool:
    """Tell whether anything was ever written to the first partition of a topic, whatever is left of it."""
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **settings.connection())
    await consumer.start()
    try:
        first = TopicPartition(topic, 0)
        end: int = (await consumer.end_offsets([first]))[first]
        return end > 0
    finally:
        await close(consumer.stop())


async def partitions_of(settings: KafkaSettings, topics: Collection[str]) -> list[TopicPartition]:
    """List all partitions of those of some topics that there are."""
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(**settings.connection())
    await admin.start()
    try:
        there = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    finally:
        await close(admin.close())
    return [TopicPartition(topic, number) for topic in topics for number in range(there.get(topic, 0))]
