"""Fetching: what was fetched goes to whom it belongs, and the way round a record that cannot be read at all.

aiokafka reads the names of headers as text, and raises where one is none: producers in some languages may write any
bytes. What it had fetched of other partitions in the same go is lost with that, and the next fetch meets the same
record. So all go back to what was taken in, and in place of the record an empty one is taken in, a dead letter.
Owns that way. Must never await between a fetch and taking it in.
"""

import logging
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from orchestrator.runtime.kafka.fetched import Fetches, Record
from orchestrator.runtime.kafka.incarnation import Incarnation
from orchestrator.runtime.kafka.ownership import Ownership

log = logging.getLogger(__name__)

# Of a partition with such a record, so many are looked at in one go; so long a broker may take to answer.
AT_ONCE = 1_000
PATIENCE_MS = 500


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """A member's consumer, without deserializers; its records are ours (`fetched`)."""

    async def start(self) -> None:
        """Join the group; nothing is fetched before it has told what to read, and where was looked up."""
        await super().start()
        self._fetcher._records = Fetches(self._fetcher._records)


def take_in(ownership: Ownership, tp: TopicPartition, records: Sequence[Record]) -> None:
    """Give what was fetched to whoever is at work on it."""
    incarnation = ownership.at_work.get(tp.partition)
    if incarnation is not None:
        incarnation.unit.inputs.add(tp.topic, records)
        incarnation.fetched[tp.topic] = records[-1].offset + 1


async def fetch_one_by_one(
    consumer: AIOKafkaConsumer, ownership: Ownership, inputs_of: Callable[[Incarnation], Sequence[TopicPartition]]
) -> None:
    """Fetch again after a UnicodeDecodeError: partition by partition, and where it lies record by record."""
    wanted = [(incarnation, tp) for incarnation in ownership.at_work.values() for tp in inputs_of(incarnation)]
    for incarnation, tp in wanted:
        consumer.seek(tp, incarnation.fetched[tp.topic])
    for incarnation, tp in wanted:
        if ownership.at_work.get(tp.partition) is not incarnation:
            continue  # revoked, or failed, meanwhile
        try:
            fetched = await consumer.getmany(tp, timeout_ms=PATIENCE_MS, max_records=AT_ONCE)
        except UnicodeDecodeError as error:
            log.error("a record of %s/%d cannot be read: %s", tp.topic, tp.partition, error)
            consumer.seek(tp, incarnation.fetched[tp.topic])
            await _pass_unreadable(consumer, ownership, incarnation, tp)
        else:
            for each, records in fetched.items():
                take_in(ownership, each, records)


async def _pass_unreadable(
    consumer: AIOKafkaConsumer, ownership: Ownership, incarnation: Incarnation, tp: TopicPartition
) -> None:
    """Take in what stands before the record that cannot be read, then an empty one for that."""
    for _ in range(AT_ONCE):
        if ownership.at_work.get(tp.partition) is not incarnation:
            return
        try:
            fetched = await consumer.getmany(tp, timeout_ms=PATIENCE_MS, max_records=1)
        except UnicodeDecodeError:
            offset = _place_of(consumer, tp, incarnation.fetched[tp.topic])
            nothing = Record(tp.topic, tp.partition, offset, 0, None, b"")
            take_in(ownership, tp, [nothing])
            consumer.seek(tp, offset + 1)
            return
        if not fetched:
            return
        take_in(ownership, tp, fetched[tp])


def _place_of(consumer: AIOKafkaConsumer, tp: TopicPartition, at_least: int) -> int:
    """Tell which record could not be read; markers of transactions may stand before it."""
    read = getattr(consumer._fetcher._records.get(tp), "_partition_records", None)
    return at_least if read is None else max(at_least, int(read.next_fetch_offset))
