"""Fallback: a message that a provider refuses for good moves on to the next channel.

Owns which message a bounce is about, and that each moves on once. The entry stays where it stands: its
journey has gone on, and nothing is held for it. A temporary failure is delivery's to try again.
"""

from orchestrator.engine.steps import sends
from orchestrator.engine.turn import Turn
from orchestrator.model.event import Event
from orchestrator.model.journey import Send
from orchestrator.model.state import Entry, Sent

BOUNCED = "message_bounced"


def check(turn: Turn, event: Event) -> None:
    """Let a bounced message go by the channels after its own, while its entry lives."""
    if event.properties.get("kind") == "soft":
        return
    sent = _message_of(turn, event)
    entry = None if sent is None else _entry_of(turn, sent)
    if sent is None or entry is None or turn.catalog.is_paused(entry.journey):
        return
    journey = turn.catalog.journey(entry.journey, entry.version)
    step = None if journey is None else journey.steps.get(sent.step)
    if journey is not None and isinstance(step, Send):
        turn.at_work = (journey.id, entry.id)
        sends.send_on(turn, journey, entry, step, sent)


def _message_of(turn: Turn, event: Event) -> Sent | None:
    """Find the message by its id, else the newest one on the channel that the receipt names."""
    action_id = event.properties.get("action_id")
    channel = event.properties.get("channel", event.channel)
    for sent in reversed(turn.state.sent):
        if sent.action_id == action_id or (action_id is None and sent.channel == channel):
            return sent
    return None


def _entry_of(turn: Turn, sent: Sent) -> Entry | None:
    """Find the entry, if it lives and this is its step's latest message: one that has moved on is not sent again."""
    for entry in turn.state.entries:
        if entry.id == sent.entry_id and entry.parked is None:
            result = entry.results.get(sent.step)
            return entry if result is not None and result.action_id == sent.action_id else None
    return None
