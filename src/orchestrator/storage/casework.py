"""Cases that people work on, and messages that a company's own apps read.

Owns the port to both, and its statements of the tables `cases` and `streamed`. Both are written by a batch like all
else. A case stays when it is closed, so that figures can be made of it; a message stays until its end. Must never
decide whose turn it is: it keeps what it is told.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from orchestrator.model.casework import CaseFile, Streamed, Wanted

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CaseFile).decode
_STREAMED = "number, message_id, profile_id, channel, at_ms, until_ms, message, origin"


class Casework(Protocol):
    """What a store tells of cases and of streamed messages."""

    def case(self, case_id: str) -> CaseFile | None:
        """Return one case; None when there is none of this id."""
        ...

    def of(self, profile_id: str) -> list[CaseFile]:
        """Return all cases of a profile, the oldest first."""
        ...

    def every(self) -> Iterator[CaseFile]:
        """Walk all cases, open and closed, the oldest first."""
        ...

    def opened(self) -> list[tuple[str, str]]:
        """List the cases that are open, as (profile id, case id), the oldest first."""
        ...

    def queue(self, wanted: Wanted, limit: int) -> list[CaseFile]:
        """Return the cases that are wanted: the most urgent first, then the oldest; of closed ones the newest first."""
        ...

    def drop(self, closed_before_ms: int) -> int:
        """Forget the cases that were closed before an instant; say how many."""
        ...

    def streamed(self, channel: str, profile_id: str | None, after: int, now_ms: int, limit: int) -> list[Streamed]:
        """Return a channel's messages, of one profile where it is named, after a place and before their end."""
        ...

    def streamed_message(self, message_id: str) -> Streamed | None:
        """Return one message; None when there is none of this id."""
        ...

    def streamed_of(self, profile_id: str) -> list[Streamed]:
        """Return all messages for a profile, in their order."""
        ...

    def last_streamed(self) -> int:
        """Return the place of the newest message; 0 when there was none."""
        ...

    def first_streamed(self, after: int, before: int) -> int | None:
        """Return the place of the first message that came from between these places; None when none did."""
        ...

    def drop_streamed(self, until_ms: int) -> int:
        """Forget the messages whose end has come; say how many."""
        ...


