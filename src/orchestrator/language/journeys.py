"""A journey compiled: who enters, what ends it, its steps, and what of its events must be kept.

Owns the way from a definition to model.journey.Journey. Must never run one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from orchestrator.language import examples, futile, values
from orchestrator.language.definitions.fields import suggest
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.definitions.steps import StepBase
from orchestrator.language.definitions.triggers import Enter, EnterRule
from orchestrator.language.expressions import Surroundings
from orchestrator.language.flow import Flow
from orchestrator.language.moments import compile_moment
from orchestrator.language.naming import name_steps, order_of, verb_of, walk
from orchestrator.language.nodes import Path, Place
from orchestrator.language.project import Shop, length, percent
from orchestrator.language.reads import Reads
from orchestrator.language.sending import Messages, Sending
from orchestrator.language.slips import Slips
from orchestrator.model.audience import Moment
from orchestrator.model.journey import Again, ExitRule, GoalRule, Journey, Limit, Repeat, Send, Status, Trigger, Wait

Rule = TypeVar("Rule")


def compile_journey(
    definition: JourneyDefinition, root: Place, shop: Shop, messages: Messages, lost: dict[str, str]
) -> Journey:
    """Compile a journey and report what is wrong with it.

    `lost` are the steps that were too broken to keep: what refers to them is not blamed.
    """
    ids = name_steps(list(definition.steps), root)
    verbs = lost | {ids[path]: verb_of(step) for path, step in walk(list(definition.steps))}
    around = _surroundings(list(definition.steps), root, shop, verbs, ids)
    reads = Reads()
    slips = Slips(definition)
    sending = Sending(definition.journey, root, definition.purpose, shop, messages, verbs, reads, slips)
    flow = Flow(root, ids, around, reads, sending, shop, slips)
    enter, moments = _enter(definition, root, flow)
    exits = tuple(
        ExitRule(flow.trigger(_rule_at(root["exit"], number), rule), rule.reason)
        for number, rule in enumerate(definition.exit)
    )
    goals = tuple(_goal(_rule_at(root["goal"], number), rule, flow) for number, rule in enumerate(definition.goal))
    first = flow.compile(list(definition.steps), ("steps",), None)
    table = {step_id: replace(step, kept=reads.kept(step_id)) for step_id, step in flow.table.items()}
    examples.check(definition, root, shop, messages, verbs)
    _check_moves(definition, root, verbs)
    futile.check(definition, root, shop, messages)
    _doubt(definition, root)
    return Journey(
        id=definition.journey,
        version=definition.version,
        first=first,
        steps=table,
        enter=enter,
        moments=moments,
        exits=exits,
        goals=goals,
        key=definition.enter.key,
        again=_again(definition.enter.again),
        purpose=definition.purpose,
        status=_status(definition),
        priority=definition.priority,
        title=definition.title,
        holdout_percent=percent(definition.holdout),
        moves=dict(definition.moves or {}) if definition.on_change == "migrate" else None,
        entry_reads=reads.entry(step.id for step in table.values() if isinstance(step, Wait)),
        keeps_event=reads.keeps_event,
        reads_receipts=reads.status_of({step.id for step in table.values() if isinstance(step, Send)}),
        event_reads=reads.event,
        asked=reads.asked(),
        limit=_limit(definition.enter),
        shows_key=definition.enter.key not in around.hidden,
        enters_by_event=_by_event((rule, rule) for rule in enter),
        exits_by_event=_by_event((rule.trigger, rule) for rule in exits),
        goals_by_event=_by_event((rule.trigger, rule) for rule in goals),
        untils_by_event=_by_event(
            (step.until_event, step) for step in table.values() if isinstance(step, Repeat) and step.until_event
        ),
    )


def _surroundings(
    steps: list[StepBase], root: Place, shop: Shop, verbs: dict[str, str], ids: dict[Path, str]
) -> Surroundings:
    whole = {ids[path]: step for path, step in walk(steps) if not _is_mended(root.at(path), step)}
    known = values.of_results(whole, shop)
    return replace(shop.surroundings, steps=verbs, values=known, order=order_of(steps, ids))


def _is_mended(place: Place, step: StepBase) -> bool:
    """Tell whether a part of a step was cut out, so that it may lack a branch."""
    spot = place[verb_of(step)]
    return spot.is_mended or spot["any"].is_mended


def _status(definition: JourneyDefinition) -> Status:
    """Give the status that is carried out: a version that drains its journey lets nobody in, as `draining` does."""
    return "draining" if definition.on_change == "drain" and definition.status == "live" else definition.status


def _check_moves(definition: JourneyDefinition, root: Place, verbs: Mapping[str, str]) -> None:
    """Check that customers are moved to steps that are there, and that anybody is moved at all."""
    if definition.moves is None:
        return
    if definition.on_change != "migrate":
        root["moves"].report("E225", "moves needs on_change: migrate", "on_change: migrate", at_key=True)
    for old, new in definition.moves.items():
        if new not in verbs and not root["steps"].is_mended:
            place = root["moves"][old]
            place.report(
                "E320", f"customers on {old} would move to {new}, which is no step here", suggest(new, set(verbs))
            )


def _rule_at(place: Place, number: int) -> Place:
    # A single rule may stand without its list; then the number leads nowhere and the place stays.
    return place[number]


def _enter(definition: JourneyDefinition, root: Place, flow: Flow) -> tuple[tuple[Trigger, ...], tuple[Moment, ...]]:
    """Compile who enters: the rules that events open, and those that time does."""
    place, enter = root["enter"], definition.enter
    rules: list[tuple[Place, EnterRule]] = [(place, enter)]
    if enter.any is not None:
        rules = [(place["any"][number], rule) for number, rule in enumerate(enter.any)]
    triggers, moments = list[Trigger](), list[Moment]()
    for spot, rule in rules:
        moment = compile_moment(spot, rule, flow)
        if moment is None:
            # There is no entry yet, so neither its properties nor its steps.
            triggers.append(flow.trigger(spot, rule, flow.around.limited_to("event", "profile", "now")))
        else:
            moments.append(moment)
        if enter.key is not None and rule.event is None:
            spot.report("W312", "the journey has a `key`, and what this rule lets in comes without one", "no key")
    return tuple(triggers), tuple(moments)


def _limit(enter: Enter) -> Limit | None:
    return None if enter.limit is None else Limit(enter.limit.entries, length(enter.limit.per))


def _goal(place: Place, rule: Any, flow: Flow) -> GoalRule:
    return GoalRule(
        trigger=flow.trigger(place, rule),
        within_ms=None if rule.within is None else length(rule.within),
        ends=rule.ends,
        value=None if rule.value is None else flow.expression(place["value"], rule.value, flow.around.at_event()),
    )


def _again(text: str) -> Again:
    if text in ("once", "after_exit", "always"):
        return Again(text)  # type: ignore[arg-type]  # checked above
    return Again("after", length(text))


def _by_event(rules: Iterable[tuple[Trigger, Rule]]) -> dict[str, tuple[Rule, ...]]:
    """Index rules by each event that they ask about, in the author's order."""
    index: dict[str, tuple[Rule, ...]] = {}
    for trigger, rule in rules:
        for event in sorted(trigger.events):
            index[event] = (*index.get(event, ()), rule)
    return index


def _doubt(definition: JourneyDefinition, root: Place) -> None:
    # What is broken is reported as such; that there is none would send the author the wrong way.
    if definition.status == "live" and not definition.examples and not root["examples"].is_mended:
        root["status"].report(
            "W306", "this journey is live and no example shows that it does what it should", "examples: [...]"
        )
    if definition.on_change == "drain" and definition.version == 1:
        message = "nobody enters a version that drains its journey, and nobody can be inside an older one"
        root["on_change"].report("W313", message, "on_change: pin")
    if not definition.steps and not root.node.mended and not root["steps"].is_mended:
        root["steps"].report("W307", "this journey has no steps; every entry ends as it begins", "- send: ...")
