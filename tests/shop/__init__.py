"""A shop to test the engine with: compiled journeys written in a line a step, its project, and its customers.

Owns the words that tests of the engine are written in: `from shop import ...`. Builds values of `model` directly, so
that an engine test fails for the engine's reasons only. Must never import `language`, nor decide what is right.
"""

from shop.customers import Customer, shift_of
from shop.expressions import FAILS, const, entry_field, event_field, prop, says, step_field, trait, value
from shop.journeys import (
    KEEPS_ALL,
    choose,
    emit,
    exits,
    goal,
    journey,
    leave,
    on,
    repeat,
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
    "channel",
    "choose",
    "const",
    "emit",
    "entry_field",
    "event_field",
    "exits",
    "goal",
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
