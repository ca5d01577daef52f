"""Time order: records put in the order of their events' times, in memory while they fit, on disk beyond.

Owns the order: by time, and records of one time as they came, so that sorting what is in order changes
nothing. A record that cannot be read stays behind the one before it. Must never drop a record, nor hold
more than `memory_bytes` of them and the beginnings of a bounded number of runs.

On disk it is a merge sort: what fits into memory is sorted and written as a run; whenever there are
FAN_IN runs of one size they are merged into one of the next size, and all that are left at the end.
Runs are files without a name: they are gone when the process is, however it ends.
"""

from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from tempfile import TemporaryFile
from typing import BinaryIO

from orchestrator.errors import EventError
from orchestrator.model import envelopes, instants
from orchestrator.runtime.embedded.sources import Lines, Origin

MEMORY_BYTES = 64 << 20
FAN_IN = 32
# What a line takes in memory beside its text.
_LINE_OVERHEAD = 33 + 8 + 3 * 8
# Records handed on together; and, of a run on disk, read together.
_CHUNK_RECORDS = 4096
_READ_RECORDS = 512

# (time, number of the run, number in the run, text, number of the source, line, offset): the first three order it.
_Record = tuple[int, int, int, bytes, int, int, int]


class Sorted:
    """Records in time order from any place of the inputs: a Chunk."""

    __slots__ = ("_records", "_sources", "lines", "live")

    def __init__(self, records: list[_Record], sources: list[str]) -> None:
        self.lines = [record[3] for record in records]
        self.live = False
        self._records = records
        self._sources = sources

    def skip(self, count: int) -> int:
        """Leave out the first `count` records, as far as there are so many; return how many were left out."""
        del self._records[:count]
        skipped = len(self.lines) - len(self._records)
        del self.lines[:count]
        return skipped

    def origin(self, index: int) -> Origin:
        """Say where the record at `index` stood."""
        _, _, _, _, source, line, offset = self._records[index]
        return Origin(self._sources[source], line, offset)


class _Run:
    """Records in time order, in memory or in a file: their texts, and their times and origins in arrays."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.numbers = array("q")  # four a record: time, source, line, offset
        self.size = 0

    def append(self, time_ms: int, text: bytes, source: int, line: int, offset: int) -> None:
        self.texts.append(text)
        self.numbers.extend((time_ms, source, line, offset))
        self.size += len(text) + _LINE_OVERHEAD

    def sort(self) -> None:
        times = self.numbers[::4]
        order = sorted(range(len(times)), key=times.__getitem__)
        texts, numbers = self.texts, self.numbers
        self.texts = [texts[at] for at in order]
        self.numbers = array("q")
        for at in order:
            self.numbers.extend(numbers[4 * at : 4 * at + 4])

    def records(self, run: int) -> Iterator[_Record]:
        numbers = iter(self.numbers)
        for at, (text, time_ms, source, line, offset) in enumerate(
            zip(self.texts, numbers, numbers, numbers, numbers, strict=True)
        ):
            yield time_ms, run, at, text, source, line, offset


class _StoredRun:
    """A run in two nameless files."""

    def __init__(self, records: Iterable[_Record]) -> None:
        with ExitStack() as undo:
            self._texts: BinaryIO = undo.enter_context(TemporaryFile())
            self._numbers: BinaryIO = undo.enter_context(TemporaryFile())
            records = iter(records)
            while some := list(islice(records, _CHUNK_RECORDS)):
                self._texts.writelines(record[3] + b"\n" for record in some)
                array("q", (number for record in some for number in (record[0], *record[4:]))).tofile(self._numbers)
            undo.pop_all()

    def records(self, run: int) -> Iterator[_Record]:
        with self._texts as texts, self._numbers as file:
            texts.seek(0)
            file.seek(0)
            at = 0
            while block := file.read(_READ_RECORDS * 32):
                numbers = iter(array("q", block))
                for time_ms, source, line, offset in zip(numbers, numbers, numbers, numbers, strict=True):
                    yield time_ms, run, at, texts.readline()[:-1], source, line, offset
                    at += 1

    def close(self) -> None:
        self._texts.close()
        self._numbers.close()


class _Runs:
    """Runs on disk by size, the largest and oldest first; within a size by age."""

    def __init__(self) -> None:
        self._levels: list[list[_StoredRun]] = []

    def add(self, records: Iterable[_Record], level: int = 0) -> None:
        run = _StoredRun(records)
        while len(self._levels) <= level:
            self._levels.append([])
        runs = self._levels[level]
        runs.append(run)
        if len(runs) == FAN_IN:
            self._levels[level] = []
            self.add(_merged(runs), level + 1)

    def all(self) -> list[_StoredRun]:
        return [run for runs in reversed(self._levels) for run in runs]


def _merged(runs: Iterable["_StoredRun | _Run"]) -> Iterator[_Record]:
    """Merge runs, given in the order of their age: of one time, the older run's records come first."""
    return merge(*(run.records(number) for number, run in enumerate(runs)))


def in_time_order(chunks: Iterable[Lines], arrived_ms: int, memory_bytes: int = MEMORY_BYTES) -> Iterator[Sorted]:
    """Yield all records of `chunks` in the order of their times; nothing is yielded before all were read.

    `arrived_ms` stands in for events without a time. Blank lines are left out.
    """
    runs, run, sources = _Runs(), _Run(), list[str]()
    time_ms = instants.EARLIEST_MS
    try:
        for chunk in chunks:
            if not sources or sources[-1] != chunk.source:
                sources.append(chunk.source)
            time_ms = _take(run, chunk, len(sources) - 1, time_ms, arrived_ms)
            if run.size >= memory_bytes:
                run.sort()
                runs.add(run.records(0))
                run = _Run()
        run.sort()
        records = _merged([*runs.all(), run])
        while some := list(islice(records, _CHUNK_RECORDS)):
            yield Sorted(some, sources)
    finally:
        for stored in runs.all():
            stored.close()


def _take(run: _Run, chunk: Lines, source: int, time_ms: int, arrived_ms: int) -> int:
    """Put a chunk's records into a run, given the time of the record before; return the time of the last."""
    starts = chunk.starts
    for index, text in enumerate(chunk.lines):
        try:
            time_ms = envelopes.read(text, arrived_ms).time_ms
        except EventError:
            if not text.strip():
                continue
            # All that is known is where it stood: behind the record before. Whoever takes it there refuses it.
        run.append(time_ms, text, source, chunk.line + index, starts[index])
    return time_ms
