"""The outbox: output lines until they are known to be in the file where they belong.

Owns the statements of the table `outbox`. Lines that are the decisions of their batch, one after the other, lie in
`decisions` already; a row then names the first and the last of those. Must never change a decision.
"""

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from orchestrator.storage import bulk
from orchestrator.storage.erasing import without
from orchestrator.storage.store import Batch, OutboxLines


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Put down the lines of a batch, whose decisions are there, and let go of those that are delivered."""
    bulk.execute(connection, "INSERT INTO outbox (target, lines) VALUES {rows}", list(batch.lines.items()))
    if batch.told_to is not None and batch.decisions:
        connection.execute(
            "INSERT INTO outbox (target, lines, first, last)"
            " SELECT ?, x'', max(number) - ? + 1, max(number) FROM decisions",
            (batch.told_to, len(batch.decisions)),
        )
    if batch.delivered:
        connection.execute("DELETE FROM outbox WHERE number <= ?", (batch.delivered,))


def waiting(connection: sqlite3.Connection) -> Iterator[OutboxLines]:
    """Walk the lines that are not known to be where they belong."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT number, target, lines, first, last FROM outbox ORDER BY number"
    ).fetchall()
    for number, target, lines, first, last in rows:
        if first is not None:
            told = connection.execute(
                "SELECT lines FROM decisions WHERE number BETWEEN ? AND ? ORDER BY number", (first, last)
            )
            lines = b"".join([each for (each,) in told])
        yield OutboxLines(number, target, lines)


def keep_told(connection: sqlite3.Connection) -> None:
    """Copy the lines that are decisions, before any of those goes."""
    for each in list(waiting(connection)):
        connection.execute(
            "UPDATE outbox SET lines = ?, first = NULL, last = NULL WHERE number = ? AND first IS NOT NULL",
            (each.lines, each.number),
        )


def erase(connection: sqlite3.Connection, profile_id: str, values: Collection[str]) -> int:
    """Erase the lines about a profile; say how many."""
    erased = 0
    for each in list(waiting(connection)):
        kept, gone = without(each.lines, profile_id, values)
        if gone:
            connection.execute("UPDATE outbox SET lines = ? WHERE number = ?", (kept, each.number))
        erased += gone
    return erased


def last_number(connection: sqlite3.Connection) -> int:
    """Return the highest number given out so far."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return row[0] if row else 0
