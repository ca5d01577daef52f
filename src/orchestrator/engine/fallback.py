"""Fallback: a message that a provider refuses for good moves on to the next channel.

That is one that bounced, and one whose channel's window closed while it was on its way. Owns which message a receipt is
about, and that each moves on once. The entry stays where it stands: its
journey has gone on, and nothing is held for it. A temporary failure is delivery's to try again.
"""

from orchestrator.engine.steps import sends
from orchestrator.engine.turn import Turn
from orchestrator.model.decision import Reason
from orchestrator.model.event import Event
from orchestrator.model.journey import Send
from orchestrator.model.state import Entry, Sent

_CLOSED = Reason.WINDOW_CLOSED.value
RECEIPTS = frozenset({"message_bounced", "message_failed"})


def check(turn: Turn, event: Event, before: list[Sent]) -> None:
    """Let a refused message go by the channels after its own, while its entry lives.

    `before` are the messages that left as they were before the receipt: one that never did is no longer among them.
    """
    said = event.properties
    refused = said.get("kind") != "soft" if event.type == "message_bounced" else said.get("reason") == _CLOSED
    if not refused:
        return
    sent = _message_of(before, event)
    entry = None if sent is None else _entry_of(turn, sent)
    if sent is None or entry is None or turn.catalog.is_paused(entry.journey):
        return
    journey = turn.catalog.journey(entry.journey, entry.version)
    step = None if journey is None else journey.steps.get(sent.step)
    if journey is not None and isinstance(step, Send):
        turn.at_work = (journey.id, entry.id)
        sends.send_on(turn, journey, entry, step, sent, event.type.removeprefix("message_"))


def _message_of(before: list[Sent], event: Event) -> Sent | None:
    """Find the message by its id, else the newest one on the channel that the receipt names."""
    action_id = event.properties.get("action_id")
    channel = event.properties.get("channel", event.channel)
    for sent in reversed(before):
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
