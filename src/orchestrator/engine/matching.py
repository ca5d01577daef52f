"""Matching: whether an event is about an entry, and whether a trigger takes it.

Owns correlation (LANGUAGE.md, "Correlation") and the rule that machine opens and clicks match only
where somebody asks for them.
"""

from typing import Any

from orchestrator.engine.turn import Turn
from orchestrator.model.catalog import ANSWERABLE, CASE_EVENTS, RECEIPTS, UNREACHABLE
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.model.journey import Journey, Trigger
from orchestrator.model.state import Entry

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_WAITED, _CONDITION_FALSE = Verdict.WAITED.value, Reason.CONDITION_FALSE.value
_UNREAD = "\x1f"  # no key: what ids are joined with
_MACHINE_MADE = frozenset({"message_opened", "message_clicked"})
# What others report about a customer is not the customer's doing: our own message that arrives breaks no silence.
_OF_OTHERS = (
    (RECEIPTS - {"message_opened", "message_clicked", "message_unsubscribed", "message_complained"})
    | CASE_EVENTS
    | {"call_answered", UNREACHABLE, ANSWERABLE}
)
# Answers name the message they are about as receipts do.
ABOUT_A_MESSAGE = RECEIPTS | {"survey_answered", "message_received", "call_answered"}


def key_of(turn: Turn, event: Event, name: str) -> str | None:
    """Read a journey's key from the event at hand, once; None when it has none."""
    key = turn.keys.get(name, _UNREAD)
    if key is _UNREAD:
        turn.keys[name] = key = as_key(event.properties.get(name))
    return key


def as_key(value: Any) -> str | None:
    """Write a key as text, so that 7, 7.0 and "7" are one cart."""
    if value.__class__ is str:
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else None


def concerns(turn: Turn, event: Event, journey: Journey, entry: Entry) -> bool:
    """Whether an event is about this entry: its key, and the message it answers, where it names them."""
    if journey.key is not None:
        key = key_of(turn, event, journey.key)
        if key is not None and key != entry.key:
            return False
    if event.type in ABOUT_A_MESSAGE:
        action_id = event.properties.get("action_id")
        if action_id is not None:
            for sent in turn.state.sent:  # of whatever round or visit, while it is remembered
                if sent.action_id == action_id:
                    return sent.entry_id == entry.id
            return any(result.action_id == action_id for result in entry.results.values())
    return True


def is_machine_made(event: Event) -> bool:
    """Whether a proxy or scanner, not the customer, opened or clicked."""
    return event.type in _MACHINE_MADE and event.properties.get("machine") is True


def is_sign_of_life(turn: Turn, event: Event) -> bool:
    """Whether the customer did something; what we emit ourselves while we handle an event is none of their doing."""
    return not turn.emitted_count and event.type not in _OF_OTHERS and not is_machine_made(event)


def takes(turn: Turn, trigger: Trigger, entry: Entry | None) -> bool:
    """Whether a trigger takes the event at hand; the caller has looked up the type."""
    event = turn.event
    where = trigger.where
    if event is not None and event.type in _MACHINE_MADE and is_machine_made(event):
        return where is not None and where.names_machine and where.holds(turn.scope_at(entry))
    return where is None or where.holds(turn.scope_at(entry))


def note_untaken(turn: Turn, journey: Journey, entry: Entry, trigger: Trigger) -> None:
    """Remember that an event was looked at and not taken, because a condition is false."""
    if trigger.segment is None:  # a change of another segment is none of its business
        turn.untaken.append((journey, entry, trigger))


def say_untaken(turn: Turn, since: int) -> None:
    """Put on record, once for each entry, that an event was looked at and moved nothing in its journey.

    Whoever restarted, moved or was refused by the same event has that on record already (the decisions
    from number `since` on); a second line about a condition beside it would only hide it.
    """
    told = {decision.journey for decision in turn.decisions[since:]}
    seen: dict[str, tuple[Journey, Entry, dict[str, Any]]] = {}
    for journey, entry, trigger in turn.untaken:
        if journey.id not in told and entry.step:
            _, _, saw = seen.setdefault(entry.id, (journey, entry, {}))
            if trigger.where is not None:
                saw.update(trigger.where.values_seen(turn.scope_at(entry)))
    turn.untaken.clear()
    for journey, entry, saw in seen.values():
        turn.decide(journey, entry, entry.step, _WAITED, _CONDITION_FALSE, saw)
