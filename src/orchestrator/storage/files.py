"""The files of a store on disk: made for their owner alone, and held by one writing process at a time.

Owns how the database is opened and locked. Must never open the database by itself while SQLite has it.
"""

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import IO

from orchestrator.errors import StorageError
from orchestrator.storage.store import StoreInUse


def connect(path: Path, writes: bool) -> sqlite3.Connection:
    """Open the file, made anew where it is not there and may be written."""
    if writes:
        _make_private(path)
    mode = "rwc" if writes else "ro"
    # isolation_level None: transactions are begun and ended by us alone, never behind our back.
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _make_private(path: Path) -> None:
    """Begin a new file that nobody but its owner reads, whatever the umask: it names customers.

    Its log and index are made by SQLite with the same permissions. One that is there keeps those it was given.
    """
    # Only a new one is opened here: see `lock`. What cannot be made is SQLite's to complain of.
    with suppress(OSError):
        os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def identity(path: str) -> tuple[int, int] | None:
    """Tell which file stands at a path, None where none can be seen; who moves or replaces it changes the answer."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def lock(path: Path) -> IO[str]:
    """Take the lock that makes this process the file's only writer; it goes with the process, however that ends."""
    if path.is_dir():
        raise StorageError(f"{path} is a folder; name a file in it for the state")
    # A file of its own: closing any handle on the database itself would drop the locks that SQLite holds on it. Beside
    # the file that a link leads to, whose writers are the same under whatever name.
    beside = path.resolve()
    lock_path = beside.with_name(f"{beside.name}-lock")
    try:
        held = lock_path.open("a+")
    except OSError as error:
        raise StorageError(
            f"{lock_path} cannot be written: {error.strerror}; name a state file in a folder that can"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.seek(0)
        owner = held.read().strip() or "unknown"
        held.close()
        raise StoreInUse(
            f"{path} is in use by another process (process id {owner}); wait for it to end, or name another state file"
        ) from error
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held
