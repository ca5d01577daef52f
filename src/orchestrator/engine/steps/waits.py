"""The waits: for a length of time, until a local instant, for an event.

Owns how a wait is armed. What wakes it is `waiting`'s.
"""

from orchestrator.engine import calendars
from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn
from orchestrator.model import instants
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import KeptEvent, keep, pick
from orchestrator.model.journey import Journey, Wait, WaitFor, WaitUntil
from orchestrator.model.state import Entry, Result
from orchestrator.model.zones import zone_of

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_WAITED, _TIME, _FOR_EVENT = Verdict.WAITED.value, Reason.TIME.value, Reason.FOR_EVENT.value


def wait(turn: Turn, journey: Journey, entry: Entry, step: Wait) -> Going:
    """Pause for a length of time; until an event restarts it, the event it took is the opening one."""
    if step.kept.event or step.kept.events:
        if turn.opening == entry.id and turn.event is not None:
            event = keep(turn.event, step.kept.names)
        else:
            event = KeptEvent("", "", entry.entered_ms, None, pick(entry.properties, step.kept.names))
        entry.results[step.id] = Result(event=event, events=[event] if step.kept.events else [])
    _arm(turn, journey, entry, step.id, turn.now_ms + step.after_ms, _TIME)
    return STAY


def wait_for(turn: Turn, journey: Journey, entry: Entry, step: WaitFor) -> Going:
    """Pause for one of several events, at most so long. What an earlier round took is forgotten."""
    entry.results.pop(step.id, None)
    _arm(turn, journey, entry, step.id, turn.now_ms + step.within_ms, _FOR_EVENT)
    return STAY


def wait_until(turn: Turn, journey: Journey, entry: Entry, step: WaitUntil) -> Going:
    """Pause until a local instant; a date that has passed or cannot be read leads on at once, on record."""
    zone = zone_of(turn.state.profile, turn.project)
    if step.date is None:
        due_ms: int | None = calendars.next_time(turn.now_ms, zone, step.minute or 0, step.weekdays)
    else:
        scope = turn.scope_of(entry)
        day = calendars.read_date(step.date.evaluate(scope), zone)
        if day is None:
            turn.decide(journey, entry, step.id, Verdict.RESUMED, Reason.DATE_MISSING, step.date.values_seen(scope))
            return step.next
        due_ms = calendars.next_date(turn.now_ms, zone, day, step)
        if due_ms is None:
            turn.decide(journey, entry, step.id, Verdict.RESUMED, Reason.DATE_PASSED, {"date": day.isoformat()})
            return step.next
    _arm(turn, journey, entry, step.id, due_ms or 0, _TIME)
    return STAY


def _arm(turn: Turn, journey: Journey, entry: Entry, step_id: str, due_ms: int, reason: str) -> None:
    entry.step = step_id
    entry.due_ms = due_ms
    turn.decide(journey, entry, step_id, _WAITED, reason, {"until": instants.to_text(due_ms)})
