"""The profile: a customer as we know them.

Owns traits, identifiers, consents and preferences, and the questions that can be asked of them.
Never decides whether a message may leave; that is the engine's.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class Consent(msgspec.Struct, array_like=True, gc=False):
    """One statement of consent; without channel or purpose it covers all of them."""

    channel: str | None
    purpose: str | None
    granted: bool
    confirmed: bool
    at_ms: int
    source: str | None = None
    wording: str | None = None
    method: str | None = None
    evidence: Any = None

    def covers(self, channel: str, purpose: str) -> bool:
        """Whether this statement speaks about sending for that purpose on that channel."""
        return (self.channel is None or self.channel == channel) and (self.purpose is None or self.purpose == purpose)

    def replaces(self, older: "Consent") -> bool:
        """Whether this statement covers everything the older one does, so that the older may go."""
        return self.channel in (None, older.channel) and self.purpose in (None, older.purpose)


class Profile(msgspec.Struct, array_like=True, gc=False):
    """One customer.

    `identifiers` holds the values by kind, newest last. `traits` holds what profile_updated and
    preference_changed said, language and timezone among them. `prefers` is the customer's own order of
    channels. `unreachable` holds, by channel, the address that bounced, or several as lines: any other is reachable.

    For merging with another life of the same customer, `said_ms` holds the instant at which each trait was said last,
    or taken back ("groups.<id>" for one group), `identified_ms` since when each of `identifiers` is known, in the same
    order. `lives` are the statements of consent of lives that were merged, beside `consents`: see `consent_for`.
    `wrote_ms` is when the customer last wrote to us, by channel, of those whose windows that opens.
    """

    id: str
    customer_id: str | None = None
    identifiers: dict[str, list[str]] = {}
    traits: dict[str, Any] = {}
    consents: list[Consent] = []
    prefers: list[str] = []
    unreachable: dict[str, str] = {}
    last_seen_ms: dict[str, int] = {}
    first_seen_ms: int = 0
    quiet_hours: list[dict[str, Any]] = []
    said_ms: dict[str, int] = {}
    identified_ms: dict[str, list[int]] = {}
    prefers_ms: int = 0
    quiet_hours_ms: int = 0
    lives: list[list[Consent]] = []
    wrote_ms: dict[str, int] = {}

    def value(self, name: str) -> Any:
        """Look up `profile.<name>`: a trait, else the newest identifier of that kind, else None."""
        found = self.traits.get(name)
        if found is not None:
            return found
        if name == "customer_id":
            return self.customer_id
        if name == "id":
            return self.id
        known = self.identifiers.get(name)
        return known[-1] if known else None

    def is_known_by(self, customer_id: str | None, identifiers: Mapping[str, str]) -> bool:
        """Whether a customer id and other identifiers, as they are kept, say nothing new about who this is."""
        if customer_id not in (None, self.customer_id):
            return False
        known = self.identifiers
        return all(value in known.get(kind, ()) for kind, value in identifiers.items())

    def consent_for(self, channel: str, purpose: str) -> Consent | None:
        """Find the statement that decides for (channel, purpose): the latest that covers it.

        Of statements made at one instant the one received last decides. Where lives were merged, an explicit no of
        any of them beats a yes of another, until the customer says something new, which every life then contains.
        """
        latest = _latest(self.consents, channel, purpose)
        for life in self.lives:
            latest = _stronger(latest, _latest(life, channel, purpose))
        return latest


def _latest(consents: list[Consent], channel: str, purpose: str) -> Consent | None:
    latest = None
    for consent in consents:
        if (latest is None or consent.at_ms >= latest.at_ms) and consent.covers(channel, purpose):
            latest = consent
    return latest


def _stronger(one: Consent | None, other: Consent | None) -> Consent | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda said: (not said.granted, said.at_ms, said.confirmed))
