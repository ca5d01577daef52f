"""Objections: what a customer who is erased has said no to, by address.

Owns which addresses and which noes outlive a profile, so that the person who comes back under the same address is
still refused. Must never keep an address itself: whoever stores an objection hashes it.
"""

from typing import Any

from orchestrator.engine.guards import addresses_in, each_of
from orchestrator.model.event import Event
from orchestrator.model.expression import Scope
from orchestrator.model.profile import Profile
from orchestrator.model.project import Channel, Project, profile_paths
from orchestrator.model.rights import Objection
from orchestrator.model.state import State


def objections_of(project: Project, state: State, now_ms: int) -> dict[str, list[Objection]]:
    """List the explicit noes of a customer by address, one for each channel and purpose of the project."""
    found: dict[str, list[Objection]] = {}
    profile = state.profile
    for channel in project.channels.values():
        said = {purpose: profile.consent_for(channel.name, purpose) for purpose in project.purposes}
        noes = [
            Objection(channel.name, purpose, consent.at_ms)
            for purpose, consent in said.items()
            if consent is not None and not consent.granted
        ]
        for address in _addresses(project, state, channel, now_ms) if noes else ():
            found.setdefault(address, []).extend(noes)
    return found


def addresses_of(project: Project, state: State, now_ms: int) -> list[str]:
    """List where the customer is reached by any channel, by the addresses that they had before too."""
    found = [each for channel in project.channels.values() for each in _addresses(project, state, channel, now_ms)]
    return list(dict.fromkeys(found))


def addresses_by(project: Project, event: Event, traits: dict[str, Any], profile_id: str) -> list[str]:
    """List where channels would reach whoever is known by nothing but an event and the traits that it tells."""
    identifiers = {kind: [value] for kind, value in event.identifiers.items()}
    scope = Scope(project, State(Profile(profile_id, event.customer_id, identifiers, traits)), event.time_ms)
    return [each for channel in project.channels.values() for each in addresses_in(channel.address.evaluate(scope))]


def _addresses(project: Project, state: State, channel: Channel, now_ms: int) -> list[str]:
    """List where a channel reaches the customer, by the addresses that they had before too."""
    now = addresses_in(channel.address.evaluate(Scope(project, state, now_ms)))
    kinds = dict.fromkeys(path[-1] for path in profile_paths(channel.address.source))
    known = [*now, *(each for kind in kinds for each in state.profile.identifiers.get(kind, []))]
    bounced = state.profile.unreachable.get(channel.name)
    return list(dict.fromkeys([*known, *(each_of(bounced) if bounced else [])]))
