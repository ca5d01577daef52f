"""The turn: the one sequence that every runtime shares, from a record and a fact to a new record.

Owns that sequence: decode, is the event a repeat?, advance, remember the event, encode. Bytes come in
and bytes go out; the caller keeps the old record until the new one, the actions and the decisions are
committed together, so a turn that fails anywhere has changed nothing. Never touches a clock, a store
or the network.
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.engine.advance import advance
from orchestrator.engine.turn import EntryFailed, Turn
from orchestrator.errors import EventError, InvariantError, StorageError
from orchestrator.model import codec, ids
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Decision, Reason
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.facts import Fact, Wake
from orchestrator.model.profile import Profile
from orchestrator.model.project import Project
from orchestrator.model.state import State


@dataclass(frozen=True, slots=True)
class Failure:
    """An entry that was parked because of a bug of ours: for dead letters and metrics."""

    entry_id: str
    journey: str
    reason: str
    traceback: str


@dataclass(slots=True)
class Turned:
    """What a turn came to. `record` is None when the state is as it was: keep the old one.

    `outcome` is applied, duplicate or ignored: the label of `orchestrator_events_total`.
    """

    outcome: str
    record: bytes | None
    actions: Sequence[Action]
    decisions: Sequence[Decision]
    failures: Sequence[Failure]


DUPLICATE = Turned("duplicate", None, (), (), ())
IGNORED = Turned("ignored", None, (), (), ())


def profile_of(project: Project, event: Event) -> str:
    """Name the profile that an event belongs to: by customer_id, else by its strongest identifier."""
    if event.customer_id is not None:
        return ids.profile_id_of("customer_id", event.customer_id)
    for kind in project.identifiers:
        if kind in event.identifiers:
            return ids.profile_id_of(kind, event.identifiers[kind])
    kind = min(event.identifiers)
    return ids.profile_id_of(kind, event.identifiers[kind])


def on_event(catalog: Catalog, event: Event, record: bytes | None, now_ms: int) -> Turned:
    """Apply an event to the profile it belongs to, at the instant `now_ms` (epoch milliseconds).

    Raises EventError when the event itself cannot be used; the record then stays as it is.
    """
    digest = ids.digest_of(event.id)
    if record is None and event.type not in catalog.beginning and not event.identifiers:
        return IGNORED  # nothing to repeat, to change or to end: not worth a state
    state = _state_of(catalog, record, event)
    if state.seen and state.has_seen(digest):
        return DUPLICATE
    try:
        turn, failures = _advance(catalog, state, record, event, now_ms)
    except (EventError, StorageError):
        raise
    except Exception as error:
        # A bug of ours outside of any entry: the event is kept where somebody can look at it, the stream goes on.
        raise EventError("failure", "".join(traceback.format_exception(error))) from error
    if turn.changed:
        turn.state.remember(digest)
        return Turned("applied", _encode(turn.state), turn.actions, turn.decisions, failures)
    return Turned("applied", None, turn.actions, turn.decisions, failures) if turn.decisions else IGNORED


def _state_of(catalog: Catalog, record: bytes | None, fact: Fact) -> State:
    """Decode a record, or begin with the customer whom an event is the first to name."""
    if record is not None:
        return codec.decode(record)
    if not isinstance(fact, Event):
        raise InvariantError("a timer woke a customer without a record")
    return State(Profile(profile_of(catalog.project, fact), fact.customer_id))


def _encode(state: State) -> bytes:
    try:
        return codec.encode(state)
    except OverflowError as error:
        # JSON's integers have no bounds, those of a record have 64 bits.
        raise EventError("bad_properties", "a number of the event is too large to be stored") from error


def on_timers(catalog: Catalog, record: bytes, now_ms: int) -> Turned:
    """Wake everything of one profile that is due at or before `now_ms`, earliest first."""
    turn, failures = _advance(catalog, codec.decode(record), record, Wake(), now_ms)
    new = codec.encode(turn.state) if turn.changed else None
    return Turned("applied", new, turn.actions, turn.decisions, failures)


def _advance(
    catalog: Catalog, state: State, record: bytes | None, fact: Fact, now_ms: int
) -> tuple[Turn, Sequence[Failure]]:
    """Advance; when an entry fails, take the turn again from the old bytes with that entry parked."""
    try:
        return advance(catalog, state, fact, now_ms), ()
    except EntryFailed as failed:
        failures = [_failure(failed)]
    while True:
        state = _state_of(catalog, record, fact)
        try:
            return advance(catalog, state, fact, now_ms, frozenset(failure.entry_id for failure in failures)), failures
        except EntryFailed as failed:
            if any(failed.entry_id == failure.entry_id for failure in failures):
                raise  # parking it failed too; without this the loop would never end
            failures.append(_failure(failed))


def _failure(failed: EntryFailed) -> Failure:
    text = "".join(traceback.format_exception(failed.__cause__))
    return Failure(failed.entry_id, failed.journey, Reason.FAILURE, text)
