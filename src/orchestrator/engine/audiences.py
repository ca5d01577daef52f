"""Audiences at work: where a turn's facts meet segments, counts and the rules that time opens.

Owns the order among them. A record is armed before anything happens to it; an event is taken into the past first,
then segments are asked, so that a condition on the event sees it counted; whatever steps have changed is asked for at
the end; what time changes goes before the timers of the same instant, as events do. A catalog that asks for nothing
of it never comes here.
"""

from orchestrator.engine import past, segments, watches
from orchestrator.engine.turn import Turn
from orchestrator.model.audience import Audiences
from orchestrator.model.catalog import PROFILE_EVENTS
from orchestrator.model.decision import Verdict
from orchestrator.model.event import Event

_CHANGED = Verdict.CHANGED.value
# What steps write that segments can ask for, traits, is on record as one of these.
_WRITES = (_CHANGED, Verdict.SCORED.value)


def arm(turn: Turn, audiences: Audiences) -> None:
    """Arm a record that was armed for other segments and rules, or never: nobody enters anything by that alone."""
    kept = turn.state.past
    if kept.armed != audiences.key:
        known = {segment.key for segment in audiences.segments} | {each.key for each in audiences.watched}
        known.add(audiences.retention)
        for dues in (kept.due, kept.recurring):
            for key in dues.keys() - known:
                del dues[key]
        segments.arm(turn, audiences)
        if not kept.armed:
            watches.arm_again(turn, audiences.watched)  # two lives became one: what is known of them is of both
        watches.arm(turn, audiences.watched)
        if audiences.retention:
            kept.recurring.setdefault(audiences.retention, turn.now_ms + audiences.retention_ms)
        kept.armed = audiences.key
        turn.changed = True


def disarm(turn: Turn) -> None:
    """Forget what a record was armed for when nobody asks for anything any more."""
    kept = turn.state.past
    if kept.armed:
        kept.armed, kept.due, kept.recurring = "", {}, {}
        turn.changed = True


def hear(turn: Turn, audiences: Audiences, event: Event, *, is_about_them: bool) -> None:
    """Take an event into the past, and tell who has come into a segment or gone from one by it.

    `is_about_them` tells that the event may have changed what is known of the customer.
    """
    is_kept = past.take(turn, audiences, event)
    if audiences.inactive or audiences.retention:
        watches.hear(turn, audiences, event)
    if audiences.watched and event.type in PROFILE_EVENTS:
        watches.arm_again(turn, audiences.watched)
    if turn.changed:
        # Most that events change is no segment's business, and to look once is less than to look ahead as well.
        if is_about_them or is_kept or _has_written(turn) or not _stand(turn, audiences):
            segments.check(turn, audiences)
        turn.settled_at = len(turn.decisions)


def settle(turn: Turn, audiences: Audiences) -> bool:
    """Ask again after steps have done their work; tell whether that has events for the journeys."""
    if len(turn.decisions) == turn.settled_at:
        return False  # whatever changes a customer is on record as a decision
    if audiences.watched and any(each.verdict == _CHANGED for each in turn.decisions[turn.settled_at :]):
        watches.arm_again(turn, audiences.watched)
    has_written = _has_written(turn)
    turn.settled_at = len(turn.decisions)
    # Asked after the event was taken in, or as if, and nothing that segments see is different since.
    if not has_written and (turn.has_asked or _stand(turn, audiences)):
        return False
    return segments.check(turn, audiences)


def _has_written(turn: Turn) -> bool:
    """Tell whether steps have changed what segments see since those were last asked."""
    return any(each.verdict in _WRITES for each in turn.decisions[turn.settled_at :])


def _stand(turn: Turn, audiences: Audiences) -> bool:
    """Tell, of a turn that has changed nothing which segments see, whether they need not be asked; then they were."""
    turn.has_asked = segments.stand(turn.state, turn.project, audiences.segments, turn.now_ms)
    return turn.has_asked


def is_forgotten(turn: Turn, audiences: Audiences) -> bool:
    """Tell whether nothing was heard of the customer for so long that they are to be erased."""
    return 0 < turn.state.past.recurring.get(audiences.retention, 0) <= turn.now_ms


def wake(turn: Turn, audiences: Audiences) -> None:
    """Let time change the segments that it is due to change."""
    if segments.come_due(turn, audiences):
        turn.begin_moment(f"segments {turn.now_ms}")
        segments.check(turn, audiences)
