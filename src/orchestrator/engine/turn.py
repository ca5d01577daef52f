"""One turn at work: the state being changed, the instant, and what has been decided so far.

Owns the context that every rule of the engine is handed, and how decisions and actions are recorded.
Never decides anything itself.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from orchestrator.model import ids, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.expression import Scope
from orchestrator.model.journey import Journey, Step, Trigger
from orchestrator.model.project import Project
from orchestrator.model.state import Entry, State

TIMER = "timer"


class EntryFailed(Exception):  # noqa: N818 - a report to the caller, never shown
    """A bug of ours surfaced while one entry was handled; the turn is taken again with that entry parked."""

    def __init__(self, journey: str, entry_id: str) -> None:
        super().__init__(journey, entry_id)
        self.journey = journey
        self.entry_id = entry_id


class Turn(msgspec.Struct, gc=False):
    """One pass from old state to new.

    `event` is the event at hand, None while timers are handled, and `keys` are what journeys key entries
    by, as far as they have been read from it. `origin` is what ids derive from: the event's id, or the moment's.
    `settled_at` is the number of decisions when segments were last asked, `has_asked` tells that all of them were.
    `failed` are the entries to be parked because of an earlier try of this very turn, with their reasons by id;
    `at_work` is the (journey, entry) handled now, no entry while entering is asked.
    `erased` tells that the customer is to be erased, whatever else.
    `opening` is the id of the entry that the event at hand has just opened. `untaken` are triggers that looked at
    the event and did not take it, by journey and entry. `changed` tells whether the
    state must be written.

    A struct, because one is made for every event that anybody asks about (measured: a quarter of an `__init__`).
    """

    catalog: Catalog
    state: State
    now_ms: int
    failed: Mapping[str, str]
    actions: list[Action] = []
    decisions: list[Decision] = []
    emitted: list[Event] = []
    emitted_count: int = 0
    untaken: list[tuple[Journey, Entry, Trigger]] = []
    changed: bool = False
    event: Event | None = None
    at_work: tuple[str, str | None] | None = None
    opening: str = ""
    cause: str = TIMER
    origin: str = TIMER
    settled_at: int = 0
    has_asked: bool = False
    erased: bool = False
    # Made when first asked for: many turns ask for none of them.
    _id: str = ""
    _at: str = ""
    _scope: Scope | None = None
    _step_scope: Scope | None = None
    keys: dict[str, str | None] = {}

    @property
    def project(self) -> Project:
        """The project whose journeys these are."""
        return self.catalog.project

    @property
    def profile_id(self) -> str:
        """The profile at hand."""
        return self.state.profile_id

    @property
    def at(self) -> str:
        """The turn's instant as text."""
        if not self._at:
            self._at = instants.to_text(self.now_ms)
        return self._at

    def begin_event(self, event: Event) -> None:
        """Turn to an event: it is the cause of all that follows."""
        self.event = event
        self.opening = ""
        self.cause = self.origin = event.id
        self.keys = {}
        self._id = ""
        self._scope = None

    def begin_meeting(self, cause: str) -> None:
        """Turn to what the identifiers of an event say: lives that are this customer's, and links refused."""
        self.event = None
        self.cause = cause
        self._id = ids.derive(self.profile_id, cause, "met")
        self._scope = None

    def begin_timer(self, entry: Entry) -> None:
        """Turn to the timer of an entry."""
        self.event = None
        self.cause = self.origin = TIMER
        self._id = ids.derive(entry.id, entry.step, str(entry.due_ms))
        self._scope = None

    def begin_move(self, entry: Entry, version: int) -> None:
        """Turn to an entry that moves to another version."""
        self.event = None
        self.cause = self.origin = TIMER
        self._id = ids.derive(entry.id, "version", str(version))
        self._scope = None

    def begin_moment(self, what: str) -> None:
        """Turn to an instant that means something to the customer as a whole; `what` names it and no other."""
        self.event = None
        self.opening = ""
        self.cause = TIMER
        self.origin = ids.derive(self.profile_id, what)
        self.keys = {}
        self._id = self.origin
        self._scope = None

    def scope_at(self, entry: Entry | None) -> Scope:
        """Give the scope of a `where`: the event at hand, seen from an entry or from none."""
        if self._scope is None:
            self._scope = Scope(self.catalog.project, self.state, self.now_ms, self.event, entry)
        else:
            self._scope.entry = entry
        return self._scope

    def scope_of(self, entry: Entry) -> Scope:
        """Give the scope of a step: the entry, and its last event."""
        scope = self._step_scope
        if scope is None or scope.entry is not entry or scope.event is not entry.event:
            scope = self._step_scope = Scope(self.catalog.project, self.state, self.now_ms, entry.event, entry)
        return scope

    def decide(
        self,
        journey: Journey,
        entry: Entry | None,
        step: str | None,
        verdict: str,
        reason: str,
        saw: dict[str, Any] | None = None,
        action_id: str | None = None,
    ) -> None:
        """Record a decision; its id derives from its cause and its place among the turn's decisions."""
        profile_id = self.state.profile_id
        if not self._id:
            self._id = ids.derive(profile_id, self.cause)
        decisions = self.decisions
        decisions.append(
            Decision(
                f"{self._id}-{len(decisions)}",
                self._at or self.at,
                profile_id,
                journey.id,
                journey.version,
                None if entry is None else entry.id,
                step,
                verdict,
                reason,
                self.cause,
                saw or {},
                action_id,
            )
        )

    def park(self, journey: Journey, entry: Entry, reason: str) -> None:
        """Take an entry out of the stream where it stands: it keeps its state and nothing moves it."""
        entry.parked = reason
        entry.due_ms = 0
        self.changed = True
        self.decide(journey, entry, entry.step or None, Verdict.PARKED, reason)


