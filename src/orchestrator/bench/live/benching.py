"""`bench deliver` and `bench ingest`: which measurements, in which order, in processes of their own.

Owns that. Must never measure in its own process.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from orchestrator.bench.live.figures import Taken
from orchestrator.bench.live.ingesting import A_BATCH, KEY
from orchestrator.bench.live.processes import beside
from orchestrator.bench.measuring import Measured
from orchestrator.bench.workload import SOURCES

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


def bench_ingest(events: int, servers: str | None = None) -> list[Taken]:
    """Measure taking events one by one and in batches, as fast as it goes and then at half of that.

    With `servers`, by `serve --kafka` in front of these brokers.
    """
    with TemporaryDirectory(prefix="orchestrator-bench-") as name:
        folder = Path(name)
        for file, text in SOURCES.items():
            (folder / "shop" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "shop" / file).write_text(text, encoding="utf-8")
        found = [_taken(folder, servers, "asking", events // 10)]
        for kind, count in (("single", events // 10), ("batch", events // A_BATCH * A_BATCH)):
            full = _taken(folder, servers, kind, count)
            found += [full, _taken(folder, servers, kind, count, full.per_second / 2)]
        return found


def _taken(folder: Path, servers: str | None, kind: str, count: int, rate: float = 0.0) -> Taken:
    """Measure on a new process with a new state file."""
    for old in folder.glob("state.db*"):
        old.unlink()
    settings = {"ORCHESTRATOR_HTTP": "127.0.0.1:0", "ORCHESTRATOR_WRITE_KEYS": KEY, "ORCHESTRATOR_LOG_LEVEL": "error"}
    words = ["orchestrator", "serve", str(folder / "shop"), "--state", str(folder / "state.db")]
    if servers is not None:
        words.append("--kafka")
        settings["ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS"] = servers
        # What nobody here uses and an operator has to name.
        settings |= {"ORCHESTRATOR_READ_KEYS": KEY, "ORCHESTRATOR_LINK_SECRET": KEY * 2}
    with beside(*words, settings=settings, announces="serving on") as told:
        port = told.rpartition(":")[2]
        taken = msgspec.json.decode(_measure("ingesting", kind, port, str(max(count, A_BATCH)), str(rate)), type=Taken)
    taken.offered = rate
    return taken
