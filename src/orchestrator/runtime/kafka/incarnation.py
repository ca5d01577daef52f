"""One incarnation of a partition on this worker: from its producer's epoch to the first error.

It begins in one order only: the producer is opened, which fences the old owner and finishes or aborts what that left
behind; **then** the state is restored; **then** the committed offsets are asked for. In any other order a pending
transaction of the dead owner is missed. It ends with the partition's revocation, which leaves its memory to the next
one if nothing happens in between, or with any error, which leaves nothing.
Owns that life. Must never go on after an error: what it believes about the log may be wrong.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from orchestrator.model import instants
from orchestrator.runtime import faults
from orchestrator.runtime.kafka.clock import Clock, SourcedClock
from orchestrator.runtime.kafka.commit import Header, Target, commit, encode_header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.partition import Partition, Tally
from orchestrator.runtime.kafka.restore import restore
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import Checkpoint, open_state
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.writer import Writer

log = logging.getLogger(__name__)

# A transaction that only moves offsets hurries less: doing ignored events again changes nothing.
IDLE_COMMIT_S = 1.0


class Kept:
    """The memory of a partition that was given up after a commit, and the changelog's end behind that."""

    def __init__(self, partition: Partition, end: int) -> None:
        self.partition = partition
        self.end = end
        self.is_open = True

    def close(self) -> None:
        """Let go of it."""
        if self.is_open:
            self.is_open = False
            self.partition.state.close()


@dataclass(frozen=True)
class Workplace:
    """What all incarnations of one worker share."""

    settings: KafkaSettings
    topics: Topics
    count: int
    inputs: tuple[str, ...]
    sources: frozenset[str]
    metrics: Metrics

    @property
    def group_id(self) -> str:
        """The consumer group of the turns."""
        return self.settings.app_id

    def target(self, number: int) -> Target:
        """Say where a partition's transactions go."""
        return Target(self.topics, number, self.group_id)


