"""The program: a catalog's plans, written down as JSON for the compiled side.

Owns what of a catalog is written down and in which form; `src/program.rs` reads it. What is planned at all is
`engine`'s to say (`plans`, `wakes`): here only that is left out which the compiled side has no form for, such as a
condition that counts events. Whatever is left out is taken by the engine in Python.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from orchestrator.compiled.expressions import Code, UntranslatableError, asked, code_of, reads_profile
from orchestrator.engine.guards import TRACKING_PURPOSE
from orchestrator.engine.plans import Arrival, Departure, Departures, events_of
from orchestrator.engine.stillness import heard_by_name, is_counted
from orchestrator.engine.wakes import Wakes
from orchestrator.model.audience import BOUGHT, Audiences, Everything, Inactive
from orchestrator.model.catalog import Catalog
from orchestrator.model.journey import Choose, Exit, GoalRule, Journey, Send, Split, Step, Wait, WaitFor, WaitUntil
from orchestrator.model.project import WINDOWS_MS, Cap, Project, Purpose
from orchestrator.model.rights import ERASE

Written = dict[str, Any]
# What says something of a profile, and has a form there.
TELLING = ("profile_updated", "consent_changed")
# Which quiet hours hold, by their place in a list: those of a purpose by a channel.
Quiet = list[tuple[str, str]]


def write(catalog: Catalog) -> tuple[str, Quiet, frozenset[str]]:
    """Write a catalog's plans down; and say which quiet hours the numbers in it stand for, and what events it takes."""
    quiet: Quiet = []
    woken, audiences = set(Wakes(catalog).steps), catalog.audiences
    numbers = {version: number for number, version in enumerate(catalog.versions)}
    events = {
        kind: plan
        for kind, plan in events_of(catalog).items()
        if audiences is None or not is_counted(catalog, audiences, kind)
    }
    arrivals = {kind: _arrival(catalog, plan, numbers) for kind, plan in events.items() if isinstance(plan, Arrival)}
    departures = {
        kind: _departures(catalog, plan, numbers) for kind, plan in events.items() if isinstance(plan, Departures)
    }
    arrivals = {kind: plan for kind, plan in arrivals.items() if plan is not None}
    telling = [kind for kind in TELLING if _is_told_alone(catalog, kind)]
    written = {
        "journeys": [_journey(catalog, journey, woken, quiet) for journey in catalog.versions.values()],
        "arrivals": arrivals,
        "departures": departures,
        "telling": telling,
        "beginning": sorted(kind for kind in [*events, *telling] if kind in catalog.beginning),
        "wanted": None if isinstance(catalog.wanted, Everything) else sorted(catalog.wanted),
        "labels": sorted(catalog.named),
        "audiences": None if audiences is None else _audiences(catalog, audiences, [*arrivals, *departures, *telling]),
    }
    return orjson.dumps(written).decode(), quiet, frozenset([*arrivals, *departures, *telling])


def _is_told_alone(catalog: Catalog, kind: str) -> bool:
    """Tell whether an event that says something of a profile is nobody else's business, and moves no instant.

    By what becomes known of a customer the calendar is asked anew, and so are segments that ask it and them.
    """
    interest, audiences = catalog.interests[kind], catalog.audiences
    if interest.reacting or interest.entering or interest.converts:
        return False
    return audiences is None or not (
        is_counted(catalog, audiences, kind)
        or any(not isinstance(each.moment, Inactive) for each in audiences.watched)
        or any(
            each.condition.moments and reads_profile(code_of(each.condition.evaluate, catalog.project))
            for each in audiences.segments
        )
    )


def _audiences(catalog: Catalog, audiences: Audiences, kinds: Iterable[str]) -> Written:
    named = heard_by_name(catalog, audiences)
    return {
        "key": audiences.key,
        "segments": [
            {
                "key": segment.key,
                "code": code_of(segment.condition.evaluate, catalog.project),
                "moments": len(segment.condition.moments),
                "is_own": segment.condition.is_own,
            }
            for segment in audiences.segments
        ],
        "silences": {kind: [[each.key, each.moment.for_ms] for each in audiences.silences_of(kind)] for kind in kinds},
        "retention": audiences.retention,
        "retention_ms": audiences.retention_ms,
        "last_seen": audiences.asked.last_seen,
        "named": None if named is None else sorted({*named, ERASE}),
    }


