"""Who wakes next: a heap of (due instant, profile), with at least one wake for every profile that waits.

Owns the order in which profiles wake: by instant, then by profile id, the same in every runtime.
Must never read a store, a record or a clock.

Nothing is ever removed from inside the heap. A wake is a question, not a promise: whoever takes one
looks at the record's own due instant and finds it due, due later (puts it back), or waiting no more
(drops it). So a timer that moves back, as with every `restart_on`, costs nothing until its old instant.
A wake that was taken is used up: what the record waits for next is put in as if it had waited for nothing.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

NEVER_MS = 1 << 62

# Room for wakes that came to nothing before the heap is cleaned; below it cleaning is not worth its while.
_SLACK = 1024


class PlainTimers:
    """The wakes of one partition, or of one embedded store.

    `next_ms` is the earliest wake's instant, NEVER_MS when there is none: a hot loop compares it with
    its clock and calls nothing.
    """

    __slots__ = ("_clean_at", "_heap", "next_ms")

    def __init__(self, waiting: Iterable[tuple[int, str]] = ()) -> None:
        self._heap = list(waiting)
        heapify(self._heap)
        self._clean_at = 2 * len(self._heap) + _SLACK
        self.next_ms = self._heap[0][0] if self._heap else NEVER_MS

    def __len__(self) -> int:
        """Count the wakes, those that will come to nothing included."""
        return len(self._heap)

    def schedule(self, profile_id: str, old_due_ms: int, due_ms: int) -> None:
        """Take note that a record, due at `old_due_ms` so far, is now due at `due_ms` (0: it waits for nothing).

        A record that is due no earlier than before has a wake already, at its old instant or sooner;
        unless that wake has just been taken, and then its old instant is 0.
        """
        if due_ms and (due_ms < old_due_ms or not old_due_ms):
            self.put_back(profile_id, due_ms)

    def put_back(self, profile_id: str, due_ms: int) -> None:
        """Wake a profile at `due_ms`, whatever other wakes it has."""
        heap = self._heap
        if len(heap) >= self._clean_at:
            self._clean()
            heap = self._heap
        heappush(heap, (due_ms, profile_id))
        self.next_ms = heap[0][0]

    def take(self) -> tuple[int, str]:
        """Take the earliest wake; of one instant, the lowest profile id. Raises IndexError when there is none."""
        wake = heappop(self._heap)
        self.next_ms = self._heap[0][0] if self._heap else NEVER_MS
        return wake

    def take_before(self, instant_ms: int) -> Iterator[tuple[int, str]]:
        """Take all wakes strictly before an instant, those included that are put in meanwhile."""
        while self.next_ms < instant_ms:
            yield self.take()

    def _clean(self) -> None:
        """Keep each profile's earliest wake only.

        A customer who enters and leaves all day leaves a wake behind each time; without this the heap
        would grow with events instead of customers.
        """
        earliest: dict[str, int] = {}
        for due_ms, profile_id in self._heap:
            if due_ms < earliest.get(profile_id, NEVER_MS):
                earliest[profile_id] = due_ms
        self._heap = [(due_ms, profile_id) for profile_id, due_ms in earliest.items()]
        heapify(self._heap)
        self._clean_at = 2 * len(self._heap) + _SLACK


if TYPE_CHECKING:
    Timers = PlainTimers
else:
    try:
        # The same, compiled: `tests/unit/runtime/test_timers.py` holds both to one law.
        from orchestrator.compiled.native import Timers
    except ImportError:  # no compiler where this was installed
        Timers = PlainTimers
