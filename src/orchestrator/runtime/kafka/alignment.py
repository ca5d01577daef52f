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

from collections.abc import Iterable, Sequence
from typing import Self

from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.records import KafkaRecord
from orchestrator.runtime.kafka.waiting import Mark, Waiting

# So many records wait at most, some 40 MB, of large ones so many bytes; beyond that a source lags too far behind the
# others to be waited for.
MOST_WAITING = 50_000
MOST_WAITING_BYTES = 64 << 20
# Where the records of every partition come together, so many times as many.
ALL_TOGETHER = 4
# More than can wait.
_ANY = 1 << 62


class Alignment:
    """The records that wait, of one input, after what an earlier incarnation left; reading goes on at `position`."""

    def __init__(
        self,
        read: int = 0,
        mark: Mark = (0, 0),
        position: int | None = None,
        late: Iterable[int] = (),
        held: Iterable[int] = (),
        *,
        holds_all: bool = False,
    ) -> None:
        """Begin; `holds_all` where the records of every partition come together, and so many more of them wait."""
        self._most = (ALL_TOGETHER if holds_all else 1) * MOST_WAITING
        self.read = read
        self._seen = read if position is None else position
        self.mark = mark
        self._left_read, self._left_mark = read, mark
        self._left_late, self._left_held = frozenset(late), frozenset(held)
        # All that was read and is not done: what is held as well.
        self._waiting = Waiting()
        self._held: set[int] = set()

    @classmethod
    def of(cls, header: Header, topic: str, *, holds_all: bool = False) -> Self:
        """Make what a commit left of this input."""
        mark = header.mark_ms, header.mark_offset
        return cls(header.read, mark, header.offsets.get(topic), header.late, header.held, holds_all=holds_all)

    def note_in(self, header: Header) -> None:
        """Put down what is known of the records between `position` and `read`."""
        header.read = self.read
        header.mark_ms, header.mark_offset = self.mark
        header.late, header.held = self.late, self.held

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def bytes(self) -> int:
        """What the values of all that wait take, those that are held among them."""
        return self._waiting.bytes

    @property
    def is_crowded(self) -> bool:
        """Tell whether no more may wait."""
        return len(self) >= self._most or self.bytes >= MOST_WAITING_BYTES

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
        first = self._waiting.first
        if first is not None:
            return first
        return self.read if self.is_whole else self._seen

    @property
    def next_ms(self) -> int | None:
        """The earliest waiting record's time."""
        key = self.next_key
        return None if key is None else key[0]

    @property
    def next_key(self) -> Mark | None:
        """The earliest waiting record's time and offset."""
        return self._waiting.next_key

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
        waiting = [key[1] for key in self._waiting.ordered() if key <= self.mark] if self.is_late else []
        return sorted([*unread, *waiting, *self._held])

    @property
    def held(self) -> list[int]:
        """The offsets of those whose turn had come, and who wait for something else."""
        unread = [] if self.is_whole else [offset for offset in self._left_held if offset >= self._seen]
        again = (
            [offset for _, offset in self._waiting.ordered() if offset in self._left_held] if self._left_held else []
        )
        return sorted([*unread, *again, *self._held])

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
        most, most_bytes = (self._most, MOST_WAITING_BYTES) if until_crowded else (_ANY, _ANY)
        added = self._waiting.add_all(records, wall_ms, most, most_bytes)
        if added:
            self.pass_over(records[added - 1].offset + 1)
        return added

    def add(self, record: KafkaRecord, wall_ms: int) -> None:
        """Let a record wait. One from the future is late at once: nobody's clock will pass it for a long time."""
        self.pass_over(record.offset + 1)
        self._waiting.add(record, record.timestamp if record.timestamp <= wall_ms else 0)

    def look(self) -> KafkaRecord:
        """Return the earliest waiting record."""
        if (key := self.next_key) is None:
            raise IndexError("nothing waits")
        return self._waiting.look(key[1])

    def take(self) -> KafkaRecord:
        """Take the earliest waiting record."""
        key = self._waiting.step()
        self.mark = max(self.mark, key)
        return self._waiting.drop(key[1])

    def ahead(self, until_ms: int) -> tuple[list[KafkaRecord], int]:
        """Give records up to a time in their order, and which of them is the next: many together, looked at once."""
        return self._waiting.ahead(until_ms)

    def take_ahead(self, count: int) -> None:
        """Take so many of them, which belong behind all that was taken."""
        if count:
            self.mark = self._waiting.drop_next(count)

    def hold(self) -> KafkaRecord:
        """Set the earliest waiting record aside: its turn has come, and it waits for something else."""
        key = self._waiting.step()
        self.mark = max(self.mark, key)
        self._held.add(key[1])
        return self._waiting.look(key[1])

    def let_go(self, record: KafkaRecord) -> None:
        """Take note that a record that was held is taken."""
        self._held.discard(record.offset)
        self._waiting.drop(record.offset)

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
        left = self
        if offset < self.position:
            left = Alignment(position=offset)
            left._most = self._most
        left.pass_over(offset)
        return left

    def clear(self) -> None:
        """Forget what waits: it will be read again, and what was processed of it is known."""
        # What is left is asked for before anything of it is changed.
        self._left_late, self._left_held = frozenset(self.late), frozenset(self.held)
        self._left_read, self._left_mark, self._seen = self.read, self.mark, self.position
        self._waiting = Waiting()
        self._held.clear()