class SqliteCasework:
    """The same in SQLite, written within a batch's transaction; `explained` says in our words what went wrong."""

    def __init__(self, connection: sqlite3.Connection, explained: Callable[[], AbstractContextManager[None]]) -> None:
        self._execute = connection.execute
        self._many = connection.executemany
        self._explained = explained

    def write(
        self, cases: Sequence[CaseFile], dropped: Sequence[tuple[str, str]], streamed: Sequence[Streamed]
    ) -> None:
        """Write what a batch changes: cases replaced whole, messages that are there already left as they are."""
        if not cases and not dropped and not streamed:
            return
        self._many("DELETE FROM cases WHERE profile_id = ? AND case_id = ?", dropped)
        self._many(
            "INSERT INTO cases (case_id, profile_id, team, skill, channel, rank, opened_ms, closed_ms, file)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (case_id) DO UPDATE SET profile_id = excluded.profile_id,"
            " team = excluded.team, skill = excluded.skill, channel = excluded.channel, rank = excluded.rank,"
            " opened_ms = excluded.opened_ms, closed_ms = excluded.closed_ms, file = excluded.file",
            [
                (c.id, c.profile_id, c.team, c.skill, c.channel, c.rank, c.opened_ms, c.closed_ms, _encode(c))
                for c in cases
            ],
        )
        self._many(
            "INSERT OR IGNORE INTO streamed (message_id, profile_id, channel, at_ms, until_ms, message, origin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(s.id, s.profile_id, s.channel, s.at_ms, s.until_ms, s.message, s.origin) for s in streamed],
        )

    def forget(self, profile_ids: Iterable[str]) -> None:
        """Take out whatever is about these profiles."""
        gone = [(each,) for each in profile_ids]
        if not gone:
            return
        self._many("DELETE FROM cases WHERE profile_id = ?", gone)
        self._many("DELETE FROM streamed WHERE profile_id = ?", gone)

    def merge(self, before: str, profile_id: str) -> None:
        """Let what is one profile's be another's."""
        self._execute("UPDATE cases SET profile_id = ? WHERE profile_id = ?", (profile_id, before))
        self._execute("UPDATE streamed SET profile_id = ? WHERE profile_id = ?", (profile_id, before))

    def _rows(self, statement: str, *parameters: str | int) -> Iterator[tuple[Any, ...]]:
        with self._explained():
            yield from self._execute(statement, parameters)

    def case(self, case_id: str) -> CaseFile | None:
        """Read one case."""
        rows = self._rows("SELECT profile_id, file FROM cases WHERE case_id = ?", case_id)
        return next((_read(*row) for row in rows), None)

    def of(self, profile_id: str) -> list[CaseFile]:
        """Read all cases of a profile, the oldest first."""
        where = "WHERE profile_id = ? ORDER BY opened_ms, number"
        return [_read(*row) for row in self._rows(f"SELECT profile_id, file FROM cases {where}", profile_id)]  # noqa: S608 - our own words

    def every(self) -> Iterator[CaseFile]:
        """Walk all cases, the oldest first."""
        return (_read(*row) for row in self._rows("SELECT profile_id, file FROM cases ORDER BY opened_ms, number"))

    def opened(self) -> list[tuple[str, str]]:
        """List the cases that are open, as (profile id, case id)."""
        rows = self._rows("SELECT profile_id, case_id FROM cases WHERE closed_ms = 0 ORDER BY opened_ms, number")
        return [(profile_id, case_id) for profile_id, case_id in rows]

    def queue(self, wanted: Wanted, limit: int) -> list[CaseFile]:
        """Read the cases that are wanted; a file is only read where it is."""
        where, order = ("> 0", "closed_ms DESC") if wanted.closed else ("= 0", "rank DESC, opened_ms")
        rows = self._rows(
            f"SELECT team, skill, channel, profile_id, file FROM cases WHERE closed_ms {where} ORDER BY {order}, number"  # noqa: S608 - our own words
        )
        found: list[CaseFile] = []
        for team, skill, channel, profile_id, file in rows:
            if len(found) == limit:
                break
            if wanted.covers(team, skill, channel):
                found.append(_read(profile_id, file))
        return found

    def drop(self, closed_before_ms: int) -> int:
        """Forget the cases that were closed before an instant."""
        with self._explained():
            statement = "DELETE FROM cases WHERE closed_ms > 0 AND closed_ms < ?"
            return self._execute(statement, (closed_before_ms,)).rowcount

    def streamed(self, channel: str, profile_id: str | None, after: int, now_ms: int, limit: int) -> list[Streamed]:
        """Read a channel's messages after a place and before their end."""
        whose, values = ("", ()) if profile_id is None else ("AND profile_id = ? ", (profile_id,))
        rows = self._rows(
            f"SELECT {_STREAMED} FROM streamed WHERE channel = ? {whose}AND number > ? AND until_ms > ?"  # noqa: S608 - our own words
            " ORDER BY number LIMIT ?",
            *(channel, *values, after, now_ms, limit),
        )
        return [_message(row) for row in rows]

    def streamed_message(self, message_id: str) -> Streamed | None:
        """Read one message."""
        rows = self._rows(f"SELECT {_STREAMED} FROM streamed WHERE message_id = ?", message_id)  # noqa: S608 - our own words
        return next((_message(row) for row in rows), None)

    def streamed_of(self, profile_id: str) -> list[Streamed]:
        """Read all messages for a profile, in their order."""
        rows = self._rows(f"SELECT {_STREAMED} FROM streamed WHERE profile_id = ? ORDER BY number", profile_id)  # noqa: S608
        return [_message(row) for row in rows]

    def last_streamed(self) -> int:
        """Tell the place of the newest message."""
        return next((int(row[0]) for row in self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'streamed'")), 0)

    def first_streamed(self, after: int, before: int) -> int | None:
        """Find the first message that came from between these places."""
        where = "WHERE origin > 0 AND origin > ? AND origin < ? ORDER BY origin LIMIT 1"
        return next((int(row[0]) for row in self._rows(f"SELECT number FROM streamed {where}", after, before)), None)  # noqa: S608

    def drop_streamed(self, until_ms: int) -> int:
        """Forget the messages whose end has come."""
        with self._explained():
            return self._execute("DELETE FROM streamed WHERE until_ms <= ?", (until_ms,)).rowcount


def _read(profile_id: str, file: bytes) -> CaseFile:
    read = _decode(file)
    read.profile_id = profile_id  # the row's: it moves with a merge
    return read


def _message(row: tuple[Any, ...]) -> Streamed:
    number, message_id, profile_id, channel, at_ms, until_ms, message, origin = row
    return Streamed(message_id, profile_id, channel, at_ms, until_ms, message, number, origin)


class CaseworkInMemory:
    """The same, as long as its object lives."""

    def __init__(self) -> None:
        self._cases: dict[str, CaseFile] = {}
        self._streamed: dict[str, Streamed] = {}
        self._last = 0

    def write(
        self, cases: Iterable[CaseFile], dropped: Iterable[tuple[str, str]], streamed: Iterable[Streamed]
    ) -> None:
        """Take over what a batch changes."""
        for profile_id, case_id in dropped:
            if case_id in self._cases and self._cases[case_id].profile_id == profile_id:
                del self._cases[case_id]
        for each in cases:
            self._cases[each.id] = _copied(each)
        for message in streamed:
            if message.id not in self._streamed:
                self._last += 1
                self._streamed[message.id] = msgspec.structs.replace(message, number=self._last)

    def forget(self, profile_ids: Iterable[str]) -> None:
        """Take out whatever is about these profiles."""
        gone = set(profile_ids)
        self._cases = {key: case for key, case in self._cases.items() if case.profile_id not in gone}
        self._streamed = {key: one for key, one in self._streamed.items() if one.profile_id not in gone}

    def merge(self, before: str, profile_id: str) -> None:
        """Let what is one profile's be another's."""
        for case in self._cases.values():
            case.profile_id = profile_id if case.profile_id == before else case.profile_id
        for message in self._streamed.values():
            message.profile_id = profile_id if message.profile_id == before else message.profile_id

    def case(self, case_id: str) -> CaseFile | None:
        """Find one case."""
        found = self._cases.get(case_id)
        return None if found is None else _copied(found)

    def of(self, profile_id: str) -> list[CaseFile]:
        """Find all cases of a profile, the oldest first."""
        return [each for each in self.every() if each.profile_id == profile_id]

    def every(self) -> Iterator[CaseFile]:
        """Walk all cases, the oldest first."""
        return (_copied(each) for each in sorted(self._cases.values(), key=lambda each: each.opened_ms))

    def opened(self) -> list[tuple[str, str]]:
        """List the cases that are open, as (profile id, case id)."""
        return [(each.profile_id, each.id) for each in self.every() if not each.closed_ms]

    def queue(self, wanted: Wanted, limit: int) -> list[CaseFile]:
        """Find the cases that are wanted."""
        found = [each for each in self.every() if bool(each.closed_ms) == wanted.closed]
        found = [each for each in found if wanted.covers(each.team, each.skill, each.channel)]
        if wanted.closed:
            return sorted(found, key=lambda each: -each.closed_ms)[:limit]
        return sorted(found, key=lambda each: (-each.rank, each.opened_ms))[:limit]

    def drop(self, closed_before_ms: int) -> int:
        """Forget the cases that were closed before an instant."""
        gone = [key for key, each in self._cases.items() if 0 < each.closed_ms < closed_before_ms]
        for key in gone:
            del self._cases[key]
        return len(gone)

    def streamed(self, channel: str, profile_id: str | None, after: int, now_ms: int, limit: int) -> list[Streamed]:
        """Find a channel's messages after a place and before their end."""
        found = [each for each in self._streamed.values() if each.channel == channel and each.number > after]
        found = [each for each in found if profile_id in (None, each.profile_id) and each.until_ms > now_ms]
        return found[:limit]

    def streamed_message(self, message_id: str) -> Streamed | None:
        """Find one message."""
        return self._streamed.get(message_id)

    def streamed_of(self, profile_id: str) -> list[Streamed]:
        """Find all messages for a profile, in their order."""
        return [each for each in self._streamed.values() if each.profile_id == profile_id]

    def last_streamed(self) -> int:
        """Tell the place of the newest message."""
        return self._last

    def first_streamed(self, after: int, before: int) -> int | None:
        """Find the first message that came from between these places."""
        found = [each for each in self._streamed.values() if each.origin and after < each.origin < before]
        return min(found, key=lambda each: each.origin).number if found else None

    def drop_streamed(self, until_ms: int) -> int:
        """Forget the messages whose end has come."""
        gone = [key for key, each in self._streamed.items() if each.until_ms <= until_ms]
        for key in gone:
            del self._streamed[key]
        return len(gone)


def _copied(case: CaseFile) -> CaseFile:
    """Copy a case: whoever changes the one that they were given changes nothing here."""
    return _read(case.profile_id, _encode(case))
