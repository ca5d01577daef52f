"""Many rows in few statements.

Python's sqlite3 lets go of the interpreter around every step of a statement, and `executemany` steps once a row. Where
another thread works meanwhile, as in `serve`, each of those steps waits for that thread's turn to end. Owns how rows
are put into statements of many. Must never hold more than a few texts for one kind of row.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

# So many rows of seven values are below the 999 that every SQLite takes in one statement. Fewer rows go by the powers
# of two that they are made of, so that a handful of texts, each compiled once, serves any number.
MOST_ROWS = 128


def execute(connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Execute a statement for all rows, which take the place of `{rows}` in it, as in `INSERT … VALUES {rows}`."""
    first = 0
    while first < len(rows):
        count = min(MOST_ROWS, 1 << ((len(rows) - first).bit_length() - 1))
        several = rows[first : first + count]
        connection.execute(_text(statement, count, len(several[0])), [value for row in several for value in row])
        first += count


@lru_cache(maxsize=256)
def _text(statement: str, rows: int, values: int) -> str:
    row = f"({', '.join('?' * values)})"
    return statement.format(rows=", ".join([row] * rows))
