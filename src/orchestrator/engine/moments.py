"""Moments: the instant of a schedule, a date or a silence has come, and opens an entry or says why not.

Owns which rules have come due, in which order, and what is on record of them. When a rule is due is `watches`' to say.
"""

from typing import Any

from orchestrator.engine import entering, watches
from orchestrator.engine.turn import Turn
from orchestrator.model.audience import Audiences, Inactive, Schedule, Watched
from orchestrator.model.decision import Reason

# Bound once, as everywhere in the engine.
_SCHEDULE, _DATE, _INACTIVE = Reason.SCHEDULE.value, Reason.DATE.value, Reason.INACTIVE.value


def come_due(turn: Turn, audiences: Audiences) -> list[tuple[int, Watched]]:
    """List the rules whose instant has come, earliest first; of one instant by priority, journey, and as written."""
    past = turn.state.past
    due = [
        (at_ms, each)
        for each in audiences.watched
        if 0 < (at_ms := past.due.get(each.key) or past.recurring.get(each.key, 0)) <= turn.now_ms
    ]
    due.sort(key=lambda pair: pair[0])  # stable
    return due


def come(turn: Turn, each: Watched, due_ms: int) -> None:
    """Let a rule whose instant has come open an entry."""
    # However late it is taken, it is the same moment, and opens the same entry.
    turn.begin_moment(f"{each.key} {due_ms}")
    watches.move_on(turn, each)
    reason, holds, saw = _look_at(turn, each)
    entering.come(turn, each.journey, reason, holds, saw)


def _look_at(turn: Turn, each: Watched) -> tuple[str, bool, dict[str, Any]]:
    """Tell what has come, whether it is for this customer, and what was looked at for that."""
    moment = each.moment
    if isinstance(moment, Inactive):
        return _INACTIVE, True, {}
    if not isinstance(moment, Schedule):
        return _DATE, True, moment.date.values_seen(turn.scope_at(None))
    if moment.segment is None:
        return _SCHEDULE, True, {}
    segment = turn.project.segments.get(moment.segment)
    is_in = segment is not None and turn.state.past.members.get(segment.key, False)
    return _SCHEDULE, is_in, {"segment": moment.segment, "in_segment": is_in}
