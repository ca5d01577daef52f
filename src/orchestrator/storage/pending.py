"""Actions on their way: what delivery has still to hand to a provider, and what it gave up on.

Owns the shapes, and the statements of the tables `pending` and `dead_letters`. An action is here from the commit of
its decision until its outcome is committed; one that was given up on stays, so that it can be sent again. Must never
decide when to try again: it keeps what it is told.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from orchestrator.storage import bulk

# What nobody could read is kept for people to look at, the newest so many: a producer gone wild fills no disk.
KEPT_DEAD_LETTERS = 100_000


class Pending(msgspec.Struct, frozen=True):
    """One action that waits, on the lane it goes by: as JSON, with the instant of the next try.

    `cancelled` asks for an outcome at once. `reason` is why it was given up on, None while it waits.
    """

    action_id: str
    lane: str
    due_ms: int
    profile_id: str
    action: bytes
    attempts: int = 0
    cancelled: bool = False
    reason: str | None = None
    why: str | None = None


class Settled(msgspec.Struct, frozen=True):
    """What became of one: with `due_ms` it is tried again then; with `reason` it is given up on; else it is done.

    `action` is what is left of one that is tried again, where some of its addresses took it; None where all of it is.
    """

    action_id: str
    due_ms: int | None = None
    attempts: int = 0
    reason: str | None = None
    why: str | None = None
    action: bytes | None = None


_decode_due = msgspec.json.Decoder(list[tuple[int, int, str, str, str, int, int, str | None]]).decode
_COLUMNS = "action_id, lane, due_ms, profile_id, action, attempts, cancelled, reason, why"


def write(
    connection: sqlite3.Connection,
    pending: Iterable[Pending],
    cancelled: Iterable[str],
    settled: Iterable[Settled],
    dead_letters: Iterable[bytes],
) -> None:
    """Write what a batch changes; an action that is there already stays as it is."""
    bulk.execute(
        connection,
        "INSERT OR IGNORE INTO pending (action_id, lane, due_ms, profile_id, action) VALUES {rows}",
        [(p.action_id, p.lane, p.due_ms, p.profile_id, p.action) for p in pending],
    )
    # Due at once, so that the outcome is on record now and not when the message would have gone. What was given up
    # on keeps the mark: whoever lets it try again has not heard of it.
    bulk.execute(
        connection,
        "UPDATE pending SET cancelled = 1, due_ms = 0 WHERE action_id IN (VALUES {rows})",
        [(action_id,) for action_id in cancelled],
    )
    done = []
    for each in settled:
        if each.reason is None and each.due_ms is None:
            done.append((each.action_id,))
        else:
            _put_back(connection, each)
    bulk.execute(connection, "DELETE FROM pending WHERE action_id IN (VALUES {rows})", done)
    letters = [(line,) for line in dead_letters]
    if letters:
        bulk.execute(connection, "INSERT INTO dead_letters (line) VALUES {rows}", letters)
        connection.execute(
            "DELETE FROM dead_letters WHERE number <= (SELECT max(number) FROM dead_letters) - ?", (KEPT_DEAD_LETTERS,)
        )


def _put_back(connection: sqlite3.Connection, settled: Settled) -> None:
    if settled.reason is not None:
        connection.execute(
            "UPDATE pending SET reason = ?, why = ?, attempts = ? WHERE action_id = ?",
            (settled.reason, settled.why, settled.attempts, settled.action_id),
        )
    else:
        connection.execute(
            # One that was cancelled while it was tried has nothing to wait for.
            "UPDATE pending SET due_ms = CASE cancelled WHEN 1 THEN 0 ELSE ? END, why = ?, attempts = ?,"
            " action = coalesce(?, action) WHERE action_id = ?",
            (settled.due_ms, settled.why, settled.attempts, settled.action, settled.action_id),
        )


def forget(connection: sqlite3.Connection, profile_ids: Sequence[tuple[str]]) -> None:
    """Take out whatever was on its way to these profiles."""
    bulk.execute(connection, "DELETE FROM pending WHERE profile_id IN (VALUES {rows})", profile_ids)


def merge(connection: sqlite3.Connection, before: str, profile_id: str) -> None:
    """Let what is on its way to one profile be another's."""
    connection.execute("UPDATE pending SET profile_id = ? WHERE profile_id = ?", (profile_id, before))


def due(
    connection: sqlite3.Connection, lane: str, until_ms: int, limit: int, but: Collection[str] = ()
) -> list[Pending]:
    """Read what is due on a lane, the longest due first."""
    # All rows as one, because each costs a step of its own (see `bulk`).
    (found,) = connection.execute(
        "SELECT json_group_array(json_array(due_ms, number, action_id, profile_id, CAST(action AS TEXT), attempts,"
        " cancelled, why)) FROM (SELECT * FROM pending WHERE lane = ? AND reason IS NULL AND due_ms <= ?"
        " AND action_id NOT IN (SELECT value FROM json_each(?)) ORDER BY due_ms, number LIMIT ?)",
        (lane, until_ms, msgspec.json.encode(but).decode(), limit),
    ).fetchone()
    return [
        Pending(action_id, lane, due_ms, profile_id, action.encode(), attempts, bool(cancelled), None, why)
        for due_ms, _, action_id, profile_id, action, attempts, cancelled, why in sorted(_decode_due(found))
    ]


