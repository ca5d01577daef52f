"""References: what a provider is given with a message, so that what it reports leads back to it.

    4f0c…e1.9ab2…77     the delivery's key and the profile's id; a colon may stand for the dot

In a mail's Message-ID (`email.composing`), as the value of `orchestrator` wherever a provider keeps names and values
for us (custom arguments, metadata, tags), whole where it keeps one text (Meta's biz_opaque_callback_data), and in two
parameters, `action_id` and `profile_id`, of an address that is called back (Twilio's StatusCallback). `inbound` reads
it out of receipts and replies. Owns that one form. Must never hold anything personal.
"""

import re
from collections.abc import Mapping

# What the value is called where a provider wants a name for it.
NAME = "orchestrator"
# The second and further of a customer's devices have a number after the action's id.
_REFERENCE = re.compile(r"(?P<action>[A-Za-z0-9_]+)(?:-\d+)?[.:](?P<profile>[A-Za-z0-9_-]+)")


def reference_of(key: str, profile_id: str) -> str:
    """Write the reference of a delivery: its key, and whose it is."""
    return f"{key}.{profile_id}"


def read_reference(text: object) -> tuple[str, str] | None:
    """Read (action id, profile id); None for what is no reference of ours."""
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else (found["action"], found["profile"])


def reference_in(query: Mapping[str, str]) -> tuple[str, str] | None:
    """Read it out of an address's parameters."""
    return read_reference(f"{query.get('action_id', '')}.{query.get('profile_id', '')}")
