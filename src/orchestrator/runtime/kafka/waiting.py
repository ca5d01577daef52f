"""Records that wait for their turn: by their times, and of one time by their offsets.

Owns that order. A record whose turn has come may stay on among those that wait, until it is dropped.
Must never look into a record.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from orchestrator.runtime.kafka.records import KafkaRecord

# So many are looked at together.
MOST_AHEAD = 1_000

Mark = tuple[int, int]  # a record's timestamp, and its offset


class PlainWaiting:
    """The records that wait in one partition. `bytes` is what the values of all of them take."""

    def __init__(self) -> None:
        # Those whose turn has not come, in the order of their times, from `_next` on; and those that came since.
        self._order: list[Mark] = []
        self._next = 0
        self._came: list[Mark] = []
        # Of those in order, some that were looked at together, with the place of the first of them.
        self._ahead: list[KafkaRecord] = []
        self._ahead_from = 0
        # All that was read and is not done, in the log's order.
        self._records: dict[int, KafkaRecord] = {}
        self.bytes = 0

    def __len__(self) -> int:
        """Count those whose turn has not come."""
        return len(self._order) - self._next + len(self._came)

    @property
    def next_key(self) -> Mark | None:
        """The earliest record's time and offset, of those whose turn has not come."""
        if self._came:
            self._put_in_order()
        return self._order[self._next] if self._next < len(self._order) else None

    @property
    def first(self) -> int | None:
        """The first offset of all that wait."""
        return next(iter(self._records), None)

    def ordered(self) -> Iterable[Mark]:
        """Run over those whose turn has not come, the earliest first."""
        return islice(self._order, self._next, None) if self.next_key else ()

    def add(self, record: KafkaRecord, at_ms: int) -> None:
        """Let a record wait, by this time."""
        self._records[record.offset] = record
        self._came.append((at_ms, record.offset))
        self.bytes += len(record.value or b"")

    def add_all(self, records: Sequence[KafkaRecord], wall_ms: int, most: int, most_bytes: int) -> int:
        """Let records wait, each by its own time, until so many do or their values are so large; return how many.

        One from the future is the earliest of all.
        """
        waiting, came, size, room = self._records, self._came, self.bytes, most - len(self)
        added = 0
        for added, record in enumerate(records, 1):
            offset, at_ms, value = record.offset, record.timestamp, record.value
            waiting[offset] = record
            came.append((at_ms if at_ms <= wall_ms else 0, offset))
            if value:
                size += len(value)
            if added >= room or size >= most_bytes:
                break
        self.bytes = size
        return added

    def look(self, offset: int) -> KafkaRecord:
        """Return a record."""
        return self._records[offset]

    def step(self) -> Mark:
        """Have the earliest record's turn come."""
        if (key := self.next_key) is None:
            raise IndexError("nothing waits")
        self._next += 1
        return key

    def drop(self, offset: int) -> KafkaRecord:
        """Let go of a record whose turn has come."""
        record = self._records.pop(offset)
        self.bytes -= len(record.value or b"")
        return record

    def ahead(self, until_ms: int) -> tuple[list[KafkaRecord], int]:
        """Give records up to a time in their order, and which of them is the next: many together, looked at once."""
        if self._came:
            self._put_in_order()
        at = self._next - self._ahead_from
        if at >= len(self._ahead):
            self._ahead_from, at = self._next, 0
            some = islice(self._order, self._next, self._next + MOST_AHEAD)
            self._ahead = [self._records[offset] for at_ms, offset in some if at_ms <= until_ms]
        return self._ahead, at

    def drop_next(self, count: int) -> Mark:
        """Let go of so many of the earliest, one at least; return the last one's time and offset."""
        taken = self._order[self._next : self._next + count]
        self._next += count
        for _, offset in taken:
            self.drop(offset)
        return taken[-1]

    def _put_in_order(self) -> None:
        """Put what came in its place, all at once: it comes nearly in order, and sorting makes use of that.

        *Measured*: a heap of those that wait takes twice as long.
        """
        came, self._came = sorted(self._came), []
        del self._order[: self._next]
        self._next = self._ahead_from = 0
        self._ahead = []
        behind = bisect_left(self._order, came[0])
        self._order[behind:] = sorted(self._order[behind:] + came) if behind < len(self._order) else came


def plain_count_in_python(records: Sequence[KafkaRecord], at: int, topic: str, header: str) -> int:
    """Count the records from a place on that are of one topic and have one header, of this name."""
    count = 0
    for record in islice(records, at, None):
        headers = record.headers
        if record.topic != topic or len(headers) != 1 or headers[0][0] != header:
            break
        count += 1
    return count


if TYPE_CHECKING:
    Waiting, plain_count = PlainWaiting, plain_count_in_python
else:
    try:
        # The same, compiled: `tests/unit/runtime/kafka/test_waiting.py` holds both to one law.
        from orchestrator.compiled.native import Waiting, plain_count
    except ImportError:  # no compiler where this was installed
        Waiting, plain_count = PlainWaiting, plain_count_in_python
