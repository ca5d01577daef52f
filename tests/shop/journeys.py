"""Compiled journeys, a line a step: `journey(wait("settle", "1h"), send("remind", "cart-reminder", "email"))`.

Owns the flattening of nested steps into the model's flat table, and the indexes of a journey. A step is written as a
function of what follows it and of the repeats around it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchestrator.model.expression import Expression
from orchestrator.model.journey import (
    Again,
    Ask,
    Branch,
    Call,
    Choose,
    Emit,
    Exit,
    ExitRule,
    GoalRule,
    Handoff,
    Journey,
    Kept,
    Repeat,
    Score,
    Send,
    SetValues,
    Split,
    SplitBranch,
    Step,
    Trigger,
    Wait,
    WaitFor,
    WaitUntil,
)
from shop.lengths import ms

# (id of the step after it, repeats around it) -> (id of its first step, its steps)
Node = Callable[[str | None, tuple[str, ...]], tuple[str | None, list[Step]]]
KEEPS_NOTHING = Kept()
KEEPS_ALL = Kept(event=True, events=True, names=None)


def on(*events: str, where: Expression | None = None) -> Trigger:
    return Trigger(frozenset(events), where)


CART_UPDATED = on("cart_updated")


def exits(*events: str, where: Expression | None = None, reason: str | None = None) -> ExitRule:
    return ExitRule(on(*events, where=where), reason)


def goal(*events: str, where: Expression | None = None, within: str | None = None, **fields: Any) -> GoalRule:
    return GoalRule(on(*events, where=where), None if within is None else ms(within), **fields)


def _leaf(make: Callable[..., Step], **fields: Any) -> Node:
    return lambda after, inside: (fields["id"], [make(next=after, inside=inside, **fields)])


def wait(id: str, length: str, *, restart_on: Iterable[str] = (), kept: Kept = KEEPS_NOTHING) -> Node:
    return _leaf(Wait, id=id, after_ms=ms(length), restart_on=frozenset(restart_on), kept=kept)


def wait_until(id: str, time: str | None = None, *, weekdays: Iterable[int] = (), **fields: Any) -> Node:
    minute = None if time is None else int(time[:2]) * 60 + int(time[3:])
    return _leaf(WaitUntil, id=id, minute=minute, weekdays=frozenset(weekdays), **fields)


def send(
    id: str,
    message: str,
    *channels: str,
    purpose: str = "marketing",
    expires: str | None = None,
    **data: Expression,
) -> Node:
    return _leaf(
        Send,
        id=id,
        message=message,
        channels=channels or ("email", "push", "sms"),
        purpose=purpose,
        expires_ms=None if expires is None else ms(expires),
        data=tuple(data.items()),
    )


def set_to(id: str, **values: Expression) -> Node:
    return _leaf(SetValues, id=id, values=tuple(values.items()))


def emit(id: str, event: str, **properties: Expression) -> Node:
    return _leaf(Emit, id=id, event=event, properties=tuple(properties.items()))


def leave(id: str, reason: str) -> Node:
    return _leaf(Exit, id=id, reason=reason)


def wait_for(
    id: str,
    *ways: tuple[str | None, Trigger, Sequence[Node]] | Trigger,
    within: str,
    on_timeout: Sequence[Node] = (),
    kept: Kept = KEEPS_NOTHING,
) -> Node:
    """Wait for one of several ways on: (name, trigger, steps), or a bare trigger that carries on."""

    def flatten(after: str | None, inside: tuple[str, ...]) -> tuple[str | None, list[Step]]:
        below: list[Step] = []
        branches = []
        for way in ways:
            name, trigger, nodes = (None, way, ()) if isinstance(way, Trigger) else way
            first = _chain(nodes, after, inside, below)
            branches.append(Branch(name=name, trigger=trigger, first=first))
        timeout = _chain(on_timeout, after, inside, below)
        step = WaitFor(
            id=id,
            branches=tuple(branches),
            within_ms=ms(within),
            on_timeout=timeout,
            next=after,
            inside=inside,
            kept=kept,
        )
        return id, [step, *below]

    return flatten


def ask(
    id: str, survey: Any, *channels: str, within: str = "3d", then: Sequence[Node] = (), on_timeout: Sequence[Node] = ()
) -> Node:
    fields = {"message": "survey", "channels": channels or ("email", "push"), "purpose": "marketing"}
    return _answered(Ask, then, on_timeout, id=id, survey=survey, within_ms=ms(within), **fields)


def hand_off(
    id: str, *, within: str | None = None, then: Sequence[Node] = (), on_timeout: Sequence[Node] = (), **fields: Any
) -> Node:
    within_ms = None if within is None else ms(within)
    return _answered(Handoff, then, on_timeout, id=id, team="care", purpose="marketing", within_ms=within_ms, **fields)


def call(
    id: str, within: str = "10s", then: Sequence[Node] = (), on_timeout: Sequence[Node] = (), **payload: Expression
) -> Node:
    fields = {"webhook": "crm", "payload": tuple(payload.items()), "purpose": "marketing"}
    return _answered(Call, then, on_timeout, id=id, within_ms=ms(within), **fields)


def score(id: str, model: str, input: Expression | None = None, save: str | None = None) -> Node:
    return _leaf(Score, id=id, model=model, input=input, save=save)


def _answered(kind: type[Any], then: Sequence[Node], on_timeout: Sequence[Node], **fields: Any) -> Node:
    """Flatten a step that waits for an answer, with its two ways on."""

    def flatten(after: str | None, inside: tuple[str, ...]) -> tuple[str | None, list[Step]]:
        below: list[Step] = []
        first, timeout = _chain(then, after, inside, below), _chain(on_timeout, after, inside, below)
        step = kind(first=first, on_timeout=timeout, next=after, inside=inside, **fields)
        return fields["id"], [step, *below]

    return flatten


def choose(id: str, *branches: tuple[Expression | None, Sequence[Node]]) -> Node:
    """Choose the first branch whose condition holds; a condition None is `else`."""

    def flatten(after: str | None, inside: tuple[str, ...]) -> tuple[str | None, list[Step]]:
        below: list[Step] = []
        flat = tuple((condition, _chain(nodes, after, inside, below)) for condition, nodes in branches)
        return id, [Choose(id=id, branches=flat, next=after, inside=inside), *below]

    return flatten


def split(id: str, *branches: tuple[str, float, Sequence[Node]]) -> Node:
    """Split by shares: (name, share, steps)."""

    def flatten(after: str | None, inside: tuple[str, ...]) -> tuple[str | None, list[Step]]:
        below: list[Step] = []
        flat = []
        upper = 0.0
        for name, share, nodes in branches:
            upper += share
            flat.append(SplitBranch(name=name, below=upper, first=_chain(nodes, after, inside, below)))
        return id, [Split(id=id, branches=tuple(flat), next=after, inside=inside), *below]

    return flatten


def repeat(
    id: str,
    *nodes: Node,
    every: str,
    at_most: int,
    until: Expression | None = None,
    until_event: Trigger | None = None,
    kept: Kept = KEEPS_NOTHING,
) -> Node:
    def flatten(after: str | None, inside: tuple[str, ...]) -> tuple[str | None, list[Step]]:
        below: list[Step] = []
        first = _chain(nodes, id, (*inside, id), below)
        step = Repeat(
            id=id,
            every_ms=ms(every),
            at_most=at_most,
            first=first,
            until=until,
            until_event=until_event,
            next=after,
            inside=inside,
            kept=kept,
        )
        return id, [step, *below]

    return flatten


def _chain(nodes: Sequence[Node], after: str | None, inside: tuple[str, ...], into: list[Step]) -> str | None:
    """Flatten steps that follow each other; gives the first one's id, or what comes after when there is none."""
    flat: list[Step] = []
    for node in reversed(nodes):
        after, steps = node(after, inside)
        flat = steps + flat
    into.extend(flat)
    return after


