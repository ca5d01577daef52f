"""Coupons on Kafka: one log of one partition, from whose order alone it follows who has which code.

    {"kind": "stock", "coupon", "revision", "codes"}   a coupon's file as it is in a release
    {"kind": "claim", "entry", "coupons"}              an entry asks for one code of each; `entry` is a digest of its id

Whoever delivers reads the whole log and reckons alike: a claim gets the next codes of the stock as it is at its place
in the log; one of an entry that has its codes changes nothing; one that an empty pool meets gets nothing. A claim is
somebody's as soon as the brokers have it, and is answered when its own record was read back. So no process owns the
pool: none can hand out what another did, an empty pool is empty for all of them at once, and a process that dies, or
was frozen and comes back, has nothing to hand over. A record that is written twice does no harm.

The alternatives lose something: a pool divided over the partitions of the actions refuses while others still have
codes, and an owner of the pool must be elected, asked and waited for whenever it dies. The price is that the log is
kept for ever, about 100 bytes a claim; it names neither customers nor profiles.

Owns that topic and its reckoning, which is part of its format: a release that reckons otherwise needs another topic.
Must never answer a claim from anywhere but the log.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from orchestrator.errors import StorageError
from orchestrator.model.effects import Action
from orchestrator.runtime import faults
from orchestrator.runtime.delivery.coupons import NoCoupon, NotClaimed, Pool
from orchestrator.runtime.kafka.closing import close, start
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.reading import reader
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.writer import MOST_REQUEST_BYTES

log = logging.getLogger(__name__)

POLL_MS = 500
RETRY_S = 1.0
# Who has waited so long for a code tries again later, as after any trouble.
LONGEST_CLAIM_S = 10.0


class Stock(msgspec.Struct, tag="stock", tag_field="kind"):
    """A coupon's codes, as the file of a release has them."""

    coupon: str
    revision: int
    codes: list[str]


class Claim(msgspec.Struct, tag="claim", tag_field="kind"):
    """An entry's wish for one code of each of these coupons, all or none."""

    entry: str
    coupons: list[str]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Stock | Claim).decode


def digest_of(entry_id: str) -> str:
    """Name an entry in the log, where nothing can be erased."""
    return blake2b(entry_id.encode(), digest_size=16).hexdigest()


class Reckoning:
    """What follows from the log as far as it was read."""

    def __init__(self) -> None:
        self.pool = Pool()
        self._stocks: dict[str, Stock] = {}
        self._has: dict[str, dict[str, str]] = {}

    def hear(self, record: ConsumerRecord) -> None:
        """Take in the next record as the log has it; one that is none of ours says nothing, to all who read it."""
        try:
            self.take(_decode(record.value or b""))
        except msgspec.DecodeError as error:
            log.error("the log of coupons holds no claim and no stock at %d: %s", record.offset, error)

    def take(self, record: Stock | Claim) -> None:
        """Take in the next record of the log."""
        if isinstance(record, Claim):
            has = self._has.get(record.entry, {})
            lacking = [coupon for coupon in dict.fromkeys(record.coupons) if coupon not in has]
            with suppress(NoCoupon):  # which its process finds out in the same way
                self._has[record.entry] = {**has, **self.pool.take(lacking)}
        elif self.revision_of(record.coupon) < record.revision:
            self._stocks[record.coupon] = record
            self.pool.stock(record.coupon, record.codes)

    def revision_of(self, coupon: str) -> int:
        """Tell which release a coupon's stock is from; -1 where there is none."""
        stock = self._stocks.get(coupon)
        return -1 if stock is None else stock.revision

    def codes_of(self, coupon: str) -> list[str]:
        """Give a coupon's stock, whoever has codes of it."""
        stock = self._stocks.get(coupon)
        return [] if stock is None else stock.codes

    def of(self, entry: str) -> Mapping[str, str]:
        """Give the codes that an entry has, by coupon."""
        return self._has.get(entry, {})


