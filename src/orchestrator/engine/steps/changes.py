"""The changes: set fields of the profile, emit an event of our own.

Owns both verbs, and the bound on how many events may follow from one.
"""

from orchestrator.engine import profiles
from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn, action_id_of, action_of
from orchestrator.model import values
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.model.journey import Emit, Journey, SetValues
from orchestrator.model.state import Entry

# At most so many events come from one original (LANGUAGE.md): what would loop for ever ends here.
MAX_EMITTED = 100


def set_values(turn: Turn, journey: Journey, entry: Entry, step: SetValues) -> Going:
    """Set fields in the author's order, each seeing the ones before; a missing value changes nothing."""
    scope = turn.scope_of(entry)
    profile = turn.state.profile
    for name, expression in step.values:
        value = expression.evaluate(scope)
        if value is None or not values.is_storable(value):
            turn.decide(journey, entry, step.id, Verdict.CHANGED, Reason.VALUE_MISSING, {"field": name})
            continue
        profile.traits[name] = value
        profile.said_ms[name] = turn.now_ms
        turn.changed = True
        profiles.recall(turn, name)
        turn.decide(journey, entry, step.id, Verdict.CHANGED, Reason.SET, {"field": name})
    return step.next


def emit(turn: Turn, journey: Journey, entry: Entry, step: Emit) -> Going:
    """Put an event of our own into the stream, and tell others of it; beyond the bound the entry is parked."""
    if turn.emitted_count >= MAX_EMITTED:
        entry.step = step.id
        turn.park(journey, entry, Reason.EMIT_LIMIT)
        return STAY
    turn.emitted_count += 1
    scope = turn.scope_of(entry)
    found = {name: expression.evaluate(scope) for name, expression in step.properties}
    properties = {name: value for name, value in found.items() if value is not None and values.is_storable(value)}
    profile = turn.state.profile
    event_id = action_id_of(turn, journey, entry, step)
    turn.emitted.append(Event(event_id, step.event, turn.now_ms, profile.customer_id, decoded=properties))
    turn.actions.append(action_of(turn, journey, entry, step, "event", event_id, message=step.event, data=properties))
    turn.decide(journey, entry, step.id, Verdict.EMITTED, Reason.EMIT, {"event": step.event}, event_id)
    return step.next
