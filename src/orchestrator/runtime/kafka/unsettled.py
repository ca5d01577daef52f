"""Whom new definitions move in one partition, though nothing happens to them: found bit by bit, not forgotten.

What is settled is part of the partition's header, and changes there only once everybody has been looked at: an owner
that dies in between leaves the looking to the next one, for whom those who went on already look like all others.
Owns that looking. Must never wake anybody itself.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from orchestrator.model.catalog import Catalog
from orchestrator.runtime import settling
from orchestrator.runtime.kafka.state import PartitionState

# So few are looked at in one go: each may be a turn of a large customer.
AT_ONCE = 20


class Unsettled:
    """The looking for those who may go on or move. `settled` is what was settled when it was last through."""

    def __init__(self, settled: Iterable[str] = ()) -> None:
        self.settled = tuple(settled)
        self._catalog: Catalog | None = None
        self._left: Iterator[str] | None = None

    def __bool__(self) -> bool:
        """Tell whether anybody is still to be looked at."""
        return self._left is not None

    def take_up(self, catalog: Catalog, state: PartitionState) -> None:
        """Begin to look if this catalog ends a pause or moves anybody."""
        if catalog is self._catalog:
            return
        self._catalog = catalog
        if settling.is_unsettled(catalog, self.settled):
            self._left = state.walk()
        else:
            self._end(catalog)

    def look(self, state: PartitionState, most: int) -> Iterator[tuple[str, bytes]]:
        """Run over the next records, and give those that may go on, at most so many; to be run through."""
        if self._left is None or self._catalog is None or most <= 0:
            return
        profile_ids = list(islice(self._left, min(most, AT_ONCE)))
        for profile_id in profile_ids:
            record = state.get(profile_id)
            # What is kept under another key, such as a life on its way, is nobody's state.
            if record is not None and not profile_id.startswith("@") and settling.may_go_on(self._catalog, record):
                yield profile_id, record
        if not profile_ids:
            self._end(self._catalog)

    def _end(self, catalog: Catalog) -> None:
        self.settled, self._left = tuple(sorted(settling.settled_by(catalog))), None
