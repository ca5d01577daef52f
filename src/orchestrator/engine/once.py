"""Once: what an entry has asked of the outside world is not asked again because its journey was edited.

Action ids carry the version, so a message that left under one version would leave again under the next if the entry
came by it once more: because it was moved behind where the customer stands, for one. Owns the memory of that. Within
one version nothing is remembered here: rounds and ids already keep things apart.
"""

from collections.abc import Mapping

from orchestrator.engine import answers
from orchestrator.engine.turn import Turn, visit_of
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Ask, Call, Handoff, Journey, Send, Step
from orchestrator.model.state import Entry


def done_by(entry: Entry, before: Journey | None, moves: Mapping[str, str]) -> list[str]:
    """List what has been done when an entry moves, by the steps' new ids and visits."""
    done = [_named(moves.get(step, step), visit) for step, visit in map(_parts, entry.done)]
    for step_id, result in entry.results.items():
        if result.action_id is None and result.status != "bounced":
            continue
        step = None if before is None else before.steps.get(step_id)
        inside = () if step is None else step.inside
        # A round that is over has been forgotten; coming back begins anew.
        visit = visit_of(entry, inside) if all(repeat in entry.rounds for repeat in inside) else "1"
        done.append(_named(moves.get(step_id, step_id), visit))
    return list(dict.fromkeys(done))


def is_done(entry: Entry, step: Step) -> bool:
    """Whether this step has been done before the entry moved to its version."""
    return isinstance(step, Send | Call | Handoff) and _named(step.id, visit_of(entry, step.inside)) in entry.done


def pass_over(turn: Turn, journey: Journey, entry: Entry, step: Step) -> str | None:
    """Go past a step that has been done, on record: by the way its answer opened, if it has one."""
    saw = {"message": step.message, "purpose": step.purpose, "channel": None} if isinstance(step, Send) else {}
    turn.decide(journey, entry, step.id, Verdict.SUPPRESSED, Reason.ALREADY_SENT, saw)
    if isinstance(step, Ask | Call) or (isinstance(step, Handoff) and step.until_closed):
        return step.first if answers.is_answered(entry, step) else step.on_timeout
    return step.next


def _named(step_id: str, visit: str) -> str:
    return f"{step_id}:{visit}"


def _parts(name: str) -> tuple[str, str]:
    step_id, _, visit = name.partition(":")
    return step_id, visit
