"""The handoff: a case for a person, with the whole context.

Owns what the person is told, and the waiting for the case to be closed. Which purposes an open case
silences is `cases`'.
"""

from typing import Any

from orchestrator.engine import cases, guards, payload, replies
from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn, action_id_of, action_of
from orchestrator.model import instants
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event, event_as_data
from orchestrator.model.journey import Handoff, Journey
from orchestrator.model.state import Case, Entry, Result


def handoff(turn: Turn, journey: Journey, entry: Entry, step: Handoff) -> Going:
    """Open a case; wait until it is closed where the journey says so, else carry on."""
    turn.changed = True
    saw: dict[str, Any] = {"team": step.team, "priority": step.priority}
    if guards.is_held_out(turn, journey, turn.project.purposes.get(step.purpose or "")):
        entry.results[step.id] = Result(status=Reason.HOLDOUT)
        turn.decide(journey, entry, step.id, Verdict.SUPPRESSED, Reason.HOLDOUT, saw)
        return step.on_timeout if step.until_closed else step.next
    case_id = action_id_of(turn, journey, entry, step)
    context = _context(turn, entry, step, case_id)
    handed = action_of(turn, journey, entry, step, "handoff", case_id, purpose=step.purpose, to=step.team, data=context)
    turn.actions.append(handed)
    entry.results[step.id] = Result(status="open", action_id=case_id, values={"case_id": case_id})
    opened = Case(case_id, turn.now_ms, list(step.pause), journey.id, journey.version, entry.id, step.id)
    cases.open_case(turn, opened)
    turn.decide(journey, entry, step.id, Verdict.HANDED_OFF, Reason.CASE_OPENED, saw, case_id)
    if not step.until_closed:
        return step.next
    entry.step = step.id
    entry.due_ms = 0 if step.within_ms is None else turn.now_ms + step.within_ms
    until = {"until": instants.to_text(entry.due_ms)} if entry.due_ms else {}
    turn.decide(journey, entry, step.id, Verdict.WAITED, Reason.FOR_ANSWER, until)
    return STAY


def take_closing(turn: Turn, event: Event, journey: Journey, entry: Entry, step: Handoff) -> bool:
    """Take the closing of this entry's case; one without an id is about the open one, which it has closed by now."""
    result = entry.results[step.id]
    case_id = event.properties.get("case_id")
    if not step.until_closed or case_id not in (None, result.action_id):
        return False
    if case_id is None and any(case.id == result.action_id for case in turn.state.cases):
        return False  # of several open ones it was another
    cases.note_closing(result, event)
    turn.decide(journey, entry, step.id, Verdict.RESUMED, Reason.ANSWERED, {"outcome": event.properties.get("outcome")})
    return True


def _context(turn: Turn, entry: Entry, step: Handoff, case_id: str) -> dict[str, Any]:
    """Tell the person who it is, what happened, what was sent and what the journey found out."""
    profile = turn.state.profile
    sent = [
        {"message": sent.message, "channel": sent.channel, "at": instants.to_text(sent.at_ms), "journey": sent.journey}
        for sent in turn.state.sent
    ]
    found = {step_id: payload.result_as_data(result) for step_id, result in entry.results.items()}
    context = {
        "case_id": case_id,
        "team": step.team,
        "skill": step.skill,
        "priority": step.priority,
        "reason": step.reason,
        "summary": step.summary,
        "pause": list(step.pause),
        "channels": replies.channels_of(turn, entry),
        "customer": {"traits": profile.traits, "identifiers": profile.identifiers, "prefers": profile.prefers},
        "entered_at": instants.to_text(entry.entered_ms),
        "entry": entry.properties,
        "event": None if entry.event is None else event_as_data(entry.event),
        "steps": found,
        "sent": sent,
        "open_cases": [case.id for case in turn.state.cases],
    }
    # What the summary reads is part of it, and takes away nothing of what stands beside it.
    return _together(context, payload.data_for(turn.scope_of(entry), step.reads))


def _together(known: dict[str, Any], read: dict[str, Any]) -> dict[str, Any]:
    both = {name: (known[name], value) for name, value in read.items() if name in known}
    joined = {
        name: _together(mine, theirs) if isinstance(mine, dict) and isinstance(theirs, dict) else theirs
        for name, (mine, theirs) in both.items()
    }
    return {**known, **read, **joined}
