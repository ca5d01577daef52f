"""Remembered noes: whoever comes back under an address that somebody objected under is still refused.

Owns how a no is found again by an event, whichever runtime keeps it and wherever. What is kept of an address is its
hash under a key that only the operator has. Must never keep an address.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Protocol

from orchestrator.engine import guards, objections
from orchestrator.model import ids, instants
from orchestrator.model.event import Event
from orchestrator.model.project import Project
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
        """Hash an address in every way in which it may be kept; the first is the one for what is new."""

    def said(self, found: str) -> list[Objection]:
        """Give the noes of an address by its hash."""


def renewed(remembered: Remembered, project: Project, event: Event, profile_id: str) -> list[Event]:
    """Give the noes that hold again for whoever comes back under an address, as statements of consent.

    They bear the instant at which they were made, so that a yes that was given since decides.
    """
    addresses = [*event.identifiers.values()]
    traits = event.properties if event.type == TELLING else {}
    addresses += [address for value in traits.values() for address in guards.addresses_in(value)]
    if project.is_addressed_by_id or not project.addressed_by.isdisjoint(traits):
        addresses += objections.addresses_by(project, event, traits, profile_id)
    found = _found(remembered, addresses)
    return [made for each in found for made in _statements(remembered, each, profile_id, event.customer_id)]


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
    distinct = dict.fromkeys(addresses)
    hashes = (found for address in distinct for found in remembered.hashes_of(address) if found in known)
    return list(dict.fromkeys(hashes))


def by_hash(remembered: Remembered, noes: Mapping[str, list[Objection]]) -> dict[str, list[Objection]]:
    """Give noes by the hash of their address; two that are one, written in two ways, have both their noes."""
    found: dict[str, list[Objection]] = {}
    for address, said in noes.items():
        place = remembered.hashes_of(address)[0]
        found[place] = together(found.get(place, []), said)
    return found


def together(before: list[Objection], said: list[Objection]) -> list[Objection]:
    """Join two lists of noes about one address: of each channel and purpose the latest, in whichever order."""
    latest = {(one.channel, one.purpose): one for one in sorted([*before, *said], key=lambda one: one.at_ms)}
    return sorted(latest.values(), key=lambda one: (one.channel, one.purpose))


def _statements(remembered: Remembered, found: str, profile_id: str, customer_id: str | None) -> Iterator[Event]:
    for said in remembered.said(found):
        event_id = ids.derive("objection", profile_id, found, said.channel, said.purpose, str(said.at_ms))
        properties = {
            "channel": said.channel, "purpose": said.purpose, "granted": False, "source": "objection",
        }  # fmt: skip
        # It may be the first that is heard of them.
        yield Event(event_id, "consent_changed", said.at_ms, customer_id, decoded=properties)
