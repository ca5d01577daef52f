"""What a journey says that can never come: a second entry where time comes again, an event that ends the entry first.

Owns these doubts about a journey as a whole. Must never refuse anything.
"""

from collections.abc import Iterator

from orchestrator.language.definitions import steps as written
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.definitions.triggers import EnterRule, Trigger
from orchestrator.language.naming import walk
from orchestrator.language.nodes import Place

# What machines do matches only where a `where` names this, and so no rule without one.
_MACHINE = "machine"


def check(definition: JourneyDefinition, root: Place) -> None:
    """Doubt what can never come."""
    _check_again(definition, root["enter"])
    first = dict(_ending(definition))
    for path, step in walk(list(definition.steps)) if first else ():
        for place, events in _awaited(step, root.at(path)):
            event = next((each for each in events if each in first), None)
            if event is not None:
                message = f"{event} ends the entry by {first[event]} before this step sees it"
                place.report("W321", message, f"where: ... in {first[event]}, or another event")


def _check_again(definition: JourneyDefinition, place: Place) -> None:
    """Doubt an entry that comes every week or year, and is taken once because nobody says otherwise."""
    enter = definition.enter
    if "again" in enter.model_fields_set:
        return
    rules: list[tuple[Place, EnterRule]] = [(place, enter)]
    for spot, rule in rules + [(place["any"][number], rule) for number, rule in enumerate(enter.any or ())]:
        comes = None
        if rule.schedule is not None and rule.schedule.every is not None:
            comes, spot = f"every {rule.schedule.every}", spot["schedule"]
        elif rule.date is not None and rule.date.yearly:
            comes, spot = "every year", spot["date"]
        if comes is not None:
            message = f"this comes {comes}, and lets each customer in once: `again` is once where it is not written"
            spot.report("W320", message, "again: after_exit, or again: once where that is meant")


def _ending(definition: JourneyDefinition) -> Iterator[tuple[str, str]]:
    """List the events that end every entry they are about, each with what does it."""
    for goal in definition.goal:
        if goal.ends and goal.within is None and goal.where is None:
            yield from ((event, "the goal") for event in goal.event or ())
    for rule in definition.exit:
        if rule.where is None:
            yield from ((event, "an exit rule") for event in rule.event or ())


def _awaited(step: written.StepBase, place: Place) -> Iterator[tuple[Place, list[str]]]:
    """List the events that a step waits for, each trigger with its place."""
    if isinstance(step, written.WaitStep):
        yield place["wait"]["restart_on"], step.wait.restart_on or []
    elif isinstance(step, written.RepeatStep):
        yield place["repeat"]["until_event"], step.repeat.until_event or []
    elif isinstance(step, written.WaitForStep):
        yield place["wait_for"]["event"], _events(step.wait_for)
        for number, branch in enumerate(step.wait_for.any or ()):
            yield place["wait_for"]["any"][number]["event"], _events(branch)
    elif isinstance(step, written.AskStep):
        yield place["ask"], ["survey_answered"]
    elif isinstance(step, written.HandoffStep) and step.handoff.until is not None:
        yield place["handoff"]["until"], ["case_closed"]


def _events(trigger: Trigger) -> list[str]:
    return [] if trigger.where is not None and _MACHINE in trigger.where else trigger.event or []
