"""The port: what a runtime asks of a store, and what a store promises.

Owns the shapes that pass between them. Must never import an implementation.

Promises of every store:
- A batch is committed whole or not at all, and in the order of the calls.
- What was committed is read back as it was, by this process and by the next one that opens the store.
- One process writes a store at a time; a second one is refused with a StoreInUse. Definitions and releases alone may
  be put in beside it.
- Whatever goes wrong underneath is raised as StorageError, with what to do about it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from orchestrator.errors import StorageError
from orchestrator.model.casework import CaseFile, Streamed
from orchestrator.storage.addresses import Addresses
from orchestrator.storage.casework import Casework
from orchestrator.storage.coupons import Given
from orchestrator.storage.pending import Pending, Settled


@dataclass(frozen=True, slots=True)
class OutboxLines:
    """Consecutive lines for one target, each ending in a newline, under a number that only ever grows."""

    number: int
    target: str
    lines: bytes


@dataclass(frozen=True, slots=True)
class VersionTexts:
    """The texts that made one version of a journey: file name to content, the project and its messages included."""

    journey: str
    version: int
    sources: Mapping[str, str]


class Named(NamedTuple):
    """Whom a name leads to, and the kind of identifier that it stands for."""

    profile_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Release:
    """The texts of the project in force, under a number that only ever grows."""

    revision: int
    sources: Mapping[str, str]


@dataclass(slots=True)
class Batch:
    """Everything that one commit changes.

    `records` are the new states by profile id; None erases one. `lines` joins the output lines of each
    target, which the runtime names (a file's path, for one). `decisions` holds the decision lines of one
    turn of one profile, to be asked for by customer later; `told_to` names the target that all of them go to as they
    are, beside `lines`, where there is one. `positions` says how far readers have come;
    None forgets one. `delivered` is the highest outbox number whose lines are safe where they belong, so
    that the outbox lets go of all up to it; `lengths` are the output files' lengths that go with it.

    `pending` are actions that delivery is to hand over, `cancelled` the ids of those that are to go no more,
    `settled` what became of others; `dead_letters` are lines about records that came to nothing. `names`
    lead from the name of an identifier (its hash) to the profile that is known by it; None forgets one. `merged` are
    profiles that are another's now, as (from, to), in order: their records go, and whatever is known, decided or on its
    way under the one is the other's, what this batch adds included. `cases` are those that people work on, each as it
    is now, `dropped` those that are not kept any more, as (profile id, case id): one that is another profile's stays.
    `streamed` are messages for a company's own apps; one that is there already stays as it is. `given` are codes
    of coupons that are somebody's from now on; one that was given before is an error, and nothing of the batch is kept.
    `addressed` are hashes of addresses with the profiles that are reached there.
    """

    records: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    lines: dict[str, bytes] = field(default_factory=dict)
    decisions: list[tuple[str, bytes]] = field(default_factory=list)
    told_to: str | None = None
    positions: dict[str, bytes | None] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    delivered: int = 0
    pending: list[Pending] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    dead_letters: list[bytes] = field(default_factory=list)
    names: Mapping[str, Named | None] = field(default_factory=dict[str, Named | None])
    given: list[Given] = field(default_factory=list)
    merged: list[tuple[str, str]] = field(default_factory=list)
    cases: list[CaseFile] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    streamed: list[Streamed] = field(default_factory=list)

    def output(self) -> dict[str, bytes]:
        """Join all lines that go out, by target."""
        if self.told_to is None or not self.decisions:
            return self.lines
        told = b"".join([lines for _, lines in self.decisions])
        return {**self.lines, self.told_to: self.lines.get(self.told_to, b"") + told}

    addressed: list[tuple[str, str]] = field(default_factory=list)


class StoreInUse(StorageError):  # noqa: N818 - what is the matter with it
    """Another process writes this store."""


def check_follows(release: Release, revision: int) -> None:
    """Raise StorageError for a release that does not follow the one in force."""
    if release.revision != revision + 1:
        raise StorageError(f"release {revision} was published meanwhile; look at what it changes, and publish again")


class Store(Protocol):
    """State by profile, an outbox, positions, and the definitions that live entries stand on."""

    def read(self, profile_id: str) -> bytes | None:
        """Return a profile's record; None when it has none."""
        ...

    def commit(self, batch: Batch) -> int:
        """Make a batch durable, whole or not at all; return the highest outbox number given out so far."""
        ...

    def waiting(self) -> Iterator[tuple[int, str]]:
        """Walk all profiles that wait, as (due_ms, profile id), in no order and without decoding a record."""
        ...

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Walk all profiles, as (profile id, record), in no order."""
        ...

    def profiles(self) -> int:
        """Count the profiles."""
        ...

    def decisions_of(self, profile_id: str) -> Iterator[bytes]:
        """Walk a profile's decision lines, oldest first, each without its newline."""
        ...

    def drop_decisions(self, before: str) -> int:
        """Forget the turns whose decisions were made before an instant (as text); say how many turns."""

    def decisions(self) -> Iterator[bytes]:
        """Walk all decision lines, oldest first, each without its newline."""
        ...

    def outbox(self) -> Iterator[OutboxLines]:
        """Walk the lines that are not yet known to be where they belong, oldest first."""
        ...

    def position(self, name: str) -> bytes | None:
        """Return how far the reader of this name has come; None when it is unknown."""
        ...

    def positions(self, prefix: str) -> dict[str, bytes]:
        """Return all positions whose names begin so."""
        ...

    def lengths(self) -> dict[str, int]:
        """Return the lengths of output files as last committed."""
        ...

    def define(self, definitions: Iterable[VersionTexts], release: Release | None = None) -> None:
        """Keep these definitions, one of the same journey and version replaced, and the release they belong to.

        A release follows the one before by its revision; one that does not is refused with a StorageError, because
        somebody else has published meanwhile.
        """
        ...

    def revision(self) -> int:
        """Return the revision in force; 0 before the first release."""
        ...

    def release(self) -> Release | None:
        """Return the release in force; None before the first."""
        ...

    def definitions(self) -> list[VersionTexts]:
        """Return every definition kept, by journey and version."""
        ...

    def due(self, lane: str, until_ms: int, limit: int, but: Collection[str] = ()) -> list[Pending]:
        """Return what is due on a lane at or before an instant, but the actions of these ids, the longest due first."""
        ...

    def next_due(self, lane: str, after_ms: int) -> int | None:
        """Return when the next of a lane is due after an instant; None when nothing is."""
        ...

    def lanes(self) -> dict[str, int]:
        """Count the actions that wait to be handed over, by lane."""
        ...

    def given_up(self) -> list[Pending]:
        """Return the actions that were given up on, oldest first."""
        ...

    def revive(self, due_ms: int, reason: str | None = None) -> int:
        """Let actions that were given up on, for this reason or for any, be tried again; say how many."""
        ...

    def named(self, name: str) -> str | None:
        """Return the profile that is known by the hash of an identifier; None when nobody is."""
        ...

    def known(self, name: str) -> Named | None:
        """Return the same with the kind of identifier that the name stands for."""
        ...

    def names_of(self, profile_id: str) -> dict[str, str]:
        """Return all names that a profile is known by, with their kinds."""
        ...

    def pending_of(self, profile_id: str) -> list[Pending]:
        """Return what is on its way to a profile, or was given up on, oldest first."""
        ...

    @property
    def casework(self) -> Casework:
        """The cases that people work on, and the messages that the company's own apps read."""

    @property
    def addresses(self) -> Addresses:
        """Which customers are reached at an address."""

    def codes(self) -> set[str]:
        """Return every code of a coupon that was ever given."""
        ...

    def codes_of_entry(self, entry_id: str) -> dict[str, str]:
        """Return the codes that an entry has, by coupon."""
        ...

    def codes_of(self, profile_id: str) -> list[Given]:
        """Return the codes that a profile has."""
        ...

    def erase(self, profile_id: str, values: Collection[str]) -> dict[str, int]:
        """Erase all that is kept of a profile in one transaction, lines and dead letters that quote a value included.

        Codes that it has stay given, to nobody. Say how much there was, by what it was.
        """
        ...

    def scrub(self) -> None:
        """Leave nothing of what was erased in files, logs or free space."""
        ...

    def dead_letters(self) -> list[bytes]:
        """Return the lines about records that came to nothing, oldest first."""
        ...

    def close(self) -> None:
        """Let go of the store; closing twice does no harm."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
