"""What a journey reads of the events it sees, and so what its entries must keep.

Owns the pruning: from the names in every expression and template of a journey to the properties that state holds. What
nobody reads is never stored. Must never drop something that is read.
"""

from collections.abc import Iterable

from orchestrator.language.expressions import Read
from orchestrator.model.audience import BOUGHT, AskedPast
from orchestrator.model.journey import Kept

Names = frozenset[str] | None


class Reads:
    """All names that one journey reads, its own expressions' and its messages' alike."""

    def __init__(self) -> None:
        self._reads: set[Read] = set()

    def add(self, reads: Iterable[Read]) -> None:
        """Add names as `expressions` and `templates` give them; a step's id may have dashes or underscores."""
        for read in reads:
            self._reads.add(("steps", read[1].replace("_", "-"), *read[2:]) if read[0] == "steps" else read)

    def asked(self) -> AskedPast:
        """Tell what is read of a customer's past."""
        counts: dict[str, int] = {}
        for read in self._reads:
            if read[0] == "count":
                counts[read[1]] = max(int(read[2]), counts.get(read[1], 0))
        of_profile = {read[1] for read in self._reads if read[0] == "profile" and len(read) > 1}
        segments = frozenset(read[1] for read in self._reads if read[0] == "segment")
        return AskedPast(counts, "last_seen" in of_profile, not of_profile.isdisjoint(BOUGHT), segments)

    def kept(self, step_id: str) -> Kept:
        """Tell what of its event a step must keep."""
        events = [read[2:] for read in self._reads if read[:2] == ("steps", step_id) and len(read) > 2]
        held = [read for read in events if read[0] in ("event", "events")]
        return Kept(
            event=any(read[0] == "event" for read in held),
            events=any(read[0] == "events" for read in held),
            names=_properties(read[1:] for read in held),
        )

    def entry(self, waits: Iterable[str]) -> Names:
        """Name the opening event's properties that are read.

        A wait shows the opening event until another restarts it, so what is read of those `waits` counts too.
        """
        names: Names = frozenset(read[1] for read in self._reads if read[0] == "entry")
        for step_id in waits:
            names = _joined(names, self.kept(step_id).names)
        return names

    @property
    def keeps_event(self) -> bool:
        """Whether anything of the entry's last event is read."""
        return any(read[0] == "event" for read in self._reads)

    @property
    def event(self) -> Names:
        """Name the last event's properties that are read."""
        return _properties(read[1:] for read in self._reads if read[0] == "event")

    def status_of(self, sends: Iterable[str]) -> bool:
        """Tell whether the status of any of these steps is read, which receipts move on."""
        return any(read[0] == "steps" and read[1] in sends and read[2:3] == ("status",) for read in self._reads)


def _properties(reads: Iterable[Read]) -> Names:
    """Name the properties in what is read of an event; None, for all, where the whole of it is."""
    names: Names = frozenset()
    for read in reads:
        if not read or read == ("properties",):
            return None
        if read[0] == "properties":
            names = _joined(names, frozenset({read[1]}))
    return names


def _joined(one: Names, other: Names) -> Names:
    return None if one is None or other is None else one | other
