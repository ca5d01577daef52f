"""The send: one message by the first channel that may, held over quiet hours, or refused on record.

Owns the choice of the channel, holding, and what is kept of a message that left. Whether a channel may
is `guards`' to say.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.engine import guards, payload
from orchestrator.engine.guards import Answer
from orchestrator.engine.steps.going import STAY, Going
from orchestrator.engine.turn import Turn, action_id_of, visit_of
from orchestrator.model import instants
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.journey import Journey, Send
from orchestrator.model.profile import Profile
from orchestrator.model.project import Project
from orchestrator.model.state import Entry, Result, Sent

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_SENT, _ALLOWED, _SUPPRESSED = Verdict.SENT.value, Reason.ALLOWED.value, Verdict.SUPPRESSED.value
_QUIET_HOURS, _UNREACHABLE = Reason.QUIET_HOURS, Reason.UNREACHABLE
# What may become of a message that is offered.
SENT, HELD, REFUSED = "sent", "held", "refused"

# Without `expires`, delivery drops a message that could not leave for so long.
STALE_AFTER, STALE_AFTER_MS = "1d", instants.DAY_MS
# A profile keeps its newest messages for receipts to be about, and all that a cap may still count.
KEPT_SENT = 20


def send(turn: Turn, journey: Journey, entry: Entry, step: Send) -> Going:
    """Send by the first channel that may; hold when all that may are quiet; else go on without."""
    return STAY if offer(turn, journey, entry, step) == HELD else step.next


def offer(turn: Turn, journey: Journey, entry: Entry, step: Send) -> str:
    """Offer the message to its channels in order; say whether it was SENT, is HELD, or was REFUSED."""
    turn.changed = True
    asked_ms = entry.held_ms or turn.now_ms
    if step.expires_ms is not None and asked_ms + step.expires_ms <= turn.now_ms:  # held, and woken too late
        became = _expire(turn, journey, entry, step, asked_ms + step.expires_ms)
    else:
        became = _try_channels(turn, journey, entry, step, asked_ms)
    if became != HELD:
        entry.held, entry.held_ms = [], 0
    return became


def _try_channels(turn: Turn, journey: Journey, entry: Entry, step: Send, asked_ms: int) -> str:
    project = turn.catalog.project
    purpose, message, channels = project.purposes[step.purpose], project.messages[step.message], project.channels
    refused: list[Answer] = []
    for name in channels_of(project, turn.state.profile, entry, step):
        answer = guards.ask(turn, journey, entry, channels[name], purpose, message)
        if answer.reason is None:
            if refused:
                _refuse(turn, journey, entry, step, refused)
            _leave(turn, journey, entry, step, answer, asked_ms, visit_of(entry, step.inside))
            return SENT
        refused.append(answer)
    quiet = next((answer for answer in refused if answer.until_ms), None)
    if quiet is not None:
        _refuse(turn, journey, entry, step, [no for no in refused if not no.until_ms])
        return _hold(turn, journey, entry, step, quiet, asked_ms)
    # No channel at all, such as `same` for an event that came by none of ours, is a "no" on record like any other.
    _refuse(turn, journey, entry, step, refused or [Answer("", _UNREACHABLE)])
    entry.results[step.id] = Result(status="suppressed")
    return REFUSED


def channels_of(project: Project, profile: Profile, entry: Entry, step: Send) -> Iterator[str]:
    """Resolve `same` and `preferred`, without doubles and without channels that the message has no content for."""
    content, channels = project.messages[step.message].channels, project.channels
    seen: list[str] = []
    for name in step.channels:
        names: Iterable[str] = (name,)
        if name == "same":
            names = (entry.channel,) if entry.channel else ()
        elif name == "preferred":
            names = profile.prefers or project.preferred_channels
        for found in names:
            if found in content and found in channels and found not in seen:
                seen.append(found)
                yield found


def _refuse(turn: Turn, journey: Journey, entry: Entry, step: Send, refused: list[Answer]) -> None:
    for answer in unsaid(entry, refused):
        _say_no(turn, journey, entry, step, answer)


def unsaid(entry: Entry, refused: list[Answer]) -> Iterator[Answer]:
    """Yield what was not said before the message was held, and take note that it is said now."""
    for answer in refused:
        record = f"{answer.channel}:{answer.reason}"
        if record not in entry.held:
            entry.held.append(record)
            yield answer


def _say_no(turn: Turn, journey: Journey, entry: Entry, step: Send, answer: Answer) -> None:
    turn.decide(journey, entry, step.id, _SUPPRESSED, str(answer.reason), about_no(step, answer))


def about_no(step: Send, answer: Answer) -> dict[str, Any]:
    """Say what a decision shows of a channel that may not."""
    saw = about(step, answer.channel or None)
    if answer.cap is not None:
        saw["cap"] = str(answer.cap)
    return saw


def about(step: Send, channel: str | None) -> dict[str, Any]:
    """Say what a decision shows of a message."""
    return {"channel": channel, "message": step.message, "purpose": step.purpose}


def _hold(turn: Turn, journey: Journey, entry: Entry, step: Send, quiet: Answer, asked_ms: int) -> str:
    if step.expires_ms is not None and asked_ms + step.expires_ms <= quiet.until_ms:
        return _expire(turn, journey, entry, step, asked_ms + step.expires_ms, quiet.channel)
    entry.step, entry.due_ms, entry.held_ms = step.id, quiet.until_ms, asked_ms
    entry.results[step.id] = Result(status="held", channel=quiet.channel)
    saw = {**about(step, quiet.channel), "until": instants.to_text(quiet.until_ms)}
    turn.decide(journey, entry, step.id, Verdict.HELD, Reason.QUIET_HOURS, saw)
    return HELD


def _expire(turn: Turn, journey: Journey, entry: Entry, step: Send, expired_ms: int, channel: str | None = None) -> str:
    entry.results[step.id] = Result(status="expired")
    saw = {**about(step, channel), "expired_at": instants.to_text(expired_ms)}
    turn.decide(journey, entry, step.id, Verdict.SUPPRESSED, Reason.EXPIRED, saw)
    return REFUSED


def send_on(turn: Turn, journey: Journey, entry: Entry, step: Send, bounced: Sent, became: str) -> None:
    """Send a message that was refused by the first channel after its own that may now; nothing is held any more."""
    turn.changed = True
    # Without its id: whatever comes back about the message that bounced, it has moved on.
    entry.results[step.id] = Result(became, bounced.channel)
    if step.expires_ms is not None and bounced.at_ms + step.expires_ms <= turn.now_ms:
        _expire(turn, journey, entry, step, bounced.at_ms + step.expires_ms, bounced.channel)
        return
    names = list(channels_of(turn.catalog.project, turn.state.profile, entry, step))
    later = names[names.index(bounced.channel) + 1 :] if bounced.channel in names else names
    purpose = turn.catalog.project.purposes[step.purpose]
    message = turn.catalog.project.messages[step.message]
    for name in later:
        answer = guards.ask(turn, journey, entry, turn.catalog.project.channels[name], purpose, message)
        if answer.reason is None:
            _leave(turn, journey, entry, step, answer, bounced.at_ms, bounced.action_id)
            return
        _say_no(turn, journey, entry, step, answer)


def _leave(turn: Turn, journey: Journey, entry: Entry, step: Send, answer: Answer, asked_ms: int, visit: str) -> None:
    profile = turn.state.profile
    project = turn.catalog.project
    message = project.messages[step.message]
    action_id = action_id_of(turn, journey, entry, step, visit)
    scope = turn.scope_of(entry)
    data = payload.data_for(scope, message.reads.get(answer.channel, ()))
    if step.data:
        data["data"] = {name: expression.evaluate(scope) for name, expression in step.data}
    until_ms = turn.now_ms + STALE_AFTER_MS if step.expires_ms is None else asked_ms + step.expires_ms
    expires_at = None if step.expires_ms is None else instants.to_text(until_ms)
    turn.actions.append(
        Action(
            action_id,
            "message",
            profile.id,
            profile.customer_id,
            journey.id,
            journey.version,
            entry.id,
            step.id,
            turn.at,
            answer.channel,
            step.message,
            step.purpose,
            payload.language_of(scope, project, message),
            answer.address,
            expires_at,
            STALE_AFTER if expires_at is None else None,
            answer.quiet,
            data,
            guards.tracked(profile, project, answer.channel),
            instants.to_text(answer.window_ms) if answer.window_ms > turn.now_ms else None,
        )
    )
    turn.decide(journey, entry, step.id, _SENT, _ALLOWED, about(step, answer.channel), action_id)
    entry.results[step.id] = Result("sent", answer.channel, action_id)
    entry.sent_ms = turn.now_ms
    entry.messages += 1
    address = guards.as_text(answer.address)
    remember(
        turn,
        Sent(
            action_id,
            turn.now_ms,
            journey.id,
            entry.id,
            step.id,
            step.message,
            answer.channel,
            step.purpose,
            address,
            until_ms,
            journey.version,
        ),
    )


def remember(turn: Turn, sent: Sent) -> None:
    """Keep the message for receipts and caps, and forget what neither can ask for any more."""
    kept = turn.state.sent
    kept.append(sent)
    if len(kept) > KEPT_SENT:
        since_ms = turn.now_ms - turn.catalog.project.longest_cap_ms
        turn.state.history.sent = [
            old for at, old in enumerate(kept) if old.at_ms > since_ms or at >= len(kept) - KEPT_SENT
        ]
