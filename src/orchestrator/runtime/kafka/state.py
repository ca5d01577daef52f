"""The state of one partition: a record for each profile, in memory or in RocksDB, behind one interface.

What `put` and `drop` change is visible at once and counts for nothing until `commit` says that the changelog holds it:
a store on disk must never be ahead of the changelog, or a crash would leave it with what never happened.
What is no profile's state (a case, a no, a life on its way, a name of the linker's) lies among them in a place that no
profile's id looks like, behind a header of the same form (`beside`): it is restored, and becomes due, like a state.
Owns where records lie, how such neighbours are written and, for RocksDB, up to which offset of the changelog records
reach (the checkpoint). Must never read a record beyond its header, nor talk to Kafka.
"""

import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from orchestrator.errors import StorageError
from orchestrator.model.codec import HEADER_BYTES

log = logging.getLogger(__name__)

Change = tuple[str, bytes | None]  # a profile's id and its new record; None where it was erased


def beside(content: bytes, due_ms: int = 0) -> bytes:
    """Write what is kept among states and is none; `due_ms` is when it has to be looked at, 0 for never."""
    return (due_ms << 8).to_bytes(HEADER_BYTES, "big") + content


def content_of(kept: bytes) -> bytes:
    """Read what `beside` wrote."""
    return kept[HEADER_BYTES:]


class Checkpoint(msgspec.Struct):
    """How far a store on disk has followed its changelog: the next offset to read, when, and the last header seen."""

    offset: int
    at: float
    header: bytes | None = None


class PartitionState(Protocol):
    """What a partition needs of its state. What one partition holds is used by one task at a time."""

    def get(self, profile_id: str, /) -> bytes | None:
        """Return a profile's record, None where there is none."""

    def put(self, profile_id: str, record: bytes) -> None:
        """Replace a profile's record."""

    def drop(self, profile_id: str) -> None:
        """Forget a profile."""

    def commit(self, changes: Mapping[str, bytes | None], checkpoint: Checkpoint) -> None:
        """Take note that the changelog holds these changes, all of them made by `put` and `drop` before."""

    def load(self, changes: Iterable[Change], checkpoint: Checkpoint) -> None:
        """Apply what the changelog holds, while restoring."""

    def checkpoint(self) -> Checkpoint | None:
        """Return where a restore may go on from; None for the beginning."""

    def wipe(self) -> None:
        """Start over with nothing."""

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Run over all records, in no particular order."""

    def walk(self) -> Iterator[str]:
        """Run over all profiles there are now, whatever changes on the way."""

    def __len__(self) -> int:
        """Count the profiles, exactly in memory and nearly so on disk."""

    def close(self) -> None:
        """Let go of files; the state is not used afterwards."""


class PlainMemory:
    """Records in a dict."""

    def __init__(self) -> None:
        self._records: dict[str, bytes] = {}
        self.get = self._records.get
        self.put = self._records.__setitem__

    def drop(self, name: str) -> None:
        """Forget a record."""
        self._records.pop(name, None)

    def load(self, changes: Iterable[Change]) -> None:
        """Apply changes."""
        records = self._records
        for name, record in changes:
            if record is None:
                records.pop(name, None)
            else:
                records[name] = record

    def wipe(self) -> None:
        """Forget all records."""
        self._records.clear()

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._records.items())

    def walk(self) -> Iterator[str]:
        """Run over all names there are now, whatever changes on the way."""
        return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)


if TYPE_CHECKING:
    Memory = PlainMemory
else:
    try:
        # The same, compiled: with less beside the records, and compiled turns look into it by themselves.
        from orchestrator.compiled.native import Memory
    except ImportError:  # no compiler where this was installed
        Memory = PlainMemory


class MemoryState:
    """Records in memory: everything is restored from the changelog's beginning."""

    def __init__(self) -> None:
        self.records = Memory()
        self.get, self.put, self.drop = self.records.get, self.records.put, self.records.drop
        self.wipe, self.walk = self.records.wipe, self.records.walk

    def commit(self, changes: Mapping[str, bytes | None], checkpoint: Checkpoint) -> None:
        """Do nothing: there is no second copy to keep in step."""

    def load(self, changes: Iterable[Change], checkpoint: Checkpoint) -> None:
        """Apply what the changelog holds."""
        self.records.load(changes)

    def checkpoint(self) -> Checkpoint | None:
        """Return None: memory does not outlive the process."""
        return None

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def close(self) -> None:
        """Do nothing: the last reference frees the memory."""


# What is dropped leaves the files so often at most; commits come at least once a second.
CLEANING_S = 60.0
# In RocksDB profile ids are keys as they are; this one cannot be a profile's.
_CHECKPOINT = "\x00checkpoint"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode


class DamagedError(Exception):
    """Files on disk that had to be thrown away; the next restore makes them anew."""


