"""What this worker owns: its membership's partitions, each beginning, at work, or kept for the next generation.

Owns the group's callbacks. `on_partitions_assigned` only pauses and starts a task for each partition: aiokafka sends no
heartbeat while it runs, and only logs what it raises. `on_partitions_revoked` takes the partitions out of the worker's
hands before it awaits anything, so no lock is needed between it and the turns, which never await; then it commits what
is open and closes the producers, and keeps the memory.
Must never let two incarnations of one partition live in this process.
"""

import asyncio
import logging
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from orchestrator.errors import StorageError
from orchestrator.runtime.kafka.incarnation import Incarnation, Job, Kept
from orchestrator.runtime.kafka.writer import is_fenced

log = logging.getLogger(__name__)

# Restores read a lot: so many go on at once, whatever the number of partitions.
MOST_RESTORES = 8


class FencedError(Exception):
    """Somebody else writes where this worker thought it was the owner; it must leave the group and join again."""


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """The partitions of one membership in the group."""

    def __init__(self, job: Job, consumer: AIOKafkaConsumer) -> None:
        self.at_work: dict[int, Incarnation] = {}
        self._job = job
        self._consumer = consumer
        self._beginning: dict[int, asyncio.Task[None]] = {}
        self._ending: dict[int, asyncio.Task[None]] = {}
        self._kept: dict[int, Kept] = {}
        # Whether the group has told us what is ours since it took everything from us.
        self._is_assigned = False
        self._restores = asyncio.Semaphore(MOST_RESTORES)
        self._failure: BaseException | None = None

    @property
    def is_ready(self) -> bool:
        """Tell whether every partition that is ours is at work."""
        return self._is_assigned and not self._beginning and self._failure is None

    def check(self) -> None:
        """Raise what makes this membership useless: FencedError, or StorageError that only an operator can mend."""
        if self._failure is not None:
            raise self._failure

    # The group's callbacks

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Pause what is new and begin it in tasks of its own."""
        self._is_assigned = True
        assigned = list(assigned)
        self._consumer.pause(*assigned)
        for tp in assigned:
            # Any position, so that aiokafka does not look for one: ours is asked for after the restore.
            self._consumer.seek(tp, 0)
        numbers = sorted({tp.partition for tp in assigned})
        for number in [number for number in self._kept if number not in numbers]:
            self._kept.pop(number).close()
        log.info("assigned partitions %s", numbers)
        for number in numbers:
            self._start(number, after_s=0)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let go of everything; aiokafka rebalances eagerly, so everything is what is revoked."""
        self._is_assigned = False
        at_work, self.at_work = self.at_work, {}
        beginning, self._beginning = self._beginning, {}
        for task in beginning.values():
            task.cancel()
        await asyncio.gather(*beginning.values(), *self._ending.values(), return_exceptions=True)
        await asyncio.gather(*(self._let_go(incarnation) for incarnation in at_work.values()))

    async def close(self) -> None:
        """Let go of everything for good; the memory too."""
        await self.on_partitions_revoked([])
        for number in list(self._kept):
            self._kept.pop(number).close()

    async def _let_go(self, incarnation: Incarnation) -> None:
        number = incarnation.unit.number
        try:
            self._kept[number] = await incarnation.let_go()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next owner asks the log
            log.warning("partition %d could not be committed when it was revoked: %r", number, error)
            self._job.metrics.incarnations_ended.labels("revoked").inc()
            await incarnation.drop()
        except asyncio.CancelledError:
            await incarnation.drop()
            raise

    # Incarnations

    def _start(self, number: int, after_s: float) -> None:
        task = asyncio.create_task(self._begin(number, after_s), name=f"begin partition {number}")
        self._beginning[number] = task

    async def _begin(self, number: int, after_s: float) -> None:
        """Begin an incarnation, again and again until one stands or the partition is revoked."""
        while True:
            await asyncio.sleep(after_s)
            if (ending := self._ending.get(number)) is not None:
                await asyncio.wait([ending])
            kept = self._kept.pop(number, None)
            try:
                async with self._restores:
                    incarnation = await Incarnation.begin(self._job, number, kept, self._consumer)
            except asyncio.CancelledError:
                if kept is not None and kept.is_open:
                    self._kept[number] = kept
                raise
            except Exception as error:
                self._job.metrics.incarnations_ended.labels("begin").inc()
                if kept is not None:
                    kept.close()
                if isinstance(error, StorageError):
                    self._failure = self._failure or error  # which says all there is to say
                    return
                log.exception("partition %d could not begin; nothing of it is processed", number)
                after_s = self._pause_s
                continue
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # Revoked, and aiokafka took the cancellation for its own as a consumer was stopped.
                await incarnation.drop()
                raise asyncio.CancelledError
            self._beginning.pop(number, None)
            self.at_work[number] = incarnation
            self._consumer.resume(*self._inputs_of(number))
            return

    def fail(self, incarnation: Incarnation, error: BaseException) -> None:
        """End an incarnation after an error, and begin anew.

        One that was fenced ends the membership, and what only an operator can mend ends the process.
        """
        number = incarnation.unit.number
        if self.at_work.get(number) is not incarnation:
            return
        del self.at_work[number]
        self._consumer.pause(*self._inputs_of(number))
        ending = asyncio.create_task(incarnation.drop(), name=f"drop partition {number}")
        self._ending[number] = ending
        if is_fenced(error):
            log.warning("partition %d was fenced: %r; leaving the group and joining again", number, error)
            self._job.metrics.incarnations_ended.labels("fenced").inc()
            self._failure = self._failure or FencedError(f"partition {number}")
            return
        if isinstance(error, StorageError):
            self._failure = self._failure or error
            return
        log.warning("partition %d ends after %r and is restored", number, error)
        self._job.metrics.incarnations_ended.labels(type(error).__name__).inc()
        # After a heartbeat: a member whose session is over learns so before it fences the new owner.
        self._start(number, self._pause_s)

    @property
    def _pause_s(self) -> float:
        return self._job.settings.heartbeat_interval_ms / 1000

    def _inputs_of(self, number: int) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in self._job.inputs_of(number)]