def _arrival(catalog: Catalog, plan: Arrival, numbers: Mapping[tuple[str, int], int]) -> Written | None:
    if plan.draws:
        return None
    try:
        return {
            "journey": numbers[plan.journey.id, plan.journey.version],
            "where": None if plan.where is None else asked(plan.where, catalog.project),
            "standing": {step: None if wait is None else wait.after_ms for step, wait in plan.standing.items()},
            "exits": [
                None if condition is None else code_of(condition.evaluate, catalog.project) for condition in plan.exits
            ],
        }
    except UntranslatableError:
        return None


def _departures(catalog: Catalog, plan: Departures, numbers: Mapping[tuple[str, int], int]) -> Written:
    found = {journey_id: _departure(catalog, each, numbers) for journey_id, each in plan.departures.items()}
    return {
        "converts": plan.converts,
        "journeys": {journey_id: each for journey_id, each in found.items() if each is not None},
    }


def _departure(catalog: Catalog, plan: Departure, numbers: Mapping[tuple[str, int], int]) -> Written | None:
    try:
        return {
            "journey": numbers[plan.journey.id, plan.journey.version],
            "goal": None if plan.goal is None else _goal(catalog.project, plan.goal),
            "exit": plan.exit,
            "standing": sorted(plan.standing),
        }
    except UntranslatableError:
        return None


def _goal(project: Project, goal: GoalRule) -> Written:
    return {
        "within_ms": goal.within_ms,
        "value": None if goal.value is None else code_of(goal.value.evaluate, project),
        "is_plain": goal.trigger.where is None and goal.trigger.segment is None,
    }


def _late_goal(project: Project, goal: GoalRule) -> Written:
    """Write a goal as it is asked for after the end; one that has no form here is left to Python when it is asked."""
    try:
        return _goal(project, goal)
    except UntranslatableError:
        return {"within_ms": goal.within_ms, "value": None, "is_plain": False}


def _journey(catalog: Catalog, journey: Journey, woken: set[tuple[str, int, str]], quiet: Quiet) -> Written:
    project = catalog.project
    windows = [goal.within_ms for goal in journey.goals if goal.within_ms is not None]
    asked_by_goals = [each for goal in journey.goals for each in (goal.trigger.where, goal.value) if each is not None]
    # Keys that are forgotten after a while are forgotten at each end; and silences that open a journey begin there.
    is_opened = catalog.audiences is not None and catalog.audiences.opens(journey)
    is_woken = not project.retention.keys_ms and not is_opened
    return {
        "id": journey.id,
        "version": journey.version,
        "key": journey.key,
        "shows_key": journey.shows_key,
        "again": journey.again.kind,
        "again_after_ms": journey.again.after_ms,
        "first": journey.first,
        "entry_reads": _names(journey.entry_reads),
        "keeps_event": journey.keeps_event,
        "event_reads": _names(journey.event_reads),
        "longest_goal_ms": max(windows, default=None),
        "read_by_goals": sorted({step for each in asked_by_goals for step in each.steps}),
        "goals": {
            kind: [_late_goal(catalog.project, goal) for goal in goals]
            for kind, goals in journey.goals_by_event.items()
        },
        "woken": [step for step in journey.steps if is_woken and (journey.id, journey.version, step) in woken],
        "steps": [
            {"id": step.id, "next": step.next, **_verb(project, journey, step, quiet)}
            for step in journey.steps.values()
        ],
    }


