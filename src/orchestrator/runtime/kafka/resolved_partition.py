"""A partition behind resolve: its clock is the earliest of all sources, and its records are aligned by that.

While a source lags, records wait until every source is past them, so that catching up after an hour down comes to the
same as never having been down. Once all are near the wall clock, records are taken as they come: waiting would only
cost time, and timers keep to the sources' clock in any case.
Owns that choice. Must never fire a timer that a source's clock has not passed.
"""

from collections.abc import Collection, Mapping
from time import perf_counter

from orchestrator.errors import EventError
from orchestrator.model.catalog import Catalog
from orchestrator.runtime.kafka.alignment import Alignment
from orchestrator.runtime.kafka.clock import SourcedClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.partition import OTHER_TYPES, Partition
from orchestrator.runtime.kafka.records import KafkaRecord, dead_letter, event_of
from orchestrator.runtime.kafka.resolved import CLOCK_KEY, decode_tick
from orchestrator.runtime.kafka.state import State
from orchestrator.runtime.kafka.unit import NEVER

# Sources tell their clocks twice a second and commit in between: nearer than this, all is live.
LIVE_MS = 3_000
# So many records wait at most, some 40 MB; beyond that a source lags too far behind the others to be waited for.
MOST_WAITING = 50_000


class ResolvedPartition(Partition):
    """The customers of one partition number of the resolved topic."""

    clock: SourcedClock

    def __init__(
        self,
        number: int,
        count: int,
        inputs: Inputs,
        state: State,
        clock: SourcedClock,
        header: Header,
        *,
        topic: str,
        most_facts: int,
        receipts: str | None = None,
    ) -> None:
        super().__init__(
            number,
            count,
            inputs,
            state,
            clock,
            header,
            checks_keys=False,
            most_facts=most_facts,
            receipts=receipts,
        )
        self._topic = topic
        self._aligned = Alignment(header.read, (header.mark_ms, header.mark_offset), header.offsets.get(topic))
        self._turned_ms = min(clock.now_ms, header.mark_ms) if header.read else clock.now_ms

    @property
    def has_work(self) -> bool:
        """Tell whether a record may be taken, or a timer that the sources have passed."""
        if not self._aligned.is_whole:
            return self.backlog > 0
        next_ms = self._aligned.next_ms
        is_released = next_ms is not None and (next_ms <= self.clock.now_ms or self._aligned.is_late)
        goes_on = bool(self._unsettled) and self.clock.is_live
        # Where timers filled a transaction, the rest of them need no further tick.
        return self.backlog > 0 or is_released or goes_on or self._timers.next_ms < self.clock.now_ms

    @property
    def turned_ms(self) -> int:
        """Return the instant up to which the work is done: timers may lie behind what the sources have told."""
        return self._turned_ms

    def wants_end(self, wall_ms: int) -> bool:
        """Tell that ends are not asked for: that of our own input proves nothing."""
        return False

    def pass_over(self, positions: Mapping[str, int]) -> None:
        """Take note that everything before these positions was read."""
        if positions.get(self._topic, 0) >= self._aligned.read > 0:
            self._aligned.pass_over(positions[self._topic])
        super().pass_over({topic: each for topic, each in positions.items() if topic != self._topic})

    def _process(self, catalog: Catalog, wall_ms: int) -> None:
        """Take in what was fetched, then turn what every source has passed."""
        aligned, records, at = self._aligned, self._records, self._at
        # What waited before a crash is read again as a whole, and was no more than that.
        while at < len(records) and (len(aligned) < MOST_WAITING or not aligned.is_whole):
            record = records[at]
            at += 1
            if record.topic != self._topic:
                self._turn(catalog, record, wall_ms)
            elif record.key == CLOCK_KEY:
                self._hear(record, wall_ms)
                aligned.pass_over(record.offset + 1)
            elif aligned.was_taken(record):
                aligned.pass_over(record.offset + 1)
            else:
                aligned.add(record, wall_ms)
        self._at = at
        self._release(catalog, wall_ms)

    def work(self, catalog: Catalog, ended: Collection[str], wall_ms: int, until: float = NEVER) -> None:
        """Turn what waited, then what was fetched; the clock may have gone on meanwhile."""
        catalog.admissions = self._ledger
        self._until = until
        self._release(catalog, wall_ms)
        if perf_counter() < until:
            super().work(catalog, ended, wall_ms, until)

    def _release(self, catalog: Catalog, wall_ms: int) -> None:
        aligned, sink, clock_ms = self._aligned, self.outgoing, self.clock.now_ms
        if not aligned.is_whole:
            return
        until_ms = wall_ms if wall_ms - clock_ms <= LIVE_MS else clock_ms
        while (next_ms := aligned.next_ms) is not None:
            # What is late goes with whatever it came with: a commit in between could not tell it from what was done.
            if not aligned.is_late:
                if sink.is_full or (next_ms > until_ms and len(aligned) < MOST_WAITING):
                    break
                if not self._pass(catalog, min(next_ms, clock_ms), wall_ms):
                    return
            self._turn(catalog, aligned.take(), wall_ms)
            if perf_counter() >= self._until and not aligned.is_late:
                return
        if aligned.next_ms is not None and aligned.next_ms <= clock_ms:
            return
        # Behind the last record of any source it is the wall clock that passes, as `now` then says.
        if not self._pass(catalog, min(self.clock.logged_ms, clock_ms), wall_ms):
            return
        if self._pass(catalog, clock_ms, wall_ms, clock_ms) and self._unsettled and self.clock.is_live:
            self._settle(catalog, clock_ms, wall_ms)

    def _pass(self, catalog: Catalog, instant_ms: int, wall_ms: int, now_ms: int | None = None) -> bool:
        """Let the turns go on to an instant that all sources have passed, timers first."""
        if self._timers.next_ms < instant_ms and not self._fire(catalog, instant_ms, now_ms, wall_ms):
            return False
        self._turned_ms = max(self._turned_ms, instant_ms)
        return True

    def _turn(self, catalog: Catalog, record: KafkaRecord, wall_ms: int) -> None:
        at_ms = record.timestamp if record.timestamp <= wall_ms else 0
        now_ms = max(at_ms, self._turned_ms) or wall_ms
        self.outgoing.facts += 1
        if record.topic == self._receipts:
            self._take_receipt(catalog, record, now_ms, wall_ms)
            return
        try:
            event = event_of(record)
        except EventError as error:
            self._bury_record(record, error, wall_ms)
            return
        if event.type in catalog.wanted or event.identifiers:
            self._take(catalog, event, record, now_ms, wall_ms)
        else:
            self.tally.events[OTHER_TYPES, "ignored"] += 1

    def _hear(self, record: KafkaRecord, wall_ms: int) -> None:
        try:
            tick = decode_tick(record.value)
        except EventError as error:
            self.bury(dead_letter(record, error.reason, error.message, wall_ms))
        else:
            self.clock.hear(tick.source, min(tick.at_ms, wall_ms), tick.live)

    def take_outgoing(self) -> tuple[Outgoing, Header]:
        """Hand the buffers over; the group's offset is the first that a restart has to read again."""
        aligned = self._aligned
        if self._topic in self._offsets:
            self._offsets[self._topic] = self.outgoing.offsets[self._topic] = aligned.position
        taken, header = super().take_outgoing()
        header.heard, header.logged_ms = dict(self.clock.heard), self.clock.logged_ms
        header.read = aligned.read
        header.mark_ms, header.mark_offset = aligned.mark
        return taken, header

    def forget_fetched(self) -> None:
        """Drop what was fetched, and what waits: it will be read again."""
        super().forget_fetched()
        self._aligned.clear()
