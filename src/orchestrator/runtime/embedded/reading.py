"""What of the inputs is still to be read, and how far a run has come in it.

Owns the positions that a store keeps for `run`:

    input <fingerprint>   a file whose first bytes are these was read up to this line and offset
    reading               inputs being read in time order: which, from where, and how many records are done

A file is known by its content, not by its name: the fingerprint is a hash of as many bytes as it had.
So a file that was read before adds nothing wherever it lies, one that has grown since is read from
where it ended, and one that was overwritten is a new one. Sorting the same bytes gives the same order,
so in time order a position is a number of records; it is good for these inputs only, and giving others
before they are done is an InputError. What comes through a pipe cannot be known again: in time order it
is first copied to disk and then read as a file; with `--in-order` whatever comes is new, and only the
events' own ids tell what was seen before.

Must never commit anything: it says what to commit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from orchestrator.errors import InputError
from orchestrator.runtime.embedded.inputs import Input, open_input
from orchestrator.runtime.embedded.sorting import Sorted, in_time_order
from orchestrator.runtime.embedded.sources import Chunk, Lines
from orchestrator.storage import Store

Positions = dict[str, bytes | None]

_READING = "reading"
_INPUT = "input "


class Part(msgspec.Struct, frozen=True):
    """Of a file whose first `size` bytes have this fingerprint: the text from `line` and `offset` on.

    `arrived_ms` stands in for events without a time. `whole` tells that nothing is left.
    """

    fingerprint: str
    size: int
    arrived_ms: int
    line: int = 1
    offset: int = 0
    whole: bool = False


# A part of an input, and the fingerprint of what it was when it was shorter and never read to its end: to be forgotten.
_Found = tuple[Input, Part, str | None]


class _Reading(msgspec.Struct, frozen=True):
    parts: list[Part]
    arrived_ms: int
    records: int


_decode_part = msgspec.msgpack.Decoder(Part).decode
_decode_reading = msgspec.msgpack.Decoder(_Reading).decode


class Feed(Protocol):
    """Records to process, in order, with the position after any of them."""

    arrived_ms: int

    def chunks(self) -> Iterator[Chunk]:
        """Yield the records."""
        ...

    def position(self, done: int) -> Positions:
        """Say what to commit once `done` records of the chunk that was yielded last are processed."""
        ...

    def finished(self) -> Positions:
        """Say what to commit once all is processed."""
        ...

    def fraction(self) -> float | None:
        """Tell how much of it has been yielded, between 0 and 1; None where that cannot be known."""
        ...


class StreamFeed:
    """A stream, as it comes: what has no position."""

    def __init__(self, source: Input, now_ms: Callable[[], int]) -> None:
        self._input = source
        self._now_ms = now_ms
        self.arrived_ms = now_ms()

    def chunks(self) -> Iterator[Lines]:
        """Yield the lines, each arriving when it is read."""
        for chunk in self._input.all_lines():
            self.arrived_ms = self._now_ms()
            yield chunk

    def position(self, done: int) -> Positions:
        """Say nothing: a stream cannot be known again."""
        return {}

    def finished(self) -> Positions:
        """Say nothing."""
        return {}

    def fraction(self) -> None:
        """Nobody knows how much will come."""


class FileFeed:
    """A file whose records are in order already: its position is a line and its offset."""

    def __init__(self, source: Input, part: Part, replaces: str | None) -> None:
        self.arrived_ms = part.arrived_ms
        self._input = source
        self._part = part
        self._replaces = replaces
        self._chunk: Lines | None = None

    def chunks(self) -> Iterator[Lines]:
        """Yield the lines that are left."""
        for chunk in self._input.lines(self._part.size, self._part.line, self._part.offset):
            self._chunk = chunk
            yield chunk

    def position(self, done: int) -> Positions:
        """Name the line that comes next."""
        part, chunk = self._part, self._chunk
        if chunk is not None and done == len(chunk.lines):
            part = _after(part, chunk)
        elif chunk is not None:
            part = msgspec.structs.replace(part, line=chunk.line + done, offset=chunk.starts[done])
        return _known(part, self._replaces)

    def finished(self) -> Positions:
        """Name the line after the last."""
        part = self._part if self._chunk is None else _after(self._part, self._chunk)
        return _known(msgspec.structs.replace(part, whole=True), self._replaces)

    def fraction(self) -> float:
        """Tell how much of the file was read."""
        return self._input.bytes_read / self._part.size


@dataclass(frozen=True, slots=True)
class Sorting:
    """How to sort: what it may hold in memory, and whom to tell how far it is."""

    memory_bytes: int
    tell: Callable[[Feed], None]


class SortedFeed:
    """All inputs together in the order of their times: its position is a number of records."""

    def __init__(self, inputs: Sequence[_Found], arrived_ms: int, done: int, sorting: "Sorting") -> None:
        self.arrived_ms = arrived_ms
        self._inputs = inputs
        self._sorting = sorting
        self._read_bytes = 0
        self._ends = [part for _, part, _ in inputs]
        self._done = done  # before the chunk that was yielded last
        self._yielded = done
        self._total = 0

    def chunks(self) -> Iterator[Sorted]:
        """Yield the records that are left."""
        left = self._done
        for chunk in in_time_order(self._read(), self.arrived_ms, self._sorting.memory_bytes):
            left -= chunk.skip(left)
            if not chunk.lines:
                continue
            self._done, self._yielded = self._yielded, self._yielded + len(chunk.lines)
            yield chunk
        self._done = self._yielded

    def _read(self) -> Iterator[Lines]:
        before = 0
        for number, (source, part, _) in enumerate(self._inputs):
            for chunk in source.lines(part.size, part.line, part.offset):
                self._ends[number] = _after(part, chunk)
                self._total += len(chunk.lines)
                self._read_bytes = before + source.bytes_read
                self._sorting.tell(self)
                yield chunk
            before += part.size
        self._read_bytes = before

    def position(self, done: int) -> Positions:
        """Count the records that are done."""
        parts = [part for _, part, _ in self._inputs]
        return {_READING: msgspec.msgpack.encode(_Reading(parts, self.arrived_ms, self._done + done))}

    def finished(self) -> Positions:
        """Let each input be known as read, and the reading be over."""
        positions: Positions = {_READING: None}
        for (_, _, replaces), end in zip(self._inputs, self.ends(), strict=True):
            positions |= _known(end, replaces)
        return positions

    def ends(self) -> list[Part]:
        """List the parts as they are once all is processed."""
        return [msgspec.structs.replace(end, whole=True) for end in self._ends]

    def fraction(self) -> float | None:
        """Tell how much was read, and then how many of the records were yielded: half each."""
        size = sum(part.size for _, part, _ in self._inputs)
        if self._read_bytes < size:
            return self._read_bytes / size / 2
        return 0.5 + (self._yielded / self._total / 2 if self._total else 0.0)


def _after(part: Part, chunk: Lines) -> Part:
    """Say where a part goes on after a chunk of it."""
    return msgspec.structs.replace(part, line=chunk.end_line, offset=chunk.end_offset)


def _known(part: Part, replaces: str | None) -> Positions:
    """Remember how far a part was read, in place of what its file was known as before."""
    forgotten: Positions = {} if replaces in (None, part.fingerprint) else {f"{_INPUT}{replaces}": None}
    return {**forgotten, f"{_INPUT}{part.fingerprint}": msgspec.msgpack.encode(part)}


class Inputs:
    """The inputs that were named, opened, and what a store knows of them."""

    def __init__(self, names: Sequence[str], *, in_order: bool, store: Store | None) -> None:
        known = [_decode_part(raw) for raw in store.positions(_INPUT).values()] if store else []
        self._known = {(part.size, part.fingerprint): part for part in known}
        raw = store.position(_READING) if store else None
        self._reading = None if raw is None else _decode_reading(raw)
        begun = self._reading.parts if self._reading else []
        self._in_order = in_order
        self._inputs: list[Input] = []
        try:
            for name in names:
                source = open_input(name, in_order=in_order)
                self._inputs.append(source)
                if store is not None:
                    source.measure({part.size for part in (*known, *begun)})
        except BaseException:
            self.close()
            raise

    def feeds(self, now_ms: Callable[[], int], sorting: Sorting) -> Iterator[Feed]:
        """Yield what is to be read: what was begun, then whatever else the inputs hold."""
        if self._reading is not None:
            resumed = self._resumed(self._reading, sorting)
            yield resumed
            self._known |= {(part.size, part.fingerprint): part for part in resumed.ends()}
        if not self._in_order:
            parts = [found for each in self._inputs if (found := self._part_of(each, now_ms())) is not None]
            if parts:
                yield SortedFeed(parts, now_ms(), 0, sorting)
            return
        for source in self._inputs:
            if source.size is None:
                yield StreamFeed(source, now_ms)
            elif (found := self._part_of(source, now_ms())) is not None:
                yield FileFeed(*found)

    def _part_of(self, source: Input, now_ms: int) -> _Found | None:
        """Find what of a file is new; None when nothing is."""
        size = source.size or 0
        fingerprint = source.fingerprints.get(size, "")
        matching = [part for part in self._known.values() if source.fingerprints.get(part.size) == part.fingerprint]
        known = max(matching, key=lambda part: part.size, default=None)
        if known is not None and known.whole and known.size == size:
            return None
        if known is None:
            return (source, Part(fingerprint, size, now_ms), None) if size else None
        rest = Part(fingerprint, size, known.arrived_ms, known.line, known.offset)
        return source, rest, None if known.whole else known.fingerprint

    def _resumed(self, reading: _Reading, sorting: Sorting) -> SortedFeed:
        """Take up a reading where it was left; its inputs must be here, and as they were."""
        if self._in_order:
            raise InputError(
                "the run that this state belongs to was putting its input in time order;"
                " finish it without --in-order, or name another state file"
            )
        found: list[_Found] = []
        for part in reading.parts:
            source = next((each for each in self._inputs if each.fingerprints.get(part.size) == part.fingerprint), None)
            if source is None:
                raise InputError(
                    f"the run that this state belongs to stopped in the middle of an input of {part.size} bytes that is"
                    " not here or was changed; give the same --events again to finish it, or name another state file"
                )
            found.append((source, part, None))
        return SortedFeed(found, reading.arrived_ms, reading.records, sorting)

    def close(self) -> None:
        """Close all inputs."""
        for source in self._inputs:
            source.close()
