"""A journey as a graph: what is drawn, before anything is drawn.

Owns which steps are nodes, which ways lead on, and the words on both. Nodes and edges are in the author's order, so
the same journey always gives the same drawing. Must never lay out or colour anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatch

from orchestrator.model import instants
from orchestrator.model.audience import SEGMENT_LEFT, Inactive, Moment, OnDate
from orchestrator.model.journey import (
    Ask,
    Call,
    Choose,
    Emit,
    Exit,
    Handoff,
    Journey,
    Repeat,
    Score,
    Send,
    SetValues,
    Split,
    Step,
    Trigger,
    Wait,
    WaitFor,
    WaitUntil,
)
from orchestrator.views import times

# No step can have these ids: an author's are words and dashes.
ENTER, COMPLETED = "(enter)", "(completed)"


@dataclass(frozen=True, slots=True)
class Node:
    """A step, the way in, or the end. `title` says briefly what it does, `details` the rest, a line each."""

    id: str
    verb: str
    title: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A way on. `is_loop` marks the way back from the end of a round to its repeat."""

    source: str
    target: str
    label: str | None = None
    is_loop: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """A journey's nodes and edges; `leaving` are the rules that end an entry wherever it stands, in words."""

    journey: str
    version: int
    title: str
    status: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    leaving: tuple[str, ...]


def graph_of(journey: Journey) -> Graph:
    """Draw up the graph of a compiled journey: every step that can be reached, from the way in to the ends."""
    edges = [Edge(ENTER, journey.first or COMPLETED)]
    for step in journey.steps.values():
        ways = [(label, target or COMPLETED) for label, target in _ways_on(step)]
        edges += [Edge(step.id, target, label, is_loop=target in step.inside) for label, target in ways]
    reached = _reached(edges)
    first, *others = _entering(journey)
    nodes = [Node(ENTER, "enter", first, tuple(others))]
    nodes += [_node(step) for step in journey.steps.values() if step.id in reached]
    if COMPLETED in reached:
        nodes.append(Node(COMPLETED, "completed", "completed"))
    return Graph(
        journey=journey.id,
        version=journey.version,
        title=journey.title or journey.id,
        status=journey.status,
        nodes=tuple(nodes),
        edges=tuple(edge for edge in edges if edge.source in reached),
        leaving=tuple(_leaving(journey)),
    )


def _reached(edges: Iterable[Edge]) -> set[str]:
    ways: dict[str, list[str]] = {}
    for edge in edges:
        ways.setdefault(edge.source, []).append(edge.target)
    reached, open_ends = {ENTER}, [ENTER]
    while open_ends:
        for target in ways.get(open_ends.pop(), []):
            if target not in reached:
                reached.add(target)
                open_ends.append(target)
    return reached


def trigger_in_words(trigger: Trigger) -> str:
    """Say what a trigger asks for: `cart_updated where total >= 30`."""
    happening = _happening(trigger)
    return happening if trigger.where is None or trigger.segment else f"{happening} where {trigger.where.source}"


def _happening(trigger: Trigger) -> str:
    if trigger.segment is not None:
        return f"{'leaving' if SEGMENT_LEFT in trigger.events else 'entering'} segment {trigger.segment}"
    return " or ".join(sorted(trigger.events))


def _entering(journey: Journey) -> Iterable[str]:
    for number, trigger in enumerate(journey.enter):
        yield ("or " if number else "") + _happening(trigger)
        if trigger.where is not None and trigger.segment is None:
            yield f"where {trigger.where.source}"
    for number, moment in enumerate(journey.moments):
        yield ("or " if number or journey.enter else "") + _moment_in_words(moment)
    if journey.key is not None:
        yield f"one entry per {journey.key}"
    yield {
        "once": "once only",
        "after_exit": "again after the exit",
        "always": "every time",
        "after": f"again {instants.length(journey.again.after_ms)} after the exit",
    }[journey.again.kind]


def _moment_in_words(moment: Moment) -> str:
    """Say when time opens an entry: `every week on mon at 09:00 in vip`."""
    if isinstance(moment, Inactive):
        what = f"no {' or '.join(sorted(moment.events))}" if moment.events else "nothing"
        return f"{what} for {instants.length(moment.for_ms)}"
    if isinstance(moment, OnDate):
        days = f" {moment.offset_days:+}d" if moment.offset_days else ""
        at = "" if moment.minute is None else f" at {times.minute_of_day(moment.minute)}"
        return f"on {moment.date.source}{days}{at}{', every year' if moment.yearly else ''}"
    among = "" if moment.segment is None else f" in {moment.segment}"
    if moment.once is not None:
        return f"once on {moment.once.isoformat(timespec='minutes')}{among}"
    on = {"day": "", "week": f" on {instants.WEEKDAYS[moment.weekday or 0]}", "month": f" on day {moment.day}"}
    return f"every {moment.every}{on[moment.every or 'day']} at {times.minute_of_day(moment.minute)}{among}"


def _leaving(journey: Journey) -> Iterable[str]:
    for rule in journey.exits:
        reason = "" if rule.reason is None else f" (reason: {rule.reason})"
        yield f"exit on {trigger_in_words(rule.trigger)}{reason}"
    for goal in journey.goals:
        within = "" if goal.within_ms is None else f" within {instants.length(goal.within_ms)}"
        yield f"goal: {trigger_in_words(goal.trigger)}{within}{'' if goal.ends else ', counts without ending'}"


