"""Pauses: who stands still in a paused journey, and is to go on once it is live again.

Owns how a store remembers which journeys were paused, and the finding of those who stood still meanwhile. They wait
for no instant and may never do anything again, so nothing but this would wake them. Must never wake anybody itself.
"""

from orchestrator.model import codec
from orchestrator.model.catalog import Catalog
from orchestrator.storage import Store

_PAUSED = "paused"


def released(catalog: Catalog, store: Store) -> list[str]:
    """List the profiles that stood still in a journey whose pause has ended since `noted` was last committed.

    Reads every record, but only when a pause has ended.
    """
    if not _before(store) - paused_in(catalog):
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
    """Name the journeys that are paused."""
    return {journey.id for journey in catalog.current if journey.status == "paused"}


def may_go_on(catalog: Catalog, record: bytes) -> bool:
    """Tell whether a customer stands still in a journey that is paused no longer."""
    return any(entry.stopped_ms and not catalog.is_paused(entry.journey) for entry in codec.decode(record).entries)
