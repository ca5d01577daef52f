"""Streams in front of Kafka: messages that a gateway copied from their topic, for whoever reads them here.

A reader may come back to any gateway, and each copies the topic's partitions in an order of its own. So a place names
how far the reader is in every partition, `3.17-5.2`: up to the 17th message of the fourth, and the second of the sixth.
What lies behind that is sent, in this gateway's order, and nothing else is.
Owns the form of a place. Must never hold messages in memory for anybody.
"""

import re

from orchestrator.model.casework import Streamed
from orchestrator.runtime import streams
from orchestrator.runtime.kafka.copied import Copy, origin_of, split_origin
from orchestrator.runtime.kafka.readside import ReadSide
from orchestrator.runtime.streams import PAGE, NoPlace, Reader
from orchestrator.runtime.wall_clock import Clock

# By partition, the number of the last message that a reader was sent, from 1.
Seen = dict[int, int]
_PLACE = re.compile(r"[0-9]{1,5}\.[0-9]{1,14}(-[0-9]{1,5}\.[0-9]{1,14})*")
MOST_CHARACTERS = 8_000
# What has room in a number of 63 bits (`copied.origin_of`), with one behind the last to end before.
MOST_PARTITIONS = (1 << 16) - 1


class Streams(streams.Streams):
    """The streams of one gateway."""

    def __init__(self, read_side: ReadSide, clock: Clock) -> None:
        super().__init__()
        self._read_side = read_side
        self._clock = clock

    async def open(self, channel: str, profile_id: str | None, after: str | None, *, is_new: bool) -> Reader:
        """Open a channel for a reader."""
        there = await self._read_side.look(lambda copy: copy.read_of_messages())
        seen = read_place(after) if after is not None else there if is_new else {}
        return CopyReader(self._read_side, self._clock, channel, profile_id, seen)

    async def message(self, message_id: str) -> Streamed | None:
        """Give one message; None where there is none of this id, or none any more."""
        return await self._read_side.ask(lambda store: store.casework.streamed_message(message_id))


class CopyReader:
    """One reader's way through a stream."""

    def __init__(self, read_side: ReadSide, clock: Clock, channel: str, profile_id: str | None, seen: Seen) -> None:
        self._read_side = read_side
        self._clock = clock
        self._channel = channel
        self._profile_id = profile_id
        self._seen = seen
        # Where this is in the order of a copy, and which copy that is: it may be made anew.
        self._number = 0
        self._copy: int | None = None

    async def page(self) -> list[tuple[str, bytes]]:
        """Give the next messages with their places; who was merged into another reads the other's."""
        while found := await self._read_side.look(self._read):
            told: list[tuple[str, bytes]] = []
            for message in found:
                partition, number = split_origin(message.origin)
                self._number = message.number
                if number > self._seen.get(partition, 0):
                    self._seen[partition] = number
                    told.append((write_place(self._seen), message.message))
            if told:
                return told
        return []

    def _read(self, copy: Copy) -> list[Streamed]:
        casework, whose = copy.store.casework, None
        if self._copy != copy.generation:
            self._copy, self._number = copy.generation, self._begin(copy)
        if self._profile_id is not None:
            whose = copy.store.named(self._profile_id) or self._profile_id
        return casework.streamed(self._channel, whose, self._number, self._clock.now_ms(), PAGE)

    def _begin(self, copy: Copy) -> int:
        """Find the place in this copy's order before which the reader has seen everything."""
        partitions = {*copy.read_of_messages(), *self._seen}
        firsts = [
            copy.store.casework.first_streamed(origin_of(each, self._seen.get(each, 0)), origin_of(each + 1, 0))
            for each in partitions
        ]
        unseen = [first for first in firsts if first is not None]
        return min(unseen) - 1 if unseen else copy.store.casework.last_streamed()


def write_place(seen: Seen) -> str:
    """Write how far a reader is."""
    return "-".join(f"{partition}.{number}" for partition, number in sorted(seen.items()))


def read_place(text: str) -> Seen:
    """Read how far a reader is; raises NoPlace."""
    if len(text) > MOST_CHARACTERS or not _PLACE.fullmatch(text):
        raise NoPlace("Last-Event-ID is the id of an event of this stream")
    parts = (part.split(".") for part in text.split("-"))
    seen = {int(partition): int(number) for partition, number in parts}
    if max(seen) >= MOST_PARTITIONS:
        raise NoPlace("Last-Event-ID names a partition that no topic has")
    return seen
