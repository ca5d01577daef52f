"""The intake in front of Kafka: lines from many callers, into the topics, one round after the other.

A round is everything that came while the one before was on its way; its callers are answered once every replica that
is in step has it (`acks=all`, from an idempotent producer: what is sent again for want of an answer is written once).
Where the brokers do not answer in time, nobody knows what of a round was written: its callers hear that, the producer
is given up with all that it holds, and until another one is open, callers are turned away at once. Whoever sends again
does no harm: events are known again by their ids.
Owns the rounds, the producer, and the bound on what may wait. Must never let a caller go on before its lines are kept.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from aiokafka.errors import KafkaError

from orchestrator.errors import StorageError
from orchestrator.runtime import faults
from orchestrator.runtime.kafka.outgoing import Line
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.writer import BATCH_BYTES, Writer
from orchestrator.runtime.live import Busy

log = logging.getLogger(__name__)

# Beyond it callers are told to come back: memory is not where load goes.
MAX_WAITING_BYTES = 64 << 20
# A leader that falls is replaced within seconds; whoever waits longer than this for an answer sends again anyway.
PATIENCE_S = 10.0
RETRY_S = 1.0
# What the log adds around a line.
OVERHEAD_BYTES = 256

# Lines by topic and partition.
Lines = Mapping[tuple[str, int], Sequence[Line]]


class Intake:
    """Writes what callers bring. `largest` is the most that the topics take in one batch, in bytes.

    `observe(seconds)` is called after every round that was written.
    """

    def __init__(self, settings: KafkaSettings, observe: Callable[[float], None]) -> None:
        self._settings = settings
        self._observe = observe
        self.largest = BATCH_BYTES
        self._writer: Writer | None = None
        self._waiting: list[tuple[Lines, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._something = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    async def start(self, largest: int) -> None:
        """Open the producer and begin; raises KafkaError or TimeoutError when no broker answers."""
        self.largest = largest
        self._writer = await self._opened()
        self._task = asyncio.create_task(self._work(), name="intake")

    async def write(self, lines: Lines) -> None:
        """Write lines; returns once they are durable.

        Raises Busy when too much waits already, StorageError when it is not known that they were written.
        """
        if self._stopping.is_set():
            raise Busy("this process is stopping; come back in a second")
        if self.trouble is not None:
            raise StorageError(self.trouble)
        size = sum(len(value or b"") + OVERHEAD_BYTES for each in lines.values() for _, value in each)
        if self._waiting_bytes + size > MAX_WAITING_BYTES and self._waiting_bytes:
            raise Busy("more events wait than may; come back in a second")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((lines, done))
        self._waiting_bytes += size
        self._something.set()
        try:
            await done
        finally:
            self._waiting_bytes -= size

    async def stop(self) -> None:
        """Take nothing more, write what waits, and close the producer."""
        self._stopping.set()
        self._something.set()
        if self._task is not None:
            await self._task
        if self._writer is not None:
            await self._writer.close()

    async def _work(self) -> None:
        while not (self._stopping.is_set() and not self._waiting):
            if not self._waiting:
                self._something.clear()
                await self._something.wait()
                continue
            waiting, self._waiting = self._waiting, []
            await self._round(waiting)

    async def _round(self, waiting: list[tuple[Lines, asyncio.Future[None]]]) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._write(waiting)
        except Exception as error:  # noqa: BLE001 - whatever it is, callers must hear that nothing is known to be kept
            self.trouble = f"the brokers do not take events: {error!r}"
            log.error("a round of %d requests is not known to be written: %r", len(waiting), error)
            missed, self._waiting = [*waiting, *self._waiting], []
            for _, done in missed:
                if not done.done():  # a caller that went away meanwhile
                    done.set_exception(StorageError(self.trouble))
            await self._reopen()
            return
        self._observe(time.perf_counter() - began)
        for _, done in waiting:
            if not done.done():
                done.set_result(None)

    async def _write(self, waiting: Sequence[tuple[Lines, asyncio.Future[None]]]) -> None:
        writer = self._writer
        if writer is None:
            raise StorageError("no producer is open")
        together: defaultdict[tuple[str, int], list[Line]] = defaultdict(list)
        for lines, _ in waiting:
            for place, some in lines.items():
                together[place] += some
        sent = [await writer.send(topic, partition, lines) for (topic, partition), lines in together.items()]
        faults.reach("intake.sent")
        # Every one of them is asked, whatever became of the others.
        outcomes = await asyncio.gather(*(future for each in sent for future, _ in each), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        faults.reach("intake.written")

    async def _reopen(self) -> None:
        """Give the producer up, with what it still holds, and open another one as soon as a broker answers."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.discard()
        while not self._stopping.is_set():
            try:
                self._writer = await self._opened()
            except (KafkaError, TimeoutError) as error:
                log.warning("the brokers do not answer yet: %r", error)
                await self._rest()
            else:
                self.trouble = None
                log.info("the brokers take events again")
                return

    async def _opened(self) -> Writer:
        writer = Writer(self._settings, None, batch_bytes=min(BATCH_BYTES, self.largest))
        try:
            await writer.open()
        except BaseException:
            await writer.discard()
            raise
        return writer

    async def _rest(self) -> None:
        """Wait before the next try, or until there is none."""
        try:
            async with asyncio.timeout(RETRY_S):
                await self._stopping.wait()
        except TimeoutError:
            return
