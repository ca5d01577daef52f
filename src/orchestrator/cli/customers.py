"""Finding a customer by whatever name a person knows them by.

Owns the reading of CUSTOMER on the command line: a customer id, or any identifier as kind:value. Must never write.
"""

from typing import NamedTuple

from orchestrator.cli.decisions import catalog_of
from orchestrator.errors import OrchestratorError
from orchestrator.model import codec, ids
from orchestrator.model.identity import CUSTOMER_ID, Identifier, Identity
from orchestrator.model.profile import Profile
from orchestrator.model.project import Project
from orchestrator.model.state import State
from orchestrator.runtime.finding import whose
from orchestrator.storage.store import Store


class SeveralCustomers(OrchestratorError):  # noqa: N818 - it names the thing found
    """A name by which more than one customer is known. The caller's move."""


class Customer(NamedTuple):
    """A customer who was asked for: the profile's id, and the state where a store has one.

    Of whoever did nothing that any journey took up, only why it did not is kept.
    """

    profile_id: str
    state: State | None


def find(store: Store, name: str) -> Customer | None:
    """Find a customer in a store; None when nobody is known by that name.

    Raises SeveralCustomers for what several are known by: whoever came first might be erased for another.
    """
    found = _named(store, candidates(name))
    kind, has_kind, value = name.partition(":")
    # Without a value, as a script leaves it out, it is nobody's name: most customers lack any one thing.
    if found is not None or not has_kind or not value.strip():
        return found
    # Compiling takes its time, so the project's own way to write a value is asked only where the common one leads
    # nowhere: a phone number without its country, an address without its dots.
    catalog = catalog_of(store)
    found = None if catalog is None else _named(store, candidates(name, catalog.project.identity))
    if found is not None:
        return found
    # Known by something that links nothing, such as a trait: only the profiles themselves say so.
    for profile_id, record in store.records():
        state = codec.decode(record)
        if _is_known_by(state.profile, kind, value):
            if found is not None:
                why = "more than one customer is known by this; give a customer id, or what is theirs alone"
                raise SeveralCustomers(why)
            found = Customer(profile_id, state)
    return found


def _named(store: Store, names: list[str]) -> Customer | None:
    for profile_id in [whose(store, name) for name in names]:
        record = store.read(profile_id)
        if record is not None:
            return Customer(profile_id, codec.decode(record))
        if _is_told_of(store, profile_id):
            return Customer(profile_id, None)
    return None


def _is_told_of(store: Store, profile_id: str) -> bool:
    """Whether anything is kept of a customer without a record: a decision, a case, a message that apps can read."""
    decided = next(store.decisions_of(profile_id), None) is not None
    return decided or bool(store.casework.of(profile_id) or store.casework.streamed_of(profile_id))


def candidates(name: str, identity: Identity | None = None) -> list[str]:
    """List the ids of the profiles that this name may stand for: a customer id first, it may hold a colon itself."""
    kind, has_kind, value = name.partition(":")
    found = [ids.profile_id_of("customer_id", name)]
    if has_kind:
        read = (identity or Identity()).read(kind, value)
        found += [read.name] if isinstance(read, Identifier) else []
        found.append(ids.profile_id_of(kind, value))
    return list(dict.fromkeys(found))


def events_about(name: str, project: Project) -> list[tuple[str | None, dict[str, str]]]:
    """List whom events have to name, as (customer id, identifiers), so that one of them is about whoever this name is.

    A kind that the project does not list may be an identifier's all the same, or the beginning of a customer id.
    """
    kind, _, value = name.partition(":")
    by_id, by_kind = (name, dict[str, str]()), (None, {kind: value})
    if not value:
        return [by_id]
    if kind == CUSTOMER_ID:
        return [by_id, (value, {})]
    return [by_kind] if kind in project.identifiers else [by_id, by_kind]


def _is_known_by(profile: Profile, kind: str, value: str) -> bool:
    return value in profile.identifiers.get(kind, []) or str(profile.traits.get(kind, "")) == value
