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
from collections.abc import Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from orchestrator.model import instants
from orchestrator.runtime import faults
from orchestrator.runtime.kafka.commit import Target, commit
from orchestrator.runtime.kafka.header import Header, encode_header
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import Checkpoint
from orchestrator.runtime.kafka.unit import Unit
from orchestrator.runtime.kafka.writer import Writer

log = logging.getLogger(__name__)

# A transaction that only moves offsets hurries less: doing ignored events again changes nothing.
IDLE_COMMIT_S = 1.0
# A commit takes a dozen round trips, however little it carries, and processor time from the turns. So the next one is
# begun no sooner than twice as long after the last one as that took: what slows commits down, a machine or brokers with
# much to do, is not made worse by more of them. And it waits half as long as a partition with more to read lags: what
# is late anyway becomes little later, and a worker that only just keeps up is not kept from it by its own commits.
SHARE_OF_COMMITS = 0.5
SHARE_OF_LAG = 0.5
LONGEST_PACE_S = 1.0


class Kept:
    """The memory of a partition that was given up after a commit, and the changelog's end behind that."""

    def __init__(self, unit: Unit, end: int) -> None:
        self.unit = unit
        self.end = end
        self.is_open = True

    def close(self) -> None:
        """Let go of it."""
        if self.is_open:
            self.is_open = False
            self.unit.close()


class Job(Protocol):
    """What the members of one consumer group do: turn, resolve, or link."""

    settings: KafkaSettings
    metrics: Metrics
    group_id: str
    topics: tuple[str, ...]

    def inputs_of(self, number: int) -> tuple[str, ...]:
        """Name the topics that have a partition of this number, of those that are read."""

    def target(self, number: int) -> Target:
        """Say where the transactions of a partition number go."""

    def measure(self, units: Sequence[Unit], wall_ms: int) -> None:
        """Look at what the units hold, for the metrics."""

    async def remember(self, number: int, kept: "Kept | None") -> tuple[Unit, int]:
        """Give a unit that contains all that is committed, and the changelog's end that it stands for."""


