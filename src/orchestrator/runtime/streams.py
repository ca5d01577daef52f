"""Streams: messages that the company's own app, till or tablet reads from a process, whatever keeps them.

    ORCHESTRATOR_CHANNEL_IN_APP=stream:          kept for 7 days
    ORCHESTRATOR_CHANNEL_TABLET=stream:?keep=1h

    serving.Streams   the messages of an embedded store, in its order
    kafka.Streams     a copy of the topic of messages, in the order in which this process copied it

Owns who is told that there is something new, and how long a message stays. Must never hold messages in memory for
anybody: each reader reads the store, at its own pace, and resumes from what it was told last.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import parse_qs

from orchestrator.channels.port import Delivery, Setup
from orchestrator.errors import OrchestratorError
from orchestrator.language import durations
from orchestrator.model import instants
from orchestrator.model.casework import Streamed

KEPT = "7d"
# So many are read at once for one reader, and held for it while they go out.
PAGE = 20
# Readers beyond this are asked to come back: each costs a connection and a page.
MAX_READERS = 1_000


class NoPlace(OrchestratorError):  # noqa: N818 - an answer to whoever asked
    """What a reader resumes from is no place in any stream."""


class Reader(Protocol):
    """One reader's way through a stream."""

    async def page(self) -> list[tuple[str, bytes]]:
        """Give the next messages, each with the place from which to resume behind it; none while there are no more."""
        ...


class Streams(ABC):
    """The streams of one process."""

    def __init__(self) -> None:
        self._readers: dict[tuple[str, str | None], set[asyncio.Event]] = {}
        self._count = 0
        self.is_closed = False

    @abstractmethod
    async def open(self, channel: str, profile_id: str | None, after: str | None, *, is_new: bool) -> Reader:
        """Open a channel for a reader, of one customer's messages where they are named, behind a place if one is named.

        Without a place it begins at the beginning, or where `is_new`, behind all that there is. Raises NoPlace.
        """

    @abstractmethod
    async def message(self, message_id: str) -> Streamed | None:
        """Give one message; None where there is none of this id, or none any more."""

    @contextmanager
    def reading(self, channel: str, profile_id: str | None) -> Iterator[asyncio.Event]:
        """Be told of what is new on a channel, or of what is new there for one customer, while inside."""
        told, whose = asyncio.Event(), self._readers.setdefault((channel, profile_id), set())
        whose.add(told)
        self._count += 1
        try:
            yield told
        finally:
            self._count -= 1
            whose.discard(told)
            if not whose:
                self._readers.pop((channel, profile_id), None)

    @property
    def is_full(self) -> bool:
        """Whether there are as many readers as there may be."""
        return self._count >= MAX_READERS

    def tell(self, channel: str, profile_id: str) -> None:
        """Tell those who read this customer's messages, or everybody's, that there is one more."""
        for told in (*self._readers.get((channel, profile_id), ()), *self._readers.get((channel, None), ())):
            told.set()

    def close(self) -> None:
        """End with every reader; they resume from the store when there is somebody to read from again."""
        self.is_closed = True
        for readers in self._readers.values():
            for told in readers:
                told.set()


def end_of(delivery: Delivery, keep_ms: int) -> int:
    """Tell until when a message is worth reading: as long as its stream keeps it, and never beyond its own end."""
    until_ms = delivery.now_ms + keep_ms
    expires_ms = instants.parse(delivery.action.expires_at) if delivery.action.expires_at else None
    return until_ms if expires_ms is None else min(until_ms, expires_ms)


def keep_of(setup: Setup, longest_ms: int | None = None) -> int:
    """Tell for how long a `stream:` URL keeps a message, in milliseconds; raises OrchestratorError where it does not.

    Where nobody says, that is `longest_ms`, which is never passed, or seven days.
    """
    written = parse_qs(setup.url.partition("#")[0].partition("?")[2]).get("keep", [None])[-1]
    if written is None and longest_ms is not None:
        return longest_ms
    keep_ms = durations.milliseconds(written or KEPT)
    if not keep_ms:
        raise OrchestratorError(f"channel {setup.name}: keep={written} is no length of time; write stream:?keep=7d")
    return keep_ms if longest_ms is None else min(keep_ms, longest_ms)
