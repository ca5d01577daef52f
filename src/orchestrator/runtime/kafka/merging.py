"""One partition's inputs: the same partition number of several topics, merged by timestamp into one sequence.

A record is taken only when every other input has one to compare with, or is at its end: otherwise a topic that happened
to be fetched first would run ahead, and timers would fire before orders that lie in the other one.
Owns what was fetched and not yet taken. Must never reorder the records of one topic.
"""

from collections.abc import Collection, Sequence
from typing import Any

from orchestrator.runtime.kafka.resolved import CLOCK_KEY

# aiokafka's records: what counts here is their `timestamp`.
Record = Any


def _time_of(record: Record, wall_ms: int) -> int:
    """Give the time by which a record is merged; a clock is about what came before it, and has none of its own."""
    return 0 if record.key == CLOCK_KEY else min(record.timestamp, wall_ms)


class _Queue:
    """The records of one topic that wait, and how far they are taken."""

    __slots__ = ("at", "records")

    def __init__(self) -> None:
        self.records: Sequence[Record] = ()
        self.at = 0

    def __len__(self) -> int:
        return len(self.records) - self.at

    def add(self, records: Sequence[Record]) -> None:
        self.records = [*self.records[self.at :], *records] if len(self) else records
        self.at = 0

    def take(self, limit: int) -> Sequence[Record]:
        if not self.at and len(self.records) <= limit:
            taken: Sequence[Record] = self.records
            self.records = ()
        else:
            taken = self.records[self.at : self.at + limit]
            self.at += len(taken)
        return taken


class Inputs:
    """The waiting records of one partition number, by topic."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._queues = {topic: _Queue() for topic in topics}
        # Whether what was taken last may be of several topics.
        self.has_merged = False

    def add(self, topic: str, records: Sequence[Record]) -> None:
        """Take in what was fetched from one topic, in its order."""
        self._queues[topic].add(records)

    def waiting(self, topic: str) -> int:
        """Count the records of a topic that have been fetched and not taken."""
        return len(self._queues[topic])

    def clear(self) -> None:
        """Forget what was fetched."""
        self._queues = {topic: _Queue() for topic in self._queues}

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def take(self, limit: int, ended: Collection[str], wall_ms: int) -> Sequence[Record]:
        """Take the next records, at most `limit`; none while a topic that is not in `ended` has none to compare with.

        A timestamp in the future counts as the wall clock, so that it holds up nobody longer than that.
        """
        filled = [queue for queue in self._queues.values() if len(queue)]
        if not filled or any(not len(queue) and topic not in ended for topic, queue in self._queues.items()):
            return ()
        self.has_merged = len(filled) > 1
        if not self.has_merged:
            return filled[0].take(limit)
        return self._merge(filled, limit, ended, wall_ms)

    def _merge(self, filled: list[_Queue], limit: int, ended: Collection[str], wall_ms: int) -> list[Record]:
        may_run_out = {id(queue) for topic, queue in self._queues.items() if topic in ended}
        merged: list[Record] = []
        while filled and len(merged) < limit:
            # `min` takes the first of equals: at one instant, the topics go in the order they were named in.
            queue = min(filled, key=lambda queue: _time_of(queue.records[queue.at], wall_ms))
            merged += queue.take(1)
            if not len(queue):
                if id(queue) not in may_run_out:
                    break
                filled.remove(queue)
        return merged
