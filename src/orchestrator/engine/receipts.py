"""Receipts: what came back about a message, and what it changes.

Owns four effects: a step's status moves on, an address that bounced or complained becomes
unreachable, an unsubscribe or complaint is a "no" on record, and so is a message that delivery could not send
after all, with its reason; one that never left counts toward no cap. Fills in journey, step, message,
channel and purpose, so that conditions can ask for them.
"""

from orchestrator.engine import cancelling, guards, matching, profiles
from orchestrator.engine.turn import Turn
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.model.journey import Journey
from orchestrator.model.profile import Consent
from orchestrator.model.state import Ended, Entry, Result, Sent

FAILED = "message_failed"
# How far a message has come. A receipt that arrives late never moves a status back.
_PROGRESS = {"sent": 0, "delivered": 1, "opened": 2, "clicked": 3, "failed": 4, "suppressed": 4, "bounced": 4}
# What delivery says of a message that will never leave: it counts toward no cap.
_NEVER_LEFT = frozenset({Reason.CANCELLED, Reason.EXPIRED, Reason.STALE, Reason.WINDOW_CLOSED, Reason.NO_COUPON})
# What it gave up on, until somebody lets it try again.
_GIVEN_UP = frozenset({Reason.NOT_RENDERED, Reason.REFUSED, Reason.FAILURE})
# What says that a message is out of our hands; `sent` would be a write for every message, and changes nothing else.
_ARRIVED = frozenset({"delivered", "opened", "clicked", "bounced"})


def apply(turn: Turn, event: Event) -> None:
    """Take over a receipt."""
    action_id = event.properties.get("action_id")
    what = event.type.removeprefix("message_")
    sent = next((sent for sent in turn.state.sent if sent.action_id == action_id), None)
    if sent is None and action_id is None and what == "failed":
        sent = _newest_by(turn, event)
    if sent is not None:
        action_id = sent.action_id
        _fill_in(event, sent)
    if what in _PROGRESS and not matching.is_machine_made(event):
        _move_status(turn, action_id, what, "suppressed" if is_suppressed(event) else what)
    if sent is not None and what in _ARRIVED:
        cancelling.arrived(sent)
    if sent is not None and what == "failed":
        _give_up(turn, event, sent)
    channel = event.properties.get("channel", event.channel)
    if what == "unsubscribed":
        # Of a message that nobody remembers it is a no to every channel that it may have come by.
        is_known = isinstance(channel, str) and channel in turn.project.channels
        _refuse(turn, event, channel if is_known else None)
    if not isinstance(channel, str):
        return
    if what == "complained" or (what == "bounced" and event.properties.get("kind") != "soft"):
        _mark_unreachable(turn, channel, sent)
    if what == "complained":
        _refuse(turn, event, channel, of_all=True)


def is_suppressed(event: Event) -> bool:
    """Tell whether a receipt says that a message was never to leave: no code was left for it."""
    return event.type == FAILED and event.properties.get("reason") == Reason.NO_COUPON


def _newest_by(turn: Turn, event: Event) -> Sent | None:
    """Find the message that a failure is about which names none: the newest on its channel."""
    channel = event.properties.get("channel", event.channel)
    return next((sent for sent in reversed(turn.state.sent) if sent.channel == channel), None)


def _fill_in(event: Event, sent: Sent) -> None:
    known = {
        "action_id": sent.action_id,
        "journey": sent.journey,
        "step": sent.step,
        "message": sent.message,
        "channel": sent.channel,
        "purpose": sent.purpose,
    }
    event.decoded = {**event.properties, **known}


def _give_up(turn: Turn, event: Event, sent: Sent) -> None:
    """Put on record that a message was not sent after all, and why."""
    reason = event.properties.get("reason")
    # In another system's words it may be anything, also a map or a list.
    if not isinstance(reason, str) or (reason not in _NEVER_LEFT and reason not in _GIVEN_UP):
        return
    journey = turn.catalog.journey(sent.journey, sent.version) or Journey(sent.journey, sent.version, None, {}, ())
    entry = next((entry for entry in turn.state.entries if entry.id == sent.entry_id), None)
    saw = {"channel": sent.channel, "message": sent.message, "purpose": sent.purpose}
    turn.decide(journey, entry, sent.step, Verdict.SUPPRESSED, reason, saw, sent.action_id)
    turn.changed = True
    if reason in _NEVER_LEFT:
        turn.state.history.sent = [each for each in turn.state.sent if each is not sent]


def _move_status(turn: Turn, action_id: object, what: str, status: str) -> None:
    result = _result_of(turn, action_id)
    if result is not None and _PROGRESS[what] > _PROGRESS.get(result.status or "", -1):
        result.status = status
        turn.changed = True


def _result_of(turn: Turn, action_id: object) -> Result | None:
    passages: list[Entry | Ended] = [*turn.state.entries, *turn.state.ended]
    known = (result for entry in passages for result in entry.results.values())
    return next((result for result in known if action_id is not None and result.action_id == action_id), None)


def _mark_unreachable(turn: Turn, channel: str, sent: Sent | None) -> None:
    address = sent.address if sent is not None else None
    if address is None and channel in turn.project.channels:
        today = guards.address_of(turn, turn.project.channels[channel])
        address = None if today is None else guards.as_text(today)
    if address is not None:
        profiles.mark_unreachable(turn, channel, guards.each_of(address))


def _refuse(turn: Turn, event: Event, channel: str | None, *, of_all: bool = False) -> None:
    """Put the no on record: for the message's purpose, or, `of_all` or where nobody knows it, for every one."""
    named, said_ms = event.properties.get("purpose"), profiles.said_ms(turn, event)
    purpose = named if isinstance(named, str) and not of_all else None
    profiles.add_consent(
        turn, Consent(channel, purpose, granted=False, confirmed=False, at_ms=said_ms, source=event.type)
    )
    cancelling.of_withdrawn(turn, but=event.properties.get("action_id"))
