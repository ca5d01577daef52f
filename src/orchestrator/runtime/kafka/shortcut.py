"""The shortcut of a partition: turns that the compiled side takes, from the bytes of a state to what a commit carries.

Owns who may go by it, and what follows for state, timers and buffers, as `Partition` has it follow for every other
turn. Must never be tried for an event that says anything about who a customer is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from orchestrator.compiled.turns import Turns, kinds_of, turns_of
from orchestrator.errors import EventError
from orchestrator.model.catalog import Catalog
from orchestrator.model.codec import due_of
from orchestrator.model.event import NOT_GIVEN, Event
from orchestrator.model.identity import CUSTOMER_ID
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.outgoing import Line, Outgoing
from orchestrator.runtime.kafka.records import KafkaRecord
from orchestrator.runtime.kafka.state import Memory, MemoryState, PartitionState
from orchestrator.runtime.kafka.unit import Tally
from orchestrator.runtime.objections import TELLING, renewed
from orchestrator.runtime.timers import Timers

if TYPE_CHECKING:
    from orchestrator.compiled.native import Came

# So many records, or wakes, are taken in Python before the compiled side is asked again, where it could take none.
MOST_AT_ONCE = 64


@dataclass(slots=True)
class _Lent:
    """What a partition lends to the compiled side for a batch."""

    memory: Memory | None
    get: Callable[[str], bytes | None]
    put: Callable[[str, bytes], None]
    timers: Timers
    receipts: str | None
    origin: str | None
    home: tuple[int, int] | None
    is_objected: Callable[[bytes, str, int, str], bool] | None
    changes: dict[str, bytes | None]
    decisions: list[Line]
    actions: list[Line]


def _room_of(sink: Outgoing, until: float) -> tuple[int, int, float]:
    """Tell how far a batch may go: facts, bytes, seconds."""
    return max(0, sink.most_facts - sink.facts), max(0, sink.room), until - perf_counter()


class Clock(NamedTuple):
    """What the clock says as a batch begins; `told_ms` is what all sources have told, None where records move it."""

    now_ms: int
    wall_ms: int
    told_ms: int | None = None


class Shortcut:
    """The compiled turns of one partition, by the definitions it goes by; none before there are any."""

    def __init__(
        self,
        state: PartitionState,
        timers: Timers,
        receipts: str | None,
        objections: Objections,
        home: tuple[int, int] | None,
    ) -> None:
        """Open it for a partition; `home` is its number, of how many, where keys are checked."""
        self._state = state
        self._timers = timers
        self._receipts = receipts
        self._objections = objections
        self._home = home
        # Behind resolve, the header of what that passes on.
        self.origin: str | None = None
        self._turns: Turns | None = None
        self._kinds: frozenset[str] = frozenset()
        self._catalog: Catalog | None = None

    def goes_by(self, catalog: Catalog) -> bool:
        """Tell whether these are the definitions that are gone by."""
        return catalog is self._catalog

    def take_up(self, catalog: Catalog) -> None:
        """Go by these definitions from now on; whoever counts has counted by those before."""
        self._catalog = catalog
        # Where customer ids may name nobody, and where one is an address that may have been objected under, each event
        # is looked at for that.
        is_asked = CUSTOMER_ID in catalog.project.identity.never or catalog.project.is_addressed_by_id
        self._turns = None if is_asked else turns_of(catalog)
        self._kinds = kinds_of(catalog) if self._turns is not None else frozenset()

    @property
    def is_open(self) -> bool:
        """Tell whether there are compiled turns."""
        return self._turns is not None

    def run(
        self,
        records: Sequence[KafkaRecord],
        at: int,
        clock: Clock,
        until: float,
        sink: Outgoing,
        tally: Tally,
    ) -> tuple[int, int]:
        """Take records from a place on, with the timers that they pass; say which is the first for Python.

        The clock comes with it: it stands where that record has put it, and timers before it may be for Python as well.
        """
        if self._turns is None or not isinstance(records, list):
            return at, clock.now_ms
        at, now_ms, facts, size, ignored, last = self._turns.run(
            records,
            at,
            clock.now_ms,
            (clock.wall_ms, clock.told_ms),
            _room_of(sink, until),
            self._lent(sink),
        )
        sink.facts += facts
        sink.bytes += size
        tally.end_run(last, ignored)
        return at, now_ms

    def fire(
        self, before_ms: int, now_ms: int | None, wall_ms: int, until: float, sink: Outgoing, tally: Tally
    ) -> bool:
        """Wake those who are due before an instant, as far as that is compiled; False where nobody was woken."""
        if self._turns is None:
            return False
        facts, size, late = self._turns.fire(before_ms, now_ms, wall_ms, _room_of(sink, until), self._lent(sink))
        sink.facts += facts
        sink.bytes += size
        tally.lateness_ms += late
        return facts > 0

    def _lent(self, sink: Outgoing) -> _Lent:
        state = self._state
        return _Lent(
            state.records if isinstance(state, MemoryState) else None,
            state.get,
            state.put,
            self._timers,
            self._receipts,
            self.origin,
            self._home,
            self._is_objected if self._objections.known else None,
            sink.changes,
            sink.decisions,
            sink.actions,
        )

    def on_event(self, event: Event, profile_id: str, old: bytes | None, now_ms: int, sink: Outgoing) -> str | None:
        """Take an event, and say what it came to; None, with nothing done, where it is for the engine in Python."""
        turns = self._turns
        if turns is None or event.type not in self._kinds or event.identifiers or event.decoded is not None:
            return None
        if event.type == TELLING and self._objections.known and self._renewed(event, profile_id):
            return None
        came = turns.on_event(
            event.type,
            event.id,
            event.time_ms,
            event.channel,
            event.customer_id,
            bytes(event.raw_properties),
            old,
            profile_id.encode(),
            now_ms,
        )
        return None if came is None else self._take_over(came, profile_id, 0 if old is None else due_of(old), sink)

    def _is_objected(self, properties: bytes, customer_id: str, time_ms: int, profile_id: str) -> bool:
        """Tell whether what is told of a profile is for the engine in Python: it may let noes hold again, or is odd."""
        raw = Raw(properties) if properties else NOT_GIVEN
        try:
            return self._renewed(Event("", TELLING, time_ms, customer_id, raw_properties=raw), profile_id)
        except EventError:
            return True

    def _renewed(self, event: Event, profile_id: str) -> bool:
        """Tell whether somebody who was erased objected under an address that an event tells."""
        if self._catalog is None:
            return True
        self._objections.identity = self._catalog.project.identity
        return bool(renewed(self._objections, self._catalog.project, event, profile_id))

    def on_timers(self, profile_id: str, record: bytes, awaited_ms: int, now_ms: int, sink: Outgoing) -> bool:
        """Wake a customer; False, with nothing done, where that is for the engine in Python."""
        came = None if self._turns is None else self._turns.on_timers(record, profile_id.encode(), now_ms)
        if came is not None:
            self._take_over(came, profile_id, awaited_ms, sink)
        return came is not None

    def _take_over(self, came: "Came", profile_id: str, old_due_ms: int, sink: Outgoing) -> str:
        outcome, record, due_ms, decisions, actions, size = came
        if record is not None:
            self._state.put(profile_id, record)
            sink.changes[profile_id] = record
            self._timers.schedule(profile_id, old_due_ms, due_ms)
            sink.bytes += len(record)
        sink.decisions += decisions
        sink.actions += actions
        sink.bytes += size
        return outcome

    def counted(self, tally: Tally) -> Mapping[tuple[str, str, str], int]:
        """Give the decisions that came by here since the last time, and add all else to the tally."""
        if self._turns is None:
            return {}
        decisions, actions, events = self._turns.take_counts()
        tally.actions.update(actions)
        tally.events.update(events)
        return dict(decisions)
