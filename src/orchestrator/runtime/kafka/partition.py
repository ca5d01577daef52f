"""One partition at work: its state, timers, clock and inputs, and the turns that change them.

Owns the order of work within the partition: records merged by time, timers that the clock has passed before them, each
with its own due instant as `now` where the log's clock passed it and the wall clock where that did. A turn never
awaits: between two looks at the event loop the partition is whole, so there is no lock.
Must never talk to Kafka; what leaves is put into `outgoing` for the commit.
"""

import traceback
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from orchestrator.errors import EventError
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.runtime import turn
from orchestrator.runtime.kafka import outgoing
from orchestrator.runtime.kafka.clock import Clock, SourcedClock
from orchestrator.runtime.kafka.commit import Header
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.records import DeadLetter, KafkaRecord, dead_letter, event_of, source_of
from orchestrator.runtime.kafka.resolved import CLOCK_KEY, decode_tick
from orchestrator.runtime.kafka.state import State
from orchestrator.runtime.timers import Timers

_encode = msgspec.json.Encoder().encode

# A producer may send any type; a metric's label must not grow with them.
OTHER_TYPES = "other"
TIMER_SOURCE = "timer"
MOST_RECORD_BYTES = 512 << 10


class Tally:
    """What happened since somebody last asked, for the metrics: counted in bulk, because a label lookup is dear."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Count from nothing again."""
        self.events: Counter[tuple[str, str]] = Counter()
        self.actions: Counter[tuple[str, str]] = Counter()
        self.decisions: Counter[tuple[str, str, str]] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.lateness_ms: list[int] = []


