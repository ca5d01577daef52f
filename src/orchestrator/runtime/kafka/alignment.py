"""Alignment: records of many sources, mixed in one topic, taken in the order of their times.

Behind resolve, a partition's log is a mixture of all sources, and one that lags puts an order of ten o'clock behind a
cart of eleven. So a record waits here until every source has told a clock that is past it. What was processed out of
the log's order is known after a crash from two numbers: of the records before `read`, those up to `mark`, but for those
that came late and could not go at once (`late`), or were held when their turn had come (`held`, among the late). Until
everything before `read` has been read again, nothing may be taken: the clocks that were heard before the crash speak
of records that are not all here yet.
Owns the records that wait, that knowledge, and how many may wait: beyond that the oldest go on, and only timers, which
never wait here, keep the promise that nothing fires before an order that is already in a log. Must never look into one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Self

from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.records import KafkaRecord

# So many records wait at most, some 40 MB, of large ones so many bytes; beyond that a source lags too far behind the
# others to be waited for.
MOST_WAITING = 50_000
MOST_WAITING_BYTES = 64 << 20

# So many are looked at together.
MOST_AHEAD = 1_000

Mark = tuple[int, int]  # a record's timestamp, and its offset


class Alignment:
    """The records that wait, of one input, after what an earlier incarnation left; reading goes on at `position`."""

    def __init__(
        self,
        read: int = 0,
        mark: Mark = (0, 0),
        position: int | None = None,
        late: Iterable[int] = (),
        held: Iterable[int] = (),
    ) -> None:
        self.read = read
        self._seen = read if position is None else position
        self.mark = mark
        self._left_read, self._left_mark = read, mark
        self._left_late, self._left_held = frozenset(late), frozenset(held)
        # Those whose turn has not come, in the order of their times, from `_next` on; and those that came since.
        self._order: list[Mark] = []
        self._next = 0
        self._came: list[Mark] = []
        # Of those in order, some that were looked at together, with the place of the first of them.
        self._ahead: list[KafkaRecord] = []
        self._ahead_from = 0
        # All that was read and is not done, in the log's order: what is held as well.
        self._waiting: dict[int, KafkaRecord] = {}
        self._held: set[int] = set()
        # What the values of all that wait take, those that are held among them.
        self.bytes = 0

    @classmethod
    def of(cls, header: Header, topic: str) -> Self:
        """Make what a commit left of this input."""
        mark = header.mark_ms, header.mark_offset
        return cls(header.read, mark, header.offsets.get(topic), header.late, header.held)

    def note_in(self, header: Header) -> None:
        """Put down what is known of the records between `position` and `read`."""
        header.read = self.read
        header.mark_ms, header.mark_offset = self.mark
        header.late, header.held = self.late, self.held

    def __len__(self) -> int:
        return len(self._order) - self._next + len(self._came)

    @property
    def is_crowded(self) -> bool:
        """Tell whether no more may wait."""
        return len(self) >= MOST_WAITING or self.bytes >= MOST_WAITING_BYTES

    def may_go(self, until_ms: int) -> bool:
        """Tell whether the earliest waiting record may be taken, if those up to this time may."""
        key = self.next_key
        return key is not None and (key[0] <= until_ms or key <= self.mark)

    @property
    def is_whole(self) -> bool:
        """Tell whether all that was read before is here again."""
        return self._seen >= self._left_read

    @property
    def position(self) -> int:
        """The first offset that a restart has to read again.

        Given up before all of what waited was here again, the rest of it is still to be read.
        """
        return next(iter(self._waiting), self.read if self.is_whole else self._seen)

    @property
    def next_ms(self) -> int | None:
        """The earliest waiting record's time."""
        key = self.next_key
        return None if key is None else key[0]

    @property
    def next_key(self) -> Mark | None:
        """The earliest waiting record's time and offset."""
        if self._came:
            self._put_in_order()
        return self._order[self._next] if self._next < len(self._order) else None

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

    @property
    def is_late(self) -> bool:
        """Tell whether the earliest waiting record belongs before what was already taken: it must go at once."""
        key = self.next_key
        return key is not None and key <= self.mark

    @property
    def late(self) -> list[int]:
        """The offsets of those that wait although they belong before what was already taken, and of those held.

        Until all that an earlier incarnation left is here again, what it knew of the rest is known on.
        """
        unread = [] if self.is_whole else [offset for offset in self._left_late if offset >= self._seen]
        waiting = [key[1] for key in self._ordered() if key <= self.mark] if self.is_late else []
        return sorted([*unread, *waiting, *self._held])

    @property
    def held(self) -> list[int]:
        """The offsets of those whose turn had come, and who wait for something else."""
        unread = [] if self.is_whole else [offset for offset in self._left_held if offset >= self._seen]
        again = [offset for _, offset in self._ordered() if offset in self._left_held] if self._left_held else []
        return sorted([*unread, *again, *self._held])

    def _ordered(self) -> Iterable[Mark]:
        """Run over those whose turn has not come, the earliest first."""
        return islice(self._order, self._next, None) if self.next_key else ()

    @property
    def has_left_held(self) -> bool:
        """Tell whether an earlier incarnation held any."""
        return bool(self._left_held)

    def was_held(self, record: KafkaRecord) -> bool:
        """Tell whether an earlier incarnation held a record when its turn had come."""
        return record.offset in self._left_held

    def was_taken(self, record: KafkaRecord) -> bool:
        """Tell whether an earlier incarnation has processed this record."""
        if record.offset >= self._left_read or record.offset in self._left_late:
            return False
        return (record.timestamp, record.offset) <= self._left_mark

    def is_new(self, record: KafkaRecord) -> bool:
        """Tell whether no earlier incarnation has read this record, nor any behind it."""
        return record.offset >= self._left_read

    def add_new(self, records: Sequence[KafkaRecord], wall_ms: int, *, until_crowded: bool) -> int:
        """Let new records wait, as `add` does, the first in any case; return how many do."""
        waiting, came, size, count = self._waiting, self._came, self.bytes, len(self)
        added = 0
        for added, record in enumerate(records, 1):
            offset, at_ms, value = record.offset, record.timestamp, record.value
            waiting[offset] = record
            came.append((at_ms if at_ms <= wall_ms else 0, offset))
            if value:
                size += len(value)
            if until_crowded and (count + added >= MOST_WAITING or size >= MOST_WAITING_BYTES):
                break
        self.bytes = size
        if added:
            self.pass_over(records[added - 1].offset + 1)
        return added

    def add(self, record: KafkaRecord, wall_ms: int) -> None:
        """Let a record wait. One from the future is late at once: nobody's clock will pass it for a long time."""
        offset, at_ms = record.offset, record.timestamp
        self.pass_over(offset + 1)
        self._waiting[offset] = record
        self.bytes += len(record.value or b"")
        self._came.append((at_ms if at_ms <= wall_ms else 0, offset))

    def look(self) -> KafkaRecord:
        """Return the earliest waiting record."""
        return self._waiting[self._pick(0)[1]]

    def _pick(self, count: int = 1) -> Mark:
        """Give the earliest waiting record's key, and have its turn come."""
        if self._came:
            self._put_in_order()
        key = self._order[self._next]
        self._next += count
        return key

    def take(self) -> KafkaRecord:
        """Take the earliest waiting record."""
        key = self._pick()
        if key > self.mark:
            self.mark = key
        record = self._waiting.pop(key[1])
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
            self._ahead = [self._waiting[offset] for at_ms, offset in some if at_ms <= until_ms]
        return self._ahead, at

    def take_ahead(self, count: int) -> None:
        """Take so many of them, which belong behind all that was taken."""
        if not count:
            return
        taken = self._order[self._next : self._next + count]
        self._next += count
        self.mark = taken[-1]
        for _, offset in taken:
            self.bytes -= len(self._waiting.pop(offset).value or b"")

    def hold(self) -> KafkaRecord:
        """Set the earliest waiting record aside: its turn has come, and it waits for something else."""
        key = self._pick()
        self.mark = max(self.mark, key)
        self._held.add(key[1])
        return self._waiting[key[1]]

    def let_go(self, record: KafkaRecord) -> None:
        """Take note that a record that was held is taken."""
        self._held.discard(record.offset)
        del self._waiting[record.offset]
        self.bytes -= len(record.value or b"")

    def pass_over(self, offset: int) -> None:
        """Take note that everything before an offset was read."""
        # Every record comes by here.
        if offset > self.read:
            self.read = offset
        if offset > self._seen:
            self._seen = offset

    def pass_over_all(self, position: int) -> None:
        """Take note of where reading stands when nothing more comes, once anything was read at all."""
        if position >= self.read > 0:
            self.pass_over(position)

    def going_on_from(self, offset: int) -> "Alignment":
        """Give what is left where the log does not reach to `position`; of a log made anew nothing was processed."""
        left = Alignment(position=offset) if offset < self.position else self
        left.pass_over(offset)
        return left

    def clear(self) -> None:
        """Forget what waits: it will be read again, and what was processed of it is known."""
        # What is left is asked for before anything of it is changed.
        self._left_late, self._left_held = frozenset(self.late), frozenset(self.held)
        self._left_read, self._left_mark, self._seen = self.read, self.mark, self.position
        self._order.clear()
        self._next = self._ahead_from = 0
        self._ahead = []
        self._came.clear()
        self._waiting.clear()
        self.bytes = 0
        self._held.clear()
