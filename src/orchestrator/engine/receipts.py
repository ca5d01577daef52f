"""Receipts: what came back about a message, and what it changes.

Owns three effects: a step's status moves on, an address that bounced or complained becomes
unreachable, and an unsubscribe or complaint is a "no" on record. Fills in journey, step, message,
channel and purpose, so that conditions can ask for them.
"""

from orchestrator.engine import guards, matching, profiles
from orchestrator.engine.turn import Turn
from orchestrator.model.event import Event
from orchestrator.model.profile import Consent
from orchestrator.model.state import Result, Sent

# How far a message has come. A receipt that arrives late never moves a status back.
_PROGRESS = {"sent": 0, "delivered": 1, "opened": 2, "clicked": 3, "failed": 4, "bounced": 4}


def apply(turn: Turn, event: Event) -> None:
    """Take over a receipt."""
    action_id = event.properties.get("action_id")
    sent = next((sent for sent in turn.state.sent if sent.action_id == action_id), None)
    if sent is not None:
        _fill_in(event, sent)
    what = event.type.removeprefix("message_")
    if what in _PROGRESS and not matching.is_machine_made(event):
        _move_status(turn, action_id, what)
    channel = event.properties.get("channel", event.channel)
    if not isinstance(channel, str):
        return
    if what == "complained" or (what == "bounced" and event.properties.get("kind") != "soft"):
        _mark_unreachable(turn, channel, sent)
    if what == "complained":
        _refuse(turn, event, channel, None)
    elif what == "unsubscribed":
        purpose = event.properties.get("purpose")
        _refuse(turn, event, channel, purpose if isinstance(purpose, str) else None)


def _fill_in(event: Event, sent: Sent) -> None:
    known = {
        "journey": sent.journey,
        "step": sent.step,
        "message": sent.message,
        "channel": sent.channel,
        "purpose": sent.purpose,
    }
    event.decoded = {**event.properties, **known}


def _move_status(turn: Turn, action_id: object, what: str) -> None:
    result = _result_of(turn, action_id)
    if result is not None and _PROGRESS[what] > _PROGRESS.get(result.status or "", -1):
        result.status = what
        turn.changed = True


def _result_of(turn: Turn, action_id: object) -> Result | None:
    for entry in turn.state.entries:
        for result in entry.results.values():
            if action_id is not None and result.action_id == action_id:
                return result
    return None


def _mark_unreachable(turn: Turn, channel: str, sent: Sent | None) -> None:
    address = sent.address if sent is not None else None
    if address is None and channel in turn.project.channels:
        today = guards.address_of(turn, turn.project.channels[channel])
        address = None if today is None else guards.as_text(today)
    if address is not None:
        turn.state.profile.unreachable[channel] = address
        turn.changed = True


def _refuse(turn: Turn, event: Event, channel: str, purpose: str | None) -> None:
    profiles.add_consent(
        turn,
        Consent(channel, purpose, granted=False, confirmed=False, at_ms=event.time_ms, source=event.type),
    )
