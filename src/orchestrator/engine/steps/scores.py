"""The score: a registered scorer judges a text or a customer, and says why.

Owns what a scorer is asked and what is kept of its answer. The scorers themselves are the project's.
"""

from orchestrator.engine.steps.going import Going
from orchestrator.engine.turn import Turn
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Journey, Score
from orchestrator.model.state import Entry, Result


def score(turn: Turn, journey: Journey, entry: Entry, step: Score) -> Going:
    """Ask the scorer; no answer changes nothing and is on record."""
    turn.changed = True
    scope = turn.scope_of(entry)
    if step.input is not None:
        given = step.input.evaluate(scope)
    else:
        given = entry.event.properties.get("text") if entry.event is not None else None
    answer = turn.project.scorers[step.model](given, scope)
    if answer is None:
        entry.results.pop(step.id, None)
        turn.decide(journey, entry, step.id, Verdict.SCORED, Reason.NO_ANSWER, {"model": step.model})
        return step.next
    values = {"value": answer.value, "label": answer.label, "items": answer.items, "why": answer.why}
    entry.results[step.id] = Result(values={name: value for name, value in values.items() if value is not None})
    saved = answer.value if answer.value is not None else answer.label
    if step.save is not None and saved is not None:
        profile = turn.state.profile
        profile.traits[step.save], profile.said_ms[step.save] = saved, turn.now_ms
    saw = {"model": step.model, "value": answer.value, "label": answer.label, "why": answer.why}
    turn.decide(journey, entry, step.id, Verdict.SCORED, Reason.MODEL_ANSWERED, saw)
    return step.next