class RocksState:
    """Records in a RocksDB of the partition's own, and in memory only what is not committed yet."""

    def __init__(self, folder: Path, cleaning_s: float = CLEANING_S) -> None:
        self._folder = folder
        self._uncommitted: dict[str, bytes | None] = {}
        self._cleaning_s = cleaning_s
        self._cleaned_at = time.monotonic()
        self._has_dropped = False
        self._open()

    def _open(self) -> None:
        try:
            from rocksdict import Options, Rdict
        except ImportError as error:
            raise StorageError(
                "ORCHESTRATOR_STATE=rocksdb needs the package rocksdict; install orchestrator[rocksdb]"
            ) from error
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it names customers
        except OSError as error:
            raise StorageError(
                f"{self._folder} cannot be made: {error.strerror}; name a folder that can in ORCHESTRATOR_STATE"
            ) from error
        try:
            # Not synced to the disk at each write: what a power cut takes, the next restore reads from the changelog,
            # because the checkpoint goes with it.
            options = Options(raw_mode=True)
            # A file that says that something is gone is merged at once, in the background, with those that hold it.
            options.add_compact_on_deletion_collector_factory(1, 1, 0.0)
            self._db: Any = Rdict(str(self._folder), options)
        except Exception as error:  # rocksdict raises bare Exceptions
            if str(error).startswith("Corruption") and any(self._folder.iterdir()):
                log.error("%s is damaged, and is made anew from the changelog: %s", self._folder, error)
                shutil.rmtree(self._folder)
                self._open()
                return
            raise StorageError(f"{self._folder} cannot be opened: {error}; is another worker using it?") from error

    def get(self, profile_id: str, /) -> bytes | None:
        """Return a profile's record: the uncommitted one first."""
        if profile_id in self._uncommitted:
            return self._uncommitted[profile_id]
        found: bytes | None = self._db.get(profile_id.encode())
        return found

    def put(self, profile_id: str, record: bytes) -> None:
        """Replace a profile's record, in memory until it is committed."""
        self._uncommitted[profile_id] = record

    def drop(self, profile_id: str) -> None:
        """Forget a profile once that is committed."""
        self._uncommitted[profile_id] = None

    def commit(self, changes: Mapping[str, bytes | None], checkpoint: Checkpoint) -> None:
        """Write committed changes and the checkpoint in one batch, and drop them from memory unless changed since."""
        self.load(changes.items(), checkpoint)
        for profile_id, record in changes.items():
            if self._uncommitted.get(profile_id, b"") is record:
                del self._uncommitted[profile_id]
        if self._has_dropped and time.monotonic() - self._cleaned_at >= self._cleaning_s:
            self._db.flush()  # out of the log of writes, which would keep what was dropped until it is full
            self._has_dropped, self._cleaned_at = False, time.monotonic()

    def load(self, changes: Iterable[Change], checkpoint: Checkpoint) -> None:
        """Write changes and the checkpoint in one batch."""
        from rocksdict import WriteBatch

        batch = WriteBatch(raw_mode=True)
        for profile_id, record in changes:
            if record is None:
                self._has_dropped = True
                batch.delete(profile_id.encode())
            else:
                batch.put(profile_id.encode(), record)
        batch.put(_CHECKPOINT.encode(), _encode(checkpoint))
        self._db.write(batch)

    def checkpoint(self) -> Checkpoint | None:
        """Return how far the files have followed the changelog."""
        found = self._db.get(_CHECKPOINT.encode())
        return None if found is None else _decode(found)

    def wipe(self) -> None:
        """Delete the files and start over with nothing."""
        self._db.close()
        shutil.rmtree(self._folder)
        self._uncommitted.clear()
        self._open()

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        last, key = self._last_key(), None
        for key, record in self._db.items():
            profile_id = key.decode()
            if profile_id != _CHECKPOINT and profile_id not in self._uncommitted:
                yield profile_id, record
        if key != last:
            self.wipe()
            raise DamagedError(f"{self._folder} was damaged, and is made anew from the changelog")
        yield from ((key, record) for key, record in self._uncommitted.items() if record is not None)

    def _last_key(self) -> bytes | None:
        """Look for the last key from behind: a run over all of them ends without a word where a file is damaged."""
        backwards = self._db.iter()
        backwards.seek_to_last()
        try:
            backwards.status()
        except Exception:  # noqa: BLE001 - as above; the end itself cannot be read
            return b""
        found: bytes | None = backwards.key() if backwards.valid() else None
        return found

    def walk(self) -> Iterator[str]:
        """Run over all profiles there are now, whatever changes on the way: RocksDB iterates over a snapshot."""
        return chain(list(self._uncommitted), self._through(self._db.keys(), self._last_key()))

    def _through(self, keys: Iterator[bytes], last: bytes | None) -> Iterator[str]:
        key = None
        for key in keys:
            name = key.decode()
            if name != _CHECKPOINT:
                yield name
        if key != last:
            # Whoever walked would take those who come behind for nobody. The next restore makes the files anew.
            raise DamagedError(f"{self._folder} is damaged, and is read again")

    def __len__(self) -> int:
        estimate = self._db.property_int_value("rocksdb.estimate-num-keys") or 0
        return max(0, int(estimate) - 1)

    def close(self) -> None:
        """Flush and close the files."""
        self._db.close()


def open_state(setting: str, partition: int) -> PartitionState:
    """Open the state that ORCHESTRATOR_STATE asks for: `memory` or `rocksdb:FOLDER`."""
    kind, _, folder = setting.partition(":")
    if kind == "memory":
        return MemoryState()
    return RocksState(Path(folder) / f"partition-{partition}")
