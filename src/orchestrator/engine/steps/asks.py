"""The ask: a survey sent as any message, and its answer.

Owns the waiting for the answer and what an answer means: its score's group. Whether the survey may
leave is asked as for any send.
"""

from orchestrator.engine.steps import sends
from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn
from orchestrator.model import instants
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.model.journey import Ask, Journey
from orchestrator.model.state import Entry

# The first score of a group, highest group first (LANGUAGE.md, "ask"); what is below all is in the last group.
_GROUPS: dict[str, tuple[tuple[float, str], ...]] = {
    "nps": ((9, "promoter"), (7, "passive"), (0, "detractor")),
    "csat": ((4, "positive"), (3, "neutral"), (1, "negative")),
    "ces": ((5, "positive"), (4, "neutral"), (1, "negative")),
}
_HIGHEST = {"nps": 10, "csat": 5, "ces": 7}


def ask(turn: Turn, journey: Journey, entry: Entry, step: Ask) -> Going:
    """Send the survey and wait for its answer; one that cannot be sent times out at once."""
    became = sends.offer(turn, journey, entry, step)
    if became == sends.HELD:
        return STAY
    if became == sends.REFUSED:
        turn.decide(journey, entry, step.id, Verdict.RESUMED, Reason.NOT_SENT)
        return step.on_timeout
    entry.step, entry.due_ms = step.id, turn.now_ms + step.within_ms
    until = instants.to_text(entry.due_ms)
    turn.decide(journey, entry, step.id, Verdict.WAITED, Reason.FOR_ANSWER, {"until": until})
    return STAY


def take_answer(turn: Turn, event: Event, journey: Journey, entry: Entry, step: Ask) -> bool:
    """Take the answer to a survey that has been sent; an impossible score is on record and no answer."""
    if entry.held_ms or _is_to_another(turn, event, entry, step):
        return False
    score, comment = event.properties.get("score"), event.properties.get("comment")
    group = group_of(step.survey, score)
    if group is None and not (step.survey == "custom" or score is None):
        turn.decide(journey, entry, step.id, Verdict.WAITED, Reason.CONDITION_FALSE, {"score": score})
        return False
    values = {"score": score, "comment": comment, "group": group}
    entry.results[step.id].values = {name: value for name, value in values.items() if value is not None}
    saw = {"survey": step.survey, "score": score, "group": group}
    turn.decide(journey, entry, step.id, Verdict.RESUMED, Reason.ANSWERED, saw)
    return True


def _is_to_another(turn: Turn, event: Event, entry: Entry, step: Ask) -> bool:
    """Whether an answer names the survey of another step of this entry, that has been given up on since."""
    action_id = event.properties.get("action_id")
    if action_id is None:
        return False
    for sent in turn.state.sent:  # of whatever round, while it is remembered
        if sent.action_id == action_id:
            return sent.step != step.id
    return bool(entry.results[step.id].action_id != action_id)


def group_of(survey: str, score: object) -> str | None:
    """Name the group of a score; None for one that the survey's scale does not have."""
    if survey not in _GROUPS or isinstance(score, bool) or not isinstance(score, int | float):
        return None
    if score > _HIGHEST[survey]:
        return None
    return next((group for least, group in _GROUPS[survey] if score >= least), None)
