"""What a journey says that hardly ever comes: a second entry by time, what ends the entry first, what nobody measures.

Owns these doubts about a journey as a whole. Must never refuse anything.
"""

import re
from collections.abc import Iterator

from orchestrator.language.definitions import steps as written
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.definitions.triggers import EnterRule, Trigger
from orchestrator.language.naming import walk
from orchestrator.language.nodes import Place
from orchestrator.language.project import RESERVED_CHANNELS, Shop
from orchestrator.language.sending import Messages

# What a channel measures only if it is told to, by what comes of it.
_MEASURED = {"message_opened": "opens", "message_clicked": "clicks"}
_STATUS = re.compile(r"""\.status\s*[=!]=\s*['"](opened|clicked)['"]""")
# The channel where that is up to us, unless its provider reports them; apps tell of theirs by themselves.
_MAIL = "email"
# What machines do matches only where a `where` names this, and so no rule without one.
_MACHINE = "machine"


def check(definition: JourneyDefinition, root: Place, shop: Shop, messages: Messages) -> None:
    """Doubt what can never come."""
    _check_again(definition, root["enter"])
    _check_measured(definition, root, shop, messages)
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


def _check_measured(definition: JourneyDefinition, root: Place, shop: Shop, messages: Messages) -> None:
    """Doubt a wait for what mails do not measure: everybody would count as having opened nothing."""
    channel = shop.definition.channels.get(_MAIL)
    missing = {} if channel is None else {event: what for event, what in _MEASURED.items() if what not in channel.track}
    if not missing or not any(_mails(step, messages) for _, step in walk(list(definition.steps))):
        return
    for path, step in walk(list(definition.steps)):
        spot = root.at(path)
        asked = [(place, event) for place, events in _awaited(step, spot) for event in events]
        for number, branch in enumerate(step.choose if isinstance(step, written.ChooseStep) else ()):
            place = spot["choose"][number]["if"]
            asked += [(place, f"message_{found}") for found in _STATUS.findall(branch.if_ or "")]
        for place, event in asked:
            if event in missing:
                track = ", ".join((*channel.track, missing[event])) if channel is not None else ""
                message = f"{_MAIL} measures no {missing[event]}: unless its provider reports them, nobody has any"
                place.report("W323", message, f"track: [{track}] at {_MAIL} in orchestrator.yaml")


def _mails(step: written.StepBase, messages: Messages) -> bool:
    """Tell whether a step may send an e-mail."""
    if not isinstance(step, written.SendStep | written.AskStep):
        return False
    body = step.send if isinstance(step, written.SendStep) else step.ask
    draft = messages.drafts.get(body.message)
    named = body.channels is None or not {_MAIL, *RESERVED_CHANNELS}.isdisjoint(body.channels)
    return draft is not None and _MAIL in draft.content.channels and named


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
