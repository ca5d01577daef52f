"""Where a customer stands: what an entry is waiting for, as a sentence.

Owns the words for it, step by step. Must never work out what would happen next; it says what is stored.
"""

from functools import singledispatch

from orchestrator.model.journey import ANSWERS, Ask, Call, Handoff, Journey, Repeat, Send, Step, Wait, WaitFor
from orchestrator.model.state import Entry
from orchestrator.views import times
from orchestrator.views.graph import trigger_in_words


def awaited(journey: Journey | None, entry: Entry) -> list[str]:
    """Name the events that would move this entry on from its step."""
    step = None if journey is None else journey.steps.get(entry.step)
    if isinstance(step, Wait):
        return sorted(step.restart_on)
    if isinstance(step, WaitFor):
        return sorted(set().union(*(branch.trigger.events for branch in step.branches)))
    if isinstance(step, Ask | Call | Handoff) and not entry.held_ms:
        return [ANSWERS[type(step)]]
    return []


def standing(journey: Journey | None, entry: Entry, zone: str | None) -> str:
    """Say where an entry stands; `journey` is the version it is in, None where that is not at hand."""
    key = "" if entry.key is None else f" ({entry.key})"
    where = f"{entry.journey}{key}"
    if entry.parked is not None:
        return f"{where}: stopped at {entry.step}, because of {entry.parked.replace('_', ' ')}."
    until = f"until {times.spoken(entry.due_ms, zone)}" if entry.due_ms else "until the journey goes on"
    step = None if journey is None else journey.steps.get(entry.step)
    if entry.held_ms and isinstance(step, Send):
        return f"{where}: holds {step.message} at {entry.step} {until}."
    return f"{where}: {_waits(step, entry.step, until)}."


@singledispatch
def _waits(step: Step | None, step_id: str, until: str) -> str:
    return f"waits at {step_id} {until}"


@_waits.register
def _(step: Wait, step_id: str, until: str) -> str:
    restarts = f"; {' or '.join(sorted(step.restart_on))} starts the wait again" if step.restart_on else ""
    return f"waits at {step_id} {until}{restarts}"


@_waits.register
def _(step: WaitFor, step_id: str, until: str) -> str:
    events = " or ".join(dict.fromkeys(trigger_in_words(branch.trigger) for branch in step.branches))
    return f"waits at {step_id} for {events}, {until} at the latest"


@_waits.register
def _(step: Ask, step_id: str, until: str) -> str:
    return f"waits at {step_id} for the answer to {step.message}, {until} at the latest"


@_waits.register
def _(step: Call, step_id: str, until: str) -> str:
    return f"waits at {step_id} for the answer of {step.webhook}, {until} at the latest"


@_waits.register
def _(step: Handoff, step_id: str, until: str) -> str:
    late = f", {until} at the latest" if step.within_ms is not None else ""
    return f"waits at {step_id} for {step.team} to close the case{late}"


@_waits.register
def _(step: Repeat, step_id: str, until: str) -> str:
    return f"waits at {step_id} for the next round, {until}"
