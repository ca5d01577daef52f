"""Inputs as files: opened, measured, and known by their content.

Owns what an input is: a file with a size, or a stream without. A file's fingerprint is a hash of its
first so many bytes, so it is known again under another name, and after it has grown. Must never look at
what a line holds.
"""

import io
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from xxhash import xxh3_128

from orchestrator.runtime.embedded import sources
from orchestrator.runtime.embedded.sources import BLOCK_BYTES, STANDARD_INPUT, Bounded, Lines, Stream


@dataclass(slots=True)
class Input:
    """One input that was named; `size` is None for a stream, `is_ours` False for standard input itself.

    `fingerprints` are those of its first so many bytes, for every size that somebody asked about and
    for all of it. `bytes_read` tells how far the present passage through it has come.
    """

    name: str
    file: BinaryIO
    size: int | None
    is_ours: bool = True
    fingerprints: dict[int, str] = field(default_factory=dict)
    _bounded: Bounded | None = None

    @property
    def bytes_read(self) -> int:
        """How many bytes of the file, as it lies on disk, were read lately."""
        return self._bounded.done if self._bounded else 0

    def all_lines(self) -> Iterator[Lines]:
        """Yield a stream's lines as they come."""
        raw = io.BufferedReader(Stream(self.file), BLOCK_BYTES)
        return sources.lines_of(sources.uncompressed(raw, self.name), self.name, live=True)

    def lines(self, size: int, line: int, offset: int) -> Iterator[Lines]:
        """Yield the lines in the file's first `size` bytes, from this line and offset of its text on."""
        self.file.seek(0)
        self._bounded = Bounded(self.file, size)
        raw = io.BufferedReader(self._bounded, BLOCK_BYTES)
        return sources.lines_of(sources.uncompressed(raw, self.name, offset), self.name, line, offset)

    def measure(self, sizes: Collection[int]) -> None:
        """Read the file once and note its fingerprint at each of these sizes, and at its end."""
        if self.size is None:
            return
        digest, read = xxh3_128(), 0
        self.file.seek(0)
        for size in sorted({size for size in sizes if size <= self.size} | {self.size}):
            while read < size and (block := self.file.read(min(BLOCK_BYTES, size - read))):
                digest.update(block)
                read += len(block)
            self.fingerprints[size] = digest.hexdigest()

    def close(self) -> None:
        """Close the file, unless it is standard input itself."""
        if self.is_ours:
            self.file.close()


def open_input(name: str, *, in_order: bool) -> Input:
    """Open an input; a stream that is to be sorted is copied to a nameless file first, and is then a file."""
    is_ours = name != STANDARD_INPUT
    file = sources.open_file(Path(name)) if is_ours else sources.standard_input()
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode):
        return Input(name, file, status.st_size, is_ours)
    stream = Input(name, file, None, is_ours)
    if in_order:
        return stream
    copy: BinaryIO = TemporaryFile()  # noqa: SIM115 - it lives as long as the input
    shutil.copyfileobj(file, copy, BLOCK_BYTES)
    stream.close()
    return Input(name, copy, copy.tell())
