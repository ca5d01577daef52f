"""Segments: who is in, who is not, and at which moment that may change by itself.

Owns membership and its changes, which are events (`segment_entered`, `segment_left`) of the instant at which they
happen. Who is in a segment when it is first worked out has not entered it. Never asks the clock: what time changes is
worked out beforehand, and the record is due at that very instant.
"""

from collections.abc import Iterable

from orchestrator.engine.steps.changes import MAX_EMITTED
from orchestrator.engine.turn import Turn
from orchestrator.model import ids
from orchestrator.model.audience import SEGMENT_ENTERED, SEGMENT_LEFT, Audiences, Segment
from orchestrator.model.event import Event
from orchestrator.model.expression import Expression, Scope
from orchestrator.model.project import Project
from orchestrator.model.state import State

# How many instants ahead are tried for the next change; where none of them is one, the last is when to look again.
LOOKED_AHEAD = 32
# How many instants one comparison names at most, where it counts no events: those around one.
INSTANTS_OF_ONE = 4


def arm(turn: Turn, audiences: Audiences) -> None:
    """Work out the segments that are new to this customer, without anybody entering, and forget those that are gone."""
    past = turn.state.past
    known, past.members = past.members, {}
    scope = turn.scope_at(None)
    for segment in audiences.segments:
        was = known.get(segment.key)
        past.members[segment.key] = segment.condition.holds(scope) if was is None else was
    watch(turn, audiences)


def check(turn: Turn, audiences: Audiences) -> bool:
    """Find who has come or gone; each change is an event that is handled next. Tell whether there was any."""
    past = turn.state.past
    scope = turn.scope_at(None)
    changed = False
    turn.has_asked = True
    for segment in audiences.segments:
        is_in = segment.condition.holds(scope)
        if is_in == past.members.get(segment.key):
            continue
        # Beyond the bound nobody is told any more: journeys that drive each other round end here, and whoever has not
        # changed yet does at the customer's next turn.
        if turn.emitted_count >= MAX_EMITTED:
            turn.has_asked = False
            break
        past.members[segment.key] = is_in
        _tell(turn, segment, SEGMENT_ENTERED if is_in else SEGMENT_LEFT)
        changed = turn.changed = True
    watch(turn, audiences)
    return changed


def _tell(turn: Turn, segment: Segment, what: str) -> None:
    turn.emitted_count += 1
    place = f"{turn.now_ms} {len(turn.decisions)} {turn.emitted_count}"
    event_id = ids.derive(turn.profile_id, segment.key, what, turn.cause, place)
    customer_id = turn.state.profile.customer_id
    turn.emitted.append(Event(event_id, what, turn.now_ms, customer_id, decoded={"segment": segment.name}))


def watch(turn: Turn, audiences: Audiences) -> None:
    """Put down when time may next change each segment that it can change."""
    due = turn.state.past.due
    scope = Scope(turn.project, turn.state, turn.now_ms)
    for segment in audiences.segments:
        if segment.condition.moments:
            at_ms = next_change(scope, segment.condition)
            if due.get(segment.key, 0) != at_ms:
                due[segment.key] = at_ms
                turn.changed = True


def next_change(scope: Scope, condition: Expression) -> int:
    """Find the next instant at which time alone may bring the customer in or out; 0 when it never does.

    A condition names the instants at which any part of it may turn; the first of them at which the whole does is the
    answer, and what lies between two of them need not be looked at.
    """
    now_ms, evaluate = scope.now_ms, condition.evaluate
    tried = sorted({at_ms for moments in condition.moments for at_ms in moments(scope) if at_ms > now_ms})
    if not tried:
        return 0
    is_in = bool(evaluate(scope))
    try:
        for at_ms in tried[:LOOKED_AHEAD]:
            scope.now_ms = at_ms
            if bool(evaluate(scope)) != is_in:
                return at_ms
    finally:
        scope.now_ms = now_ms
    return tried[LOOKED_AHEAD] if len(tried) > LOOKED_AHEAD else 0


def stand(state: State, project: Project, segments: Iterable[Segment], now_ms: int) -> bool:
    """Tell whether `check` would find nobody come or gone, and nothing to put down, were it asked now."""
    past = state.past
    scope = Scope(project, state, now_ms)
    most = INSTANTS_OF_ONE
    for counted in past.counts.values():
        most = max(most, len(counted))
    for segment in segments:
        condition = segment.condition
        if bool(condition.evaluate(scope)) != past.members.get(segment.key):
            return False
        if not condition.moments:
            continue
        due_ms = past.due.get(segment.key, 0)
        if 0 < due_ms <= now_ms:
            return False
        # Until that instant the next change stays what it was, but for rules of the project that may be others by now,
        # and for instants beyond those that were tried.
        if not condition.is_own or len(condition.moments) * most > LOOKED_AHEAD:
            return False
    return True


def come_due(turn: Turn, audiences: Audiences) -> bool:
    """Tell whether time may have changed any segment by now."""
    due = turn.state.past.due
    return any(0 < due.get(segment.key, 0) <= turn.now_ms for segment in audiences.segments)
