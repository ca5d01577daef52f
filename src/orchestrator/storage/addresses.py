"""Addresses: which customers are, or were, reached at one, by the address's hash.

Owns the statements of the table `addresses`. An address may be several customers', as a family's phone is; who is found
by one is asked of their records, so what this says of an address that was somebody's once does no harm. Must never hold
an address itself.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from orchestrator.storage import bulk


class Addresses(Protocol):
    """What a store tells of addresses."""

    def owners(self, name: str, limit: int) -> list[str]:
        """Return the profiles that an address was seen with, by its hash; so many at most."""
        ...

    def of(self, profile_id: str) -> list[str]:
        """Return the hashes of all addresses that were seen with a profile."""
        ...


class SqliteAddresses:
    """The same in SQLite, written within a batch's transaction; `explained` says in our words what went wrong."""

    def __init__(self, connection: sqlite3.Connection, explained: Callable[[], AbstractContextManager[None]]) -> None:
        self._connection = connection
        self._explained = explained

    def write(self, addressed: Collection[tuple[str, str]]) -> None:
        """Write addresses as (hash, profile id); those that are there already stay."""
        rows = sorted(set(addressed))
        bulk.execute(self._connection, "INSERT OR IGNORE INTO addresses (name, profile_id) VALUES {rows}", rows)

    def forget(self, profile_ids: Collection[tuple[str]]) -> None:
        """Take out whatever is about these profiles."""
        bulk.execute(self._connection, "DELETE FROM addresses WHERE profile_id IN (VALUES {rows})", list(profile_ids))

    def merge(self, before: str, profile_id: str) -> None:
        """Let one profile's addresses be another's."""
        execute = self._connection.execute
        execute("UPDATE OR IGNORE addresses SET profile_id = ? WHERE profile_id = ?", (profile_id, before))
        execute("DELETE FROM addresses WHERE profile_id = ?", (before,))

    def owners(self, name: str, limit: int) -> list[str]:
        """Return the profiles that an address was seen with."""
        rows = "SELECT profile_id FROM addresses WHERE name = ? ORDER BY profile_id LIMIT ?"
        with self._explained():
            return [profile_id for (profile_id,) in self._connection.execute(rows, (name, limit))]

    def of(self, profile_id: str) -> list[str]:
        """Return the hashes of all addresses that were seen with a profile."""
        rows = "SELECT name FROM addresses WHERE profile_id = ? ORDER BY name"
        with self._explained():
            return [name for (name,) in self._connection.execute(rows, (profile_id,))]


class AddressesInMemory:
    """The same, as long as its object lives."""

    def __init__(self) -> None:
        self._owners: defaultdict[str, set[str]] = defaultdict(set)
        self._names: defaultdict[str, set[str]] = defaultdict(set)

    def write(self, addressed: Iterable[tuple[str, str]]) -> None:
        """Take over addresses."""
        for name, profile_id in addressed:
            self._owners[name].add(profile_id)
            self._names[profile_id].add(name)

    def forget(self, profile_ids: Iterable[str]) -> None:
        """Take out whatever is about these profiles."""
        for profile_id in profile_ids:
            for name in self._names.pop(profile_id, ()):
                self._owners[name].discard(profile_id)

    def merge(self, before: str, profile_id: str) -> None:
        """Let one profile's addresses be another's."""
        names = self.of(before)
        self.forget([before])
        self.write((name, profile_id) for name in names)

    def owners(self, name: str, limit: int) -> list[str]:
        """Return the profiles that an address was seen with."""
        return sorted(self._owners.get(name, ()))[:limit]

    def of(self, profile_id: str) -> list[str]:
        """Return the hashes of all addresses that were seen with a profile."""
        return sorted(self._names.get(profile_id, ()))
