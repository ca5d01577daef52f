"""`bench deliver` and `bench ingest`: which measurements, in which order, in processes of their own.

Owns that. Must never measure in its own process.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from orchestrator.bench.kafka.cluster import Cluster
from orchestrator.bench.live.figures import Taken
from orchestrator.bench.live.ingesting import A_BATCH, KEY
from orchestrator.bench.live.processes import beside
from orchestrator.bench.measuring import Measured
from orchestrator.bench.workload import SOURCES

# Of the events topic in front of which `serve --kafka` is measured.
PARTITIONS = 4
KINDS = ("smtp-bare", "smtp", "http-bare", "http")


def _measure(module: str, *words: str) -> bytes:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", f"orchestrator.bench.live.{module}", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout  # noqa: S603 - our own


def bench_deliver(messages: int, rounds: int) -> list[Measured]:
    """Measure handing over by mail and by webhook, each after its bare library; of several rounds the fastest."""
    best: dict[str, Measured] = {}
    for kind in KINDS * rounds:
        found = _delivered(kind, messages)
        if kind not in best or found.seconds < best[kind].seconds:
            best[kind] = found
    return [best[kind] for kind in KINDS]


def bench_memory(messages: int) -> list[Measured]:
    """Measure the memory that handing over so many webhooks takes, along the way."""
    return [_delivered(kind, messages) for kind in ("http-bare", "http-memory")]


def _delivered(kind: str, messages: int) -> Measured:
    with (
        TemporaryDirectory(prefix="orchestrator-bench-") as folder,
        beside("orchestrator.bench.live.sinks", kind.partition("-")[0]) as port,
    ):
        return msgspec.json.decode(_measure("delivering", kind, port, str(messages), folder), type=Measured)


def bench_ingest_kafka(events: int, servers: str) -> list[Taken]:
    """Measure the same of `serve --kafka` in front of these brokers, with topics of its own."""
    prefix = f"bench-ingest-{os.getpid()}-"
    settings = {
        "ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS": servers,
        "ORCHESTRATOR_EVENTS_TOPICS": f"{prefix}events",
        "ORCHESTRATOR_TOPIC_PREFIX": prefix,
        # What nobody here uses and an operator has to name.
        "ORCHESTRATOR_READ_KEYS": KEY,
        "ORCHESTRATOR_LINK_SECRET": KEY * 2,
    }

    async def change(begins: bool) -> None:
        async with Cluster(servers) as cluster:
            await (cluster.create(f"{prefix}events", PARTITIONS) if begins else cluster.delete(prefix))

    asyncio.run(change(True))
    try:
        return bench_ingest(events, ["--kafka"], settings)
    finally:
        asyncio.run(change(False))


def bench_ingest(events: int, options: Sequence[str] = (), settings: Mapping[str, str] | None = None) -> list[Taken]:
    """Measure taking events one by one and in batches, as fast as it goes and then at half of that.

    `options` and `settings` are more for `serve`.
    """
    with TemporaryDirectory(prefix="orchestrator-bench-") as name:
        folder = Path(name)
        for file, text in SOURCES.items():
            (folder / "shop" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "shop" / file).write_text(text, encoding="utf-8")
        serving = _Serving(folder, options, settings or {})
        found = [serving.taken("asking", events // 10)]
        for kind, count in (("single", events // 10), ("batch", events // A_BATCH * A_BATCH)):
            full = serving.taken(kind, count)
            found += [full, serving.taken(kind, count, full.per_second / 2)]
        return found


@dataclass(frozen=True, slots=True)
class _Serving:
    """How `serve` is begun."""

    folder: Path
    options: Sequence[str]
    settings: Mapping[str, str]

    def taken(self, kind: str, count: int, rate: float = 0.0) -> Taken:
        """Measure on a new process with a new state file."""
        for old in self.folder.glob("state.db*"):
            old.unlink()
        settings = {
            "ORCHESTRATOR_HTTP": "127.0.0.1:0",
            "ORCHESTRATOR_WRITE_KEYS": KEY,
            "ORCHESTRATOR_LOG_LEVEL": "error",
            **self.settings,
        }
        words = ("serve", str(self.folder / "shop"), "--state", str(self.folder / "state.db"), *self.options)
        with beside("orchestrator", *words, settings=settings, announces="serving on") as line:
            port = line.rpartition(":")[2]
            told = _measure("ingesting", kind, port, str(max(count, A_BATCH)), str(rate))
            taken = msgspec.json.decode(told, type=Taken)
        taken.offered = rate
        return taken
