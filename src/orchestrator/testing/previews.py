"""Previews: the action that would send a message, for somebody who wants to see what customers get.

Owns where its data is from: an example that sends the message (played by the production engine), or a customer's
stored profile. Must never invent data: what nobody gives renders empty, as it would for a customer.
"""

from collections.abc import Iterator

import msgspec

from orchestrator.engine import payload
from orchestrator.language import Loaded
from orchestrator.model import ids, instants
from orchestrator.model.effects import Action
from orchestrator.model.expression import Scope
from orchestrator.model.state import State
from orchestrator.testing.examples import play


def by_example(loaded: Loaded, message: str, example: str | None) -> Action | None:
    """Find the first action that sends a message among the examples (those whose name contains `example`)."""
    for action in _played(loaded, example):
        if action.kind == "message" and action.message == message:
            return action
    return None


def _played(loaded: Loaded, example: str | None) -> Iterator[Action]:
    for journey_id, definition in loaded.definitions.items():
        for each in definition.examples:
            # `test` names an example behind its journey.
            if example is None or example.lower() in f"{journey_id}: {each.name}".lower():
                yield from play(loaded, journey_id, each).actions


def by_customer(loaded: Loaded, message: str, state: State, now_ms: int) -> Action:
    """Make the action that would send a message to a customer, from what is stored of them."""
    project = loaded.catalog.project
    scope = Scope(project, state, now_ms)
    known = project.messages[message]
    data: dict[str, object] = {}
    for reads in known.reads.values():
        data = _merged(data, payload.data_for(scope, reads))
    language = payload.language_of(scope, project, known)
    empty = without_data(loaded, message, now_ms)
    profile = state.profile
    return msgspec.structs.replace(
        empty, profile_id=profile.id, customer_id=profile.customer_id, language=language, data=data
    )


def without_data(loaded: Loaded, message: str, now_ms: int) -> Action:
    """Make an action that sends a message to nobody in particular."""
    known = loaded.catalog.project.messages[message]
    purposes = loaded.catalog.project.purposes
    purpose = known.purpose or next(iter(purposes), None)
    at = instants.to_text(now_ms)
    made = Action(ids.derive("preview", message, at), "message", ids.derive("preview"), None, "", 0, "", "", at)
    return msgspec.structs.replace(made, message=message, purpose=purpose)


def _merged(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    merged = dict(one)
    for name, value in other.items():
        mine = merged.get(name)
        merged[name] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged
