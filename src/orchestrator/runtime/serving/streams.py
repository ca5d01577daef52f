"""Streams of an embedded store: a message is in it before its channel says that it was sent, and stays until its end.

Owns the order of messages, which is the store's. Must never hold messages in memory for anybody.
"""

import msgspec

from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.channels.streaming import content_of
from orchestrator.model.casework import Streamed
from orchestrator.runtime import streams
from orchestrator.runtime.finding import whose
from orchestrator.runtime.serving.inbox import place
from orchestrator.runtime.serving.intake import Intake
from orchestrator.runtime.serving.turns import Placed
from orchestrator.runtime.streams import PAGE, NoPlace, Reader, end_of, keep_of

_encode = msgspec.json.Encoder().encode


class Streams(streams.Streams):
    """The streams of one process."""

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake

    def open_channel(self, setup: Setup) -> Channel:
        """Make the channel that a `stream:` URL names."""
        return StreamChannel(self, self._intake, keep_of(setup))

    async def open(self, channel: str, profile_id: str | None, after: str | None, *, is_new: bool) -> Reader:
        """Open a channel for a reader; places are numbers."""
        if after is None:
            last = await self._intake.run(self._intake.store.casework.last_streamed) if is_new else 0
            return StoreReader(self._intake, channel, profile_id, last)
        if not after.isascii() or not after.isdecimal() or len(after) > 18:
            raise NoPlace("Last-Event-ID is the id of an event of this stream")
        return StoreReader(self._intake, channel, profile_id, int(after))

    async def message(self, message_id: str) -> Streamed | None:
        """Give one message; None where there is none of this id, or none any more."""
        return await self._intake.run(lambda: self._intake.store.casework.streamed_message(message_id))


class StoreReader:
    """One reader's way through a stream."""

    def __init__(self, intake: Intake, channel: str, profile_id: str | None, after: int) -> None:
        self._intake = intake
        self._channel = channel
        self._profile_id = profile_id
        self._after = after

    async def page(self) -> list[tuple[str, bytes]]:
        """Give the next messages with their places; who was merged into another reads the other's."""
        store, now_ms = self._intake.store, self._intake.now_ms()

        def read() -> list[Streamed]:
            profile_id = None if self._profile_id is None else whose(store, self._profile_id)
            return store.casework.streamed(self._channel, profile_id, self._after, now_ms, PAGE)

        found = await self._intake.run(read)
        if found:
            self._after = found[-1].number
        return [(str(each.number), each.message) for each in found]


class StreamChannel:
    """A channel whose messages wait in the store for whoever reads them."""

    def __init__(self, streams: Streams, intake: Intake, keep_ms: int) -> None:
        self._streams = streams
        self._intake = intake
        self._keep_ms = keep_ms

    async def send(self, delivery: Delivery) -> Receipt:
        """Keep one message, and tell its readers; one that is there already stays as it is."""
        until_ms = end_of(delivery, self._keep_ms)
        channel, message = delivery.rendered.channel, _encode(content_of(delivery, until_ms))
        profile_id = delivery.action.profile_id
        streamed = Streamed(delivery.key, profile_id, channel, delivery.now_ms, until_ms, message)
        await place(self._intake, Placed(streamed=[streamed]))
        self._streams.tell(channel, streamed.profile_id)
        return Receipt(delivery.key)

    async def close(self) -> None:
        """Do nothing: the store is the process's."""
