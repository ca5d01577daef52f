"""The simulated runtime: the production turn on a clock that moves only when something happens.

Owns the order of facts for examples and tests, which is the one that `run` has: a timer due before an event's time
fires first, at the same instant the event comes first; timers go by due time, then profile. Keeps records in memory.
Must never decide anything, nor look at any clock but its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.errors import InvariantError
from orchestrator.model import codec
from orchestrator.model.catalog import Catalog
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.rights import ERASE
from orchestrator.runtime import turn
from orchestrator.runtime.identity import Resolver
from orchestrator.runtime.limits import Ledger
from orchestrator.runtime.timers import NEVER_MS, Timers
from orchestrator.runtime.turn import Meeting, Turned


@dataclass(frozen=True, slots=True)
class Happened:
    """One turn, as it was taken: the instant, the event (None: timers), and what the turn came to."""

    now_ms: int
    event: Event | None
    turned: Turned


class SimulatedRuntime:
    """Takes events and moves its clock; `history` holds every turn in order.

    `records` are the profiles known from the start, by profile id: state at rest, as the codec writes it. `world`
    stands for everybody outside: the event that an action brings back at once, None where nobody answers.
    """

    def __init__(
        self,
        catalog: Catalog,
        now_ms: int,
        records: Mapping[str, bytes] | None = None,
        world: Callable[[Action, int], Event | None] = lambda _action, _now_ms: None,
    ) -> None:
        self.now_ms = now_ms
        self._world = world
        self.history: list[Happened] = []
        self._catalog = catalog
        self._records: dict[str, bytes] = {}
        self._timers = Timers()
        self._resolver = Resolver(catalog.project)
        self._ledger = catalog.admissions = Ledger()
        for profile_id, record in (records or {}).items():
            armed = None if catalog.audiences is None else turn.on_timers(catalog, record, now_ms).record
            self._keep(profile_id, armed or record)

    def record_of(self, profile_id: str) -> bytes | None:
        """Give a profile's state at rest, by whatever id it had; None for one that nothing is known of."""
        return self._records.get(self._resolver.profile_of(profile_id))

    def records(self) -> dict[str, bytes]:
        """Give the state at rest of everybody, by profile id; who was merged is there once."""
        return dict(self._records)

    def next_due_ms(self) -> int:
        """Tell when the next timer is due; NEVER_MS when nothing waits."""
        while self._timers.next_ms < NEVER_MS:
            wake_ms, profile_id = self._timers.take()
            record = self._records.get(profile_id)  # None: it was merged, and its timers are the other's
            due_ms = 0 if record is None else codec.due_of(record)
            if due_ms:
                self._timers.put_back(profile_id, due_ms)
            if due_ms == wake_ms:
                return due_ms
        return NEVER_MS

    def next_settling_ms(self) -> int:
        """Tell when the next timer is due that does not recur for ever; NEVER_MS when no such waits."""
        if self._catalog.audiences is None:
            return self.next_due_ms()
        dues = (codec.decode(record).settling_ms() for record in self._records.values())
        return min((due_ms for due_ms in dues if due_ms), default=NEVER_MS)

    def receive(self, event: Event) -> Turned:
        """Take an event at its own time, after every timer that is due before it."""
        self._fire(before_ms=event.time_ms)
        self._move_to(event.time_ms)
        if event.type not in self._catalog.wanted and not event.identifiers:
            turned = turn.IGNORED
        else:
            profile_id = self._identify(event)
            if event.type == ERASE:
                self._records.pop(profile_id, None)
                self._resolver.forget(profile_id)
                return self._taken(Happened(self.now_ms, event, turn.Turned("applied", None, (), (), ())))
            turned = turn.on_event(self._catalog, event, self._records.get(profile_id), self.now_ms, profile_id)
            if turned.record is not None:
                self._keep(profile_id, turned.record)
        return self._taken(Happened(self.now_ms, event, turned))

    def _identify(self, event: Event) -> str:
        """Find whose event it is; lives that it makes one are one before it is taken, as a turn of their own."""
        resolved = self._resolver.resolve(event)
        profile_id = resolved.profile_id
        lives = [life for merged in resolved.merged if (life := self._records.pop(merged, None)) is not None]
        if lives or resolved.refused:
            meeting, record = Meeting(lives, resolved.refused), self._records.get(profile_id)
            turned = turn.on_meeting(self._catalog, event, profile_id, record, meeting, self.now_ms)
            if turned.record is not None:
                self._keep(profile_id, turned.record)
            self._taken(Happened(self.now_ms, None, turned))
        return profile_id

    def run_until(self, until_ms: int) -> None:
        """Move the clock there; timers due at it fire too."""
        self._fire(before_ms=until_ms + 1)
        self._move_to(until_ms)

    def _fire(self, before_ms: int) -> None:
        while (due_ms := self.next_due_ms()) < before_ms:
            _, profile_id = self._timers.take()
            self._move_to(due_ms)
            turned = turn.on_timers(self._catalog, self._records[profile_id], self.now_ms)
            if turned.erased:
                del self._records[profile_id]
                self._resolver.forget(profile_id)
                self._taken(Happened(self.now_ms, None, turned))
                continue
            if turned.record is None or 0 < codec.due_of(turned.record) <= due_ms:
                raise InvariantError(f"a timer due at {due_ms} is still due after it fired; profile {profile_id}")
            self._keep(profile_id, turned.record)
            self._taken(Happened(self.now_ms, None, turned))

    def _taken(self, happened: Happened) -> Turned:
        """Put a turn on the history, and take what the world answers to its actions at the same instant."""
        self.history.append(happened)
        self._ledger.note(self._catalog, happened.turned.decisions)
        for action in happened.turned.actions:
            answer = self._world(action, self.now_ms)
            if answer is not None:
                self.receive(answer)
        return happened.turned

    def _move_to(self, now_ms: int) -> None:
        # An event that comes late in the stream is taken now: a clock never goes back.
        self.now_ms = max(self.now_ms, now_ms)

    def _keep(self, profile_id: str, record: bytes) -> None:
        self._records[profile_id] = record
        due_ms = codec.due_of(record)
        if due_ms:
            self._timers.put_back(profile_id, due_ms)
