"""Streams: messages that the company's own app, till or tablet reads from this process.

    ORCHESTRATOR_CHANNEL_IN_APP=stream:          kept for 7 days
    ORCHESTRATOR_CHANNEL_TABLET=stream:?keep=1h

A message is in the store before its channel says that it was sent, and stays until its end, so that a reader who was
away misses nothing. Owns who is told that there is something new. Must never hold messages in memory for anybody: each
reader reads the store, at its own pace.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import msgspec

from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.channels.streaming import content_of
from orchestrator.errors import OrchestratorError
from orchestrator.language import durations
from orchestrator.model import instants
from orchestrator.model.casework import Streamed
from orchestrator.runtime.serving.inbox import place
from orchestrator.runtime.serving.intake import Intake
from orchestrator.runtime.serving.turns import Placed

KEPT = "7d"
# So many are read at once for one reader, and held for it while they go out.
PAGE = 20
# Readers beyond this are asked to come back: each costs a connection and a page.
MAX_READERS = 1_000

_encode = msgspec.json.Encoder().encode


class Streams:
    """The streams of one process."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._readers: dict[tuple[str, str | None], set[asyncio.Event]] = {}
        self._count = 0
        self.is_closed = False

    def open_channel(self, setup: Setup) -> Channel:
        """Make the channel that a `stream:` URL names."""
        written = parse_qs(setup.url.partition("#")[0].partition("?")[2]).get("keep", [KEPT])[-1]
        keep_ms = durations.milliseconds(written)
        if not keep_ms:
            raise OrchestratorError(f"channel {setup.name}: keep={written} is no length of time; write stream:?keep=7d")
        return StreamChannel(self, self._intake, keep_ms)

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

    async def read(self, channel: str, profile_id: str | None, after: int) -> list[Streamed]:
        """Give the next messages after a place; who was merged into another reads the other's."""
        store, now_ms = self._intake.store, self._intake.now_ms()

        def page() -> list[Streamed]:
            whose = None if profile_id is None else store.named(profile_id) or profile_id
            return store.casework.streamed(channel, whose, after, now_ms, PAGE)

        return await self._intake.run(page)

    async def last(self) -> int:
        """Tell the place of the newest message."""
        return await self._intake.run(self._intake.store.casework.last_streamed)

    async def message(self, message_id: str) -> Streamed | None:
        """Give one message; None where there is none of this id, or none any more."""
        return await self._intake.run(lambda: self._intake.store.casework.streamed_message(message_id))

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


class StreamChannel:
    """A channel whose messages wait in the store for whoever reads them."""

    def __init__(self, streams: Streams, intake: Intake, keep_ms: int) -> None:
        self._streams = streams
        self._intake = intake
        self._keep_ms = keep_ms

    async def send(self, delivery: Delivery) -> Receipt:
        """Keep one message, and tell its readers; one that is there already stays as it is."""
        until_ms = delivery.now_ms + self._keep_ms
        expires_ms = instants.parse(delivery.action.expires_at) if delivery.action.expires_at else None
        until_ms = until_ms if expires_ms is None else min(until_ms, expires_ms)
        channel, message = delivery.rendered.channel, _encode(content_of(delivery, until_ms))
        profile_id = delivery.action.profile_id
        streamed = Streamed(delivery.key, profile_id, channel, delivery.now_ms, until_ms, message)
        await place(self._intake, Placed(streamed=[streamed]))
        self._streams.tell(channel, streamed.profile_id)
        return Receipt(delivery.key)

    async def close(self) -> None:
        """Do nothing: the store is the process's."""
