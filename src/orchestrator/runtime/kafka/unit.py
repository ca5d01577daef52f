"""A unit of work: one partition number of one group, from what was fetched to what a transaction will carry.

Turns, resolve and the linker are such units; the membership loop, the incarnations and the commit know only this.
Owns the order in which fetched records become facts, how far each input is processed, and the buffers. A unit never
awaits: between two looks at the event loop it is whole, so there is no lock.
Must never talk to Kafka.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event
from orchestrator.runtime.dead_letters import DeadLetter
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.records import KafkaRecord
from orchestrator.runtime.kafka.state import Checkpoint, PartitionState

# A producer may send any type; a metric's label must not grow with them.
OTHER_TYPES = "other"
# No instant at which to give way.
NEVER = math.inf


class Tally:
    """What happened since somebody last asked, for the metrics: counted in bulk, because a label lookup is dear."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Count from nothing again."""
        self.events: Counter[tuple[str, str]] = Counter()
        self.actions: Counter[tuple[str, str]] = Counter()
        self.decisions: Counter[tuple[str, str, str]] = Counter()
        self.dead_letters: Counter[str] = Counter()
        # Of events, asked for or not: the last one's of each go, for a look at each would be paid by all.
        self.names = set[str]()
        self.lateness_ms: list[int] = []
        # How long people took for cases: team, what for, seconds.
        self.took: list[tuple[str, str, float]] = []

    def end_go(self, last: Event | None, ignored: int) -> None:
        """Take note of a go through records: the last event, and how many there were that nobody asks for."""
        self.end_run(None if last is None else last.type, ignored)

    def end_run(self, last: str | None, ignored: int) -> None:
        """Take note of the same, where the last event's type is all that is known of it."""
        if last is not None:
            self.names.add(last)
        if ignored:
            self.events[OTHER_TYPES, "ignored"] += ignored


class Unit(ABC):
    """Everything one worker holds of one partition number."""

    # What is in its changelog; None where it has none.
    remembered: PartitionState | None = None

    def __init__(
        self, number: int, inputs: Inputs, clock: PartitionClock, offsets: Mapping[str, int], most_facts: int
    ) -> None:
        self.number = number
        self.inputs = inputs
        self.clock = clock
        self.tally = Tally()
        self.outgoing = Outgoing(most_facts)
        self.revision = 0
        self._records: Sequence[KafkaRecord] = ()
        self._at = 0
        self._until = NEVER
        self._offsets = dict(offsets)

    # Where it stands

    def offset_of(self, topic: str) -> int | None:
        """Return the first offset of an input that the state does not contain; None for one it never saw."""
        return self._offsets.get(topic)

    def start_at(self, offsets: Mapping[str, int]) -> None:
        """Begin inputs at these offsets."""
        self._offsets |= offsets
        self.outgoing.offsets |= offsets

    def go_on_from(self, topic: str, offset: int) -> None:
        """Take note that the log does not reach to where this input was left: it is read from here on."""
        self._offsets[topic] = self.outgoing.offsets[topic] = offset

    def pass_over(self, positions: Mapping[str, int]) -> None:
        """Take note that nothing is to be processed before these positions."""
        for topic, position in positions.items():
            if position > self._offsets.get(topic, position):
                self._offsets[topic] = self.outgoing.offsets[topic] = position

    @property
    def turned_ms(self) -> int:
        """Return the instant up to which the work is done; 0 before there is a clock."""
        return self.clock.now_ms

    def lead_over(self, instant_ms: int) -> int:
        """Count the records that were passed on lately whose time is later; none where nobody waits for others."""
        return 0

    @property
    def backlog(self) -> int:
        """Count the records that were fetched and not processed."""
        return len(self._records) - self._at + len(self.inputs)

    @property
    def has_work(self) -> bool:
        """Tell whether anything could be processed now."""
        return self.backlog > 0

    def is_due(self, wall_ms: int) -> bool:
        """Tell whether there is anything to do at this instant: a loop that is told so goes round without a pause."""
        return self.has_work

    @property
    def waiting(self) -> int:
        """Count the timers that wait."""
        return 0

    @property
    def entries(self) -> dict[str, int]:
        """Count the customers inside each journey."""
        return {}

    @abstractmethod
    def wants_end(self, wall_ms: int) -> bool:
        """Tell whether something waits for the clock to move on although no record comes."""

    # Work

    def take_up(self, catalog: Catalog, revision: int) -> None:
        """Go by these definitions from now on."""
        self.revision = revision

    def work(self, catalog: Catalog, ended: Collection[str], wall_ms: int, until: float = NEVER) -> None:
        """Process what was fetched until there is no more, or the transaction is full.

        `ended` are the inputs that are at their end; `until` is an instant of `time.perf_counter`, at which a turn is
        the last one for now: commits under way must not wait long. Whatever was left is taken up by the next call.
        """
        self._until = until
        while not self.outgoing.is_full:
            if self._at >= len(self._records):
                room = self.outgoing.most_facts - self.outgoing.facts
                self._records, self._at = self.inputs.take(room, ended, wall_ms), 0
                if not self._records:
                    return
            began = self._at
            self._process(catalog, wall_ms)
            if self._at > began:
                # The last offset of each topic: later ones replace earlier ones, and of one topic the last says all.
                done = self._records[began if self.inputs.has_merged else self._at - 1 : self._at]
                passed = {record.topic: record.offset + 1 for record in done}
                self.outgoing.offsets |= passed
                self._offsets |= passed
            if self._at < len(self._records):
                return

    @abstractmethod
    def _process(self, catalog: Catalog, wall_ms: int) -> None:
        """Process records from `_at` on, and move `_at` behind those that are done."""

    @abstractmethod
    def reach_end(self, asked_ms: int) -> None:
        """Take note that all inputs ended when asked at this instant, and that all before has been processed."""

    def bury(self, letter: DeadLetter) -> None:
        """Put a dead letter among the lines."""
        self.tally.dead_letters[letter.reason] += 1
        self.outgoing.write(self.outgoing.dead_letters, (letter.key or "").encode(), letter)

    # Between transactions

    def take_outgoing(self) -> tuple[Outgoing, Header]:
        """Hand the buffers over to a commit, with the header that belongs to them, and start new ones."""
        taken, self.outgoing = self.outgoing, Outgoing(self.outgoing.most_facts)
        return taken, Header(self.clock.now_ms, self.revision, dict(self._offsets), entries=self.entries)

    def committed(self, outgoing: Outgoing, checkpoint: Checkpoint) -> None:
        """Take note that a transaction with these buffers is in the log; nothing to do without a state."""
        return

    def known(self) -> Iterator[tuple[str, bytes]]:
        """Run over all that is remembered, each record as it is when its turn comes."""
        state = self.remembered
        if state is not None:
            yield from ((name, record) for name in state.walk() if (record := state.get(name)) is not None)

    def forget_fetched(self) -> None:
        """Drop what was fetched and not processed."""
        self._records, self._at = (), 0
        self.inputs.clear()

    def close(self) -> None:
        """Let go of files; there are none without a state."""
        return
