"""Sayings: what an event tells of a customer's profile, in every form that a producer may give it, sense or not.

Owns the strategy for traits and consents.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from orchestrator.model.effects import Action

Saying = tuple[str, dict[str, Any]]
TRAITS = ("email", "device_token", "language", "timezone", "tier", "points", "at", "groups", "address", "名", "")
VALUES: tuple[Any, ...] = (
    None, None, "gold", "tin", "a@b.example", "a@b.example", "A@b.example ", ["t1", "a@b.example"],
    "es", "Asia/Tokyo", "Nowhere/Else", "", "x" * 40, "é\n\"\\\u0001😀",
    0, 1, 2, 3, -1, -33, 200, 70_000, 2**33, -(2**40), 2**63 - 1, 2**63, 1.0, 1.5, -2.5e-7, 1e300, True, False,
    [], ["t1", "t2"], {}, {"city": "Cuenca", "deep": [1, None, {"a": {}}]}, {"vip": {"since": 3}, "club": None},
    {"vip": None}, {str(number): number for number in range(17)},
)  # fmt: skip
TEXTS = (None, "account", "", "form " * 10, 5, ["a"], {"a": 1})
CHANNELS = (None, None, "email", "sms", "push", "fax", "", 5, ["email"])
PURPOSES = (None, None, "marketing", "news", "tips", "service", "unheard_of", "", False)
ANSWERS = (True, True, True, True, False, False, False, None, "true", " Yes ", "no", 1, 0, 1.0, [], {"a": 1})


def saying(dice: Random, messages: Sequence[Action] = ()) -> Saying:
    """Tell traits or a consent; `messages` are what that may answer."""
    return _traits(dice) if dice.random() < 0.5 else _consent(dice, messages)


def _traits(dice: Random) -> Saying:
    names = dice.sample(TRAITS, dice.choice([0, 1, 1, 2, 3, 5]))
    if dice.random() < 0.05:
        names += [f"trait {dice.randrange(40)}" for _ in range(20)]
    return "profile_updated", {name: dice.choice(VALUES) for name in names}


def _consent(dice: Random, messages: Sequence[Action]) -> Saying:
    about = [("granted", dice.choice(ANSWERS[:7] if dice.random() < 0.7 else ANSWERS))]
    for name, values in (("channel", CHANNELS), ("purpose", PURPOSES)):
        if dice.random() < 0.8:
            about.append((name, dice.choice(values[:-2] if dice.random() < 0.8 else values)))
    if dice.random() < 0.3:
        about.append(("confirmed", dice.choice(ANSWERS)))
    for name in ("source", "wording", "method"):
        if dice.random() < 0.4:
            about.append((name, dice.choice(TEXTS)))
    if dice.random() < 0.3:
        evidence = {"ip": "1.2.3.4", "action_id": dice.choice([None, 7, "unknown"])}
        about.append(("evidence", evidence if dice.random() < 0.5 else dice.choice(VALUES)))
    if dice.random() < 0.2:
        about.append(("note", dice.choice(VALUES)))
    if messages and dice.random() < 0.4:
        message = dice.choice(messages)
        about += [("channel", message.channel), ("evidence", {"action_id": message.id})]
    dice.shuffle(about)
    return "consent_changed", dict(about)