class Incarnation:
    """A partition at work, with the producer that makes its turns visible."""

    def __init__(self, job: Job, unit: Unit, writer: Writer, end: int) -> None:
        self.unit = unit
        self.committing: asyncio.Task[None] | None = None
        # The inputs' ends when this began: until they are reached, no input counts as ended.
        self.first_ends: dict[str, int] = {}
        # Up to where each input was fetched.
        self.fetched: dict[str, int] = {}
        # An instant at which the inputs' ends were asked for, and those ends.
        self.promise: tuple[int, Mapping[str, int]] | None = None
        self._job = job
        self._writer = writer
        self._end = end
        self._committed_at = time.monotonic()
        self._took_s = 0.0
        # Beside each input's offset: how many partitions its topic had when the group began with it.
        self._notes: dict[str, str] = {}

    @classmethod
    async def begin(cls, job: Job, number: int, kept: Kept | None, consumer: AIOKafkaConsumer) -> "Incarnation":
        """Open the producer, restore, ask for the offsets and seek, in this order; raises whatever goes wrong."""
        writer = Writer(job.settings, f"{job.group_id}-{number}")
        unit: Unit | None = None
        try:
            await writer.open()
            faults.reach("begin.opened")
            unit, end = await job.remember(number, kept)
            faults.reach("begin.restored")
            self = cls(job, unit, writer, end)
            await self._seek(consumer)
            faults.reach("begin.positioned")
        except BaseException:
            await writer.discard()
            # What was kept belongs to the caller until it is used: a rebalance that comes meanwhile costs nothing.
            if unit is not None and (kept is None or unit is not kept.unit):
                unit.close()
            raise
        return self

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Go where the last commit ended, or where a new group is to start, and write that down at once."""
        unit = self.unit
        inputs = [TopicPartition(topic, unit.number) for topic in self._job.inputs_of(unit.number)]
        beginnings, ends = await consumer.beginning_offsets(inputs), await consumer.end_offsets(inputs)
        started: dict[str, int] = {}
        for tp in inputs:
            places = await _places(consumer, tp.topic)
            committed, self._notes[tp.topic] = places[tp.partition]
            offset = _later(tp, committed, unit.offset_of(tp.topic))
            if offset is None:
                # What is between partitions is this application's from its beginning, whoever comes to it later; so is
                # what was written to a partition that was added, before anybody found it.
                is_theirs = tp.topic in self._job.settings.input_topics and not _was_added(tp.partition, places)
                start = self._job.settings.start if is_theirs else "earliest"
                offset = await _starting_offset(consumer, tp, start, ends[tp])
                started[tp.topic] = offset
            found = _within(tp, offset, beginnings[tp], ends[tp])
            if found != offset:
                unit.go_on_from(tp.topic, found)
            self.fetched[tp.topic] = found
            consumer.seek(tp, found)
        self.first_ends = {tp.topic: ends[tp] for tp in inputs}
        if started:
            # A crash before the first commit must not start at another `latest`.
            unit.start_at(started)
            await self.commit()

    def commit_is_due(self, interval_s: float, wall_ms: int) -> bool:
        """Tell whether a commit should start now."""
        outgoing = self.unit.outgoing
        if self.committing is not None or outgoing.is_empty:
            return False
        if outgoing.is_full:
            return True
        if not outgoing.is_urgent:
            interval_s = max(interval_s, IDLE_COMMIT_S)
        lag_s = (wall_ms - self.unit.turned_ms) / 1000 if self.unit.backlog else 0.0
        return time.monotonic() - self._committed_at >= max(interval_s, pace_s(self._took_s, lag_s))

    async def commit(self) -> None:
        """Carry what lies in memory in one transaction; raises whatever went wrong, and the incarnation is over."""
        outgoing, header = self.unit.take_outgoing()
        self._committed_at = began = time.monotonic()
        self._end = await commit(self._writer, outgoing, header, self._job.target(self.unit.number), self._notes)
        self._took_s = time.monotonic() - began
        self._job.metrics.commit_seconds.observe(self._took_s)
        self._tell_state(outgoing, header)

    def _tell_state(self, outgoing: Outgoing, header: Header) -> None:
        # 7. Tell the state. (1 to 6 are in commit.py.)
        faults.reach("commit.state")
        self.unit.committed(outgoing, Checkpoint(self._end, time.time(), encode_header(header)))

    async def let_go(self) -> Kept:
        """Commit what is open and close the producer; return the memory for the next incarnation."""
        if self.committing is not None:
            await self.committing
        if not self.unit.outgoing.is_empty:
            await self.commit()
        await self._writer.close()
        return Kept(self.unit, self._end)

    async def drop(self) -> None:
        """Give up after an error: nothing of it is to be believed."""
        await self._writer.discard()
        if self.committing is not None:
            self.committing.cancel()
            await asyncio.gather(self.committing, return_exceptions=True)
        self.unit.close()


def pace_s(took_s: float, lag_s: float) -> float:
    """Tell how long there should be between commits for the sake of the turns beside them."""
    return min(max(took_s / SHARE_OF_COMMITS, lag_s * SHARE_OF_LAG), LONGEST_PACE_S)


# By partition: the group's offset, if it has one, and how many partitions there were when it began with the topic.
Places = Mapping[int, tuple[int | None, str]]


async def _places(consumer: AIOKafkaConsumer, topic: str) -> Places:
    """Ask where the group is in every partition of a topic; what older releases committed has no count with it."""
    tps = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    found = await consumer._coordinator.fetch_committed_offsets(tps)
    count = str(len(tps))
    return {
        tp.partition: (found[tp].offset, found[tp].metadata or count)
        if tp in found and found[tp].offset >= 0
        else (None, count)
        for tp in tps
    }


def _was_added(number: int, places: Places) -> bool:
    """Tell whether a partition came to a topic that the group had begun with."""
    return any(
        committed is not None and note.isdecimal() and number >= int(note) for committed, note in places.values()
    )


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
            "To process it again, start under another ORCHESTRATOR_APP_ID and ORCHESTRATOR_TOPIC_PREFIX",
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
