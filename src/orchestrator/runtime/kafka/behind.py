"""How far delivery is behind the actions: the oldest one that is committed and not taken in, and what was lost before.

Owns the measuring, by a reader of its own: what takes actions in is fed by its group, and says nothing when that stands
still. Must never take anything in.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from orchestrator.runtime.kafka.describing import describer
from orchestrator.runtime.kafka.group_offsets import committed_by
from orchestrator.runtime.kafka.reading import reader
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.wall_clock import wall_clock_ms

if TYPE_CHECKING:
    from orchestrator.runtime.kafka.metrics import Metrics

log = logging.getLogger(__name__)

LOOK_S = 5.0
# Behind what was taken in there is nothing but the mark of a transaction, which is never handed out.
PATIENCE_S = 0.5
POLL_MS = 100


class Behind:
    """Measures one process's partitions of a topic, as `numbers()` gives them, by the offsets of a group."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        metrics: "Metrics",
        numbers: Callable[[], Collection[int]],
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._group = group
        self._metrics = metrics
        self._numbers = numbers
        # Where partitions were left before what is lost of them, so that it is counted once.
        self._lost_at: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Measure again and again, whatever becomes of the brokers meanwhile."""
        while True:
            try:
                async with (
                    reader(self._settings, max_partition_fetch_bytes=1) as consumer,
                    describer(self._settings) as admin,
                ):
                    while True:
                        await self._measure(consumer, admin)
                        await asyncio.sleep(LOOK_S)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("nobody knows how far delivery is behind: %r", error)
                await asyncio.sleep(LOOK_S)

    async def _measure(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        tps = {TopicPartition(self._topic, number) for number in self._numbers()}
        # Of what is not ours any more, too: where its topic is gone, aiokafka looks for that without a pause.
        consumer.assign(tps)
        if not tps:
            self._metrics.delivery_lag.set(0)
            return
        firsts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        committed = await committed_by(admin, self._group, tps)
        places: dict[TopicPartition, int] = {}
        for tp in tps:
            at = committed[tp].offset if tp in committed else firsts[tp]
            self._look_for_loss(tp, at, firsts[tp])
            consumer.seek(tp, max(at, firsts[tp]))
            if at < ends[tp]:
                places[tp] = ends[tp]
        oldest_ms = await self._oldest(consumer, places)
        self._metrics.delivery_lag.set(0 if oldest_ms is None else max(0, wall_clock_ms() - oldest_ms) / 1000)

    def _look_for_loss(self, tp: TopicPartition, at: int, first: int) -> None:
        """Say and count that actions were deleted before they were taken in."""
        if at < first and self._lost_at.get(tp) != at:
            self._lost_at[tp] = at
            self._metrics.records_lost.labels(tp.topic).inc(first - at)
            log.error(
                "%s/%d begins at %d by now, and delivery had come to %d: what was deleted in between is not sent",
                tp.topic,
                tp.partition,
                first,
                at,
            )

    async def _oldest(self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> int | None:
        """Find the time of the oldest record between where a reader stands and these ends; None where there is none."""
        found: dict[TopicPartition, int] = {}
        left, until = set(ends), time.monotonic() + PATIENCE_S
        while left and time.monotonic() < until:
            for tp, records in (await consumer.getmany(*left, timeout_ms=POLL_MS)).items():
                found[tp] = records[0].timestamp
            left = {tp for tp in left - found.keys() if await consumer.position(tp) < ends[tp]}
        return min(found.values(), default=None)
