"""The store in one SQLite file: what survives the process, a kill -9 and a power cut.

Owns the connection, the file's lock, and how a batch becomes one transaction. Must never decode a
record. The page of its tables:

    profiles     one row a customer: the record as it is, with its due instant beside it, so that timers are
                 rebuilt without decoding
    decisions    one row a turn: its decision lines, for "why?" by customer; `profile_key` is a number made
                 from the profile id, because an index of numbers is a third of the size
    outbox       output lines, several to a row, until they are known to be in the file where they belong; of decisions
                 only which
    positions    how far each reader has come, by name
    outputs      how long each output file is, as far as its lines are known to be safe
    definitions  the texts of every version of a journey that was ever in force here, so that customers inside
                 finish the version they entered
    release      the texts of the project in force, one row, under the number of its release
    pending      actions that delivery has still to hand over, and those it gave up on
    names        which profile is known by an identifier, by the identifier's hash, and of which kind that is
    dead_letters lines about records that came to nothing
    cases        what people work on, open and closed, each with its whole file
    streamed     messages that a company's own apps read, until their end
    coupons      codes that were given, and to which entry, until that is forgotten
    addresses    which customers are reached at an address, by its hash

The shapes stand in `migrations`. The file is in WAL mode: readers (`explain`, a console) see the last
commit and never hold up the writer. Beside it lies `<file>-lock`, which the writing process holds.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

from xxhash import xxh3_64_intdigest

from orchestrator.errors import StorageError
from orchestrator.model.codec import due_of
from orchestrator.storage import bulk, coupons, files, migrations, outbox, pending
from orchestrator.storage.addresses import SqliteAddresses
from orchestrator.storage.casework import SqliteCasework
from orchestrator.storage.coupons import Given
from orchestrator.storage.erasing import made_before, quotes
from orchestrator.storage.pending import Pending
from orchestrator.storage.recent import RECENT_RECORDS, Recent
from orchestrator.storage.store import Batch, Named, OutboxLines, Release, VersionTexts, check_follows

# A checkpoint copies pages from the log into the file; a longer log copies a page that changed often only once.
CHECKPOINT_BYTES = 64 << 20
PAGE_CACHE_KIB = 65_536
# SQLite's own size for the pages of a new file: a commit of few rows writes few bytes.
PAGE_BYTES = 4_096

Synchronous = Literal["FULL", "NORMAL", "OFF"]


class SqliteStore:
    """A Store in one file.

    `synchronous` FULL makes every commit survive a power cut; NORMAL may lose the last commits then,
    but never breaks the file. With `writes=False` any number of processes read beside the one that
    writes; committing then raises StorageError. With `publishes=True` such a process may put in
    definitions and a release, which is the one thing that SQLite's own lock is enough for. `page_bytes` is the size of
    a new file's pages; one that is there keeps its own. `checkpoint_bytes` is how long the log grows before a commit
    copies it into the file, and takes so much longer.
    """

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Synchronous = "FULL",
        writes: bool = True,
        publishes: bool = False,
        recent_records: int = RECENT_RECORDS,
        page_bytes: int = PAGE_BYTES,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
    ) -> None:
        self._name, self._path = str(path), str(path.resolve())
        self._writes = writes
        self._recent = Recent(recent_records)
        self._lock = files.lock(path) if writes else None
        try:
            with self._explained():
                self._connection = files.connect(path, writes or publishes)
        except BaseException:
            self._unlock()
            raise
        try:
            with self._explained():
                self._prepare(synchronous, page_bytes, checkpoint_bytes)
        except BaseException:
            self.close()
            raise

    def _prepare(self, synchronous: Synchronous, page_bytes: int, checkpoint_bytes: int) -> None:
        execute = self._connection.execute
        self._select = self._connection.cursor().execute
        self.casework = SqliteCasework(self._connection, self._explained)
        self.addresses = SqliteAddresses(self._connection, self._explained)
        if not self._writes:
            if migrations.check(self._connection, self._name) < len(migrations.MIGRATIONS):
                raise StorageError(
                    f"{self._name} was not written by this release; let a process that writes open it once"
                )
            return
        migrations.check(self._connection, self._name)  # before anything is changed in a file of somebody else's
        execute(f"PRAGMA page_size = {page_bytes}")  # before anything is written; later it means nothing
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA synchronous = {synchronous}")
        ((page_bytes,),) = execute("PRAGMA page_size")
        execute(f"PRAGMA wal_autocheckpoint = {checkpoint_bytes // page_bytes}")
        execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
        # Some builds of SQLite write zeros over whatever is deleted, each outbox for one: `scrub` is what erasing asks.
        execute("PRAGMA secure_delete = OFF")
        migrations.migrate(self._connection, self._name)
        self._number = outbox.last_number(self._connection)
        self._file = files.identity(self._path)
        self._recent.holds_all = execute("SELECT 1 FROM profiles LIMIT 1").fetchone() is None

    def read(self, profile_id: str) -> bytes | None:
        """Return a profile's record; None when it has none."""
        recent = self._recent.get(profile_id)
        if recent is not None or self._recent.holds_all:
            return recent
        try:
            row = self._select("SELECT record FROM profiles WHERE profile_id = ?", (profile_id,)).fetchone()
        except sqlite3.Error as error:
            raise _explain(self._name, error) from error
        if row is None:
            return None
        record: bytes = row[0]
        self._recent.remember({profile_id: record})
        return record

    def commit(self, batch: Batch) -> int:
        """Make a batch durable in one transaction; return the highest outbox number given out so far."""
        if not self._writes:
            raise StorageError(f"{self._name} cannot be written: it was opened for reading only")
        if files.identity(self._path) != self._file:
            # SQLite goes on writing into what nobody will find again.
            raise StorageError(
                f"{self._name} was removed or replaced while it was in use; end this process to begin anew"
            )
        changed = {profile_id: record for profile_id, record in batch.records.items() if record is not None}
        with self._explained(), self._transaction():
            self._write_profiles(changed, [(each,) for each in batch.records if each not in changed])
            self._write_decisions(batch)
            outbox.write(self._connection, batch)
            self._write_positions(batch)
            pending.write(self._connection, batch.pending, batch.cancelled, batch.settled, batch.dead_letters)
            self.casework.write(batch.cases, batch.dropped, batch.streamed)
            self.addresses.write(batch.addressed)
            if batch.given:
                coupons.write(self._connection, batch.given)
            for before, profile_id in batch.merged:
                self._merge(before, profile_id)
            self._write_names(batch)
            number = outbox.last_number(self._connection)
        self._number = number
        for profile_id in (batch.records.keys() - changed.keys()).union(before for before, _ in batch.merged):
            changed.pop(profile_id, None)
            self._recent.forget(profile_id)
        self._recent.remember(changed)
        return number

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _write_profiles(self, changed: dict[str, bytes], erased: list[tuple[str]]) -> None:
        self._execute(
            "INSERT INTO profiles (profile_id, due_ms, record) VALUES {rows}"
            " ON CONFLICT (profile_id) DO UPDATE SET due_ms = excluded.due_ms, record = excluded.record",
            # In the order of the keys: neighbours then change one page after the other.
            [(profile_id, due_of(record), record) for profile_id, record in sorted(changed.items())],
        )
        if erased:
            outbox.keep_told(self._connection)
        self._execute("DELETE FROM profiles WHERE profile_id IN (VALUES {rows})", erased)
        self._execute("DELETE FROM names WHERE profile_id IN (VALUES {rows})", erased)
        self._connection.executemany(
            "DELETE FROM decisions WHERE profile_key = ? AND profile_id = ?",  # of two columns no index would be used
            [(_key_of(profile_id), profile_id) for (profile_id,) in erased],
        )
        pending.forget(self._connection, erased)
        self.casework.forget([each for (each,) in erased])
        self.addresses.forget(erased)
        coupons.forget(self._connection, erased)

    def _execute(self, statement: str, values: Sequence[Sequence[object]]) -> None:
        bulk.execute(self._connection, statement, values)

    def _write_decisions(self, batch: Batch) -> None:
        self._execute(
            "INSERT INTO decisions (profile_key, profile_id, lines) VALUES {rows}",
            [(_key_of(profile_id), profile_id, lines) for profile_id, lines in batch.decisions],
        )

    def _write_positions(self, batch: Batch) -> None:
        kept = [(name, position) for name, position in batch.positions.items() if position is not None]
        self._execute("INSERT OR REPLACE INTO positions (name, position) VALUES {rows}", kept)
        forgotten = [(name,) for name, position in batch.positions.items() if position is None]
        self._execute("DELETE FROM positions WHERE name IN (VALUES {rows})", forgotten)
        self._execute("INSERT OR REPLACE INTO outputs (file, length) VALUES {rows}", list(batch.lengths.items()))

    def _write_names(self, batch: Batch) -> None:
        learned = [(name, known.profile_id, known.kind) for name, known in sorted(batch.names.items()) if known]
        self._execute("INSERT OR REPLACE INTO names (name, profile_id, kind) VALUES {rows}", learned)
        forgotten = [(name,) for name, known in batch.names.items() if known is None]
        self._execute("DELETE FROM names WHERE name IN (VALUES {rows})", forgotten)

    def _merge(self, before: str, profile_id: str) -> None:
        execute = self._connection.execute
        execute("DELETE FROM profiles WHERE profile_id = ?", (before,))
        execute("UPDATE names SET profile_id = ? WHERE profile_id = ?", (profile_id, before))
        execute(
            "UPDATE decisions SET profile_key = ?, profile_id = ? WHERE profile_key = ? AND profile_id = ?",
            (_key_of(profile_id), profile_id, _key_of(before), before),
        )
        pending.merge(self._connection, before, profile_id)
        self.casework.merge(before, profile_id)
        self.addresses.merge(before, profile_id)
        coupons.merge(self._connection, before, profile_id)

    def _rows(self, statement: str, *parameters: str | int) -> Iterator[tuple[Any, ...]]:
        """Walk a query's rows, whatever goes wrong on the way explained."""
        with self._explained():
            yield from self._connection.execute(statement, parameters)

    def waiting(self) -> Iterator[tuple[int, str]]:
        """Walk all profiles that wait, as (due_ms, profile id)."""
        # A scan, once at start: an index on due_ms would cost every write of a record.
        return self._rows("SELECT due_ms, profile_id FROM profiles WHERE due_ms > 0")

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Walk all profiles, as (profile id, record)."""
        return self._rows("SELECT profile_id, record FROM profiles")

    def profiles(self) -> int:
        """Count the profiles."""
        (row,) = self._rows("SELECT count(*) FROM profiles")
        return int(row[0])

    def decisions_of(self, profile_id: str) -> Iterator[bytes]:
        """Walk a profile's decision lines, oldest first."""
        # The id is compared too: two ids may share a key.
        return self._decision_lines("WHERE profile_key = ? AND profile_id = ?", _key_of(profile_id), profile_id)

    def drop_decisions(self, before: str) -> int:
        """Forget the turns whose decisions were made before an instant; say how many turns."""
        gone: list[tuple[int]] = []
        for number, lines in self._rows("SELECT number, lines FROM decisions ORDER BY number"):
            if made_before(lines, before):
                gone.append((number,))
        with self._explained(), self._transaction():
            outbox.keep_told(self._connection)
            self._execute("DELETE FROM decisions WHERE number IN (VALUES {rows})", gone)
        return len(gone)

    def decisions(self) -> Iterator[bytes]:
        """Walk all decision lines, oldest first."""
        return self._decision_lines("")

    def _decision_lines(self, where: str, *parameters: str | int) -> Iterator[bytes]:
        for (lines,) in self._rows(f"SELECT lines FROM decisions {where} ORDER BY number", *parameters):  # noqa: S608
            yield from lines.splitlines()

    def outbox(self) -> Iterator[OutboxLines]:
        """Walk the lines that are not yet known to be where they belong."""
        with self._explained():
            yield from outbox.waiting(self._connection)

    def position(self, name: str) -> bytes | None:
        """Return how far the reader of this name has come."""
        return next((row[0] for row in self._rows("SELECT position FROM positions WHERE name = ?", name)), None)

    def positions(self, prefix: str) -> dict[str, bytes]:
        """Return all positions whose names begin so."""
        rows = self._rows("SELECT name, position FROM positions WHERE substr(name, 1, ?) = ?", len(prefix), prefix)
        return dict(rows)

    def lengths(self) -> dict[str, int]:
        """Return the lengths of output files as last committed."""
        return dict(self._rows("SELECT file, length FROM outputs"))

    def define(self, definitions: Iterable[VersionTexts], release: Release | None = None) -> None:
        """Keep these definitions, and the release they belong to, in one transaction."""
        texts = [(each.journey, each.version, json.dumps(dict(each.sources))) for each in definitions]
        with self._explained(), self._transaction():
            self._execute("INSERT OR REPLACE INTO definitions (journey, version, sources) VALUES {rows}", texts)
            if release is not None:
                check_follows(release, self.revision())
                self._connection.execute("DELETE FROM release")
                self._connection.execute(
                    "INSERT INTO release (revision, sources) VALUES (?, ?)",
                    (release.revision, json.dumps(dict(release.sources))),
                )

    def revision(self) -> int:
        """Return the revision in force."""
        return next((row[0] for row in self._rows("SELECT revision FROM release")), 0)

    def release(self) -> Release | None:
        """Return the release in force."""
        rows = self._rows("SELECT revision, sources FROM release")
        return next((Release(revision, json.loads(sources)) for revision, sources in rows), None)

    def definitions(self) -> list[VersionTexts]:
        """Return every definition kept, by journey and version."""
        rows = self._rows("SELECT journey, version, sources FROM definitions ORDER BY journey, version")
        return [VersionTexts(journey, version, json.loads(sources)) for journey, version, sources in rows]

    def due(self, lane: str, until_ms: int, limit: int, but: Collection[str] = ()) -> list[Pending]:
        """Return what is due on a lane, but these, the longest due first."""
        with self._explained():
            return pending.due(self._connection, lane, until_ms, limit, but)

    def next_due(self, lane: str, after_ms: int) -> int | None:
        """Return when the next of a lane is due after an instant."""
        with self._explained():
            return pending.next_due(self._connection, lane, after_ms)

    def lanes(self) -> dict[str, int]:
        """Count the actions that wait, by lane."""
        with self._explained():
            return pending.lanes(self._connection)

    def given_up(self) -> list[Pending]:
        """Return the actions that were given up on, oldest first."""
        with self._explained():
            return list(pending.dead(self._connection))

    def revive(self, due_ms: int, reason: str | None = None) -> int:
        """Let actions that were given up on be tried again, in one transaction."""
        with self._explained(), self._transaction():
            return pending.revive(self._connection, due_ms, reason)

    def named(self, name: str) -> str | None:
        """Return the profile that is known by the hash of an identifier."""
        known = self.known(name)
        return None if known is None else known.profile_id

    def known(self, name: str) -> Named | None:
        """Return the same with the kind of identifier that the name stands for."""
        rows = self._rows("SELECT profile_id, kind FROM names WHERE name = ?", name)
        return next((Named(profile_id, kind) for profile_id, kind in rows), None)

    def names_of(self, profile_id: str) -> dict[str, str]:
        """Return all names that a profile is known by, with their kinds."""
        return dict(self._rows("SELECT name, kind FROM names WHERE profile_id = ? ORDER BY name", profile_id))

    def pending_of(self, profile_id: str) -> list[Pending]:
        """Return what is on its way to a profile, or was given up on."""
        with self._explained():
            return pending.of(self._connection, profile_id)

    def codes(self) -> set[str]:
        """Return every code of a coupon that was ever given."""
        with self._explained():
            return coupons.codes(self._connection)

    def codes_of_entry(self, entry_id: str) -> dict[str, str]:
        """Return the codes that an entry has, by coupon."""
        with self._explained():
            return coupons.of_entry(self._connection, entry_id)

    def codes_of(self, profile_id: str) -> list[Given]:
        """Return the codes that a profile has."""
        with self._explained():
            return coupons.of(self._connection, profile_id)

    def erase(self, profile_id: str, values: Collection[str]) -> dict[str, int]:
        """Erase all that is kept of a profile, in one transaction."""
        counts = {
            "profiles": int(self.read(profile_id) is not None),
            "decisions": sum(1 for _ in self.decisions_of(profile_id)),
            "pending": len(self.pending_of(profile_id)),
            "names": len(self.names_of(profile_id)),
            "cases": len(self.casework.of(profile_id)),
            "streamed": len(self.casework.streamed_of(profile_id)),
            "coupons": len(self.codes_of(profile_id)),
            "addresses": len(self.addresses.of(profile_id)),
        }
        with self._explained(), self._transaction():
            self._write_profiles({}, [(profile_id,)])
            counts["dead_letters"] = self._erase_letters(profile_id, values)
            counts["lines"] = outbox.erase(self._connection, profile_id, values)
        self._recent.forget(profile_id)
        return counts

    def _erase_letters(self, profile_id: str, values: Collection[str]) -> int:
        rows = self._connection.execute("SELECT number, line FROM dead_letters").fetchall()
        gone = [(number,) for number, line in rows if quotes(line, profile_id, values)]
        self._execute("DELETE FROM dead_letters WHERE number IN (VALUES {rows})", gone)
        return len(gone)

    def scrub(self) -> None:
        """Rewrite the file and empty its log: what was erased lies in free pages until then."""
        with self._explained():
            self._connection.execute("VACUUM")
            # A reader may hold the log up; then its end is written over by the next commits, and emptied at the close.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def dead_letters(self) -> list[bytes]:
        """Return the lines about records that came to nothing."""
        return [line for (line,) in self._rows("SELECT line FROM dead_letters ORDER BY number")]

    def close(self) -> None:
        """Close the file and let go of its lock; closing twice does no harm."""
        with self._explained():
            self._connection.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _explain(self._name, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _key_of(profile_id: str) -> int:
    """Make the 63-bit number that decisions are found by."""
    return xxh3_64_intdigest(profile_id.encode()) >> 1


# What SQLite says, and what to do about it.
_ADVICE = {
    sqlite3.SQLITE_NOTADB: "is no state file, or is damaged; restore it from a backup, or name another",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup, or move it away to begin anew",
    sqlite3.SQLITE_FULL: "finds no space left; make room and start again: nothing committed is lost",
    sqlite3.SQLITE_IOERR: "cannot be read or written; look at the disk (its space, quotas and limits) and start again: "
    "nothing committed is lost",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that it exists and that its folder can be written",
    sqlite3.SQLITE_READONLY: "cannot be written; open it for writing, and check its permissions",
    sqlite3.SQLITE_BUSY: "is locked by another program; wait for it to end",
}


def _explain(name: str, error: sqlite3.Error) -> StorageError:
    """Say what happened to the file and what to do."""
    # The low byte is the kind of error, the rest a finer distinction of it.
    advice = _ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "failed")
    return StorageError(f"{name} {advice} (SQLite: {error})")
