"""Settling: whom a change of the definitions moves, though nothing happens to them.

Those who stood still in a paused journey go on once it is live again, and wait for no instant; those inside an older
version move to one that migrates; and whoever is known is armed anew when the audiences change, so that a customer whom
nobody has seen for a year gets a broadcast that was published today. Owns how a store remembers what it has settled,
and the finding of those whom it has not. A customer settles in a turn like any other, so a process that dies in between
leaves some who have settled and some who have not, and nobody half. Must never wake anybody itself.

What is settled is a set of names: `cart` is paused, `cart@3` has taken over whoever was inside older versions, and
records are armed for the audiences `armed:KEY`.
"""

from collections.abc import Collection

from orchestrator.model import codec
from orchestrator.model.catalog import Catalog
from orchestrator.storage import Store

_SETTLED = "settled"
# No journey's id looks like these.
_ARMED, _VERSION = "armed:", "@"


def unsettled(catalog: Catalog, store: Store) -> list[str]:
    """List the profiles that go on, move or are armed with this catalog, unless all were since `noted` was committed.

    Reads every record, but only when there is such a change.
    """
    if not is_unsettled(catalog, _before(store)):
        return []
    return [profile_id for profile_id, record in store.records() if may_go_on(catalog, record)]


def noted(catalog: Catalog, store: Store) -> dict[str, bytes | None]:
    """Give the position by which a store remembers what is settled; nothing when it knows.

    To be committed with, or after, the turns of all who were unsettled: until then they are found again.
    """
    now = settled_by(catalog)
    return {} if now == _before(store) else {_SETTLED: " ".join(sorted(now)).encode()}


def _before(store: Store) -> set[str]:
    return set((store.position(_SETTLED) or b"").decode().split())


def settled_by(catalog: Catalog) -> set[str]:
    """Name what is settled once nobody is left who may go on."""
    paused = {journey.id for journey in catalog.current if journey.status == "paused"}
    armed = set() if catalog.audiences is None else {_ARMED + catalog.audiences.key}
    return paused | armed | {f"{journey.id}{_VERSION}{journey.version}" for journey in catalog.migrating.values()}


def is_unsettled(catalog: Catalog, settled: Collection[str]) -> bool:
    """Tell whether anybody may have to go on: a pause ended, a version came that migrates, audiences changed."""
    now = settled_by(catalog)
    gone, new = set(settled) - now, now - set(settled)
    # A version that moved everybody has nothing left to do when it goes, and a pause none when it begins.
    return any(_VERSION not in name for name in gone) or any(_VERSION in name or _ARMED in name for name in new)


def may_go_on(catalog: Catalog, record: bytes) -> bool:
    """Tell whether a customer goes on, moves or is armed anew with this catalog."""
    state = codec.decode(record)
    if catalog.audiences is not None and state.past.armed != catalog.audiences.key:
        return True
    return any(
        (entry.stopped_ms and not catalog.is_paused(entry.journey)) or catalog.successor(entry) is not None
        for entry in state.entries
    )
