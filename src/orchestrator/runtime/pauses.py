"""Pauses: who stands still in a paused journey, and is to go on once it is live again; and who is to be armed anew.

Owns how a store remembers which journeys were paused, and which audiences its records were armed for, and the finding
of those whom a change of either concerns. They wait for no instant and may never do anything again, so nothing but
this would wake them: a customer whom nobody has seen for a year gets a broadcast that was published today. Must never
wake anybody itself.
"""

from orchestrator.model import codec
from orchestrator.model.catalog import Catalog
from orchestrator.storage import Store

_PAUSED = "paused"
# Before the key of the audiences in force, among the ids of journeys; no journey's id looks like it.
_ARMED = "armed:"


def released(catalog: Catalog, store: Store) -> list[str]:
    """List the profiles that stood still in a journey whose pause has ended, or were armed for other audiences.

    Since `noted` was last committed, that is. Reads every record, but only when there is such a change.
    """
    if not has_ended(_before(store), catalog):
        return []
    return [profile_id for profile_id, record in store.records() if may_go_on(catalog, record)]


def noted(catalog: Catalog, store: Store) -> dict[str, bytes | None]:
    """Give the position by which a store remembers what is paused; nothing when it knows.

    To be committed with, or after, the turns of those who were released: until then they are found again.
    """
    now = paused_in(catalog)
    return {} if now == _before(store) else {_PAUSED: " ".join(sorted(now)).encode()}


def _before(store: Store) -> set[str]:
    return set((store.position(_PAUSED) or b"").decode().split())


def paused_in(catalog: Catalog) -> set[str]:
    """Name the journeys that are paused, and the audiences that records are armed for."""
    armed = set() if catalog.audiences is None else {_ARMED + catalog.audiences.key}
    return armed | {journey.id for journey in catalog.current if journey.status == "paused"}


def has_ended(before: set[str], catalog: Catalog) -> bool:
    """Tell whether somebody may be concerned by what changed since this was paused and armed for."""
    now = paused_in(catalog)
    return bool(before - now) or any(name.startswith(_ARMED) for name in now - before)


def may_go_on(catalog: Catalog, record: bytes) -> bool:
    """Tell whether a customer stands still in a journey that is paused no longer, or is armed for other audiences."""
    state = codec.decode(record)
    if catalog.audiences is not None and state.past.armed != catalog.audiences.key:
        return True
    return any(entry.stopped_ms and not catalog.is_paused(entry.journey) for entry in state.entries)
