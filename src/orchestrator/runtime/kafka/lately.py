"""Lately: what came by in the last while, in two halves, so that the older is forgotten as a whole.

Owns that memory. Must never be asked for more than it promises: what came by within `window_ms` is known, unless there
was more than `most` of it; what lies further back than twice that is not.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)


class Lately(Generic[Thing]):
    """Things that came by lately; at most `most` in each half, where that is given."""

    def __init__(self, window_ms: int, most: int | None = None) -> None:
        self._window_ms = window_ms
        self._most = most
        self._now: set[Thing] = set()
        self._before: set[Thing] = set()
        self._since_ms = 0

    def __contains__(self, thing: Thing) -> bool:
        return thing in self._now or thing in self._before

    def __len__(self) -> int:
        return len(self._now) + len(self._before)

    def pass_to(self, wall_ms: int) -> None:
        """Let the time go on; where the wall clock was set back, begin a half anew."""
        passed_ms = wall_ms - self._since_ms
        if 0 <= passed_ms < self._window_ms:
            return
        if passed_ms >= 2 * self._window_ms:
            self._now = set()
        self._begin()
        self._since_ms = wall_ms

    def add(self, thing: Thing) -> None:
        """Take note of something."""
        if self._most is not None and len(self._now) >= self._most:
            self._begin()
        self._now.add(thing)

    def clear(self) -> None:
        """Forget everything."""
        self._now, self._before = set(), set()

    def _begin(self) -> None:
        self._before, self._now = self._now, set()
