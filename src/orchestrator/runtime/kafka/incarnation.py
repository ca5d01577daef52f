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
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from orchestrator.runtime import faults
from orchestrator.runtime.kafka.commit import Target, commit
from orchestrator.runtime.kafka.header import Header, encode_header
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.places import Places
from orchestrator.runtime.kafka.reading import end_of
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
    places: Places
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
        # Whether more is known to lie in the log than was fetched.
        self.has_more = False
        # An instant at which the inputs' ends were asked for, and those ends.
        self.promise: tuple[int, Mapping[str, int]] | None = None
        self._job = job
        self._writer = writer
        self._end = end
        self._committed_at = time.monotonic()
        self._took_s = 0.0
        # What is still to be written into a changelog that was made anew.
        self._unwritten: Iterator[tuple[str, bytes]] | None = None
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
            # What was kept belongs to the caller until it is used: a rebalance that comes meanwhile costs nothing.
            if unit is not None and (kept is None or unit is not kept.unit):
                unit.close()
            await writer.discard()
            raise
        return self

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Go where the last commit ended, or where a new group is to start, and write that down at once."""
        unit = self.unit
        inputs = [TopicPartition(topic, unit.number) for topic in self._job.inputs_of(unit.number)]
        beginnings, ends = await consumer.beginning_offsets(inputs), await consumer.end_offsets(inputs)
        started: dict[str, int] = {}
        is_known = any(unit.offset_of(tp.topic) is not None for tp in inputs)
        for tp in inputs:
            reach = beginnings[tp], ends[tp]
            place = await self._job.places.find(consumer, tp, unit.offset_of(tp.topic), unit.clock.now_ms, reach)
            self._notes[tp.topic] = place.note
            if place.left is None:
                started[tp.topic] = place.offset
            elif place.offset != place.left:
                unit.go_on_from(tp.topic, place.offset)
            self.fetched[tp.topic] = place.offset
            consumer.seek(tp, place.offset)
        target = self._job.target(unit.number)
        has_forgotten = target.has_changelog and not is_known and len(started) < len(inputs)
        if has_forgotten and await self._has_nobody_written(target):
            self._job.places.tell_of_changelog(
                target,
                "nothing is in it although the group has offsets: who was known is forgotten, unless those were set "
                "before the first start",
            )
        self.first_ends = {tp.topic: ends[tp] for tp in inputs}
        if started:
            # A crash before the first commit must not start at another `latest`.
            unit.start_at(started)
            await self.commit()
        self._job.places.take_note(inputs)

    async def _has_nobody_written(self, target: Target) -> bool:
        """Tell whether the changelog ends where it was restored to; or else somebody has begun meanwhile, not us."""
        return await end_of(self._job.settings, target.logged_to) == self._end

    def commit_is_due(self, interval_s: float, wall_ms: int) -> bool:
        """Tell whether a commit should start now."""
        outgoing = self.unit.outgoing
        if self.committing is not None or (outgoing.is_empty and self._unwritten is None):
            return False
        if outgoing.is_full:
            return True
        if not outgoing.is_urgent:
            interval_s = max(interval_s, IDLE_COMMIT_S)
        lag_s = (wall_ms - self.unit.turned_ms) / 1000 if self.unit.backlog or self.has_more else 0.0
        return time.monotonic() - self._committed_at >= max(interval_s, pace_s(self._took_s, lag_s))

    async def commit(self) -> None:
        """Carry what lies in memory in one transaction; raises whatever went wrong, and the incarnation is over."""
        outgoing, header = self.unit.take_outgoing()
        self._write_again(outgoing)
        self._committed_at = began = time.monotonic()
        target = self._job.target(self.unit.number)
        end = await commit(self._writer, outgoing, header, target, self._notes)
        if target.has_changelog and end < self._end:
            self._job.places.tell_of_changelog(
                target, "it was made anew while it was in use; what is known is written again"
            )
            self._unwritten = self.unit.known()
        self._end = end
        self._took_s = time.monotonic() - began
        self._job.metrics.commit_seconds.observe(self._took_s)
        self._tell_state(outgoing, header)

    def _write_again(self, outgoing: Outgoing) -> None:
        """Add some of what a changelog held that was made anew; what was changed since is in the buffers."""
        while self._unwritten is not None and not outgoing.is_full:
            profile_id, record = next(self._unwritten, (None, b""))
            if profile_id is None:
                self._unwritten = None
            elif profile_id not in outgoing.changes:
                outgoing.changes[profile_id] = record
                outgoing.bytes += len(record)
                outgoing.facts += 1

    def _tell_state(self, outgoing: Outgoing, header: Header) -> None:
        # 7. Tell the state. (1 to 6 are in commit.py.)
        faults.reach("commit.state")
        self.unit.committed(outgoing, Checkpoint(self._end, time.time(), encode_header(header)))

    async def let_go(self) -> Kept:
        """Commit what is open and close the producer; return the memory for the next incarnation."""
        if self.committing is not None:
            await self.committing
        while not self.unit.outgoing.is_empty or self._unwritten is not None:
            await self.commit()
        await self._writer.close()
        return Kept(self.unit, self._end)

    async def drop(self) -> None:
        """Give up after an error: nothing of it is to be believed."""
        try:
            await self._writer.discard()
            if self.committing is not None:
                self.committing.cancel()
                await asyncio.gather(self.committing, return_exceptions=True)
        finally:
            self.unit.close()


def pace_s(took_s: float, lag_s: float) -> float:
    """Tell how long there should be between commits for the sake of the turns beside them."""
    return min(max(took_s / SHARE_OF_COMMITS, lag_s * SHARE_OF_LAG), LONGEST_PACE_S)