def action_id_of(turn: Turn, journey: Journey, entry: Entry, step: Step, visit: str | None = None) -> str:
    """Derive the id of what a step asks of the outside world at a visit, by default the one of the rounds it is in.

    It is the idempotency key at every provider: the same decision made twice has the same.
    """
    visit = visit_of(entry, step.inside) if visit is None else visit
    return ids.derive(journey.id, str(journey.version), turn.profile_id, entry.id, step.id, visit)


def action_of(
    turn: Turn,
    journey: Journey,
    entry: Entry,
    step: Step,
    kind: Literal["call", "event", "handoff"],
    action_id: str,
    **further: Any,
) -> Action:
    """Make an action of a kind for an entry at a step; `further` are those of its fields that are the kind's own."""
    profile = turn.state.profile
    return Action(
        action_id,
        kind,
        profile.id,
        profile.customer_id,
        journey.id,
        journey.version,
        entry.id,
        step.id,
        turn.at,
        **further,
    )


def visit_of(entry: Entry, inside: tuple[str, ...]) -> str:
    """Name the visit of a step: the rounds of the repeats around it, "1" outside of any."""
    return ".".join(str(entry.rounds[repeat][0]) for repeat in inside) if inside else "1"


def standing_entries(turn: Turn, versions: Mapping[tuple[str, int], Journey]) -> list[tuple[Journey, Entry]]:
    """List the live entries of these versions with their journeys, in the order in which they are handled.

    Left out are those that are parked, those that fail (they are parked now), and those whose version is gone
    from the catalog: nothing moves them.
    """
    if turn.failed:
        _park_failed(turn)
    found = []
    for entry in turn.state.entries:
        journey = versions.get((entry.journey, entry.version))
        if journey is not None and entry.parked is None:
            found.append((journey, entry))
    if len(found) > 1:
        found.sort(key=lambda pair: (-pair[0].priority, pair[0].id))  # stable: entries of one journey stay by age
    return found


def draw(turn: Turn, name: str, *parts: str) -> float:
    """Draw the sticky number in [0, 100) that `parts` stand for, or give the one that this customer drew before.

    It is kept, because a profile that is merged into another goes by another id and would draw anew. Its `name` is
    `journey/split`, the journey's for its holdout, and empty for the universal one.
    """
    draws = turn.state.history.draws
    made = draws.get(name)
    if made is None:
        made = draws[name] = (ids.share_of(*parts), turn.now_ms)
        turn.changed = True
    return made[0]


def _park_failed(turn: Turn) -> None:
    for entry in turn.state.entries:
        journey = turn.catalog.versions.get((entry.journey, entry.version))
        if journey is not None and entry.parked is None and entry.id in turn.failed:
            turn.park(journey, entry, turn.failed[entry.id])
