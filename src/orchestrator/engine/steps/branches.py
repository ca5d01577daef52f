"""The branchings: choose by conditions, split by a sticky draw.

Owns which branch is taken and its record.
"""

from typing import Any

from orchestrator.engine.steps.going import Going
from orchestrator.engine.turn import Turn, draw
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Choose, Journey, Split
from orchestrator.model.state import Entry, Result

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_BRANCHED, _SHARE = Verdict.BRANCHED.value, Reason.SHARE.value
_CONDITION_TRUE, _OTHERWISE, _NONE_TRUE = Reason.CONDITION_TRUE.value, Reason.OTHERWISE.value, Reason.NONE_TRUE.value


def choose(turn: Turn, journey: Journey, entry: Entry, step: Choose) -> Going:
    """Take the first branch whose condition holds; none: carry on."""
    scope = turn.scope_of(entry)
    saw: dict[str, Any] = {}
    for condition, first in step.branches:
        if condition is None:
            turn.decide(journey, entry, step.id, _BRANCHED, _OTHERWISE, saw)
            return first
        saw.update(condition.values_seen(scope))
        if condition.holds(scope):
            saw["if"] = condition.source
            turn.decide(journey, entry, step.id, _BRANCHED, _CONDITION_TRUE, saw)
            return first
    turn.decide(journey, entry, step.id, _BRANCHED, _NONE_TRUE, saw)
    return step.next


def split(turn: Turn, journey: Journey, entry: Entry, step: Split) -> Going:
    """Take the branch of the customer's sticky draw: the same at every visit and in every version."""
    drawn = draw(turn, f"{journey.id}/{step.id}", journey.id, step.id, turn.state.profile_id)
    # The last branch takes what rounding of the shares may leave over.
    branch = next((branch for branch in step.branches if drawn < branch.below), step.branches[-1])
    entry.results[step.id] = Result(name=branch.name)
    turn.changed = True
    turn.decide(journey, entry, step.id, _BRANCHED, _SHARE, {"branch": branch.name})
    return branch.first
