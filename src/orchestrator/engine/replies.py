"""Replies: what a person answers the customer of a case, by which channel, and whether it may leave.

Owns the caution that also a person's answer is due: without a usable address it does not leave, nor where the customer
has said no to everything by that channel; either is a decision with its reason. Caps, quiet hours and consent by
purpose do not hold for it: somebody asked, and somebody answers. Must never end with a journey: an answer that was
given stands whoever leaves.
"""

from typing import Any

from orchestrator.engine import cases, guards
from orchestrator.engine.steps import sends
from orchestrator.engine.turn import Turn
from orchestrator.model import ids
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.state import Case, Entry, Sent

# What stands in place of a message's id where a person wrote the text.
ANSWER = "answer"


def apply(turn: Turn, event: Event) -> None:
    """Take an answer to a case, and let it leave or say why not."""
    if event.type != "case_answered":
        return
    said = event.properties
    channel, text = said.get("channel", event.channel), said.get("text")
    if not isinstance(text, str) or not text.strip():
        return  # there is nothing to say
    case = next((case for case in turn.state.cases if case.id == said.get("case_id")), None)
    case = case or Case(str(said.get("case_id") or ""), turn.now_ms)
    journey, entry = cases.opened_by(turn, case)
    saw = {"agent": said.get("agent"), "channel": channel, "case_id": case.id}
    reason = refusal(turn, channel)
    turn.changed = True
    if reason is not None:
        turn.decide(journey, entry, case.step or None, Verdict.SUPPRESSED, reason, saw)
        return
    action = _action(turn, event, case, str(channel))
    turn.actions.append(action)
    turn.decide(journey, entry, case.step or None, Verdict.SENT, Reason.CASE_ANSWERED, saw, action.id)
    _remember(turn, action, case)


def refusal(turn: Turn, channel: object) -> Reason | None:
    """Say why a person's answer may not leave by a channel; None when it may."""
    project, profile = turn.project, turn.state.profile
    if not isinstance(channel, str) or channel not in project.channels:
        return Reason.UNREACHABLE
    if guards.reachable_of(turn, project.channels[channel]) is None:
        return Reason.UNREACHABLE
    return Reason.NO_CONSENT if guards.refuses_everything(profile, channel) else None


def channels_of(turn: Turn, entry: Entry) -> dict[str, Any]:
    """Tell by which channels the customer can be answered: the last used first, then those that they prefer."""
    profile, project = turn.state.profile, turn.project
    seen = sorted(profile.last_seen_ms, key=lambda name: -profile.last_seen_ms[name])
    last = entry.channel or next(iter(seen), None)
    wished = [*([last] if last else []), *seen, *profile.prefers, *project.preferred_channels, *project.channels]
    usable = [name for name in dict.fromkeys(wished) if refusal(turn, name) is None]
    return {"last": last, "prefers": profile.prefers, "usable": usable}


def _action(turn: Turn, event: Event, case: Case, channel: str) -> Action:
    said, profile = event.properties, turn.state.profile
    language = profile.value("language")
    words = {name: said[name] for name in ("text", "subject", "agent") if isinstance(said.get(name), str)}
    return Action(
        ids.derive(case.id, ANSWER, event.id),
        "message",
        profile.id,
        profile.customer_id,
        case.journey,
        case.version,
        case.entry_id,
        case.step,
        turn.at,
        channel,
        language=language if isinstance(language, str) else turn.project.languages[0],
        to=guards.reachable_of(turn, turn.project.channels[channel]),
        stale_after=sends.STALE_AFTER,
        data={ANSWER: words, "case_id": case.id},
    )


def _remember(turn: Turn, action: Action, case: Case) -> None:
    """Keep it for receipts to be about; of no entry and no purpose, so that neither takes it back."""
    address = guards.as_text(action.to or "")
    until_ms = turn.now_ms + sends.STALE_AFTER_MS
    channel = action.channel or ""
    about = (action.id, turn.now_ms, case.journey, "", case.step, ANSWER, channel, "", address, until_ms, case.version)
    sends.remember(turn, Sent(*about))