def _by_event(rules: Iterable[Any], trigger_of: Callable[[Any], Trigger]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for rule in rules:
        for event in sorted(trigger_of(rule).events):
            found[event] = (*found.get(event, ()), rule)
    return found


def journey(
    *nodes: Node,
    id: str = "cart",
    enter: Trigger | Sequence[Trigger] = CART_UPDATED,
    exits: Sequence[ExitRule] = (),
    goals: Sequence[GoalRule] = (),
    again: str = "once",
    **fields: Any,
) -> Journey:
    """Compile a live journey that keeps whatever it can; `fields` are those of the model's Journey."""
    steps: list[Step] = []
    first = _chain(nodes, None, (), steps)
    table = {step.id: step for step in steps}
    assert len(table) == len(steps), "two steps have one id"
    enter = (enter,) if isinstance(enter, Trigger) else tuple(enter)
    untils = [step for step in steps if isinstance(step, Repeat) and step.until_event is not None]
    simple = again in ("once", "after_exit", "always")
    defaults = {"version": 1, "status": "live", "keeps_event": True, "event_reads": None, "entry_reads": None}
    return Journey(
        id=id,
        first=first,
        steps=table,
        enter=enter,
        exits=tuple(exits),
        goals=tuple(goals),
        again=Again(again) if simple else Again("after", ms(again)),
        enters_by_event=_by_event(enter, lambda trigger: trigger),
        exits_by_event=_by_event(exits, lambda rule: rule.trigger),
        goals_by_event=_by_event(goals, lambda rule: rule.trigger),
        untils_by_event=_by_event(untils, lambda step: step.until_event),
        **{**defaults, **fields},
    )
