"""The port: what a runtime asks of a store, and what a store promises.

Owns the shapes that pass between them. Must never import an implementation.

Promises of every store:
- A batch is committed whole or not at all, and in the order of the calls.
- What was committed is read back as it was, by this process and by the next one that opens the store.
- One process writes a store at a time; a second one is refused with a StorageError.
- Whatever goes wrong underneath is raised as StorageError, with what to do about it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class OutboxLines:
    """Consecutive lines for one target, each ending in a newline, under a number that only ever grows."""

    number: int
    target: str
    lines: bytes


@dataclass(frozen=True, slots=True)
class Definition:
    """The texts that made one version of a journey: file name to content, the project and its messages included."""

    journey: str
    version: int
    sources: Mapping[str, str]


@dataclass(slots=True)
class Batch:
    """Everything that one commit changes.

    `records` are the new states by profile id; None erases one. `lines` joins the output lines of each
    target, which the runtime names (a file's path, for one). `decisions` holds the decision lines of one
    turn of one profile, to be asked for by customer later. `positions` says how far readers have come;
    None forgets one. `delivered` is the highest outbox number whose lines are safe where they belong, so
    that the outbox lets go of all up to it; `lengths` are the output files' lengths that go with it.
    """

    records: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    lines: dict[str, bytes] = field(default_factory=dict)
    decisions: list[tuple[str, bytes]] = field(default_factory=list)
    positions: dict[str, bytes | None] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    delivered: int = 0


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

    def define(self, definitions: Iterable[Definition]) -> None:
        """Keep these definitions; one of the same journey and version is replaced."""
        ...

    def definitions(self) -> list[Definition]:
        """Return every definition kept, by journey and version."""
        ...

    def close(self) -> None:
        """Let go of the store; closing twice does no harm."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
