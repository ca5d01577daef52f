"""The rights of the person concerned, over a store: erase everything, export everything, remember a no.

Owns the order of an erasure, each step of which may be done twice:

1. the objections are kept, as keyed hashes
2. one transaction takes the record (and with it its timers), the names that lead to it, what is on its way to it, its
   decisions, the lines and dead letters about it, and whose the codes are that it was given
3. the receipt is put down
4. the file is rewritten, so that nothing of it is left in free pages or in the log

Must never write a person's value into a receipt or a log.
"""

import secrets

import msgspec

from orchestrator.engine.objections import addresses_of, objections_of
from orchestrator.model import codec, ids, instants
from orchestrator.model.identity import Identity
from orchestrator.model.project import Project
from orchestrator.model.rights import Export, Objection, Receipt, Remains, objection_hashes
from orchestrator.model.state import State
from orchestrator.runtime.inside import INSIDE
from orchestrator.runtime.objections import by_hash, together, told_of
from orchestrator.storage import Batch, Store
from orchestrator.storage.erasing import is_theirs

KEY = "identity.key"
OBJECTION = "objection."
RECEIPT = "erased."

_encode = msgspec.json.Encoder().encode
_decode_objections = msgspec.json.Decoder(list[Objection]).decode


class StoredObjections:
    """The noes of people who were erased, as a store keeps them. `known` are the hashes of their addresses."""

    def __init__(self, store: Store, identity: Identity) -> None:
        self._store = store
        self._identity = identity
        self.known = frozenset(name.removeprefix(OBJECTION) for name in store.positions(OBJECTION))

    def hashes_of(self, address: str) -> list[str]:
        """Hash an address under the store's own key."""
        return objection_hashes(key_of(self._store), address, self._identity)

    def said(self, found: str) -> list[Objection]:
        """Give the noes of an address by its hash."""
        return _decode_objections(self._store.position(OBJECTION + found) or b"[]")


def erase(store: Store, project: Project, profile_id: str, now_ms: int, *, scrubs: bool = True) -> Receipt:
    """Erase all that is kept of a profile, in one transaction, and put down a receipt that names nobody.

    Without `scrubs` the file is not rewritten: whoever erases many does that once, at the end.
    """
    record = store.read(profile_id)
    state = None if record is None else codec.decode(record)
    noes = {} if state is None else objections_of(project, state, now_ms)
    kept = _objections_to_keep(store, project, noes)
    receipt_id = ids.derive("erased", secrets.token_hex(16))
    if kept:
        store.commit(Batch(positions=kept))  # before what they are made from is gone
    named = list(store.names_of(profile_id))  # as what was said of a visitor, who is this customer now
    counts = store.erase(profile_id, [*named, *reached_by(project, state, now_ms)])
    files = sorted(store.lengths())
    remains = [Remains("output files, which are the company's own", files)] if files else []
    at = instants.to_text(now_ms)
    receipt = Receipt(receipt_id, at, counts, len(kept), remains, in_force_at=at)
    store.commit(Batch(positions={RECEIPT + receipt_id: _encode(receipt), INSIDE: None}))
    if scrubs:
        store.scrub()
    return receipt


def remember(store: Store, project: Project, found: str, said: Objection) -> StoredObjections:
    """Remember a no of somebody of whom only the hash of an address is known; give all that is remembered now."""
    store.commit(Batch(positions=dict([_kept_with(store, found, [said])])))
    return StoredObjections(store, project.identity)


def _objections_to_keep(store: Store, project: Project, noes: dict[str, list[Objection]]) -> dict[str, bytes | None]:
    hashed = by_hash(StoredObjections(store, project.identity), noes) if noes else {}
    return dict(_kept_with(store, found, said) for found, said in hashed.items())


def _kept_with(store: Store, found: str, said: list[Objection]) -> tuple[str, bytes]:
    """Write noes with those that are kept of an address already: the position, and what stands there."""
    name = OBJECTION + found
    return name, _encode(together(_decode_objections(store.position(name) or b"[]"), said))


def key_of(store: Store) -> str:
    """Give the key of the store's objections, made when it is first needed."""
    kept = store.position(KEY)
    if kept is not None:
        return kept.decode()
    made = secrets.token_urlsafe(32)
    store.commit(Batch(positions={KEY: made.encode()}))
    return made


def values_of(state: State) -> list[str]:
    """List what a customer is named by: whatever quotes one of these is about them."""
    profile = state.profile
    named = [profile.customer_id or "", *(value for values in profile.identifiers.values() for value in values)]
    return [value for value in dict.fromkeys(named) if value]


def export(store: Store, profile_id: str, now_ms: int, project: Project | None = None) -> Export:
    """Give everything that is kept of a profile as one document; the project says which are their addresses."""
    record = store.read(profile_id)
    state = None if record is None else codec.decode(record)
    decisions = [msgspec.json.decode(line) for line in store.decisions_of(profile_id)]
    pending = [msgspec.json.decode(each.action) for each in store.pending_of(profile_id)]
    names = store.names_of(profile_id)
    made = document(profile_id, state, now_ms, decisions, pending, names)
    made.cases = [named(each) for each in store.casework.of(profile_id)]
    made.streamed = [msgspec.json.decode(each.message) for each in store.casework.streamed_of(profile_id)]
    reached, letters = reached_by(project, state, now_ms), store.dead_letters()
    quoted = [*names, *reached]
    made.dead_letters = [msgspec.json.decode(line) for line in letters if is_theirs(line, profile_id, quoted)]
    made.coupons = [{"coupon": each.coupon, "code": each.code} for each in store.codes_of(profile_id)]
    made.addresses = store.addresses.of(profile_id)
    remembered = StoredObjections(store, Identity() if project is None else project.identity)
    if remembered.known:  # else there is no key yet, and reading makes none
        made.objections = told_of(remembered, reached)
    return made


def reached_by(project: Project | None, state: State | None, now_ms: int) -> list[str]:
    """List what a customer is named by, and where they are reached."""
    if state is None:
        return []
    return [*values_of(state), *([] if project is None else addresses_of(project, state, now_ms))]


def document(
    profile_id: str,
    state: State | None,
    now_ms: int,
    decisions: list[dict[str, object]],
    pending: list[dict[str, object]],
    names: dict[str, str],
) -> Export:
    """Write what is known of a customer as the document that they are given."""
    if state is None:
        return Export(instants.to_text(now_ms), profile_id, None, {}, [], {}, decisions, pending, names)
    history = named(state.history)
    history["past"] = named(state.past) if state.has_past else {}
    history["events_seen"] = len(state.seen) // 8
    return Export(
        instants.to_text(now_ms),
        profile_id,
        state.profile.customer_id,
        named(state.profile),
        [named(entry) for entry in state.entries],
        history,
        decisions,
        pending,
        names,
    )


def named(value: object) -> dict[str, object]:
    """Write a struct with its fields' names, which records leave out, and instants as text."""
    named = _plain(value)
    assert isinstance(named, dict)  # noqa: S101 - the caller hands over a struct
    return named


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return dict(_field(name, getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _field(name: str, value: object) -> tuple[str, object]:
    if not name.endswith("_ms"):
        return name, _plain(value)
    return ("at" if name == "at_ms" else f"{name[:-3]}_at"), _instant(value)


def _instant(value: object) -> object:
    if isinstance(value, int):
        return instants.to_text(value) if value else None
    if isinstance(value, dict):
        return {str(name): _instant(inner) for name, inner in value.items()}
    return [_instant(inner) for inner in value] if isinstance(value, list) else value
