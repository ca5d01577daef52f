"""Walking: an entry moves from step to step until it waits or ends.

Owns the loop and the table of what each verb does. The verbs themselves live in `steps/`; a handler
returns the id of the step to go to, None when the steps are over, or STAY when the entry waits here
or has ended.
"""

from collections.abc import Callable
from typing import Any

from orchestrator.engine import endings, once
from orchestrator.engine.steps import asks, branches, calls, changes, handoffs, repeats, scores, sends, waits
from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn
from orchestrator.model import journey as steps
from orchestrator.model.decision import Reason
from orchestrator.model.journey import Exit, Journey
from orchestrator.model.state import Entry


def _exit(turn: Turn, journey: Journey, entry: Entry, step: Exit) -> Going:
    endings.end(turn, journey, entry, step.reason, step.id)
    return STAY


# Bound once, as everywhere on the hot path: on Python 3.11 an enum's member costs as much as a method call.
_COMPLETED = Reason.COMPLETED.value
HANDLERS: dict[type[steps.Step], Callable[[Turn, Journey, Entry, Any], Going]] = {
    steps.Wait: waits.wait,
    steps.WaitUntil: waits.wait_until,
    steps.WaitFor: waits.wait_for,
    steps.Send: sends.send,
    steps.Ask: asks.ask,
    steps.Handoff: handoffs.handoff,
    steps.Score: scores.score,
    steps.Call: calls.call,
    steps.Choose: branches.choose,
    steps.Split: branches.split,
    steps.SetValues: changes.set_values,
    steps.Emit: changes.emit,
    steps.Repeat: repeats.repeat,
    steps.Exit: _exit,
}


def walk(turn: Turn, journey: Journey, entry: Entry, step_id: str | None) -> None:
    """Move an entry on from a step until it waits, ends, or is parked."""
    turn.changed = True  # whoever walks stands elsewhere afterwards
    table = journey.steps
    while step_id is not None:
        step = table[step_id]
        if entry.done and once.is_done(entry, step):
            step_id = once.pass_over(turn, journey, entry, step)
            continue
        step_id = HANDLERS[type(step)](turn, journey, entry, step)
        if step_id is STAY:
            return
    endings.end(turn, journey, entry, _COMPLETED, None)
