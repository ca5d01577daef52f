"""The inbox in front of Kafka: cases are shown from the copy, and what agents ask goes to their customers' partitions.

    asked ─► receipts topic ─► the partition does it, or turns it down ─► changelog ─► the copy ─► answered

Two agents who ask two gateways at once are asked for in one log, so exactly one of them has the case. Who asks is
answered once the copy of the process that they asked shows what became of it: then it is durable, and they see it.
Owns that way there and back, and the call tasks of deliverers. Must never change a case by itself.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.errors import StorageError
from orchestrator.model import ids
from orchestrator.model.casework import CaseFile
from orchestrator.model.event import Event
from orchestrator.runtime import inbox
from orchestrator.runtime.desk import Ask, NotDone, line_of
from orchestrator.runtime.kafka.cases import ASKED, TASK, Asking
from orchestrator.runtime.kafka.readside import ReadSide
from orchestrator.runtime.kafka.records import receipt_line
from orchestrator.runtime.kafka.sending import Sender
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.wall_clock import Clock
from orchestrator.storage.casework import Casework

# So long a partition may be on its way from a worker that died to the next one.
PATIENCE_S = 15.0

Result = TypeVar("Result")
Hear = Callable[[str, Event], Awaitable[None]]


class Inbox(inbox.Inbox):
    """The cases as one gateway knows them. `hear` takes events about a profile; a claim holds for `claim_ms`."""

    def __init__(self, read_side: ReadSide, hear: Hear, clock: Clock, claim_ms: int) -> None:
        self._read_side = read_side
        self._hear = hear
        self._clock = clock
        self._claim_ms = claim_ms

    def now_ms(self) -> int:
        """Tell the instant by which claims lapse; what is done goes by the clock of the customer's partition."""
        return self._clock.now_ms()

    async def _read(self, call: Callable[[Casework], Result]) -> Result:
        return await self._read_side.ask(lambda store: call(store.casework))

    async def _do(self, file: CaseFile, ask: Ask) -> CaseFile:
        asking = Asking(secrets.token_hex(16), ask, self._claim_ms)
        event = Event(asking.asking, ASKED, self._clock.now_ms(), decoded=msgspec.to_builtins(asking))
        await self._hear(file.profile_id, event)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._become(asking)
        except TimeoutError as error:
            raise StorageError(
                "no worker has taken it yet; it may still be done: look at the case again, and ask again with the same"
                " Idempotency-Key"
            ) from error

    async def _become(self, asking: Asking) -> CaseFile:
        """Wait until the copy shows what became of an asking. Raises NotDone."""
        line_id = line_of(asking.ask)
        while True:
            changed = self._read_side.changed
            file = await self.find(asking.ask.case_id)
            if file is None:
                raise NotDone("unknown", "there is no such case any more")
            if any(line.id == line_id for line in file.lines):
                return file
            refusal = next((each for each in file.turned_down if each.asking == asking.asking), None)
            if refusal is not None:
                raise NotDone(refusal.reason, refusal.message)
            await changed.wait()


class Tasks:
    """Opens the channels whose messages are call tasks, on a deliverer."""

    def __init__(self, settings: KafkaSettings, receipts: str) -> None:
        self._settings = settings
        self._receipts = receipts

    def open_channel(self, setup: Setup) -> Channel:
        """Make the channel that `inbox:TEAM` names: each message is a task for somebody of that team."""
        sender = Sender(self._settings, self._receipts)
        return TaskChannel(sender, inbox.team_of(setup), everywhere=not self._settings.resolve)


class TaskChannel:
    """A channel whose messages people deliver: they go to their customers' partitions, where the cases are.

    `everywhere` where nobody but its owner knows in which partition a profile lives.
    """

    def __init__(self, sender: Sender, team: str, *, everywhere: bool) -> None:
        self._sender = sender
        self._team = team
        self._everywhere = everywhere

    async def send(self, delivery: Delivery) -> Receipt:
        """Put one task into the inbox; one that is there already stays as it is."""
        task = msgspec.to_builtins(inbox.task_of(delivery, self._team))
        event = Event(ids.derive(delivery.key, TASK), TASK, delivery.now_ms, decoded=task)
        key = delivery.action.profile_id.encode()
        await self._sender.send(key, receipt_line(event), everywhere=self._everywhere)
        return Receipt(delivery.key)

    async def close(self) -> None:
        """Let go of the producer."""
        await self._sender.close()
