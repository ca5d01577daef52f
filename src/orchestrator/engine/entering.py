"""Entering: whether an event, or a moment, opens an entry, and why not.

Owns the order of the reasons (LANGUAGE.md): not_live, condition_false, key_missing, already_inside,
not_again, limit_reached; then entry_limit, the engine's own bound.
"""

from typing import Any

from orchestrator.engine import guards, matching, walking
from orchestrator.engine.turn import Turn
from orchestrator.model import ids
from orchestrator.model.audience import SEGMENT_ENTERED
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event, keep, pick
from orchestrator.model.journey import Journey, Trigger
from orchestrator.model.state import Entry, State

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_ENTERED, _EVENT = Verdict.ENTERED.value, Reason.EVENT.value
_SEGMENT, _SEGMENT_LEFT = Reason.SEGMENT.value, Reason.SEGMENT_LEFT.value
_NOT_ENTERED, _ALREADY_INSIDE = Verdict.NOT_ENTERED.value, Reason.ALREADY_INSIDE.value
_CONDITION_FALSE = Reason.CONDITION_FALSE.value
# At most so many live entries of one journey and customer (LANGUAGE.md, "Order of work").
MAX_LIVE_ENTRIES = 100


def check(turn: Turn, event: Event, journey: Journey) -> None:
    """Let the event open an entry of this journey, or put on record why it does not."""
    turn.at_work = (journey.id, None)
    try:
        trigger, saw = _open_trigger(turn, journey, event)
    except Exception:
        if not turn.failed or entry_id_of(turn, journey.id) not in turn.failed:
            raise
        # It failed in the try before as well: there is no entry to park, but the question is on record.
        turn.decide(journey, None, None, Verdict.PARKED, turn.failed[entry_id_of(turn, journey.id)])
        return
    if trigger is None and not any(rule.is_about(event.type, event.properties) for rule in journey.enter):
        return  # a segment that no rule of this journey names has changed
    key = matching.key_of(turn, event, journey.key) if journey.key is not None else None
    reason = _EVENT
    if trigger is not None and trigger.segment is not None:
        reason = _SEGMENT if event.type == SEGMENT_ENTERED else _SEGMENT_LEFT
    _open(turn, journey, key, reason, trigger is not None, saw)


def come(turn: Turn, journey: Journey, reason: str, holds: bool, saw: dict[str, Any]) -> None:
    """Let a moment open an entry of this journey, or put on record why it does not. A moment has no key."""
    turn.at_work = (journey.id, None)
    _open(turn, journey, None, reason, holds, saw)


def _open(turn: Turn, journey: Journey, key: str | None, reason: str, holds: bool, saw: dict[str, Any]) -> None:
    if key is not None and journey.shows_key:
        saw = {**saw, "key": key}
    refusal = _refusal(turn, journey, holds, key)
    if refusal == Reason.KEY_MISSING:
        saw = {**saw, "lacks": journey.key}
    if refusal is not None:
        turn.decide(journey, None, None, _NOT_ENTERED, refusal, saw)
        return
    event = turn.event
    entry_id = entry_id_of(turn, journey.id)
    turn.at_work = (journey.id, entry_id)
    entry = Entry(
        entry_id,
        journey.id,
        journey.version,
        key,
        turn.now_ms,
        journey.first or "",
        properties={} if event is None else pick(event.properties, journey.entry_reads),
        event=keep(event, journey.event_reads) if event is not None and journey.keeps_event else None,
        channel=None if event is None else event.channel,
    )
    turn.state.entries.append(entry)
    turn.changed = True
    turn.opening = entry_id
    project = turn.catalog.project
    if journey.holdout_percent or project.holdout_percent:
        # On record from the beginning: who is held out and leaves before any message was due is measured too.
        holdout = guards.holdout_of(turn, journey, project.purposes.get(journey.purpose or ""))
        if holdout is not None:
            saw = {**saw, "holdout": holdout}
    turn.decide(journey, entry, None, _ENTERED, reason, saw)
    if entry_id in turn.failed:
        turn.park(journey, entry, turn.failed[entry_id])
    else:
        walking.walk(turn, journey, entry, journey.first)


def entry_id_of(turn: Turn, journey_id: str) -> str:
    """Derive the id of the entry that the event at hand opens."""
    return ids.derive(journey_id, turn.state.profile_id, turn.origin)


def _open_trigger(turn: Turn, journey: Journey, event: Event) -> tuple[Trigger | None, dict[str, Any]]:
    """Find the first enter rule that takes the event, and what its condition looked at."""
    saw: dict[str, Any] = {}
    for trigger in journey.enters_by_event[event.type]:
        if trigger.where is not None:
            seen = trigger.where.values_seen(turn.scope_at(None))
            saw = {**saw, **seen} if saw else seen
        if matching.takes(turn, trigger, None):
            return trigger, saw
    return None, saw


def _refusal(turn: Turn, journey: Journey, holds: bool, key: str | None) -> str | None:
    if journey.status != "live":
        return Reason.NOT_LIVE
    if not holds:
        return _CONDITION_FALSE
    if journey.key is not None and key is None:
        return Reason.KEY_MISSING
    again = journey.again.kind
    inside = 0
    for entry in turn.state.entries:
        if entry.journey == journey.id:
            inside += 1
            if again != "always" and entry.key == key:
                return _ALREADY_INSIDE
    if again in ("once", "after") and not may_enter_again(turn.state, journey, key, turn.now_ms):
        return Reason.NOT_AGAIN
    if journey.limit is not None and not _has_room(turn, journey):
        return Reason.LIMIT_REACHED
    if inside >= MAX_LIVE_ENTRIES:
        return Reason.ENTRY_LIMIT
    return None


def _has_room(turn: Turn, journey: Journey) -> bool:
    """Whether the journey as a whole may take one more; what this turn let in counts too."""
    admissions = turn.catalog.admissions
    besides = sum(1 for each in turn.decisions if each.verdict == _ENTERED and each.journey == journey.id)
    return admissions is None or admissions.has_room(journey, turn.now_ms, besides)


def may_enter_again(state: State, journey: Journey, key: str | None, now_ms: int) -> bool:
    """Whether the customer never left before, or left long enough ago."""
    left_ms = state.exits.get(journey.id, {}).get(key or "")
    if left_ms is None:
        return True
    return journey.again.kind == "after" and now_ms >= left_ms + journey.again.after_ms
