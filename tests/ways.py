"""What of a journey its examples pass: every step, and every way on from it.

Owns the list of ways. Must never run anything: it reads compiled journeys and decisions.
"""

from collections.abc import Iterable, Iterator
from functools import singledispatch

from orchestrator.model.audience import SEGMENT_ENTERED, Inactive, OnDate
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.model.journey import (
    Ask,
    Choose,
    Exit,
    Handoff,
    Journey,
    Repeat,
    Score,
    Send,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitUntil,
)

# (where, which way): a step's id and the way on from it, or a rule of the journey and its reason.
Way = tuple[str, str]

_REASONS = {OnDate: Reason.DATE, Inactive: Reason.INACTIVE}
ENTER, EXIT, GOAL = "(enter)", "(exit)", "(goal)"


def ways_of(journey: Journey) -> set[Way]:
    """List every way that an entry can take."""
    ways = {(ENTER, _REASONS.get(type(moment), Reason.SCHEDULE).value) for moment in journey.moments}
    for trigger in journey.enter:
        changed = Reason.SEGMENT if SEGMENT_ENTERED in trigger.events else Reason.SEGMENT_LEFT
        ways.add((ENTER, Reason.EVENT.value if trigger.segment is None else changed.value))
    ways |= {(EXIT, rule.reason or event) for rule in journey.exits for event in rule.trigger.events}
    ways |= {(GOAL, Reason.GOAL.value) for _ in journey.goals}
    for step in journey.steps.values():
        ways |= {(step.id, way) for way in _ways(step)}
    return ways


def ways_taken(journey: Journey, decisions: Iterable[Decision]) -> set[Way]:
    """List the ways that these decisions of the journey took."""
    return {way for decision in decisions for way in _taken(journey, decision)}


@singledispatch
def _ways(step: Step) -> list[str]:
    """List the ways on from one step; what changes or emits has one."""
    return ["passed"]


@_ways.register
def _(step: Wait) -> list[str]:
    return [Reason.TIME_PASSED, *([Reason.RESTARTED] if step.restart_on else [])]


@_ways.register
def _(step: WaitUntil) -> list[str]:
    return [Reason.TIME_PASSED]


@_ways.register
def _(step: WaitFor) -> list[str]:
    return [event for branch in step.branches for event in branch.trigger.events] + [Reason.TIMED_OUT]


@_ways.register
def _(step: Send) -> list[str]:
    return [Verdict.SENT]


@_ways.register
def _(step: Ask) -> list[str]:
    return [Verdict.SENT, Reason.ANSWERED, Reason.TIMED_OUT]


@_ways.register
def _(step: Handoff) -> list[str]:
    waits = [Reason.ANSWERED, *([Reason.TIMED_OUT] if step.within_ms else [])]
    return [Reason.CASE_OPENED, *(waits if step.until_closed else [])]


@_ways.register
def _(step: Score) -> list[str]:
    return [Reason.MODEL_ANSWERED]


@_ways.register
def _(step: Choose) -> list[str]:
    conditions = [condition.source for condition, _ in step.branches if condition is not None]
    return [*conditions, Reason.NONE_TRUE if len(conditions) == len(step.branches) else Reason.OTHERWISE]


@_ways.register
def _(step: Split) -> list[str]:
    return [branch.name for branch in step.branches]


@_ways.register
def _(step: Repeat) -> list[str]:
    ends = [(step.until, Reason.UNTIL_TRUE), (step.until_event, Reason.UNTIL_EVENT)]
    return [Reason.ROUND, Reason.NEXT_ROUND, Reason.AT_MOST, *(way for end, way in ends if end is not None)]


@_ways.register
def _(step: Exit) -> list[str]:
    return [step.reason]


def _taken(journey: Journey, decision: Decision) -> Iterator[Way]:
    """Read one decision as the way that was taken; most decisions to wait or to refuse are none."""
    where, reason = decision.step or "", decision.reason
    match decision.verdict:
        case Verdict.ENTERED:
            yield ENTER, reason
        case Verdict.CONVERTED:
            yield GOAL, reason
        case Verdict.EXITED if isinstance(journey.steps.get(where), Exit):
            yield where, reason
        case Verdict.EXITED:
            yield EXIT, reason
        case Verdict.BRANCHED:
            yield where, _branch(decision)
        case Verdict.RESUMED:
            yield where, decision.saw["event"] if reason == Reason.EVENT_CAME else reason
        case Verdict.WAITED if reason in (Reason.RESTARTED, Reason.NEXT_ROUND):
            yield where, reason
        case Verdict.SENT:
            yield where, Verdict.SENT
        case Verdict.HANDED_OFF | Verdict.SCORED:
            yield where, reason
        case Verdict.CHANGED | Verdict.EMITTED:
            yield where, "passed"


def _branch(decision: Decision) -> str:
    if decision.reason == Reason.CONDITION_TRUE:
        return str(decision.saw["if"])
    return str(decision.saw["branch"]) if decision.reason == Reason.SHARE else decision.reason
