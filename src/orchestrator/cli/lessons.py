"""Lessons: the first events that whoever tries a project out may send it.

Owns which they are: a customer who can be reached and has agreed, and what a journey begins with, as its first example
has it. Must never send anything.
"""

import json
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.language import Loaded
    from orchestrator.model.journey import Journey

CUSTOMER = "ana"


def command(loaded: "Loaded", address: str, key: str) -> str:
    """Write the command that sends the events to a service, for a shell."""
    body = json.dumps(events(loaded), ensure_ascii=False)
    return f"curl -u {key}: {address}/v1/events -d {shlex.quote(body)}"


def events(loaded: "Loaded") -> list[dict[str, Any]]:
    """List the events after which a customer is inside the first live journey that an event opens."""
    from orchestrator.testing.setting import addresses_of

    project = loaded.catalog.project
    told = [("profile_updated", addresses_of(project)), ("consent_changed", {"granted": True, "confirmed": True})]
    opening = next((each for each in loaded.catalog.current if each.status == "live" and each.enters_by_event), None)
    told.append(("seen", {}) if opening is None else _opening(loaded, opening))
    return [{"type": name, "customer_id": CUSTOMER, "properties": properties} for name, properties in told]


def _opening(loaded: "Loaded", journey: "Journey") -> tuple[str, dict[str, Any]]:
    """Find an event that opens a journey in its examples; without one, make up its key."""
    for example in loaded.definitions[journey.id].examples:
        for given in example.given:
            if given.event in journey.enters_by_event:
                return given.event, given.properties
    return min(journey.enters_by_event), {} if journey.key is None else {journey.key: "1"}
