"""The rights of the person concerned, as values: what an erasure leaves, and what an export holds.

Owns the receipt, the objection that outlives an erasure, and the document that an export is. Must never name a person
in a receipt or an objection: the one counts, the other is a keyed hash.
"""

from hashlib import blake2b
from typing import Any

import msgspec

from orchestrator.model.identity import EMAIL, PHONE, Identity, kept_form, without_dots

# The event that asks for an erasure (CONTRACTS.md, "Events in").
ERASE = "profile_erase_requested"


class Remains(msgspec.Struct):
    """Copies that an erasure does not reach: what they are, where, and when the last of them is gone, if that is known.

    Without `until` they are the company's own to keep or to delete.
    """

    what: str
    where: list[str]
    until: str | None = None


class Receipt(msgspec.Struct):
    """What an erasure did: how much of what is gone, what stays, and nothing about whose it was.

    It is in force at `in_force_at`, and whoever comes back under an address with an objection is refused from then on.
    Without that nobody has waited for it, or nobody has carried it out yet.
    """

    id: str
    at: str
    erased: dict[str, int]
    objections: int = 0
    remains: list[Remains] = []
    in_force_at: str | None = None


class Objection(msgspec.Struct, array_like=True, frozen=True):
    """An explicit no for a channel and purpose, as it outlives the profile that said it."""

    channel: str
    purpose: str
    at_ms: int


class Export(msgspec.Struct):
    """Everything that is kept of one customer, in one document.

    `profile` is what they are and said, `journeys` where they stand, `history` what was before as far as it still
    counts. `decisions` are all that are kept, oldest first, `pending` what is on its way to them, `names` the hashes
    that lead to them, by kind. `cases` are those that people work on or worked on, `streamed` the messages that the
    company's own apps can still read, `dead_letters` what came to nothing and quotes them, `coupons` the codes that
    they were given, `addresses` the hashes of those that they are found by, `objections` the noes that are remembered
    of their addresses from before an erasure. `actions` are those that are still in their topic, on Kafka; on one
    machine they, and dead letters of `run`, are in files, which are the company's own.
    """

    at: str
    profile_id: str
    customer_id: str | None
    profile: dict[str, Any]
    journeys: list[dict[str, Any]]
    history: dict[str, Any]
    decisions: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    names: dict[str, str]
    cases: list[dict[str, Any]] = []
    streamed: list[dict[str, Any]] = []
    coupons: list[dict[str, str]] = []
    actions: list[dict[str, Any]] = []
    dead_letters: list[dict[str, Any]] = []
    addresses: list[str] = []
    objections: list[dict[str, Any]] = []


def objection_hash(key: str, address: str, identity: Identity) -> str:
    """Hash an address under a key that only the operator has, written the one way that its kind is named by."""
    return objection_hashes(key, address, identity)[0]


def objection_hashes(key: str, address: str, identity: Identity) -> list[str]:
    """Hash an address in every way in which a no about it may be kept; the first is the one for what is new."""
    email = kept_form(EMAIL, address, identity.region)
    kept = email or kept_form(PHONE, address, identity.region) or address.strip()
    named = without_dots(kept) if email and identity.ignores_dots else kept
    # Where dots do not count today, they did perhaps when the no was said.
    forms = dict.fromkeys([named, kept])
    return [blake2b(form.encode(), key=key.encode()[:64], digest_size=16).hexdigest() for form in forms]
