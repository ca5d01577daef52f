"""The turn: the one sequence that every runtime shares, from a record and a fact to a new record.

Owns that sequence: decode, is the event a repeat?, advance, remember the event, encode. Bytes come in
and bytes go out; the caller keeps the old record until the new one, the actions and the decisions are
committed together, so a turn that fails anywhere has changed nothing. Never touches a clock, a store
or the network.
"""

import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from orchestrator.engine import cancelling, merging, profiles
from orchestrator.engine.advance import advance
from orchestrator.engine.linking import RefusedLink
from orchestrator.engine.objections import objections_of
from orchestrator.engine.plans import plans_of
from orchestrator.engine.turn import EntryFailed, Turn
from orchestrator.errors import EventError, InvariantError, StorageError
from orchestrator.model import codec, ids
from orchestrator.model.catalog import Catalog, Planned
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.facts import Fact, Wake
from orchestrator.model.identity import Unnamed
from orchestrator.model.journey import Journey
from orchestrator.model.profile import Profile
from orchestrator.model.project import Project
from orchestrator.model.rights import Objection
from orchestrator.model.state import Entry, State

# A record must fit into one Kafka message with room to spare, and be read and written at every event of its customer.
MOST_RECORD_BYTES = 512 << 10
# What a record is made to hold at most that a merge made too large, so that what its customer says next fits as well.
LIGHTENED_BYTES = 448 << 10


@dataclass(frozen=True, slots=True)
class Failure:
    """An entry that was parked, because of a bug of ours or of its size: for dead letters and metrics."""

    entry_id: str
    journey: str
    reason: str
    traceback: str


class Turned(msgspec.Struct, gc=False):
    """What a turn came to. `record` is None when the state is as it was: keep the old one.

    `outcome` is applied, duplicate or ignored: the label of `orchestrator_events_total`. `erased` tells that the
    profile is to be erased, because nothing was heard of its customer for as long as the project keeps them.
    """

    outcome: str
    record: bytes | None
    actions: Sequence[Action]
    decisions: Sequence[Decision]
    failures: Sequence[Failure]
    erased: bool = False


_encode_entry = msgspec.msgpack.Encoder().encode

DUPLICATE = Turned("duplicate", None, (), (), ())
IGNORED = Turned("ignored", None, (), (), ())


def profile_of(project: Project, event: Event) -> str:
    """Name the profile that an event by itself belongs to: by customer_id, else by its strongest identifier."""
    if event.customer_id is not None:
        return ids.profile_id_of("customer_id", event.customer_id)
    for kind in project.identifiers:
        if kind in event.identifiers:
            return ids.profile_id_of(kind, event.identifiers[kind])
    kind = min(event.identifiers)
    return ids.profile_id_of(kind, event.identifiers[kind])


def customer_of(record: bytes | None) -> str | None:
    """Give the customer id of whoever's record it is, if it is known."""
    return None if record is None else codec.decode(record).profile.customer_id


@dataclass(frozen=True, slots=True)
class Meeting:
    """What the identifiers of an event say about its customer: records of lives that are theirs too, links refused."""

    lives: Sequence[bytes]
    refused: Sequence[RefusedLink | Unnamed]


def on_meeting(
    catalog: Catalog, event: Event, profile_id: str, record: bytes | None, meeting: Meeting, now_ms: int
) -> Turned:
    """Merge lives into a profile, and put on record what was merged and refused; the event itself comes after."""
    state = _state_of(profile_id, record, event)
    turn = Turn(catalog, state, now_ms, {})
    merging.meet(turn, event.id, [codec.decode(life) for life in meeting.lives], meeting.refused)
    new, failures = _encode(turn.state) if turn.changed else None, list[Failure]()
    if new is not None and len(new) > MOST_RECORD_BYTES:
        new, failures = _lightened(turn, new)
    return Turned("applied", new, turn.actions, turn.decisions, failures)


def on_objection(catalog: Catalog, said: Event, record: bytes | None, now_ms: int, profile_id: str) -> Turned:
    """Let a no hold again that was said before its customer was erased; no journey hears of it, as nobody says it now.

    It is a statement of consent, and on a profile once like any event.
    """
    state = codec.decode(record) if record is not None else _new_state(profile_id, said)
    digest = ids.digest_of(said.id)
    if state.has_seen(digest):
        return DUPLICATE
    turn = Turn(catalog, state, now_ms, {})
    turn.begin_event(said)
    profiles.apply(turn, said)
    state.remember(digest)
    return Turned("applied", _encode(state), turn.actions, turn.decisions, ())


