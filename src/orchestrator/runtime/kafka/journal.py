"""Delivery's journal: one partition's changes and receipts, made durable together, many callers at a time.

A caller's change is written in a transaction with whatever else came in meanwhile, and its `write` returns when that
is committed. Opening the journal fences whoever delivered the partition before, then reads its rows.
Owns that partition's producer and its part of delivery's changelog. Must never be used after an error: the partition
is then opened anew.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from aiokafka.structs import TopicPartition

from orchestrator.runtime.dead_letters import DeadLetter
from orchestrator.runtime.kafka.commit import Target, commit
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.outgoing import Forward, Outgoing
from orchestrator.runtime.kafka.restore import restore
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.writer import Writer
from orchestrator.runtime.wall_clock import wall_clock_ms

Changes = Mapping[str, bytes | None]


class Journal:
    """What delivery writes about one partition of the actions."""

    def __init__(self, settings: KafkaSettings, topics: Topics, number: int, fail: Callable[[BaseException], None]):
        # The same commit as the turns', to other topics: rows for records, receipts for what resolve passes on.
        names = replace(topics, changelog=topics.delivery_changelog, resolved=topics.receipts)
        self.number = number
        self._settings = settings
        self._target = Target(names, number, number, f"{settings.app_id}-deliver")
        self._writer = Writer(settings, f"{settings.app_id}-deliver-{number}")
        self._fail = fail
        self._open = Outgoing(settings.transaction_facts)
        self._waiters: list[asyncio.Future[None]] = []
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> dict[str, bytes]:
        """Fence the last owner, and return what the changelog holds, by key."""
        await self._writer.open()
        state = MemoryState()
        changelog = TopicPartition(self._target.topics.changelog, self.number)
        await restore(self._settings, changelog, state, reads_states=False)
        self._task = asyncio.create_task(self._run(), name=f"journal {self.number}")
        return dict(state)

    async def write(
        self, changes: Changes, receipts: Sequence[Forward] = (), letters: Sequence[DeadLetter] = ()
    ) -> None:
        """Make changes, receipts and dead letters durable together; raises ConnectionError where that is not known.

        After that, or after `close`, nothing is taken any more.
        """
        if self._task is None or self._task.done():
            raise ConnectionError(f"the journal of partition {self.number} is closed")
        done = asyncio.get_running_loop().create_future()
        self._open.changes.update(changes)
        self._open.forwards[self.number] += receipts
        for letter in letters:
            self._open.write(self._open.dead_letters, (letter.profile_id or "").encode(), letter)
        self._waiters.append(done)
        self._something.set()
        await done

    async def close(self) -> None:
        """Finish what is under way and let go of the partition."""
        if self._task is not None:
            self._something.set()
            task, self._task = self._task, None
            await asyncio.gather(task, return_exceptions=True)
        await self._writer.close()

    async def discard(self) -> None:
        """Let go of what could not be opened."""
        await self._writer.discard()

    async def _run(self) -> None:
        while self._task is not None or self._waiters:
            await self._something.wait()
            self._something.clear()
            if not self._waiters:
                continue
            outgoing, self._open = self._open, Outgoing(self._settings.transaction_facts)
            waiters, self._waiters = self._waiters, []
            try:
                await commit(self._writer, outgoing, Header(wall_clock_ms()), self._target)
            except BaseException as error:
                for waiter in (*waiters, *self._waiters):
                    if not waiter.done():
                        waiter.set_exception(
                            ConnectionError(f"partition {self.number} could not be written: {error!r}")
                        )
                self._waiters.clear()
                await self._writer.discard()
                self._fail(error)
                if isinstance(error, Exception):
                    return  # all who ask have been told, and nobody waits for this task
                raise
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
