"""Finding a customer in a store, by whatever somebody knows of them.

Owns what counts as a name: a customer id, `kind:value`, or the value alone. Must never change anything.
"""

from orchestrator.model import codec
from orchestrator.model.identity import Identifier
from orchestrator.model.profile import Profile
from orchestrator.model.project import Project
from orchestrator.model.state import State
from orchestrator.runtime.live import Known
from orchestrator.storage import Store


def whose(store: Store, name: str) -> str:
    """Give the profile that a name stands for: its own, where there is one, else whom it leads to.

    A link may be older than a merge. What links nobody leads to who was seen with it, and may have a life of its own.
    """
    return name if store.read(name) is not None else store.named(name) or name


def state_of(store: Store, profile_id: str) -> State | None:
    """Give the state of a profile, or of the one that it became part of; None when there is none."""
    record = store.read(whose(store, profile_id))
    return None if record is None else codec.decode(record)


def known(store: Store, profile_id: str, newest: int) -> Known | None:
    """Give what is known of a profile, with so many of the newest decisions."""
    profile_id = whose(store, profile_id)
    record = store.read(profile_id)
    return None if record is None else Known(codec.decode(record), list(store.decisions_of(profile_id))[-newest:])


def find(store: Store, project: Project, name: str, newest: int) -> Known | None:
    """Find a customer by any identifier, with so many of the newest decisions; None when nobody is known by it."""
    kind, colon, value = name.partition(":")
    rules = project.identity
    asked = [("customer_id", name), *([(kind, value)] if colon else [])]
    asked += [(each, name) for each in project.identifiers]
    read = [rules.read(each, text) for each, text in asked]
    for each in dict.fromkeys(found.name for found in read if isinstance(found, Identifier)):
        profile_id = whose(store, each)
        record = store.read(profile_id)
        decisions = list(store.decisions_of(profile_id))[-newest:]
        if record is not None:
            return Known(codec.decode(record), decisions)
        if decisions:  # nothing of them is kept, but why they did not enter is on record
            return Known(State(Profile(profile_id)), decisions)
    return None