def on_event(
    catalog: Catalog, event: Event, record: bytes | None, now_ms: int, profile_id: str | None = None
) -> Turned:
    """Apply an event to the profile it belongs to, at the instant `now_ms` (epoch milliseconds).

    Without `profile_id`, an event without a record begins the profile that it names itself. Raises EventError when
    the event itself cannot be used; the record then stays as it is.
    """
    plans = catalog.plans or plans_of(catalog)
    if record is None:
        if event.type not in catalog.beginning and not event.identifiers:
            return IGNORED  # nothing to repeat, to change or to end: not worth a state
        state = _new_state(profile_of(catalog.project, event) if profile_id is None else profile_id, event)
        digest = ids.digest_of(event.id)
    else:
        if catalog.heard is not catalog.wanted and event.type not in catalog.heard and not event.identifiers:
            return IGNORED  # wanted to get to know a customer by it, and this one is known
        digest = ids.digest_of(event.id)
        if plans.passes is not None and plans.passes(event, digest, record, now_ms):
            return IGNORED
        state = codec.decode(record)
        if digest in state.seen and state.has_seen(digest):
            return DUPLICATE
    plan = plans.by_event.get(event.type)
    if plan is not None and (not event.identifiers or state.profile.is_known_by(event.customer_id, event.identifiers)):
        try:
            planned = plan(state, event, now_ms)
        except Exception:  # noqa: BLE001 - nothing is kept of it, and the funnel says whose failure it is
            planned, state = None, _state_of(state.profile_id, record, event)
        if planned is not None:
            turned = _as_planned(state, planned, digest)
            if turned is not None:
                return turned
            state = _state_of(state.profile_id, record, event)
    try:
        turn, failures = _advance(catalog, state, record, event, now_ms)
    except (EventError, StorageError):
        raise
    except Exception as error:
        # A bug of ours outside of any entry: the event is kept where somebody can look at it, the stream goes on.
        raise EventError("failure", "".join(traceback.format_exception(error))) from error
    if turn.changed:
        turn.state.remember(digest)
        new = _encode(turn.state)
        if len(new) > MOST_RECORD_BYTES:
            return _made_to_fit(catalog, record, event, now_ms, turn, failures, new)
        return Turned("applied", new, turn.actions, turn.decisions, failures)
    return Turned("applied", None, turn.actions, turn.decisions, failures) if turn.decisions else IGNORED


def _as_planned(state: State, planned: Planned, digest: bytes) -> Turned | None:
    """Write what a plan came to; None when the record would be too large, which is the funnel's to mend."""
    if not planned.changed:
        return Turned("applied", None, (), planned.decisions, ()) if planned.decisions else IGNORED
    if digest:
        state.remember(digest)
    new = _encode(state)
    return Turned("applied", new, planned.actions, planned.decisions, ()) if len(new) <= MOST_RECORD_BYTES else None


def _state_of(profile_id: str, record: bytes | None, fact: Fact) -> State:
    """Decode a record, or begin with the customer whom an event is the first to name."""
    if record is not None:
        return codec.decode(record)
    if not isinstance(fact, Event):
        raise InvariantError("a timer woke a customer without a record")
    return _new_state(profile_id, fact)


def _new_state(profile_id: str, event: Event) -> State:
    return State(Profile(profile_id, event.customer_id))


def _encode(state: State) -> bytes:
    try:
        return codec.encode(state)
    except OverflowError as error:
        # JSON's integers have no bounds, those of a record have 64 bits.
        raise EventError("bad_properties", "a number of the event is too large to be stored") from error


def on_timers(catalog: Catalog, record: bytes, now_ms: int) -> Turned:
    """Wake everything of one profile that is due at or before `now_ms`, earliest first."""
    state = codec.decode(record)
    try:
        planned = (catalog.plans or plans_of(catalog)).wake(state, now_ms)
    except Exception:  # noqa: BLE001 - as with an event
        planned, state = None, codec.decode(record)
    if planned is not None:
        turned = _as_planned(state, planned, b"")
        if turned is not None:
            return turned
        state = codec.decode(record)
    turn, failures = _advance(catalog, state, record, Wake(), now_ms)
    if turn.erased:
        return Turned("applied", None, (), (), (), erased=True)
    new = codec.encode(turn.state) if turn.changed else None
    if new is not None and len(new) > MOST_RECORD_BYTES:
        return _made_to_fit(catalog, record, Wake(), now_ms, turn, failures, new)
    return Turned("applied", new, turn.actions, turn.decisions, failures)


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What follows when a customer is forgotten: what delivery is told, their noes by address, who stood where."""

    actions: Sequence[Action]
    noes: Mapping[str, list[Objection]]
    journeys: Sequence[str]


def on_forgetting(catalog: Catalog, record: bytes, now_ms: int) -> Forgetting:
    """Say what follows when a customer is forgotten; the record itself is the caller's to drop."""
    state = codec.decode(record)
    turn = Turn(catalog, state, now_ms, {})
    noes = objections_of(catalog.project, state, now_ms)
    cancelling.of_everything(turn)
    return Forgetting(turn.actions, noes, [entry.journey for entry in state.entries])


