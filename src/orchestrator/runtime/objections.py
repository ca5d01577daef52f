"""Remembered noes: whoever comes back under an address that somebody objected under is still refused.

Owns how a no is found again by an event, whichever runtime keeps it and wherever. What is kept of an address is its
hash under a key that only the operator has. Must never keep an address.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import Protocol

from orchestrator.engine import guards
from orchestrator.model import ids, instants
from orchestrator.model.event import Event
from orchestrator.model.rights import Objection

# Events that may bring an address back: whoever is named by one, and whose traits hold one.
TELLING = "profile_updated"
# The receipt of a link by which somebody left.
LEFT = "message_unsubscribed"
_HASH = re.compile(r"[0-9a-f]{32}")


class Remembered(Protocol):
    """The noes that a runtime keeps. `known` are the hashes of their addresses."""

    @property
    def known(self) -> Container[str]:
        """The hashes that there is something about."""

    def hashes_of(self, address: str) -> list[str]:
        """Hash an address, under every key that is in use."""

    def said(self, found: str) -> list[Objection]:
        """Give the noes of an address by its hash."""


def renewed(remembered: Remembered, event: Event, profile_id: str) -> list[Event]:
    """Give the noes that hold again for whoever comes back under an address, as statements of consent.

    They bear the instant at which they were made, so that a yes that was given since decides.
    """
    addresses = [*event.identifiers.values()]
    if event.type == TELLING:
        addresses += [address for value in event.properties.values() for address in guards.addresses_in(value)]
    return [made for found in _found(remembered, addresses) for made in _statements(remembered, found, profile_id)]


def recalled(remembered: Remembered, address: str) -> list[Objection]:
    """Give the noes that are remembered of an address."""
    return [said for found in _found(remembered, [address]) for said in remembered.said(found)]


def told_of(remembered: Remembered, addresses: Iterable[str]) -> list[dict[str, object]]:
    """Tell what is remembered of somebody's addresses, as their export has it."""
    return [
        {"channel": said.channel, "purpose": said.purpose, "at": instants.to_text(said.at_ms)}
        for found in _found(remembered, addresses)
        for said in remembered.said(found)
    ]


def by_link(event: Event) -> tuple[str, Objection] | None:
    """Give the no of whoever left by a link, with the hash of where that was sent; None where it does not say."""
    if event.type != LEFT or event.channel is None:
        return None
    found, purpose = event.properties.get("address_hash"), event.properties.get("purpose")
    if not isinstance(found, str) or not _HASH.fullmatch(found) or not isinstance(purpose, str):
        return None
    return found, Objection(event.channel, purpose, event.time_ms)


def _found(remembered: Remembered, addresses: Iterable[str]) -> list[str]:
    known = remembered.known
    hashes = (found for address in addresses for found in remembered.hashes_of(address) if found in known)
    return list(dict.fromkeys(hashes))


def together(before: list[Objection], said: list[Objection]) -> list[Objection]:
    """Join two lists of noes about one address: of each channel and purpose the latest, in whichever order."""
    latest = {(one.channel, one.purpose): one for one in sorted([*before, *said], key=lambda one: one.at_ms)}
    return sorted(latest.values(), key=lambda one: (one.channel, one.purpose))


def _statements(remembered: Remembered, found: str, profile_id: str) -> Iterator[Event]:
    for said in remembered.said(found):
        event_id = ids.derive("objection", profile_id, found, said.channel, said.purpose, str(said.at_ms))
        properties = {
            "channel": said.channel, "purpose": said.purpose, "granted": False, "source": "objection",
        }  # fmt: skip
        yield Event(event_id, "consent_changed", said.at_ms, decoded=properties)
