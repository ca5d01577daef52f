"""Occupancy: how many customers of one partition are in each journey, by what was decided about them.

Owns that count. Decisions are counted in bulk, because one by one it costs as much as writing them.
Must never look into a state: the count is in the header of each commit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import attrgetter

from orchestrator.model.decision import Decision
from orchestrator.runtime.inside import MOVES

_counted = attrgetter("journey", "verdict", "reason")


class Occupancy:
    """The count of one partition, from what a commit left of it."""

    def __init__(self, entries: Mapping[str, int]) -> None:
        self._entries = Counter(entries)
        self._decided: list[Decision] = []

    @property
    def entries(self) -> dict[str, int]:
        """Give how many are in each journey that anybody is in; `count` goes before."""
        return {journey: count for journey, count in self._entries.items() if count}

    def note(self, decisions: Iterable[Decision]) -> None:
        """Take note of what was decided; `count` looks at it."""
        self._decided += decisions

    def count(self, elsewhere: Mapping[tuple[str, str, str], int]) -> Counter[tuple[str, str, str]]:
        """Count what was noted since the last time, and what was decided elsewhere: journey, verdict, reason."""
        decided, self._decided = self._decided, []
        counts = Counter(map(_counted, decided))
        counts.update(elsewhere)
        for (journey, verdict, _), count in counts.items():
            if verdict in MOVES:
                self._entries[journey] += MOVES[verdict] * count
        return counts

    def arrive(self, journeys: Iterable[str]) -> None:
        """Take note of entries that came with a customer."""
        self._entries.update(journeys)

    def leave(self, journeys: Iterable[str]) -> None:
        """Take note of entries that are gone with their customer."""
        self._entries.subtract(journeys)