def next_due(connection: sqlite3.Connection, lane: str, after_ms: int) -> int | None:
    """Find when the next of a lane is due after an instant; None when nothing is."""
    row = connection.execute(
        "SELECT min(due_ms) FROM pending WHERE lane = ? AND reason IS NULL AND due_ms > ?", (lane, after_ms)
    ).fetchone()
    return None if row[0] is None else int(row[0])


def dead(connection: sqlite3.Connection) -> Iterator[Pending]:
    """Walk what was given up on, the oldest first."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM pending WHERE reason IS NOT NULL ORDER BY number")  # noqa: S608
    return (_read(row) for row in found)


def of(connection: sqlite3.Connection, profile_id: str) -> list[Pending]:
    """Read what is on its way to a profile, or was given up on, the oldest first."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM pending WHERE profile_id = ? ORDER BY number", (profile_id,))  # noqa: S608
    return [_read(row) for row in found]


def lanes(connection: sqlite3.Connection) -> dict[str, int]:
    """Count what waits, by lane."""
    return dict(connection.execute("SELECT lane, count(*) FROM pending WHERE reason IS NULL GROUP BY lane"))


def revive(connection: sqlite3.Connection, due_ms: int, reason: str | None) -> int:
    """Let what was given up on (for this reason, or for any) be tried again; say how many there were."""
    where = "reason IS NOT NULL" if reason is None else "reason = ?"
    cursor = connection.execute(
        f"UPDATE pending SET reason = NULL, why = NULL, attempts = 0, due_ms = ? WHERE {where}",  # noqa: S608
        (due_ms,) if reason is None else (due_ms, reason),
    )
    return cursor.rowcount


def _read(row: tuple[object, ...]) -> Pending:
    action_id, lane, due_ms, profile_id, action, attempts, cancelled, reason, why = row
    return Pending(action_id, lane, due_ms, profile_id, action, attempts, bool(cancelled), reason, why)  # type: ignore[arg-type]


class PendingInMemory:
    """The same, as long as its object lives."""

    def __init__(self) -> None:
        self._rows: dict[str, Pending] = {}
        self.dead_letters: list[bytes] = []

    def write(
        self,
        pending: Iterable[Pending],
        cancelled: Iterable[str],
        settled: Iterable[Settled],
        dead_letters: Iterable[bytes],
    ) -> None:
        """Take over what a batch changes."""
        for each in pending:
            self._rows.setdefault(each.action_id, each)
        for action_id in cancelled:
            row = self._rows.get(action_id)
            if row is not None:
                self._rows[action_id] = replace(row, due_ms=0, cancelled=True)
        for outcome in settled:
            self._settle(outcome)
        self.dead_letters += dead_letters
        del self.dead_letters[:-KEPT_DEAD_LETTERS]

    def _settle(self, settled: Settled) -> None:
        row = self._rows.get(settled.action_id)
        if row is None:
            return
        if settled.reason is not None:
            changed = replace(row, reason=settled.reason, why=settled.why, attempts=settled.attempts)
        elif settled.due_ms is not None:
            due_ms = 0 if row.cancelled else settled.due_ms
            action = settled.action or row.action
            changed = replace(row, due_ms=due_ms, why=settled.why, attempts=settled.attempts, action=action)
        else:
            del self._rows[settled.action_id]
            return
        self._rows[settled.action_id] = changed

    def forget(self, profile_ids: Iterable[str]) -> None:
        """Take out whatever was on its way to these profiles."""
        gone = set(profile_ids)
        if not gone:
            return
        self._rows = {key: row for key, row in self._rows.items() if row.profile_id not in gone}

    def merge(self, before: str, profile_id: str) -> None:
        """Let what is on its way to one profile be another's."""
        for key, row in self._rows.items():
            if row.profile_id == before:
                self._rows[key] = replace(row, profile_id=profile_id)

    def due(self, lane: str, until_ms: int, limit: int, but: Collection[str] = ()) -> list[Pending]:
        """Find what is due on a lane, the longest due first."""
        found = [row for row in self._waiting(lane) if row.due_ms <= until_ms and row.action_id not in but]
        return sorted(found, key=lambda row: row.due_ms)[:limit]

    def next_due(self, lane: str, after_ms: int) -> int | None:
        """Find when the next of a lane is due after an instant."""
        return min((row.due_ms for row in self._waiting(lane) if row.due_ms > after_ms), default=None)

    def dead(self) -> Iterator[Pending]:
        """Walk what was given up on."""
        return iter([row for row in self._rows.values() if row.reason is not None])

    def of(self, profile_id: str) -> list[Pending]:
        """Find what is on its way to a profile, or was given up on."""
        return [row for row in self._rows.values() if row.profile_id == profile_id]

    def lanes(self) -> dict[str, int]:
        """Count what waits, by lane."""
        counts: dict[str, int] = {}
        for row in self._rows.values():
            if row.reason is None:
                counts[row.lane] = counts.get(row.lane, 0) + 1
        return counts

    def revive(self, due_ms: int, reason: str | None) -> int:
        """Let what was given up on be tried again."""
        revived = [row for row in self.dead() if reason in (None, row.reason)]
        for row in revived:
            self._rows[row.action_id] = replace(row, due_ms=due_ms, attempts=0, reason=None, why=None)
        return len(revived)

    def _waiting(self, lane: str) -> Iterator[Pending]:
        return (row for row in self._rows.values() if row.lane == lane and row.reason is None)
