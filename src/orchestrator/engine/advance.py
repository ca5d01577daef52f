"""The funnel: every fact passes here, and nothing changes a state anywhere else.

Owns the order of work.

Theory. A fact comes in (an event, or the instant of a timer), the state is changed in place, effects
and decisions come out. The caller hands over a state that nobody else holds and keeps the old bytes
until everything is committed together; so a turn that raises has changed nothing.

The order of work for one event (LANGUAGE.md):

    1. profile       traits, identifiers, consent, receipts; then counts and segments, where anybody asks for them
    2. endings       goals and exits of live entries; then a bounced message moves on to the next channel
    3. waits         wait_for that match, restart_on, until_event; a survey that was not sent is not waited for
    4. entering      enter rules

Before anything else, entries of older versions go over to a current one that asks for it (`moving`).
Journeys go by priority, highest first, then id; entries by age. Timers go by due time, then the same.
Events that a journey emits are handled after the fact that caused them, at the same instant.

House rules: no clock, no dice, no I/O; no iteration over sets; same arguments, same outcome, byte for
byte.
"""

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.engine import (
    audiences,
    cases,
    endings,
    entering,
    fallback,
    matching,
    moments,
    moving,
    profiles,
    receipts,
    replies,
    waiting,
)
from orchestrator.engine.turn import EntryFailed, Turn, standing_entries
from orchestrator.errors import EventError, StorageError
from orchestrator.model.catalog import NO_INTEREST, Catalog
from orchestrator.model.event import Event
from orchestrator.model.facts import Fact, Wake
from orchestrator.model.state import State

_NONE_FAILED: Mapping[str, str] = MappingProxyType({})


def advance(catalog: Catalog, state: State, fact: Fact, now_ms: int, failed: Mapping[str, str] = _NONE_FAILED) -> Turn:
    """Apply one fact to one profile's state, in place, at the instant `now_ms` (epoch milliseconds).

    Pure but for `state`, and deterministic. Gives the turn: its `actions`, its `decisions`, and whether
    the state has `changed`. `failed` names entries that an earlier try of the same turn could not take
    on, with the reason: they are parked instead of handled. Raises EntryFailed when a bug of ours
    surfaces in one entry; the state is then spoilt, and the caller starts over from the bytes it kept.
    """
    turn = Turn(catalog, state, now_ms, failed)
    is_wake = fact.__class__ is Wake
    try:
        if catalog.audiences is not None:
            audiences.arm(turn, catalog.audiences)
        elif isinstance(fact, Wake) and state.has_past:
            audiences.disarm(turn)
        if catalog.migrating:
            moving.move(turn)
            _handle_emitted(turn)
        if (state.entries and waiting.go_on(turn)) or is_wake:
            _wake(turn)
        if isinstance(fact, Event):
            _handle(turn, fact)
            if turn.emitted or catalog.audiences is not None:
                _handle_emitted(turn)
    except EventError:
        raise  # the producer's mistake, whichever entry was the first to ask for the event's properties
    except StorageError:
        raise  # a record that cannot be read is nobody's bug, and parking one entry would not help
    except Exception as error:
        # Whatever it is, it is one entry's: the customer's other journeys go on.
        if turn.at_work is None:
            raise
        journey_id, entry_id = turn.at_work
        raise EntryFailed(journey_id, entry_id or entering.entry_id_of(turn, journey_id)) from error
    return turn


def _wake(turn: Turn) -> None:
    if turn.catalog.audiences is not None:
        if turn.catalog.audiences.retention and audiences.is_forgotten(turn, turn.catalog.audiences):
            turn.erased = True
            return
        audiences.wake(turn, turn.catalog.audiences)
        _handle_emitted(turn)
    for journey, entry in waiting.due_entries(turn):
        # An earlier timer of this instant, or an event that it emitted, may have ended or moved it.
        if entry.step and 0 < entry.due_ms <= turn.now_ms:
            turn.begin_timer(entry)
            turn.at_work = (journey.id, entry.id)
            waiting.wake(turn, journey, entry)
            _handle_emitted(turn)
    if turn.catalog.audiences is not None:
        for due_ms, watched in moments.come_due(turn, turn.catalog.audiences):
            moments.come(turn, watched, due_ms)
            _handle_emitted(turn)
        turn.at_work = None


def _handle(turn: Turn, event: Event) -> None:
    turn.begin_event(event)
    catalog, event_type = turn.catalog, event.type
    interest = catalog.interests.get(event_type, NO_INTEREST)
    since = len(turn.decisions)
    before = turn.state.sent if event_type in fallback.RECEIPTS else []
    if event.identifiers:
        profiles.identify(turn, event)
    if interest.is_profiles:
        profiles.apply(turn, event)
        cases.apply(turn, event)
        replies.apply(turn, event)
    elif interest.is_receipt:
        receipts.apply(turn, event)
    if catalog.audiences is not None:
        audiences.hear(turn, catalog.audiences, event, is_about_them=interest.is_about_them or bool(event.identifiers))
    if interest.converts and turn.state.ended:
        endings.convert_ended(turn, event)
    if turn.state.entries:
        standing = standing_entries(turn, interest.reacting)
        for journey, entry in standing:
            turn.at_work = (journey.id, entry.id)
            endings.check(turn, event, journey, entry)
        if event_type in fallback.RECEIPTS:
            fallback.check(turn, event, before)
        for journey, entry in standing:
            if entry.step:
                turn.at_work = (journey.id, entry.id)
                waiting.check(turn, event, journey, entry)
        if event_type in fallback.RECEIPTS:
            waiting.check_unsent(turn, event)
    for journey in interest.entering:
        entering.check(turn, event, journey)
    if turn.untaken:
        matching.say_untaken(turn, since)
    turn.at_work = None


def _handle_emitted(turn: Turn) -> None:
    while True:
        while turn.emitted:
            _handle(turn, turn.emitted.pop(0))
        if turn.catalog.audiences is None or not audiences.settle(turn, turn.catalog.audiences):
            break
    turn.emitted_count = 0
