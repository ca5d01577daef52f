"""How long from an event to the action it brings about, as a reader of committed records sees it.

Owns the steady stream and the stop watch. An event counts from the instant at which it was *to be* offered, so a stream
that is held up makes the figures worse, not the stream thinner.
"""

import asyncio
import time
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from orchestrator.bench.kafka import workload
from orchestrator.bench.kafka.setting import Setting
from orchestrator.errors import InvariantError, StorageError

TICK_MS = 10
# The first seconds are for warming up.
UNCOUNTED_MS = 2_000
LONGEST_WAIT_S = 60.0


class Latency(msgspec.Struct):
    """Event to visible action at one rate, in milliseconds."""

    kind: str
    offered_per_second: int
    actions: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


class Thanks(msgspec.Struct):
    """What of an action is looked at."""

    journey: str
    data: dict[str, Any]


_decode = msgspec.json.Decoder(Thanks).decode


async def latency(setting: Setting) -> list[Latency]:
    """Measure every rate with resolve off, and the highest with resolve on."""
    rates = setting.sizes.rates
    measured = [await _at(setting, f"late{rate}", rate, resolve=False) for rate in rates]
    return [*measured, await _at(setting, "lateon", max(rates), resolve=True)]


async def _at(setting: Setting, app: str, rate: int, *, resolve: bool) -> Latency:
    partitions = setting.sizes.partitions
    events = await setting.cluster.create(setting.topic(f"{app}-events"), partitions)
    with setting.worker(app, setting.small_project(), events, resolve=resolve) as worker:
        await worker.ready()
        actions = setting.output(app, "actions")
        async with (
            setting.cluster.reader(actions, partitions) as reader,
            setting.cluster.producer() as producer,
        ):
            span_ms = UNCOUNTED_MS + setting.sizes.seconds * 1000
            offering = asyncio.create_task(offer(producer, events, partitions, rate, span_ms))
            seen = await watch(reader, offering)
            await offering
        worker.check()
        await worker.stop()
    taken = sorted(visible - offered for offered, visible in seen if offered >= seen[0][0] + UNCOUNTED_MS)
    kind = f"{rate:,} events/s, resolve {'on' if resolve else 'off'}"
    return Latency(kind, rate, len(taken), quantile(taken, 0.5), quantile(taken, 0.99), taken[-1])


async def offer(
    producer: AIOKafkaProducer,
    topic: str,
    partitions: int,
    rate: int,
    span_ms: int,
    beside: workload.Becoming | None = None,
) -> int:
    """Offer the stream in ticks of ten milliseconds, others beside it; return how many answers it asks for."""
    begin_ms, number, answers = time.time_ns() // 1_000_000, 0, 0
    for tick in range(span_ms // TICK_MS):
        at_ms = begin_ms + tick * TICK_MS
        await asyncio.sleep(max(0.0, at_ms / 1000 - time.time()))
        batches: dict[int, Any] = {}
        end = (tick + 1) * rate * TICK_MS // 1000
        orders = [workload.order(each, at_ms, partitions) for each in range(number, end)]
        answers += sum(each % 10 == 0 for each in range(number, end))
        number = end
        others = () if beside is None else beside.tick(tick, at_ms, partitions, TICK_MS)
        for partition, timestamp, key, value in (*orders, *others):
            batch = batches.get(partition) or batches.setdefault(partition, producer.create_batch())
            batch.append(key=key, value=value, timestamp=timestamp)
        for partition, batch in batches.items():
            await producer.send_batch(batch, topic, partition=partition)
    return answers


async def watch(reader: AIOKafkaConsumer, offering: "asyncio.Task[int]") -> list[tuple[float, float]]:
    """Collect (offered, visible) of each answer, until all that were asked for have come."""
    seen: list[tuple[float, float]] = []
    heard = time.monotonic()
    while not offering.done() or len(seen) < offering.result():
        fetched = await reader.getmany(timeout_ms=50)
        now_ms = time.time() * 1000
        for records in fetched.values():
            heard = time.monotonic()
            for record in records:
                action = _decode(record.value)
                if action.journey == "thanks":
                    seen.append((action.data["data"]["offered_ms"], now_ms))
        if time.monotonic() - heard > LONGEST_WAIT_S:
            raise StorageError(f"{len(seen)} answers came, and no more")
    if len(seen) != offering.result():
        raise InvariantError(f"{len(seen)} answers to {offering.result()} orders")
    return sorted(seen)


def quantile(ordered: list[float], share: float) -> float:
    """Return the value that this share of them does not pass."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