class LogClaims:
    """The claims of one process that delivers."""

    def __init__(self, settings: KafkaSettings, topics: Topics, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._tp = TopicPartition(topics.coupons, 0)
        self._reckoning = Reckoning()
        self._position = 0
        self._has_read_all = False
        self._changed = asyncio.Event()
        # What is published; None until that is known.
        self._published: Mapping[str, Sequence[str]] | None = None
        self._revision = -1
        self._producer: AIOKafkaProducer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to read the log and to write to it; where that raises a KafkaError, nothing has begun."""
        producer = AIOKafkaProducer(
            acks="all", max_request_size=MOST_REQUEST_BYTES, linger_ms=0, **self._settings.connection()
        )
        await start(producer.start(), producer.stop)
        self._producer = producer
        self._tasks.append(asyncio.create_task(self._follow(), name="follow the coupons"))
        self._tasks.append(asyncio.create_task(self._keep_stocked(), name="keep the coupons stocked"))

    async def run(self) -> None:
        """Wait for what ends it: a log that cannot be read any more."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Let go of the log; who still waits for a code hears nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._producer is not None:
            await close(self._producer.stop())

    def stock(self, coupons: Mapping[str, Sequence[str]], revision: int) -> None:
        """Let codes be given as a release's files have them."""
        self._published, self._revision = coupons, revision
        self._metrics.stock(coupons, self._left())
        self._tell()

    async def claim(self, action: Action, coupons: Sequence[str]) -> Mapping[str, str]:
        """Give the codes of an action's entry, its own for good on return."""
        entry = digest_of(action.entry_id)
        try:
            async with asyncio.timeout(LONGEST_CLAIM_S):
                while self._published is None or self._is_behind():
                    await self._changed.wait()
                lacking = [coupon for coupon in coupons if coupon not in self._reckoning.of(entry)]
                # Where none is left there is nothing to ask for, and the log need not hear of it.
                if lacking and all(map(self._reckoning.pool.has, lacking)):
                    await self._append(Claim(entry, list(coupons)))
        except (KafkaError, TimeoutError) as error:
            raise NotClaimed(None, f"no code could be claimed: {error!r}") from error
        has = self._reckoning.of(entry)
        for coupon in coupons:
            if coupon not in has:
                raise NoCoupon(f"no code of {coupon} is left")
        return {coupon: has[coupon] for coupon in coupons}

    async def _append(self, record: Stock | Claim) -> None:
        """Write a record, and wait until it has been read back with everything before it."""
        assert self._producer is not None  # noqa: S101 - nobody asks before the start
        sent = await self._producer.send_and_wait(self._tp.topic, _encode(record), partition=0)
        faults.reach("coupons.appended")
        while self._position <= sent.offset:
            await self._changed.wait()

    def _is_behind(self) -> bool:
        """Tell whether the log has still to be read, or still to hear of the files that are published."""
        return not self._has_read_all or any(
            self._lacks(coupon, codes) for coupon, codes in (self._published or {}).items()
        )

    def _lacks(self, coupon: str, codes: Sequence[str]) -> bool:
        # A newer release than ours may have written already; then ours has nothing to say any more.
        is_older = self._reckoning.revision_of(coupon) < self._revision
        return is_older and self._reckoning.codes_of(coupon) != list(codes)

    async def _keep_stocked(self) -> None:
        """Write what is published into the log, whenever it is not there."""
        while True:
            if not self._has_read_all or not self._is_behind():
                await self._changed.wait()
                continue
            for coupon, codes in list((self._published or {}).items()):
                if self._lacks(coupon, codes):
                    try:
                        await self._append(Stock(coupon, self._revision, list(codes)))
                    except KafkaError as error:
                        log.warning("the codes of %s cannot be published: %r", coupon, error)
                        await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        """Read the log for ever, whatever becomes of the brokers meanwhile."""
        while True:
            try:
                async with reader(self._settings, auto_offset_reset="none") as consumer:
                    await self._read(consumer)
            except OffsetOutOfRangeError as error:
                raise StorageError(f"{self._tp.topic} was cut; it must be kept for ever") from error
            except KafkaError as error:
                log.warning("the coupons cannot be followed: %r", error)
                await asyncio.sleep(RETRY_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._tp])
        end = (await consumer.end_offsets([self._tp]))[self._tp]
        consumer.seek(self._tp, self._position)
        while True:
            self._has_read_all |= self._position >= end
            self._tell()
            for records in (await consumer.getmany(self._tp, timeout_ms=POLL_MS)).values():
                for record in records:
                    self._reckoning.hear(record)
                self._position = records[-1].offset + 1

    def _tell(self) -> None:
        """Let everybody look who waits for something in the log."""
        self._metrics.left(self._left())
        self._changed.set()
        self._changed = asyncio.Event()

    def _left(self) -> dict[str, int]:
        """Count what is left of the coupons that are published."""
        left = self._reckoning.pool.left
        return {coupon: left.get(coupon, 0) for coupon in self._published or ()}
