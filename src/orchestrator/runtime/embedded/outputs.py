"""Outputs: lines into files so that each is there once, whatever died in between; and into streams.

Owns the files' ends. The order of things, which makes a kill at any moment harmless:

1. a batch is committed to the store with its lines in the outbox
2. the lines are appended to the files, and forced to disk while the next batch is made
3. once they are there, the next batch is committed with the files' new lengths, and lets the outbox forget those lines

Dying after 1 or within 2: at the next start each file is cut to the length last committed, and what the
outbox still holds is appended. Dying within 1 or 3: the store is as before it. Standard output and pipes
cannot be cut, so what may not have reached them is written again. Must never write a line that is not
committed.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from orchestrator.errors import InputError, StorageError
from orchestrator.runtime import faults
from orchestrator.storage import Batch, OutboxLines, Store

STANDARD_OUTPUT = "-"


class Output:
    """A place where lines go; `length` is None where nothing can be cut off again.

    `durable` tells that they are to survive a power cut.
    """

    def __init__(self, file: BinaryIO, length: int | None, durable: bool) -> None:
        self.length = length
        self.durable = durable and length is not None
        self._file = file

    def append(self, lines: bytes) -> None:
        """Append lines; they are safe once `flush`, and then `sync` where they are to be durable, has returned."""
        self._file.write(lines)
        if self.length is not None:
            self.length += len(lines)

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()

    def sync(self) -> None:
        """Wait until what was handed to the system survives a power cut."""
        faults.reach("run.within_sync")
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; standard output stays open, it is not ours."""
        if not self._file.closed:
            self._file.close()


class Outputs:
    """All outputs of a run, and the outbox that stands behind them.

    `targets` are the names under which lines are committed: a file's absolute path, or `-`.
    """

    def __init__(self, store: Store, targets: Sequence[str], standard_output: BinaryIO, *, durable: bool) -> None:
        self._store = store
        self._standard_output = standard_output
        self._durable = durable
        self._lengths = store.lengths()
        self._delivered = 0
        # Whether lines were appended whose lengths are not committed yet.
        self.behind = False
        self._outputs: dict[str, Output] = {}
        # Forces lines to disk while the next batch is made: it only waits, so that it needs no processor of its own.
        self._syncer = ThreadPoolExecutor(1, "outputs")
        self._syncing: dict[str, Future[None]] = {}
        try:
            self._recover(targets)
        except BaseException:
            self.close()
            raise

    def _recover(self, targets: Sequence[str]) -> None:
        """Bring every file to where the outbox ends; also those that only an earlier run was writing to."""
        waiting = list(self._store.outbox())
        for target in {**dict.fromkeys(targets), **dict.fromkeys(lines.target for lines in waiting)}:
            self._outputs[target] = self._open(target)
        self._append(waiting)
        if waiting:
            self._delivered = waiting[-1].number

    def _open(self, target: str) -> Output:
        if target == STANDARD_OUTPUT:
            return Output(self._standard_output, None, self._durable)
        path = Path(target)
        try:
            if _is_stream(path):
                return Output(path.open("wb"), None, self._durable)
            file = path.open("r+b") if path.exists() else _created(path, self._durable)
            length = file.seek(0, os.SEEK_END)
            written = self._lengths.get(target, 0) if length else 0
            if length < written:
                file.close()
                raise InputError(
                    f"{path} has {length} bytes, but {written} were written to it;"
                    " put it back as it was, or move it away to begin a new one"
                )
            file.truncate(written)
            file.seek(written)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}; check its folder and permissions") from error
        return Output(file, written, self._durable)

    def commit(self, batch: Batch) -> None:
        """Commit a batch with the lengths reached so far, then append its lines."""
        self._wait_until_safe()
        batch.delivered = self._delivered
        batch.lengths = {name: output.length for name, output in self._outputs.items() if output.length is not None}
        faults.reach("run.before_commit")
        number = self._store.commit(batch)
        self.behind = False
        faults.reach("run.after_commit")
        self._append([OutboxLines(number, target, lines) for target, lines in batch.output().items()])
        faults.reach("run.after_append")
        self._delivered = number

    def _append(self, waiting: Sequence[OutboxLines]) -> None:
        for lines in waiting:
            with _named(lines.target):
                self._outputs[lines.target].append(lines.lines)
            faults.reach("run.within_append")
        for target in {lines.target for lines in waiting}:
            output = self._outputs[target]
            with _named(target):
                output.flush()
            if output.durable:
                self._syncing[target] = self._syncer.submit(output.sync)
            self.behind = True

    def _wait_until_safe(self) -> None:
        while self._syncing:
            target, syncing = self._syncing.popitem()
            with _named(target):
                syncing.result()

    def close(self) -> None:
        """Close all files."""
        self._syncer.shutdown()
        for target, output in self._outputs.items():
            if target != STANDARD_OUTPUT:
                with _named(target):
                    output.close()


@contextmanager
def _named(target: str) -> Iterator[None]:
    """Say which output it is that takes no more; a reader who has read enough is no failure."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if target == STANDARD_OUTPUT else target
        raise StorageError(
            f"{name} cannot be written: {error.strerror}; mend that and start again: with --state nothing is lost"
        ) from error


def _is_stream(path: Path) -> bool:
    """Whether this is a pipe or a device, which has no length."""
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)


def _created(path: Path, durable: bool) -> BinaryIO:
    """Create a file; where it is to survive a power cut, its name too."""
    file = path.open("x+b")
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return file


def targets_of(named: Mapping[str, Path | None], inputs: Sequence[str]) -> dict[str, str]:
    """Give each kind of line that was given a file its target.

    Raises InputError where two kinds would share a file, or one would overwrite an input.
    """
    read = {os.path.abspath(name) for name in inputs}
    kinds: dict[str, str] = {}
    for kind, path in named.items():
        if path is None:
            continue
        target = os.path.abspath(path)
        if target in read:
            raise InputError(f"{path} is read as events, so {kind} cannot be written to it; name another file")
        if target in kinds and not _is_stream(path):
            raise InputError(f"{kinds[target]} and {kind} cannot both be written to {path}; name another file")
        kinds[target] = kind
    return {kind: os.path.abspath(path) for kind, path in named.items() if path is not None}
