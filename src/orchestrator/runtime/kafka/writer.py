"""The transactional producer of one partition: opening it fences whoever wrote here before.

`InitProducerId` for the partition's transactional id raises the epoch: the brokers abort what the old owner left open
and refuse everything it sends from then on. That, not the group's membership, is what keeps a zombie out, because
aiokafka cannot send its generation along with the offsets of a transaction.
Without a transactional id it fences nobody and needs no transaction: what is sent is written once, in order, for as
long as this producer lives (the intake's way).
Owns the producer's life and its batches. Must never retry what was fenced, nor be used again after a failure.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)
from aiokafka.structs import RecordMetadata, TopicPartition

from orchestrator.runtime.kafka.batches import Keyed, RecordBatch
from orchestrator.runtime.kafka.outgoing import Forward
from orchestrator.runtime.kafka.resolved import CLOCK_KEY, STAMP
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.wall_clock import wall_clock_ms

TRANSACTION_TIMEOUT_MS = 10_000
# Under the brokers' default of 1 MiB for a batch; one larger record still gets a batch of its own.
BATCH_BYTES = 1_000_000
MOST_REQUEST_BYTES = 4 << 20
REQUEST_TIMEOUT_MS = 8_000
OPENING_S = 30.0
CLOSING_S = 5.0
LONG_AGO_MS = 3600 * 1000

FENCED = (ProducerFenced, InvalidProducerEpoch, InvalidProducerIdMapping, InvalidTxnState, OutOfOrderSequenceNumber)

# A batch on its way, and how many records it holds.
Batch: TypeAlias = tuple["asyncio.Future[RecordMetadata]", int]


def is_fenced(error: BaseException | None) -> bool:
    """Tell whether an error, or one that it came from, says that somebody else writes here now."""
    while error is not None:
        if isinstance(error, FENCED):
            return True
        error = error.__cause__
    return False


class Writer:
    """One producer, opened once; transactional where it is given an id for that."""

    def __init__(
        self, settings: KafkaSettings, transactional_id: str | None, *, batch_bytes: int = BATCH_BYTES
    ) -> None:
        self.transactional_id = transactional_id
        self._batch_bytes = batch_bytes
        self._producer = AIOKafkaProducer(
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            enable_idempotence=True,
            acks="all",
            max_batch_size=batch_bytes,
            max_request_size=MOST_REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            linger_ms=0,
            **settings.connection(),
        )

    async def open(self) -> None:
        """Take the transactional id over; whoever had it is fenced, and what it left open is aborted, on return."""
        async with asyncio.timeout(OPENING_S):
            await self._producer.start()

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._producer.begin_transaction()
        self._look_at_the_end()

    async def send(self, topic: str, partition: int, lines: Iterable[Keyed]) -> list[Batch]:
        """Send lines in batches, inside the transaction if there is one.

        Return a future and a count of records for each batch.
        """
        now_ms = wall_clock_ms()
        sent: list[Batch] = []
        lines = iter(lines)
        over = next(lines, None)
        while over is not None:
            key, value = over
            batch = self._begun()
            batch.add(key, value, now_ms, [])
            over = batch.add_lines(lines, now_ms)
            sent.append(await self._send_batch(batch, topic, partition))
        return sent

    async def forward(self, topic: str, partition: int, forwards: Iterable[Forward]) -> list[Batch]:
        """Send records with the timestamps and headers they came with, inside the transaction.

        A batch of long ago is stamped with the wall clock: see `resolved.STAMP`.
        """
        sent: list[Batch] = []
        forwards = iter(forwards)
        over = next(forwards, None)
        while over is not None:
            batch = self._begun_by(over)
            over = batch.add_forwards(forwards)
            sent.append(await self._send_batch(batch, topic, partition))
        return sent

    def _begun(self) -> RecordBatch:
        return RecordBatch(self._batch_bytes, self.transactional_id is not None)

    def _begun_by(self, forward: Forward) -> RecordBatch:
        """Begin a batch with a record, behind a stamp where it is of long ago and both have room; alone any has."""
        batch, now_ms = self._begun(), wall_clock_ms()
        key, value, timestamp_ms, headers = forward
        if timestamp_ms < now_ms - LONG_AGO_MS:
            batch.add(CLOCK_KEY, STAMP, now_ms, [])
            if batch.add(key, value, timestamp_ms, headers):
                return batch
            batch = self._begun()
        batch.add(key, value, timestamp_ms, headers)
        return batch

    async def _send_batch(self, batch: RecordBatch, topic: str, partition: int) -> Batch:
        batch.close()
        accumulator, tp = self._producer._message_accumulator, TopicPartition(topic, partition)
        if self.transactional_id is not None and tp in accumulator._batches and accumulator._exception is None:
            # The library would wait until the one before has left, and begin with all else of the transaction only
            # then: a round trip, and a request, for each. How much is queued here, the transaction bounds.
            future = asyncio.shield(accumulator._append_batch(batch, tp).future)
        else:
            future = await self._producer.send_batch(batch, topic, partition=partition)
        # Looked at in any case, so that one that fails after its transaction was given up is not logged as forgotten.
        future.add_done_callback(_look_at)
        # A batch that never left has a second future, which nobody but aiokafka ever sees.
        for queued in accumulator._batches.get(tp, ()):
            queued._drain_waiter.add_done_callback(_look_at)
        return future, batch.record_count()

    async def add_offsets(self, offsets: dict[Any, tuple[int, str]], group_id: str) -> None:
        """Make the group's offsets, each with its note, part of the transaction."""
        await self._producer.send_offsets_to_transaction(offsets, group_id)

    async def end(self) -> None:
        """Commit the transaction: on return it will be seen, in each partition once the mark of it stands there."""
        await self._producer.commit_transaction()

    async def close(self) -> None:
        """Close a producer that has nothing open."""
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._producer.stop()
        except TimeoutError:
            await self.discard()

    async def discard(self) -> None:
        """Let go at once, whatever is open: the next opener's epoch aborts it.

        The client goes first, because aiokafka's own stop waits for batches that may never be delivered.
        """
        producer = self._producer
        self._look_at_the_end()
        await producer.client.close()
        producer._closed = True
        # In a task of its own: a sender that was cancelled in the middle of a request is awaited with CancelledError,
        # which would look as if whoever discards was cancelled. Why it failed was reported by whoever gave it up.
        closing = asyncio.ensure_future(producer._sender.close())
        closing.add_done_callback(_look_at)
        await asyncio.wait([closing], timeout=CLOSING_S)
        closing.cancel()

    def _look_at_the_end(self) -> None:
        """Look at the transaction's end whenever it comes: aiokafka tells a fenced producer there, too."""
        waiter = self._producer._txn_manager.wait_for_transaction_end()
        if waiter is not None:
            waiter.add_done_callback(_look_at)


def _look_at(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
