"""The call: a webhook of the project is asked, and its answer comes back as an event.

Owns what is asked and what is kept of the answer. Making the call is delivery's; it answers with
`call_answered`.
"""

from orchestrator.engine import guards
from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn, action_id_of, action_of
from orchestrator.model import instants
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.model.journey import Call, Journey
from orchestrator.model.state import Entry, Result


def call(turn: Turn, journey: Journey, entry: Entry, step: Call) -> Going:
    """Ask the webhook and wait for its answer; who is held out goes the way of no answer."""
    turn.changed = True
    saw = {"webhook": step.webhook}
    if guards.is_held_out(turn, journey, turn.project.purposes.get(step.purpose or "")):
        entry.results[step.id] = Result(status=Reason.HOLDOUT)
        turn.decide(journey, entry, step.id, Verdict.SUPPRESSED, Reason.HOLDOUT, saw)
        return step.on_timeout
    scope = turn.scope_of(entry)
    payload = {name: expression.evaluate(scope) for name, expression in step.payload}
    action_id = action_id_of(turn, journey, entry, step)
    entry.step, entry.due_ms = step.id, turn.now_ms + step.within_ms
    until = instants.to_text(entry.due_ms)
    data = {name: value for name, value in payload.items() if value is not None}
    about = {"purpose": step.purpose, "to": step.webhook, "expires_at": until, "data": data}
    turn.actions.append(action_of(turn, journey, entry, step, "call", action_id, **about))
    entry.results[step.id] = Result(action_id=action_id)
    turn.decide(journey, entry, step.id, Verdict.CALLED, Reason.CALL_MADE, saw, action_id)
    turn.decide(journey, entry, step.id, Verdict.WAITED, Reason.FOR_ANSWER, {"until": until})
    return STAY


def take_answer(turn: Turn, event: Event, journey: Journey, entry: Entry, step: Call) -> bool:
    """Take the webhook's answer: `status` (a number) and `response` (whatever JSON it gave)."""
    result = entry.results[step.id]
    if event.properties.get("action_id") not in (None, result.action_id):
        return False
    told = {name: event.properties.get(name) for name in ("status", "response")}
    result.values = {name: value for name, value in told.items() if value is not None}
    turn.decide(journey, entry, step.id, Verdict.RESUMED, Reason.ANSWERED, {"status": told["status"]})
    return True
