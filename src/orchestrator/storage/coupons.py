"""Codes that were given: which, and to whom, for as long as that may be known.

Owns the shape, and the statements of the table `coupons`. A code that was given stays given for ever, whoever forgets
whose it is. Must never choose a code.
"""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from orchestrator.errors import StorageError


@dataclass(frozen=True, slots=True)
class Given:
    """One code, and the entry of the profile that has it; both are empty once they are forgotten."""

    coupon: str
    code: str
    entry_id: str
    profile_id: str


def write(connection: sqlite3.Connection, given: Iterable[Given]) -> None:
    """Put down codes that are given; the table itself refuses one that was given before."""
    rows = [(each.code, each.coupon, each.entry_id, each.profile_id) for each in given]
    connection.executemany("INSERT INTO coupons (code, coupon, entry_id, profile_id) VALUES (?, ?, ?, ?)", rows)


def forget(connection: sqlite3.Connection, profile_ids: Iterable[tuple[str]]) -> None:
    """Forget that these profiles have codes."""
    connection.executemany("UPDATE coupons SET entry_id = '', profile_id = '' WHERE profile_id = ?", profile_ids)


def merge(connection: sqlite3.Connection, before: str, profile_id: str) -> None:
    """Let one profile's codes be another's."""
    connection.execute("UPDATE coupons SET profile_id = ? WHERE profile_id = ?", (profile_id, before))


def of(connection: sqlite3.Connection, profile_id: str) -> list[Given]:
    """Read the codes that a profile has."""
    rows = connection.execute(
        "SELECT coupon, code, entry_id, profile_id FROM coupons WHERE profile_id = ? ORDER BY code", (profile_id,)
    )
    return [Given(*row) for row in rows]


def of_entry(connection: sqlite3.Connection, entry_id: str) -> dict[str, str]:
    """Read the codes that an entry has, by coupon."""
    # Said twice, or SQLite does not see that the index holds all that is asked for.
    rows = connection.execute("SELECT coupon, code FROM coupons WHERE entry_id = ? AND entry_id <> ''", (entry_id,))
    return dict(rows)


def codes(connection: sqlite3.Connection) -> set[str]:
    """Read every code that was ever given."""
    return {code for (code,) in connection.execute("SELECT code FROM coupons")}


class GivenInMemory:
    """The same, as long as its object lives."""

    def __init__(self) -> None:
        self._rows: dict[str, Given] = {}

    def write(self, given: Iterable[Given]) -> None:
        """Put down codes that are given."""
        for each in given:
            if each.code in self._rows or each.coupon in self.of_entry(each.entry_id):
                raise StorageError(f"a code of {each.coupon} was given before")
            self._rows[each.code] = each

    def forget(self, profile_ids: Iterable[str]) -> None:
        """Forget that these profiles have codes."""
        gone = set(profile_ids)
        self._change(lambda row: replace(row, entry_id="", profile_id="") if row.profile_id in gone else row)

    def merge(self, before: str, profile_id: str) -> None:
        """Let one profile's codes be another's."""
        self._change(lambda row: replace(row, profile_id=profile_id) if row.profile_id == before else row)

    def _change(self, change: Callable[[Given], Given]) -> None:
        self._rows = {code: change(row) for code, row in self._rows.items()}

    def of(self, profile_id: str) -> list[Given]:
        """Find the codes that a profile has."""
        return sorted((row for row in self._rows.values() if row.profile_id == profile_id), key=lambda row: row.code)

    def of_entry(self, entry_id: str) -> dict[str, str]:
        """Find the codes that an entry has, by coupon."""
        return {row.coupon: row.code for row in self._rows.values() if entry_id and row.entry_id == entry_id}

    def codes(self) -> set[str]:
        """Give every code that was ever given."""
        return set(self._rows)
