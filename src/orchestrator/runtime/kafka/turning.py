"""The job of the turns: which topics they read, where their transactions go, and how a partition remembers.

Owns the choice between memory that was kept and a restore. A partition that comes back to the same worker keeps its
memory only if the changelog's end, asked for after the producer was opened, is the one its last commit left: then
nobody else can have written in between.
Must never be asked to remember before the partition's producer is open.
"""

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.errors import StorageError
from orchestrator.model import codec
from orchestrator.runtime.complaints import Complaint
from orchestrator.runtime.kafka.clock import PartitionClock, SourcedClock
from orchestrator.runtime.kafka.commit import Target
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.incarnation import Kept
from orchestrator.runtime.kafka.linking_partition import LINKS
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.places import Places
from orchestrator.runtime.kafka.reading import end_of
from orchestrator.runtime.kafka.resolved import TICK_MS, tick_ms
from orchestrator.runtime.kafka.resolved_partition import ResolvedPartition
from orchestrator.runtime.kafka.restore import restore
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import PartitionState, open_state
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.unit import Unit

log = logging.getLogger(__name__)

# A source behind resolve tells its clock twice a second; one that has not for so long holds all timers back.
LONGEST_SILENCE_S = 10
# Machines' clocks lie apart by some milliseconds, or by much.
LONGEST_AHEAD_S = 10


def check(header: Header, count: int, changelog: str, *, resolves: bool) -> None:
    """Refuse to go on with a state that lies, or was read, in another way than is set now, or that we do not read.

    Raises StorageError.
    """
    codec.check_format(header.format, changelog)
    if header.count not in (0, count):
        raise StorageError(
            f"the customers lie in {header.count} partitions, and there are {count} now, where they would not be. "
            "Partitions cannot be added to an application that has begun; start another one (ORCHESTRATOR_APP_ID and "
            "ORCHESTRATOR_TOPIC_PREFIX)"
        )
    if header.is_behind_resolve not in (None, resolves):
        before, now = ("on", "off") if header.is_behind_resolve else ("off", "on")
        raise StorageError(
            f"this application began with ORCHESTRATOR_RESOLVE={before}, and its place in the events is known for that "
            f"alone: with {now} some would be lost or taken twice. Set it back, or start another one "
            "(ORCHESTRATOR_APP_ID and ORCHESTRATOR_TOPIC_PREFIX)"
        )


class TurnJob:
    """The turns of one application. `sources` are those behind resolve, empty where the turns read the events."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Topics,
        count: int,
        sources: frozenset[str],
        metrics: Metrics,
        places: Places,
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.places = places
        self.group_id = settings.app_id
        self.topics = (*(topics.events if not settings.resolve else (topics.resolved,)), topics.receipts)
        self._names = topics
        self._count = count
        self._sources = sources
        # How much longer than usual it is until each source tells its clock again.
        self._rarer_ms = tick_ms(len(sources - {LINKS}), count) - TICK_MS
        self._of_silence, self._of_clock = Complaint(log), Complaint(log)
        # By partition: since when it is looked at. Sources speak of themselves to whoever has begun to listen.
        self._listens_since: dict[int, float] = {}

    def inputs_of(self, number: int) -> tuple[str, ...]:
        """Name all inputs: their partition counts are equal."""
        return self.topics

    def target(self, number: int) -> Target:
        """Say where a partition's transactions go; without resolve, partitions tell each other by way of receipts."""
        names = self._names if self.settings.resolve else replace(self._names, resolved=self._names.receipts)
        return Target(names, number, number, self.group_id)

    async def remember(self, number: int, kept: Kept | None) -> tuple[Unit, int]:
        """Take the memory that was kept, if nobody wrote to the changelog since, or restore it from there."""
        changelog = self.target(number).logged_to
        if kept is not None:
            if await end_of(self.settings, changelog) == kept.end:
                log.info("partition %d keeps its memory", number)
                # Fetched and not processed: it will be fetched again.
                kept.unit.forget_fetched()
                return kept.unit, kept.end
            kept.close()
        if number >= self._count:
            raise StorageError(
                f"partition {number} was added to {changelog.topic} since this worker began with {self._count}"
            )
        state = open_state(self.settings.state, number)
        try:
            restored = await restore(self.settings, changelog, state)
            header = restored.header
            check(header, self._count, changelog.topic, resolves=self.settings.resolve)
            header.count, header.is_behind_resolve = self._count, self.settings.resolve
            header.log = header.log or secrets.token_hex(8)
            partition = self._partition(number, state, header)
        except BaseException:
            state.close()
            raise
        self.metrics.restore_seconds.observe(restored.seconds)
        log.info("partition %d restored %d records in %.2f s", number, restored.records, restored.seconds)
        return partition, restored.end

    def _partition(self, number: int, state: PartitionState, header: Header) -> Partition:
        inputs, most, receipts = Inputs(self.topics), self.settings.transaction_facts, self._names.receipts
        objections = Objections(self.settings.objection_keys)
        if not self._sources:
            clock = PartitionClock(header.clock_ms)
            return Partition(
                number,
                self._count,
                inputs,
                state,
                clock,
                header,
                checks_keys=True,
                most_facts=most,
                receipts=receipts,
                objections=objections,
                keeps_cases_ms=self.settings.retention_ms,
            )
        sourced = SourcedClock.of(header, self._sources, self._rarer_ms)
        topic = self._names.resolved
        return ResolvedPartition(
            number,
            self._count,
            inputs,
            state,
            sourced,
            header,
            topic=topic,
            most_facts=most,
            receipts=receipts,
            objections=objections,
            links=LINKS in self._sources,
            keeps_cases_ms=self.settings.retention_ms,
        )

    def measure(self, units: Sequence[Unit], wall_ms: int) -> None:
        """Look at what the partitions hold, and raise an alarm for sources that hold timers back."""
        self.metrics.look_at(units, wall_ms)
        self._look_at_clocks(units, wall_ms)
        now, longest_s = time.monotonic(), LONGEST_SILENCE_S + 2 * self._rarer_ms // 1000
        self._listens_since = {unit.number: self._listens_since.get(unit.number, now) for unit in units}
        clocks = [
            unit.clock
            for unit in units
            if isinstance(unit.clock, SourcedClock) and now - self._listens_since[unit.number] >= longest_s
        ]
        silent = sorted({source for clock in clocks for source in clock.silent(wall_ms, longest_s * 1000)})
        self.metrics.silent_sources.set(len(silent))
        if silent:
            self._of_silence.say(
                "no timer fires: resolve partitions %s have not told their clock for %d s",
                ", ".join(silent),
                longest_s,
            )

    def _look_at_clocks(self, units: Sequence[Unit], wall_ms: int) -> None:
        """Raise an alarm for partitions whose clock this machine's has still to reach: it was set back."""
        ahead_s = max((unit.clock.now_ms - wall_ms for unit in units), default=0) / 1000
        self.metrics.clock_ahead.set(max(0.0, ahead_s))
        if ahead_s > LONGEST_AHEAD_S:
            self._of_clock.say(
                "no timer fires for %d s: the clock of this machine lies so far behind what its partitions have "
                "passed; was it, or that of another worker, set?",
                ahead_s,
            )
