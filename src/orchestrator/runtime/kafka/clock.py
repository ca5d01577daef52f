"""A partition's clock: how far the log is known to have been read, and so which timers may fire.

While the partition lags, the clock is the timestamp of the record at hand. At the end of the log it is the instant at
which the end was *asked for*: everything appended before that instant has then been read, however long the answer or
this process was held up on the way. It never goes back and never passes the wall clock: a record from the future moves
it not at all, so it fires nothing.

With resolve on, what the turn has read says nothing about what still waits in resolve. Then every partition of every
events topic tells its own clock (`hear`), and ours is the earliest of them; one that has never told, or falls
silent, holds all timers back.

Owns these rules. Must never read the wall clock itself: it is handed in.
"""

from collections.abc import Iterable
from typing import Self

from orchestrator.runtime.kafka.header import Header

# Sources tell their clocks twice a second and commit in between: nearer than this, all is live.
LIVE_MS = 3_000


class PartitionClock:
    """The clock of a partition whose own inputs are all there is to wait for."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms

    def pass_record(self, timestamp_ms: int, wall_ms: int) -> int:
        """Move to a record that is about to be processed and return the instant of its turn.

        Before the first record of all there is no clock; a record from the future is then taken at the wall clock.
        """
        if self.now_ms < timestamp_ms <= wall_ms:
            self.now_ms = timestamp_ms
        return self.now_ms or wall_ms

    def pass_end(self, asked_ms: int) -> bool:
        """Move to the instant at which an end of all inputs was asked for that has now been reached.

        Return whether timers that are due by then may fire.
        """
        self.now_ms = max(self.now_ms, asked_ms)
        return True


class SourcedClock(PartitionClock):
    """The clock of a partition behind resolve: the earliest of what all sources say, moved by nothing else."""

    def __init__(self, now_ms: int = 0, heard: dict[str, int] | None = None, logged_ms: int = 0) -> None:
        super().__init__(now_ms)
        self.heard = dict(heard or {})
        # The latest record that any source has told of: up to here it is the log that passes; behind it, since a
        # source tells a later instant only from its end, it is the wall clock.
        self.logged_ms = logged_ms
        self._live: set[str] = set()
        self._expected: frozenset[str] = frozenset()
        self._near_ms = LIVE_MS

    @classmethod
    def of(cls, header: Header, sources: Iterable[str], rarer_ms: int = 0) -> Self:
        """Make what a commit left of it, for these sources."""
        clock = cls(header.clock_ms, header.heard, header.logged_ms)
        clock.expect(sources, rarer_ms)
        return clock

    def expect(self, sources: Iterable[str], rarer_ms: int = 0) -> None:
        """Name all sources; what others said before, such as a topic that is read no longer, is forgotten.

        `rarer_ms` is how much longer than usual each of them waits until it tells its clock again.
        """
        self._expected = frozenset(sources)
        self._near_ms = LIVE_MS + rarer_ms
        self.heard = {source: at for source, at in self.heard.items() if source in self._expected}

    @property
    def is_live(self) -> bool:
        """Tell whether every source was at its end when it told its clock last."""
        return self._live == self._expected

    def hear(self, source: str, at_ms: int, live: bool = False) -> None:
        """Take a source's clock; one that goes back is a source that started again, and is not believed."""
        if source in self._expected and at_ms > self.heard.get(source, 0):
            self.heard[source] = at_ms
            if not live:
                self.logged_ms = max(self.logged_ms, at_ms)
            (self._live.add if live else self._live.discard)(source)
            if len(self.heard) == len(self._expected):
                self.now_ms = max(self.now_ms, min(self.heard.values()))

    def open_until(self, wall_ms: int) -> int:
        """Tell up to which time records may be taken: all that are near the wall clock, or what every source passed."""
        return wall_ms if wall_ms - self.now_ms <= self._near_ms else self.now_ms

    def note_in(self, header: Header) -> None:
        """Put down what was heard."""
        header.heard, header.logged_ms = dict(self.heard), self.logged_ms

    def silent(self, wall_ms: int, longest_ms: int) -> list[str]:
        """Name the sources that have told nothing for so long, in order."""
        return sorted(source for source in self._expected if wall_ms - self.heard.get(source, 0) > longest_ms)
