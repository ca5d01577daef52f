"""The funnel: every fact passes here, and nothing changes a state anywhere else.

Owns the order of work.

Theory. A fact comes in (an event, or the instant of a timer), the state is changed in place, effects
and decisions come out. The caller hands over a state that nobody else holds and keeps the old bytes
until everything is committed together; so a turn that raises has changed nothing.

The order of work for one event (LANGUAGE.md):

    1. profile       traits, identifiers, consent, receipts
    2. endings       goals and exits of live entries
    3. waits         wait_for that match, restart_on, until_event
    4. entering      enter rules

Journeys go by priority, highest first, then id; entries by age. Timers go by due time, then the same.
Events that a journey emits are handled after the fact that caused them, at the same instant.

House rules: no clock, no dice, no I/O; no iteration over sets; same arguments, same outcome, byte for
byte.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.engine import endings, entering, parking, profiles, receipts, waiting
from orchestrator.engine.turn import EntryFailed, Turn, standing_entries
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Decision, Reason
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.facts import Fact, Wake
from orchestrator.model.journey import Journey
from orchestrator.model.state import Entry, State


@dataclass(slots=True)
class Outcome:
    """What a turn came to. `changed` tells whether the state must be written."""

    changed: bool
    actions: list[Action]
    decisions: list[Decision]


def advance(catalog: Catalog, state: State, fact: Fact, now_ms: int, parking: frozenset[str] = frozenset()) -> Outcome:
    """Apply one fact to one profile's state, in place, at the instant `now_ms` (epoch milliseconds).

    Pure but for `state`, and deterministic. `parking` names entries that failed in an earlier try of
    the same turn: they are parked instead of handled. Raises EntryFailed when a bug of ours surfaces in
    one entry; the state is then spoilt and the caller starts over from the bytes it kept.
    """
    turn = Turn(catalog, state, now_ms, parking)
    if isinstance(fact, Wake):
        for journey, entry in waiting.due_entries(turn):
            # An earlier timer of this instant, or an event that it emitted, may have ended or moved it.
            if entry.step and 0 < entry.due_ms <= now_ms:
                turn.begin_timer(entry)
                _guard(turn, journey, entry, waiting.wake)
                _handle_emitted(turn)
    else:
        _handle(turn, fact)
        _handle_emitted(turn)
    return Outcome(turn.changed, turn.actions, turn.decisions)


def _handle(turn: Turn, event: Event) -> None:
    turn.begin_event(event)
    profiles.apply(turn, event)
    receipts.apply(turn, event)
    state = turn.state
    if state.ended:
        endings.convert_ended(turn, event)
    if state.entries:
        standing = standing_entries(turn)
        for journey, entry in standing:
            _guard(turn, journey, entry, endings.check)
        for journey, entry in standing:
            if entry.step:
                _guard(turn, journey, entry, waiting.check)
    for journey in turn.catalog.entered_by(event.type):
        entering.check(turn, journey, event)


def _handle_emitted(turn: Turn) -> None:
    while turn.emitted:
        _handle(turn, turn.emitted.popleft())
    turn.emitted_count = 0


def _guard(turn: Turn, journey: Journey, entry: Entry, handle: Callable[[Turn, Journey, Entry], None]) -> None:
    """Handle one entry; a bug of ours names the entry it surfaced in, so that only that one is parked."""
    if entry.parked is not None:
        return
    if entry.id in turn.parking:
        parking.park(turn, journey, entry, Reason.FAILURE)
        return
    try:
        handle(turn, journey, entry)
    except EntryFailed:
        raise
    except Exception as error:  # whatever it is, the customer's other journeys go on
        raise EntryFailed(journey.id, entry.id) from error
