"""What a commit takes when there are many partitions and nearly nothing to do.

Owns the figure `idle`.
"""

import asyncio
import math
import time

import msgspec

from orchestrator.bench.kafka import workload
from orchestrator.bench.kafka.histograms import at_most, buckets, since
from orchestrator.bench.kafka.setting import Setting
from orchestrator.bench.kafka.waiting import COMMITS

WARMING_S = 2


class Idle(msgspec.Struct):
    """The commits of nearly idle partitions; times are their buckets' upper bounds."""

    kind: str
    partitions: int
    commits: int
    commit_p50_at_most_seconds: float | None
    commit_p99_at_most_seconds: float | None
    cpu_share: float


async def idle(setting: Setting) -> list[Idle]:
    """Give every partition about one event a second, and look at the commits: with resolve off, and on."""
    return [await _idle(setting, resolve=resolve) for resolve in (False, True)]


async def _idle(setting: Setting, *, resolve: bool) -> Idle:
    partitions, name = setting.sizes.idle_partitions, f"idle-{'on' if resolve else 'off'}"
    events = await setting.cluster.create(setting.topic(f"{name}-events"), partitions)
    with setting.worker(name, setting.small_project(), events, resolve=resolve, partitions=partitions) as worker:
        await worker.ready()
        await _trickle(setting, events, 0, WARMING_S)
        before, began, cpu = await worker.metrics(), time.monotonic(), worker.cpu_seconds
        await _trickle(setting, events, WARMING_S, setting.sizes.seconds)
        commits = since(buckets(before, COMMITS), buckets(await worker.metrics(), COMMITS))
        share = (worker.cpu_seconds - cpu) / (time.monotonic() - began)
        await worker.stop()
    return Idle(
        kind=f"{partitions} partitions with an event a second each" + (", resolve on" if resolve else ""),
        partitions=partitions,
        commits=int(commits.get(math.inf, 0)),
        commit_p50_at_most_seconds=at_most(commits, 0.5),
        commit_p99_at_most_seconds=at_most(commits, 0.99),
        cpu_share=share,
    )


async def _trickle(setting: Setting, topic: str, from_s: int, seconds: int) -> None:
    """Send an event after the other, evenly in time."""
    partitions = setting.sizes.idle_partitions
    begin = time.monotonic()
    async with setting.cluster.producer() as producer:
        for number in range(seconds * partitions):
            await asyncio.sleep(max(0.0, begin + number / partitions - time.monotonic()))
            record = workload.order(from_s * partitions + number, int(time.time() * 1000), partitions)
            await producer.send(topic, record[3], key=record[2], partition=number % partitions)