def _names(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _verb(project: Project, journey: Journey, step: Step, quiet: Quiet) -> Written:
    try:
        match step:
            case Wait():
                kept = {"event": step.kept.event, "events": step.kept.events, "names": _names(step.kept.names)}
                return {"verb": "wait", "after_ms": step.after_ms, "kept": kept}
            case WaitUntil():
                return {"verb": "wait_until"}
            case WaitFor():
                return {"verb": "wait_for", "within_ms": step.within_ms, "on_timeout": step.on_timeout}
            case Choose():
                branches = [[None if each is None else asked(each, project), first] for each, first in step.branches]
                return {"verb": "choose", "branches": branches}
            case Split():
                return {"verb": "split", "branches": [[each.name, each.below, each.first] for each in step.branches]}
            case Exit():
                return {"verb": "exit", "reason": step.reason}
            case Send() if type(step) is Send and not step.inside:
                return {"verb": "send", "offer": _offer(project, journey, step, quiet)}
    except UntranslatableError:
        pass  # the engine in Python takes it
    return {"verb": "other"}


def _offer(project: Project, journey: Journey, step: Send, quiet: Quiet) -> Written:
    message = project.messages[step.message]
    return {
        "message": step.message,
        "purpose": step.purpose,
        "expires_ms": step.expires_ms,
        "channels": step.channels,
        "preferred": project.preferred_channels,
        "roads": {
            name: _road(project, journey, step, name, quiet) for name in message.channels if name in project.channels
        },
        "data": [[name, code_of(expression.evaluate, project)] for name, expression in step.data],
        "languages": [[name.lower(), name] for name in message.languages or project.languages[:1]],
    }


def _road(project: Project, journey: Journey, step: Send, channel: str, quiet: Quiet) -> Written | None:
    if channel in WINDOWS_MS or TRACKING_PURPOSE in project.purposes:
        return None
    try:
        return _worked_out(project, journey, step, channel, quiet)
    except UntranslatableError:
        return None


def _worked_out(project: Project, journey: Journey, step: Send, channel: str, quiet: Quiet) -> Written:
    purpose = project.purposes[step.purpose]
    universal = 0.0 if purpose.consent == "none" else project.holdout_percent
    holdouts = [["", universal], [journey.id, journey.holdout_percent]]
    readers = project.messages[step.message].reads.get(channel, ())
    return {
        "channel": channel,
        "purpose": purpose.name,
        "address": code_of(project.channels[channel].address.evaluate, project),
        "consent": purpose.consent,
        "only_if": None if purpose.only_if is None else code_of(purpose.only_if.evaluate, project),
        "holdouts": [[name, percent] for name, percent in holdouts if percent],
        "caps": [_cap(project, cap, purpose) for cap in purpose.caps if cap.channel in (None, channel)],
        "quiet": _number_of(project, purpose, channel, quiet),
        "asks_own_hours": purpose.has_policies and purpose.consent != "none",
        "readers": [[path, _reader(project, path)] for path in readers],
        "track": project.channels[channel].track,
    }


def _cap(project: Project, cap: Cap, purpose: Purpose) -> Written:
    shared = [name for name, other in project.purposes.items() if cap.is_shared and other.has_policies]
    return {
        "at_most": cap.at_most,
        "per_ms": cap.per_ms,
        "channel": cap.channel,
        "counted": [purpose.name, *shared],
        "text": str(cap),
    }


def _number_of(project: Project, purpose: Purpose, channel: str, quiet: Quiet) -> int | None:
    if not project.quiet_hours[purpose.name, channel]:
        return None
    if (purpose.name, channel) not in quiet:
        quiet.append((purpose.name, channel))
    return quiet.index((purpose.name, channel))


def _reader(project: Project, path: tuple[str, ...]) -> Code:
    """Translate how a template's name is read, as `engine.payload` reads it."""
    match path:
        case "event", "properties", name, *deeper:
            return ["inside", ["property", name], deeper]
        case "event", ("id" | "type" | "channel") as name:
            return ["event", name]
        case "profile", "last_seen", channel:
            return ["last_seen", channel]
        case "profile", name if name in BOUGHT and project.purchase is not None:
            return ["bought", name]
        case "profile", name, *deeper if name != "last_seen" and (project.purchase is None or name not in BOUGHT):
            return ["inside", ["profile", name], deeper]
        case "entry", name, *deeper:
            return ["inside", ["entry", name], deeper]
        case "steps", step, "event", *deeper:
            return ["inside", ["step_event", step.replace("_", "-")], deeper]
        case "steps", step, what, *deeper if what != "events":
            return ["inside", ["step", step.replace("_", "-"), what], deeper]
    raise UntranslatableError(".".join(path))
