"""Answers: what people and programs say to a step that waits for them.

Owns which event answers which verb; what an answer means is the verb's own.
"""

from collections.abc import Callable
from typing import Any

from orchestrator.engine.steps import asks, calls, handoffs
from orchestrator.engine.turn import Turn
from orchestrator.model.event import Event
from orchestrator.model.journey import ANSWERS, Ask, Call, Handoff, Journey, Step
from orchestrator.model.state import Entry

_TAKERS: dict[type[Step], Callable[[Turn, Event, Journey, Entry, Any], bool]] = {
    Ask: asks.take_answer,
    Handoff: handoffs.take_closing,
    Call: calls.take_answer,
}


def may_answer(event: Event, step: Step) -> bool:
    """Whether an event is of the kind that this step waits for."""
    return ANSWERS.get(type(step)) == event.type


def is_answered(entry: Entry, step: Step) -> bool:
    """Whether the step has its answer, though the entry may not have gone on by it yet."""
    result = entry.results.get(step.id)
    if result is None:
        return False
    return result.status == "closed" if isinstance(step, Handoff) else bool(result.values)


def take(turn: Turn, event: Event, journey: Journey, entry: Entry, step: Step) -> bool:
    """Let the step take the answer; False when it is not an answer to it."""
    return _TAKERS[type(step)](turn, event, journey, entry, step)
