"""Inputs: lines out of files and standard input, each with the place it came from.

Owns opening (plain, gzip, Zstandard, told apart by their first bytes and not by their names), cutting
into lines, and where each line stood. A line over the limit is never held whole. Must never read JSON.
"""

import gzip
import io
import os
import select
import sys
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import zstandard

from orchestrator.errors import InputError
from orchestrator.model.envelopes import MAX_RECORD_BYTES

STANDARD_INPUT = "-"
BLOCK_BYTES = 1 << 20
_COMPRESSED_BLOCK_BYTES = 1 << 16
# A longer line is cut to this: one byte over what a record may have, so that reading it says so.
_CUT_BYTES = MAX_RECORD_BYTES + 1
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stood: its input, its line (from 1) and the offset in bytes of the (uncompressed) text."""

    source: str
    line: int
    offset: int


class Chunk(Protocol):
    """Some records to be processed in this order, each without its newline.

    `live` tells that its input had no more to give at once, so that waiting for more would hold up
    what these records lead to.
    """

    lines: list[bytes]
    live: bool

    def origin(self, index: int) -> Origin:
        """Say where the record at `index` stood."""
        ...


class Lines:
    """Consecutive lines of one input: a Chunk.

    `line` and `offset` are those of the first one, `end_line` and `end_offset` those of the line after
    the last.
    """

    __slots__ = ("_starts", "end_line", "end_offset", "line", "lines", "live", "offset", "source")

    def __init__(self, source: str, line: int, offset: int, text: bytes, cut: int = 0, live: bool = False) -> None:
        self.source = source
        self.live = live
        self.end_offset = offset + len(text) + cut + 1
        if offset == 0 and text.startswith(_BYTE_ORDER_MARK):
            # What some editors put before UTF-8 is no part of the first record.
            offset, text = len(_BYTE_ORDER_MARK), text[len(_BYTE_ORDER_MARK) :]
        self.offset = offset
        self.line = line
        self.lines = text.split(b"\n")
        self.end_line = line + len(self.lines)
        self._starts: array[int] | None = None
        if cut or b"\r" in text:
            self._starts = self._measure(cut)
            self.lines = [each.removesuffix(b"\r") for each in self.lines]

    def _measure(self, cut: int = 0) -> "array[int]":
        # Only for lines that somebody asks about: it costs as much as cutting them.
        lengths = [len(each) + 1 for each in self.lines]
        lengths[0] += cut
        return array("q", accumulate(lengths, initial=self.offset))

    @property
    def starts(self) -> "array[int]":
        """The offset of every line, and of what comes after the last."""
        if self._starts is None:
            self._starts = self._measure()
        return self._starts

    def origin(self, index: int) -> Origin:
        """Say where the record at `index` stood."""
        return Origin(self.source, self.line + index, self.starts[index])


class Reader(Protocol):
    """What a line is read from: at most so many bytes, as soon as there are any; empty at the end."""

    def read1(self, size: int, /) -> bytes:
        """Return at least one byte, except at the end."""
        ...


def lines_of(reader: Reader, source: str, line: int = 1, offset: int = 0, *, live: bool = False) -> Iterator[Lines]:
    """Cut what a reader gives into lines, numbered from `line` and `offset` on.

    At most two blocks are held at a time, however long a line is: of one that is too long only the
    beginning is kept, enough for whoever reads it to refuse it.
    """
    rest, cut = b"", 0  # the line that has not ended yet, and how much of it was thrown away
    while block := _read(reader, source):
        first, newline, more = block.partition(b"\n")
        kept = first[: _CUT_BYTES - len(rest)]
        cut += len(first) - len(kept)
        rest += kept
        if newline:
            whole, newline, tail = more.rpartition(b"\n")
            chunk = Lines(source, line, offset, rest + newline + whole, cut, live and len(block) < BLOCK_BYTES)
            yield chunk
            line, offset, rest, cut = chunk.end_line, chunk.end_offset, tail, 0
    if rest:
        yield Lines(source, line, offset, rest, cut, live)


def _read(reader: Reader, source: str, at_most: int = BLOCK_BYTES) -> bytes:
    try:
        return reader.read1(min(at_most, BLOCK_BYTES))
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise InputError(f"{source} cannot be read to its end: {error}; mend or replace the file") from error


class Bounded(io.RawIOBase):
    """The first `size` bytes of a file, however much is written behind them meanwhile; counts what was read."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.done = 0

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that this can be entered in the middle."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset from the beginning."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        self.done = self._file.seek(offset)
        return self.done

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # all that anybody hands in
        """Read some bytes into a buffer."""
        block = self._file.read(max(0, min(len(buffer), self._size - self.done)))
        buffer[: len(block)] = block
        self.done += len(block)
        return len(block)


class Stream(io.RawIOBase):
    """A pipe or a terminal whose reading an interrupt always ends.

    An interrupt that comes in the instant before a read begins is only noted, and that read would wait for bytes that
    may never come; so it waits here for them, and looks up every second.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # all that anybody hands in
        """Read what there is into a buffer, once there is something."""
        while not select.select([self._descriptor], [], [], 1.0)[0]:
            continue
        return os.readv(self._descriptor, [buffer])


class _Zstandard:
    """Reads Zstandard frames, one after the other, and notices a last one that is not whole."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._is_inside = False
        self._text = b""

    def read1(self, size: int, /) -> bytes:
        while not self._text and (block := self._next_block()):
            self._is_inside = True
            self._text = self._frame.decompress(block)
        text, self._text = self._text[:size], self._text[size:]
        return text

    def _next_block(self) -> bytes:
        rest = b""
        if self._frame.eof:
            rest = self._frame.unused_data
            self._frame, self._is_inside = zstandard.ZstdDecompressor().decompressobj(), False
        # A small block, because it may hold a thousand times as much text.
        block = rest or self._reader.read1(_COMPRESSED_BLOCK_BYTES)
        if not block and self._is_inside:
            raise EOFError("its last Zstandard frame is cut short")
        return block


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; raises InputError when that cannot be done."""
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the name and its permissions") from error


def standard_input() -> BinaryIO:
    """Return standard input as bytes."""
    return sys.stdin.buffer


def uncompressed(raw: "io.BufferedReader[Any]", source: str, offset: int = 0) -> Reader:
    """Read an input's text from `offset` of the text on, whatever it is compressed with."""
    beginning = raw.peek(4)[:4]
    reader: Reader
    if beginning.startswith(b"\x1f\x8b"):
        reader = gzip.GzipFile(fileobj=raw)
    elif beginning == b"\x28\xb5\x2f\xfd":
        reader = _Zstandard(raw)
    else:
        if offset:
            raw.seek(offset)
        return raw
    while offset and (skipped := len(_read(reader, source, offset))):
        offset -= skipped  # compressed text can only be entered at its beginning
    return reader
