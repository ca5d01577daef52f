"""Asking where inputs end while timers wait for it, so that the clock may go on once that is read.

Asked instead of taken from the last fetch: a process that was frozen would find itself at an end that was one long ago,
and fire timers before the orders that have come meanwhile. The whole log's end, not that of what is committed: an order
may stand behind a transaction that somebody else has left open, where nobody reads it yet.
All are asked for together. Where that does not come back, as while the leader of one input is away or frozen, each
partition asks by itself: those whose inputs answer go on, and the others wait, as nobody knows what came to them.
Owns the asking, and the promises that it leaves with incarnations. Must never promise an end that was not told.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from orchestrator.runtime.complaints import Complaint
from orchestrator.runtime.kafka.incarnation import Incarnation
from orchestrator.runtime.kafka.ownership import Ownership
from orchestrator.runtime.kafka.reading import reader
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.wall_clock import wall_clock_ms

log = logging.getLogger(__name__)

# How often ends are asked for while a timer is due: how late timers are when all is read.
ASK_S = 0.1
# So long all are waited for together before each is asked for by itself.
TOGETHER_S = 1.0
# A broker that answers no sooner counts as away, and it is asked again who leads. With aiokafka's own 40 s, what a
# frozen broker led would wait half a minute longer than its followers take to step in.
ANSWER_MS = 8_000
RETRY_S = 2.0


class Asking:
    """The asking of one membership, for what it has at work."""

    def __init__(
        self,
        settings: KafkaSettings,
        ownership: Ownership,
        inputs_of: Callable[[Incarnation], Sequence[TopicPartition]],
    ) -> None:
        self._settings = settings
        self._ownership = ownership
        self._inputs_of = inputs_of
        # Those that ask by themselves, until they are answered.
        self._apart: dict[Incarnation, asyncio.Task[None]] = {}
        self._of_silence = Complaint(log)

    async def run(self) -> None:
        """Ask again and again, whatever becomes of the brokers meanwhile."""
        options = {"isolation_level": "read_uncommitted", "request_timeout_ms": ANSWER_MS}
        while True:
            try:
                async with reader(self._settings, **options) as asker:
                    await self._ask(asker)
            except KafkaError as error:
                log.warning("the inputs' ends cannot be asked for, timers wait: %r", error)
                await asyncio.sleep(RETRY_S)

    async def _ask(self, asker: AIOKafkaConsumer) -> None:
        try:
            while True:
                await asyncio.sleep(ASK_S)
                due = self._due()
                if not due:
                    continue
                try:
                    async with asyncio.timeout(TOGETHER_S):
                        await self._promise(asker, due)
                except (KafkaError, TimeoutError):
                    for incarnation in due:
                        self._apart[incarnation] = asyncio.create_task(self._ask_apart(asker, incarnation))
        finally:
            apart = list(self._apart.values())
            for task in apart:
                task.cancel()
            await asyncio.gather(*apart, return_exceptions=True)

    def _due(self) -> list[Incarnation]:
        wall_ms = wall_clock_ms()
        return [
            incarnation
            for incarnation in self._ownership.at_work.values()
            if incarnation.promise is None and incarnation not in self._apart and incarnation.unit.wants_end(wall_ms)
        ]

    async def _ask_apart(self, asker: AIOKafkaConsumer, incarnation: Incarnation) -> None:
        number = incarnation.unit.number
        try:
            while self._ownership.at_work.get(number) is incarnation:
                try:
                    await self._promise(asker, [incarnation])
                    return
                except KafkaError as error:
                    inputs = ", ".join(f"{tp.topic}/{tp.partition}" for tp in self._inputs_of(incarnation))
                    self._of_silence.say("nobody says where %s end, and their timers wait: %r", inputs, error)
                    await asyncio.sleep(ASK_S)
        finally:
            del self._apart[incarnation]

    async def _promise(self, asker: AIOKafkaConsumer, incarnations: Sequence[Incarnation]) -> None:
        """Ask for the ends of some partitions' inputs, and leave them there with the instant before it was asked."""
        wanted = {incarnation: self._inputs_of(incarnation) for incarnation in incarnations}
        asked_ms = wall_clock_ms()
        ends = await asker.end_offsets([tp for tps in wanted.values() for tp in tps])
        for incarnation, tps in wanted.items():
            incarnation.promise = (asked_ms, {tp.topic: ends[tp] for tp in tps})
