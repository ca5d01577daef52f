"""The repeat: its steps again and again, a fixed time apart, until there is a reason to stop.

Owns rounds. The body's last step names the repeat as its `next`, so an entry comes here to begin, at
the end of each round, and when the next round's instant has come.
"""

from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn
from orchestrator.model import instants
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Journey, Repeat
from orchestrator.model.state import Entry


def repeat(turn: Turn, journey: Journey, entry: Entry, step: Repeat) -> Going:
    """Begin the next round, wait for it, or leave the loop."""
    count, started_ms = entry.rounds.get(step.id, (0, 0))
    turn.changed = True
    if count >= step.at_most:
        turn.decide(journey, entry, step.id, Verdict.BRANCHED, Reason.AT_MOST, {"rounds": count})
        leave(journey, entry, step)
        return step.next
    next_ms = started_ms + step.every_ms
    if count and turn.now_ms < next_ms:
        entry.step = step.id
        entry.due_ms = next_ms
        saw = {"rounds": count, "until": instants.to_text(next_ms)}
        turn.decide(journey, entry, step.id, Verdict.WAITED, Reason.NEXT_ROUND, saw)
        return STAY
    if step.until is not None:
        scope = turn.scope_of(entry)
        if step.until.holds(scope):
            saw = {"rounds": count, **step.until.values_seen(scope)}
            turn.decide(journey, entry, step.id, Verdict.BRANCHED, Reason.UNTIL_TRUE, saw)
            leave(journey, entry, step)
            return step.next
    entry.rounds[step.id] = [count + 1, turn.now_ms]
    turn.decide(journey, entry, step.id, Verdict.BRANCHED, Reason.ROUND, {"round": count + 1})
    return step.first


def leave(journey: Journey, entry: Entry, step: Repeat) -> None:
    """Forget the rounds of a loop and of the loops inside it, so that coming back begins anew."""
    entry.due_ms = 0
    if entry.held_ms:  # a message held inside is gone with it
        entry.results.pop(entry.step, None)
        entry.held, entry.held_ms = [], 0
    for repeat_id in [step.id, *entry.rounds]:
        if repeat_id == step.id or step.id in journey.steps[repeat_id].inside:
            entry.rounds.pop(repeat_id, None)
