"""The store in memory: gone with the process, and as fast as a dictionary.

Owns nothing beyond its dictionaries. It keeps every decision that it is handed, so a runtime whose
memory must grow with customers and not with events hands it none.
Must never write a file.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count
from typing import Self

from orchestrator.model.codec import due_of
from orchestrator.storage.addresses import AddressesInMemory
from orchestrator.storage.casework import CaseworkInMemory
from orchestrator.storage.coupons import Given, GivenInMemory
from orchestrator.storage.erasing import made_before, quotes, without
from orchestrator.storage.pending import Pending, PendingInMemory
from orchestrator.storage.store import Batch, Named, OutboxLines, Release, VersionTexts, check_follows


class MemoryStore:
    """A Store that lives as long as its object."""

    def __init__(self) -> None:
        self._records: dict[str, bytes] = {}
        self._outbox: list[OutboxLines] = []
        self._number = 0
        # By number, so that what was decided under two names is told in the order in which it was.
        self._decisions: dict[int, bytes] = {}
        self._decided = count()
        self._decisions_of: defaultdict[str, list[int]] = defaultdict(list)
        self._positions: dict[str, bytes] = {}
        self._lengths: dict[str, int] = {}
        self._definitions: dict[tuple[str, int], VersionTexts] = {}
        self._release: Release | None = None
        self._pending = PendingInMemory()
        self.casework = CaseworkInMemory()
        self.addresses = AddressesInMemory()
        self._given = GivenInMemory()
        self._names: dict[str, Named] = {}
        self._names_of: defaultdict[str, dict[str, str]] = defaultdict(dict)
        # The dictionary's own method: no call of ours stands between the hot loop and the record.
        self.read: Callable[[str], bytes | None] = self._records.get

    def commit(self, batch: Batch) -> int:
        """Take over a batch."""
        self._given.write(batch.given)
        for profile_id, record in batch.records.items():
            if record is None:
                self._records.pop(profile_id, None)
            else:
                self._records[profile_id] = record
        erased = {profile_id for profile_id, record in batch.records.items() if record is None}
        self._pending.forget(erased)
        self.casework.forget(erased)
        self.addresses.forget(erased)
        self._given.forget(erased)
        for profile_id in erased:
            for number in self._decisions_of.pop(profile_id, []):
                del self._decisions[number]
            for name in self._names_of.pop(profile_id, {}):
                del self._names[name]
        for profile_id, lines in batch.decisions:
            number = next(self._decided)
            self._decisions[number] = lines
            self._decisions_of[profile_id].append(number)
        for name, position in batch.positions.items():
            if position is None:
                self._positions.pop(name, None)
            else:
                self._positions[name] = position
        self._lengths.update(batch.lengths)
        self._outbox = [kept for kept in self._outbox if kept.number > batch.delivered]
        for target, joined in batch.output().items():
            self._number += 1
            self._outbox.append(OutboxLines(self._number, target, joined))
        self._pending.write(batch.pending, batch.cancelled, batch.settled, batch.dead_letters)
        self.casework.write(batch.cases, batch.dropped, batch.streamed)
        self.addresses.write(batch.addressed)
        for before, profile_id in batch.merged:
            self._merge(before, profile_id)
        for name, known in batch.names.items():
            self._know(name, known)
        return self._number

    def _merge(self, before: str, profile_id: str) -> None:
        self._records.pop(before, None)
        self._pending.merge(before, profile_id)
        self.casework.merge(before, profile_id)
        self.addresses.merge(before, profile_id)
        self._given.merge(before, profile_id)
        self._decisions_of[profile_id] = sorted(self._decisions_of[profile_id] + self._decisions_of.pop(before, []))
        for name, kind in self._names_of.pop(before, {}).items():
            self._know(name, Named(profile_id, kind))

    def _know(self, name: str, known: Named | None) -> None:
        before = self._names.pop(name, None)
        if before is not None:
            self._names_of[before.profile_id].pop(name, None)
        if known is not None:
            self._names[name] = known
            self._names_of[known.profile_id][name] = known.kind

    def waiting(self) -> Iterator[tuple[int, str]]:
        """Walk all profiles that wait, as (due_ms, profile id)."""
        for profile_id, record in self._records.items():
            due_ms = due_of(record)
            if due_ms:
                yield due_ms, profile_id

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Walk all profiles, as (profile id, record)."""
        return iter(self._records.items())

    def profiles(self) -> int:
        """Count the profiles."""
        return len(self._records)

    def decisions_of(self, profile_id: str) -> Iterator[bytes]:
        """Walk a profile's decision lines, oldest first."""
        for number in self._decisions_of.get(profile_id, ()):
            yield from self._decisions[number].splitlines()

    def drop_decisions(self, before: str) -> int:
        """Forget the turns whose decisions were made before an instant; say how many turns."""
        gone = {number for number, lines in self._decisions.items() if made_before(lines, before)}
        for number in gone:
            del self._decisions[number]
        for profile_id, numbers in list(self._decisions_of.items()):
            self._decisions_of[profile_id] = [number for number in numbers if number not in gone]
        return len(gone)

    def decisions(self) -> Iterator[bytes]:
        """Walk all decision lines, oldest first."""
        for lines in self._decisions.values():
            yield from lines.splitlines()

    def outbox(self) -> Iterator[OutboxLines]:
        """Walk the lines that are not yet known to be where they belong."""
        return iter(self._outbox)

    def position(self, name: str) -> bytes | None:
        """Return how far the reader of this name has come."""
        return self._positions.get(name)

    def positions(self, prefix: str) -> dict[str, bytes]:
        """Return all positions whose names begin so."""
        return {name: position for name, position in self._positions.items() if name.startswith(prefix)}

    def lengths(self) -> dict[str, int]:
        """Return the lengths of output files as last committed."""
        return dict(self._lengths)

    def define(self, definitions: Iterable[VersionTexts], release: Release | None = None) -> None:
        """Keep these definitions, and the release they belong to."""
        if release is not None:
            check_follows(release, self.revision())
            self._release = release
        for definition in definitions:
            self._definitions[definition.journey, definition.version] = definition

    def definitions(self) -> list[VersionTexts]:
        """Return every definition kept, by journey and version."""
        return [self._definitions[key] for key in sorted(self._definitions)]

    def revision(self) -> int:
        """Return the revision in force."""
        return 0 if self._release is None else self._release.revision

    def release(self) -> Release | None:
        """Return the release in force."""
        return self._release

    def due(self, lane: str, until_ms: int, limit: int, but: Collection[str] = ()) -> list[Pending]:
        """Return what is due on a lane, the longest due first."""
        return self._pending.due(lane, until_ms, limit, but)

    def next_due(self, lane: str, after_ms: int) -> int | None:
        """Return when the next of a lane is due after an instant."""
        return self._pending.next_due(lane, after_ms)

    def lanes(self) -> dict[str, int]:
        """Count the actions that wait, by lane."""
        return self._pending.lanes()

    def given_up(self) -> list[Pending]:
        """Return the actions that were given up on, oldest first."""
        return list(self._pending.dead())

    def revive(self, due_ms: int, reason: str | None = None) -> int:
        """Let actions that were given up on be tried again."""
        return self._pending.revive(due_ms, reason)

    def named(self, name: str) -> str | None:
        """Return the profile that is known by the hash of an identifier."""
        known = self._names.get(name)
        return None if known is None else known.profile_id

    def known(self, name: str) -> Named | None:
        """Return the same with the kind of identifier that the name stands for."""
        return self._names.get(name)

    def names_of(self, profile_id: str) -> dict[str, str]:
        """Return all names that a profile is known by, with their kinds."""
        return dict(self._names_of.get(profile_id, {}))

    def pending_of(self, profile_id: str) -> list[Pending]:
        """Return what is on its way to a profile, or was given up on."""
        return self._pending.of(profile_id)

    def codes(self) -> set[str]:
        """Return every code of a coupon that was ever given."""
        return self._given.codes()

    def codes_of_entry(self, entry_id: str) -> dict[str, str]:
        """Return the codes that an entry has, by coupon."""
        return self._given.of_entry(entry_id)

    def codes_of(self, profile_id: str) -> list[Given]:
        """Return the codes that a profile has."""
        return self._given.of(profile_id)

    def erase(self, profile_id: str, values: Collection[str]) -> dict[str, int]:
        """Erase all that is kept of a profile."""
        counts = {
            "profiles": int(profile_id in self._records),
            "decisions": len(list(self.decisions_of(profile_id))),
            "pending": len(self.pending_of(profile_id)),
            "names": len(self._names_of.get(profile_id, {})),
            "cases": len(self.casework.of(profile_id)),
            "streamed": len(self.casework.streamed_of(profile_id)),
            "coupons": len(self.codes_of(profile_id)),
            "addresses": len(self.addresses.of(profile_id)),
        }
        letters = [line for line in self._pending.dead_letters if not quotes(line, profile_id, values)]
        counts["dead_letters"] = len(self._pending.dead_letters) - len(letters)
        self._pending.dead_letters = letters
        counts["lines"] = 0
        for at, waiting in enumerate(self._outbox):
            lines, gone = without(waiting.lines, profile_id, values)
            self._outbox[at] = OutboxLines(waiting.number, waiting.target, lines)
            counts["lines"] += gone
        self.commit(Batch(records={profile_id: None}))
        return counts

    def scrub(self) -> None:
        """Do nothing: what is erased is nowhere."""

    def dead_letters(self) -> list[bytes]:
        """Return the lines about records that came to nothing."""
        return list(self._pending.dead_letters)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