@singledispatch
def _ways_on(step: Step) -> list[tuple[str | None, str | None]]:
    """List the ways on from a step, as (label, id of the next step or None for the end)."""
    return [(None, step.next)]


@_ways_on.register
def _(step: WaitFor) -> list[tuple[str | None, str | None]]:
    ways: list[tuple[str | None, str | None]] = [
        (branch.name or trigger_in_words(branch.trigger), branch.first) for branch in step.branches
    ]
    return [*ways, (f"not within {instants.length(step.within_ms)}", step.on_timeout)]


@_ways_on.register(Ask)
@_ways_on.register(Call)
def _(step: Ask | Call) -> list[tuple[str | None, str | None]]:
    return [("answered", step.first), (f"not within {instants.length(step.within_ms)}", step.on_timeout)]


@_ways_on.register
def _(step: Handoff) -> list[tuple[str | None, str | None]]:
    if not step.until_closed:
        return [(None, step.next)]
    late = [] if step.within_ms is None else [(f"not within {instants.length(step.within_ms)}", step.on_timeout)]
    return [("closed", step.first), *late]


@_ways_on.register
def _(step: Choose) -> list[tuple[str | None, str | None]]:
    ways: list[tuple[str | None, str | None]] = [
        ("else" if condition is None else condition.source, first) for condition, first in step.branches
    ]
    has_else = any(condition is None for condition, _first in step.branches)
    return ways if has_else else [*ways, ("none of them", step.next)]


@_ways_on.register
def _(step: Split) -> list[tuple[str | None, str | None]]:
    ways: list[tuple[str | None, str | None]] = []
    above = 0.0
    for branch in step.branches:
        ways.append((f"{branch.name} {branch.below - above:.4g} %", branch.first))
        above = branch.below
    return ways


@_ways_on.register
def _(step: Repeat) -> list[tuple[str | None, str | None]]:
    return [("each round", step.first), ("done", step.next)]


@_ways_on.register
def _(step: Exit) -> list[tuple[str | None, str | None]]:
    return []


@singledispatch
def _node(step: Step) -> Node:
    raise TypeError(f"no words for a step of {type(step)}")  # a house test draws every verb


@_node.register
def _(step: Wait) -> Node:
    restarts = (f"starts again on {' or '.join(sorted(step.restart_on))}",) if step.restart_on else ()
    return Node(step.id, "wait", instants.length(step.after_ms), restarts)


@_node.register
def _(step: WaitUntil) -> Node:
    at = [] if step.minute is None else [times.minute_of_day(step.minute)]
    days = [", ".join(instants.WEEKDAYS[day] for day in sorted(step.weekdays))] if step.weekdays else []
    if step.date is None:
        return Node(step.id, "wait until", " ".join(days + at))
    offset = f" {step.offset_days:+d}d" if step.offset_days else ""
    return Node(step.id, "wait until", " ".join([step.date.source + offset, *at]), ("every year",) * step.yearly)


@_node.register
def _(step: WaitFor) -> Node:
    awaited = sorted({_happening(branch.trigger) for branch in step.branches})
    return Node(step.id, "wait for", " or ".join(awaited), (f"at most {instants.length(step.within_ms)}",))


@_node.register
def _(step: Send) -> Node:
    expires = () if step.expires_ms is None else (f"expires after {instants.length(step.expires_ms)}",)
    return Node(step.id, "send", step.message, (f"by {', '.join(step.channels)}", *expires))


@_node.register
def _(step: Ask) -> Node:
    return Node(step.id, "ask", f"{step.survey}: {step.message}", (f"by {', '.join(step.channels)}",))


@_node.register
def _(step: Handoff) -> Node:
    pause = (f"pauses {', '.join(step.pause)}",) if step.pause else ()
    until = ("until the case is closed",) if step.until_closed else ()
    return Node(step.id, "handoff", f"to {step.team}, {step.priority}", pause + until)


@_node.register
def _(step: Score) -> Node:
    return Node(step.id, "score", step.model, () if step.save is None else (f"saved as profile.{step.save}",))


@_node.register
def _(step: Call) -> Node:
    return Node(step.id, "call", step.webhook, tuple(f"{name} = {value.source}" for name, value in step.payload))


@_node.register
def _(step: Choose) -> Node:
    return Node(step.id, "choose", "the first that holds")


@_node.register
def _(step: Split) -> Node:
    return Node(step.id, "split", "by shares, sticky")


@_node.register
def _(step: SetValues) -> Node:
    first, *others = [f"{name} = {value.source}" for name, value in step.values]
    return Node(step.id, "set", first, tuple(others))


@_node.register
def _(step: Emit) -> Node:
    return Node(step.id, "emit", step.event, tuple(f"{name} = {value.source}" for name, value in step.properties))


@_node.register
def _(step: Repeat) -> Node:
    details = [f"at most {step.at_most} times"]
    if step.until is not None:
        details.append(f"until {step.until.source}")
    if step.until_event is not None:
        details.append(f"until {trigger_in_words(step.until_event)}")
    return Node(step.id, "repeat", f"every {instants.length(step.every_ms)}", tuple(details))


@_node.register
def _(step: Exit) -> Node:
    return Node(step.id, "exit", step.reason)
