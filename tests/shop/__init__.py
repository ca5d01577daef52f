"""A shop to test the engine with: compiled journeys written in a line a step, its project, and its customers.

Owns the words that tests of the engine are written in: `from shop import ...`. Builds values of `model` directly, so
that an engine test fails for the engine's reasons only. Must never import `language`, nor decide what is right.
"""

from shop.customers import Customer, shift_of
from shop.expressions import FAILS, const, entry_field, event_field, prop, says, step_field, trait, value
from shop.journeys import (
    KEEPS_ALL,
    ask,
    call,
    choose,
    emit,
    exits,
    goal,
    hand_off,
    journey,
    leave,
    on,
    repeat,
    score,
    send,
    set_to,
    split,
    wait,
    wait_for,
    wait_until,
)
from shop.lengths import ms, text_of
from shop.projects import channel, message, project, purpose, quiet
from shop.reminders import CONFIRMED, EMAIL_AND_SMS, EMAIL_ONLY, NIGHT, NO, YES, remind, reminded

__all__ = [
    "CONFIRMED",
    "EMAIL_AND_SMS",
    "EMAIL_ONLY",
    "FAILS",
    "KEEPS_ALL",
    "NIGHT",
    "NO",
    "YES",
    "Customer",
    "ask",
    "call",
    "channel",
    "choose",
    "const",
    "emit",
    "entry_field",
    "event_field",
    "exits",
    "goal",
    "hand_off",
    "journey",
    "leave",
    "message",
    "ms",
    "on",
    "project",
    "prop",
    "purpose",
    "quiet",
    "remind",
    "reminded",
    "repeat",
    "says",
    "score",
    "send",
    "set_to",
    "shift_of",
    "split",
    "step_field",
    "text_of",
    "trait",
    "value",
    "wait",
    "wait_for",
    "wait_until",
]