class Incarnation:
    """A partition at work, with the producer that makes its turns visible."""

    def __init__(self, place: Workplace, partition: Partition, writer: Writer, end: int) -> None:
        self.partition = partition
        self.committing: asyncio.Task[None] | None = None
        # The inputs' ends when this began: until they are reached, no input counts as ended.
        self.first_ends: dict[str, int] = {}
        # An instant at which the inputs' ends were asked for, and those ends.
        self.promise: tuple[int, Mapping[str, int]] | None = None
        self._place = place
        self._writer = writer
        self._end = end
        self._committed_at = time.monotonic()

    @classmethod
    async def begin(cls, place: Workplace, number: int, kept: Kept | None, consumer: AIOKafkaConsumer) -> "Incarnation":
        """Open the producer, restore, ask for the offsets and seek, in this order; raises whatever goes wrong."""
        writer = Writer(place.settings, f"{place.settings.app_id}-turn-{number}")
        partition: Partition | None = None
        try:
            await writer.open()
            faults.reach("begin.opened")
            partition, end = await _remember(place, number, kept)
            faults.reach("begin.restored")
            self = cls(place, partition, writer, end)
            await self._seek(consumer)
            faults.reach("begin.positioned")
        except BaseException:
            await writer.discard()
            # What was kept belongs to the caller until it is used: a rebalance that comes meanwhile costs nothing.
            if partition is not None and (kept is None or partition is not kept.partition):
                partition.state.close()
            raise
        return self

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Go where the last commit ended, or where a new group is to start, and write that down at once."""
        number, partition = self.partition.number, self.partition
        inputs = [TopicPartition(topic, number) for topic in self._place.inputs]
        beginnings, ends = await consumer.beginning_offsets(inputs), await consumer.end_offsets(inputs)
        started: dict[str, int] = {}
        for tp in inputs:
            offset = _later(tp, await consumer.committed(tp), partition.offset_of(tp.topic))
            if offset is None:
                offset = await _starting_offset(consumer, tp, self._place.settings.start, ends[tp])
                started[tp.topic] = offset
            consumer.seek(tp, _within(tp, offset, beginnings[tp], ends[tp]))
        self.first_ends = {tp.topic: ends[tp] for tp in inputs}
        if started:
            # A crash before the first commit must not start at another `latest`.
            partition.start_at(started)
            await self.commit()

    def commit_is_due(self, interval_s: float) -> bool:
        """Tell whether a commit should start now."""
        outgoing = self.partition.outgoing
        if self.committing is not None or outgoing.is_empty:
            return False
        since = time.monotonic() - self._committed_at
        return outgoing.is_full or since >= (interval_s if outgoing.is_urgent else max(interval_s, IDLE_COMMIT_S))

    async def commit(self) -> None:
        """Carry what lies in memory in one transaction; raises whatever went wrong, and the incarnation is over."""
        outgoing, header = self.partition.take_outgoing()
        self._committed_at = began = time.monotonic()
        self._end = await commit(self._writer, outgoing, header, self._place.target(self.partition.number))
        self._place.metrics.commit_seconds.observe(time.monotonic() - began)
        self._tell_state(outgoing, header)

    def _tell_state(self, outgoing: Outgoing, header: Header) -> None:
        # 7. Tell the state. (1 to 6 are in commit.py.)
        faults.reach("commit.state")
        self.partition.state.commit(outgoing.changes, Checkpoint(self._end, time.time(), encode_header(header)))

    async def let_go(self) -> Kept:
        """Commit what is open and close the producer; return the memory for the next incarnation."""
        if self.committing is not None:
            await self.committing
        if not self.partition.outgoing.is_empty:
            await self.commit()
        await self._writer.close()
        return Kept(self.partition, self._end)

    async def drop(self) -> None:
        """Give up after an error: nothing of it is to be believed."""
        await self._writer.discard()
        if self.committing is not None:
            self.committing.cancel()
            await asyncio.gather(self.committing, return_exceptions=True)
        self.partition.state.close()


async def _remember(place: Workplace, number: int, kept: Kept | None) -> tuple[Partition, int]:
    """Take the memory that was kept, if nobody wrote to the changelog since, or restore it from there."""
    changelog = TopicPartition(place.topics.changelog, number)
    if kept is not None:
        if await _end_of(place.settings, changelog) == kept.end:
            log.info("partition %d keeps its memory", number)
            # Fetched and not processed: it will be fetched again.
            kept.partition.forget_fetched()
            return kept.partition, kept.end
        kept.close()
    state = open_state(place.settings.state, number)
    try:
        restored = await restore(place.settings, changelog, state)
    except BaseException:
        state.close()
        raise
    place.metrics.restore_seconds.observe(restored.seconds)
    log.info("partition %d restored %d records in %.2f s", number, restored.records, restored.seconds)
    clock: Clock = Clock(restored.header.clock_ms)
    if place.sources:
        clock = SourcedClock(restored.header.clock_ms, restored.header.heard)
        clock.expect(place.sources)
    partition = Partition(
        number, place.count, Inputs(place.inputs), state, clock, Tally(), checks_keys=not place.settings.resolve
    )
    partition.resume_from(restored.header)
    return partition, restored.end


async def _end_of(settings: KafkaSettings, tp: TopicPartition) -> int:
    consumer = AIOKafkaConsumer(isolation_level="read_committed", enable_auto_commit=False, **settings.connection())
    await consumer.start()
    try:
        end: int = (await consumer.end_offsets([tp]))[tp]
        return end
    finally:
        await consumer.stop()


def _later(tp: TopicPartition, committed: int | None, recorded: int | None) -> int | None:
    """Choose between the group's offset and the one recorded with the state.

    They are written in one transaction. The group's lies ahead where an operator skipped something, and that is
    obeyed; where it lies behind, going there would do again what the state already contains.
    """
    if committed is None or recorded is None:
        return recorded if committed is None else committed
    if committed < recorded:
        log.warning(
            "the group's offset of %s/%d is %d, and the state contains everything before %d; going on from there. "
            "To process it again, start under another ORCHESTRATOR_APP_ID",
            tp.topic,
            tp.partition,
            committed,
            recorded,
        )
    return max(committed, recorded)


def _within(tp: TopicPartition, offset: int, beginning: int, end: int) -> int:
    """Move an offset that is not in the log any more to the nearest one that is, and say so."""
    if beginning <= offset <= end:
        return offset
    log.error(
        "%s/%d reaches from %d to %d, and the next record to process is %d: what lies between is lost. "
        "Is its retention too short, or was it made anew?",
        tp.topic,
        tp.partition,
        beginning,
        end,
        offset,
    )
    return min(max(offset, beginning), end)


async def _starting_offset(consumer: AIOKafkaConsumer, tp: TopicPartition, start: str, end: int) -> int:
    """Find where a group without offsets starts: latest, earliest, or the first record at a time or later."""
    if start == "latest":
        return end
    beginning: int = (await consumer.beginning_offsets([tp]))[tp]
    if start == "earliest":
        return beginning
    found = (await consumer.offsets_for_times({tp: instants.parse(start)}))[tp]
    return end if found is None else int(found.offset)