def _made_to_fit(
    catalog: Catalog,
    record: bytes | None,
    fact: Fact,
    now_ms: int,
    turn: Turn,
    failures: Sequence[Failure],
    new: bytes,
) -> Turned:
    """Take a turn again that made its record too large, its largest entries parked one by one until it fits.

    A parked entry keeps what it held before. Raises EventError for an event that is too large for a record by itself.
    """
    before = [] if record is None else codec.decode(record).entries
    while len(new) > MOST_RECORD_BYTES:
        largest = _largest(catalog, turn.state, before, {failure.entry_id for failure in failures})
        if largest is None:
            if isinstance(fact, Event):
                raise EventError("state_too_large", f"the profile would take {len(new)} bytes; its state is kept")
            break  # all is parked as it was: only the reasons make it larger
        parked = [*failures, Failure(largest.id, largest.journey, Reason.STATE_TOO_LARGE, "")]
        turn, failures = _advance_without(catalog, turn.profile_id, record, fact, now_ms, parked)
        if isinstance(fact, Event):
            turn.state.remember(ids.digest_of(fact.id))
        new = _encode(turn.state)
    return Turned("applied", new, turn.actions, turn.decisions, failures)


def _lightened(turn: Turn, new: bytes) -> tuple[bytes, list[Failure]]:
    """Let lives that are one fit into a record: what is largest goes, on record; an entry is parked and emptied.

    One that never fits again would have every event of its customer refused, a no included.
    """
    traits, failures = turn.state.profile.traits, list[Failure]()
    parts: list[tuple[int, Entry | str]] = [(_size_of(entry), entry) for entry in turn.state.entries]
    parts += [(len(_encode_entry(value)), name) for name, value in traits.items()]
    for _, part in sorted(parts, key=lambda part: -part[0]):
        if len(new) <= LIGHTENED_BYTES:
            break
        if isinstance(part, str):
            del traits[part]
            saw = {"kind": part}
            turn.decide(merging.NO_JOURNEY, None, None, Verdict.NOT_MERGED, Reason.STATE_TOO_LARGE, saw)
        else:
            failures += _emptied(turn, part)
        new = _encode(turn.state)
    return new, failures


def _emptied(turn: Turn, entry: Entry) -> list[Failure]:
    """Park an entry without what it remembers; one that was parked already is told no second time."""
    was_parked = entry.parked is not None
    journey = turn.catalog.journey(entry.journey, entry.version)
    if not was_parked:
        gone = journey or Journey(entry.journey, entry.version, None, {}, ())
        turn.park(gone, entry, Reason.STATE_TOO_LARGE)
    entry.properties, entry.results, entry.event = {}, {}, None
    return [] if was_parked else [Failure(entry.id, entry.journey, Reason.STATE_TOO_LARGE, "")]


def _largest(catalog: Catalog, state: State, before: Sequence[Entry], but: Collection[str]) -> Entry | None:
    """Find the largest entry that can be parked, of equals the oldest; first of those that the turn made larger."""
    old, new = ({entry.id: (_size_of(entry), entry) for entry in entries} for entries in (before, state.entries))
    # What one that has ended in this turn did may have made the profile large.
    sizes = [
        (size, entry)
        for size, entry in (old | new).values()
        if entry.parked is None and entry.id not in but and (entry.journey, entry.version) in catalog.versions
    ]
    # To park one that stayed as it was takes nothing from the record, unless what it did grew the profile.
    grown = [(size, entry) for size, entry in sizes if entry.id not in old or size > old[entry.id][0]]
    return max(grown or sizes, key=lambda pair: pair[0], default=(0, None))[1]


def _size_of(entry: Entry) -> int:
    return len(_encode_entry(entry))


def _advance(
    catalog: Catalog, state: State, record: bytes | None, fact: Fact, now_ms: int
) -> tuple[Turn, Sequence[Failure]]:
    """Advance; when an entry fails, take the turn again from the old bytes with that entry parked."""
    try:
        return advance(catalog, state, fact, now_ms), ()
    except EntryFailed as failed:
        return _advance_without(catalog, state.profile_id, record, fact, now_ms, [_failure(failed)])


def _advance_without(
    catalog: Catalog, profile_id: str, record: bytes | None, fact: Fact, now_ms: int, failures: list[Failure]
) -> tuple[Turn, Sequence[Failure]]:
    """Advance from the old bytes with entries parked, and with any other that fails on the way."""
    while True:
        state = _state_of(profile_id, record, fact)
        try:
            return advance(catalog, state, fact, now_ms, {one.entry_id: one.reason for one in failures}), failures
        except EntryFailed as failed:
            if any(failed.entry_id == failure.entry_id for failure in failures):
                raise  # parking it failed too; without this the loop would never end
            failures.append(_failure(failed))


def _failure(failed: EntryFailed) -> Failure:
    text = "".join(traceback.format_exception(failed.__cause__))
    return Failure(failed.entry_id, failed.journey, Reason.FAILURE, text)
