"""The whole of `bench kafka`: a broker, the figures that were asked for, one after the other.

Owns their order, and that nothing is left behind: neither process nor topic.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from orchestrator.bench.kafka import report
from orchestrator.bench.kafka.cluster import Cluster
from orchestrator.bench.kafka.idle import idle
from orchestrator.bench.kafka.latency import latency
from orchestrator.bench.kafka.linking import linking, merging
from orchestrator.bench.kafka.setting import Setting, Sizes
from orchestrator.bench.kafka.throughput import throughput
from orchestrator.bench.kafka.waiting import restore, timers
from orchestrator.bench.machine import machine
from orchestrator.model import instants
from orchestrator.testing.brokers import Broker

# The day is so long past that the shop's last word after it is past too, and a whole number of days, so that quiet
# hours fall where they fell in every other run.
DAYS_AGO = 8


def bench_kafka(
    broker: Broker,
    sizes: Sizes,
    only: Collection[str],
    shop: Path,
    peers: Path | None,
    say: Callable[[str], None],
) -> tuple[dict[str, Sequence[msgspec.Struct]], dict[str, Any]]:
    """Take the figures named in `only`, on this broker; return them and what they were taken on."""
    return asyncio.run(_bench(broker, sizes, only, shop, peers, say))


async def _bench(
    broker: Broker, sizes: Sizes, only: Collection[str], shop: Path, peers: Path | None, say: Callable[[str], None]
) -> tuple[dict[str, Sequence[msgspec.Struct]], dict[str, Any]]:
    figures: dict[str, Sequence[msgspec.Struct]] = {}
    with TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        async with Cluster(broker.bootstrap_servers) as cluster:
            setting = Setting(cluster, Path(folder), sizes, shop, peers)
            begin_ms = (time.time_ns() // 1_000_000 // instants.DAY_MS - DAYS_AGO) * instants.DAY_MS
            takes: dict[str, Callable[[], Awaitable[Sequence[msgspec.Struct]]]] = {
                "throughput": lambda: throughput(setting, begin_ms, say),
                "latency": lambda: latency(setting),
                "timers": lambda: timers(setting),
                "restore": lambda: restore(setting),
                "linking": lambda: linking(setting, begin_ms, say),
                "merging": lambda: merging(setting),
                "idle": lambda: idle(setting),
            }
            try:
                for name in report.NAMES:
                    if name in only:
                        say(name)
                        figures[name] = await takes[name]()
            finally:
                await cluster.delete(f"{setting.run}.")
    return figures, {**machine(), "broker": str(broker.kind)}