class Partition:
    """Everything one worker holds of one partition number."""

    def __init__(
        self,
        number: int,
        count: int,
        inputs: Inputs,
        state: State,
        clock: Clock,
        tally: Tally,
        *,
        checks_keys: bool,
    ) -> None:
        self.number = number
        self.count = count
        self.inputs = inputs
        self.state = state
        self.clock = clock
        self.tally = tally
        self.revision = 0
        self.outgoing = outgoing.Outgoing()
        self._checks_keys = checks_keys
        self._timers = Timers()
        self._records: Any = ()
        self._at = 0
        self._ended_ms = 0
        self._offsets: dict[str, int] = {}

    # Life

    def resume_from(self, header: Header) -> None:
        """Take over what the changelog says of the partition, and rebuild the timers from the state."""
        self.revision = header.revision
        self._offsets = dict(header.offsets)
        due_of = codec.due_of
        self._timers = Timers((due, profile_id) for profile_id, record in self.state if (due := due_of(record)))

    def offset_of(self, topic: str) -> int | None:
        """Return the first offset of an input that the state does not contain; None for one it never saw."""
        return self._offsets.get(topic)

    def start_at(self, offsets: Mapping[str, int]) -> None:
        """Begin inputs at these offsets."""
        self._offsets |= offsets
        self.outgoing.offsets |= offsets

    @property
    def waiting(self) -> int:
        """Count the timers that wait, stale ones included."""
        return len(self._timers)

    @property
    def backlog(self) -> int:
        """Count the records that were fetched and not processed."""
        return len(self._records) - self._at + len(self.inputs)

    @property
    def has_work(self) -> bool:
        """Tell whether anything could be processed now."""
        return self.backlog > 0 or self._timers.next_ms <= self._ended_ms

    def forget_fetched(self) -> None:
        """Drop what was fetched and not processed."""
        self._records, self._at = (), 0
        self.inputs.clear()

    def is_due(self, wall_ms: int) -> bool:
        """Tell whether a timer waits for the clock to reach an instant that the wall clock has passed."""
        return self._timers.next_ms <= wall_ms

    def take_outgoing(self) -> tuple[outgoing.Outgoing, Header]:
        """Hand the buffers over to a commit, with the header that belongs to them, and start new ones."""
        taken, self.outgoing = self.outgoing, outgoing.Outgoing()
        heard = dict(self.clock.heard) if isinstance(self.clock, SourcedClock) else {}
        return taken, Header(self.clock.now_ms, self.revision, dict(self._offsets), heard)

    # Work

    def work(self, catalog: Catalog, ended: Collection[str], wall_ms: int) -> None:
        """Process what was fetched until there is no more, or the transaction is full.

        `ended` are the inputs that are at their end. Whatever was left is taken up by the next call.
        """
        # What the wall clock has passed gets the wall clock as `now`: a worker that comes late respects the quiet hours
        # of now. It goes before records that came after the end was reached.
        if self._timers.next_ms <= self._ended_ms and not self._fire(
            catalog, self._ended_ms + 1, self._ended_ms, wall_ms
        ):
            return
        while not self.outgoing.is_full:
            if self._at >= len(self._records):
                room = outgoing.MOST_FACTS - self.outgoing.facts
                self._records, self._at = self.inputs.take(room, ended, wall_ms), 0
                if not self._records:
                    return
            self._process(catalog, wall_ms)

    def reach_end(self, asked_ms: int) -> None:
        """Take note that all inputs ended when asked at this instant, and that all before has been processed."""
        if self.clock.pass_end(asked_ms):
            self._ended_ms = self.clock.now_ms

    def _process(self, catalog: Catalog, wall_ms: int) -> None:
        records, clock, sink = self._records, self.clock, self.outgoing
        timers, at = self._timers, self._at
        sourced = clock if isinstance(clock, SourcedClock) else None
        while at < len(records) and sink.facts < outgoing.MOST_FACTS:
            record = records[at]
            now_ms = clock.pass_record(record.timestamp, wall_ms)
            tells = sourced is not None and record.key == CLOCK_KEY and self._hear(sourced, record, wall_ms)
            # Timers go before the record; where they fill the transaction, the record waits for the next.
            if timers.next_ms < clock.now_ms and not self._fire(catalog, clock.now_ms, None, wall_ms):
                break
            at += 1
            sink.facts += 1
            if not tells:
                self._take(catalog, record, now_ms, wall_ms)
        if at > self._at:
            # The last offset of each topic: later ones replace earlier ones.
            passed = {record.topic: record.offset + 1 for record in records[self._at : at]}
            sink.offsets |= passed
            self._offsets |= passed
            self._at = at

    def _take(self, catalog: Catalog, record: KafkaRecord, now_ms: int, wall_ms: int) -> None:
        """Turn one record."""
        try:
            event = event_of(record)
            if event.type not in catalog.wanted and not event.identifiers:
                self.tally.events[OTHER_TYPES, "ignored"] += 1
                return
            profile_id = turn.profile_of(catalog.project, event)
            old = self.state.get(profile_id)
            if old is None and self._checks_keys:
                self._check_key(record)
            turned = turn.on_event(catalog, event, old, now_ms)
            old_due_ms = 0 if old is None else codec.due_of(old)
            self._apply(profile_id, turned, old_due_ms, wall_ms, source_of(record), record.offset)
        except EventError as error:
            self.tally.events[OTHER_TYPES, "dead"] += 1
            self._bury(dead_letter(record, error.reason, error.message, wall_ms))
            return
        event_type = event.type if event.type in catalog.wanted else OTHER_TYPES
        self.tally.events[event_type, turned.outcome] += 1

    def _fire(self, catalog: Catalog, before_ms: int, now_ms: int | None, wall_ms: int) -> bool:
        """Wake what is due before an instant, at `now_ms` or each at its own; False when the transaction is full."""
        timers, state, sink = self._timers, self.state, self.outgoing
        for due_ms, profile_id in timers.take_before(before_ms):
            if sink.facts >= outgoing.MOST_FACTS:
                timers.put_back(profile_id, due_ms)
                return False
            record = state.get(profile_id)
            real_ms = 0 if record is None else codec.due_of(record)
            if record is None or real_ms != due_ms:
                if real_ms > due_ms:
                    timers.put_back(profile_id, real_ms)
                continue
            sink.facts += 1
            self.tally.lateness_ms.append(max(0, wall_ms - due_ms) if now_ms is not None else 0)
            try:
                turned = turn.on_timers(catalog, record, due_ms if now_ms is None else now_ms)
                # Its wake has been taken, so whatever it is due at next needs a new one.
                self._apply(profile_id, turned, 0, wall_ms, TIMER_SOURCE, due_ms)
            except Exception as error:  # noqa: BLE001 - one profile's bug holds up nobody else; it is kept and told
                self._bury_timer(profile_id, due_ms, error, wall_ms)
        return True

    def _apply(
        self, profile_id: str, turned: turn.Turned, old_due_ms: int, wall_ms: int, source: str, offset: int
    ) -> None:
        """Take over what a turn came to."""
        sink = self.outgoing
        record = turned.record
        if record is not None:
            if len(record) > MOST_RECORD_BYTES:
                raise EventError("state_too_large", f"the profile would take {len(record)} bytes; its state is kept")
            self.state.put(profile_id, record)
            sink.changes[profile_id] = record
            sink.bytes += len(record)
            self._timers.schedule(profile_id, old_due_ms, codec.due_of(record))
        key = profile_id.encode()
        for action in turned.actions:
            self._write(sink.actions, key, action)
            self.tally.actions[action.journey, action.channel or ""] += 1
        for decision in turned.decisions:
            self._write(sink.decisions, key, decision)
            self.tally.decisions[decision.journey, decision.verdict, decision.reason] += 1
        for failure in turned.failures:
            self._bury(
                DeadLetter(
                    failure.reason,
                    f"entry {failure.entry_id} of {failure.journey} is parked",
                    source,
                    offset,
                    instants.to_text(wall_ms),
                    profile_id=profile_id,
                    entry_id=failure.entry_id,
                    journey=failure.journey,
                    traceback=failure.traceback,
                )
            )

    def _write(self, lines: list[outgoing.Line], key: bytes, value: Any) -> None:
        line = _encode(value)
        lines.append((key, line))
        self.outgoing.bytes += len(line)

    def _bury(self, letter: DeadLetter) -> None:
        self.tally.dead_letters[letter.reason] += 1
        self._write(self.outgoing.dead_letters, (letter.key or "").encode(), letter)

    def _bury_timer(self, profile_id: str, due_ms: int, error: Exception, wall_ms: int) -> None:
        text = "".join(traceback.format_exception(error))
        reason = error.reason if isinstance(error, EventError) else "failure"
        at = instants.to_text(wall_ms)
        message = f"a timer could not be handled, and its profile is as it was: {error}"
        self._bury(DeadLetter(reason, message, TIMER_SOURCE, due_ms, at, profile_id=profile_id, traceback=text))

    def _hear(self, clock: SourcedClock, record: KafkaRecord, wall_ms: int) -> bool:
        """Take a source's clock from its record; true in any case, because no event is in it."""
        try:
            tick = decode_tick(record.value)
            clock.hear(tick.source, min(tick.at_ms, wall_ms))
        except EventError as error:
            self._bury(dead_letter(record, error.reason, error.message, wall_ms))
        return True

    def _check_key(self, record: KafkaRecord) -> None:
        """Refuse to begin a life in a partition that the record's key does not lead to."""
        if record.key is None:
            raise EventError("wrong_partition", "the record has no key; key it by the customer, or set RESOLVE=on")
        right = partition_of(record.key, self.count)
        if right != self.number:
            raise EventError(
                "wrong_partition",
                f"the record's key belongs to partition {right} by murmur2, and it is in {self.number}; "
                "let the producer partition as Java does, or set ORCHESTRATOR_RESOLVE=on",
            )
