"""What customers who wait cost: the time to restore them, the memory they take, how late their timers are.

Owns the figures `timers` and `restore`. Everything waits by the wall clock here, as it does in production.
"""

import asyncio
import math
import time

import msgspec

from orchestrator.bench.kafka import workload
from orchestrator.bench.kafka.draining import Input, drain
from orchestrator.bench.kafka.histograms import at_most, buckets, since
from orchestrator.bench.kafka.programs import Worker
from orchestrator.bench.kafka.setting import Setting
from orchestrator.errors import InvariantError, StorageError
from orchestrator.model import instants

# Between loading and the instant at which everything is due: long enough for the slowest machine to read it all.
HEADWAY_MS = 20_000
PER_TIMER_MS = 0.4
# As long as loading, waiting and restoring take for each customer, on a slow machine.
PER_CUSTOMER_MS = 0.1
WATCHED_S = 10
LONGEST_WAIT_S = 120.0
LATENESS = "orchestrator_timer_lateness_seconds"
COMMITS = "orchestrator_commit_seconds"


class AtOnce(msgspec.Struct):
    """Many timers due at one instant; `visible_seconds` is when the last reminder could be read."""

    kind: str
    timers: int
    first_seconds: float
    visible_seconds: float
    longest_commit_at_most_seconds: float | None


class Restored(msgspec.Struct):
    """A restore, and what it brought back. Lateness is of the timers that came due in the seconds after it."""

    kind: str
    customers: int
    restore_seconds: float
    restore_seconds_per_million: float
    bytes_per_customer: float
    timers_fired: int
    late_at_most_seconds: float | None


async def timers(setting: Setting) -> list[AtOnce]:
    """Let all timers come due at one instant, and wait for the last reminder."""
    count, partitions = setting.sizes.timers, setting.sizes.partitions
    events = await setting.cluster.create(setting.topic("timer-events"), partitions)
    due_ms = _now_ms() + HEADWAY_MS + int(count * PER_TIMER_MS)
    entered_ms = due_ms - instants.HOUR_MS
    loaded = await setting.cluster.load(events, workload.carts(count, partitions, entered_ms, entered_ms))
    with setting.worker("timers", setting.small_project(), events) as worker:
        work = Input(f"{setting.run}-timers", events, loaded)
        await drain(setting.cluster, worker, work, "timers")
        if _now_ms() >= due_ms:
            raise StorageError("the timers were due before everything was read; try fewer")
        before = buckets(await worker.metrics(), COMMITS)
        first, last = await _reminders(setting, "timers", count)
        await asyncio.sleep(1.5)  # the worker counts once a second
        commits = since(before, buckets(await worker.metrics(), COMMITS))
        await worker.stop()
    return [
        AtOnce(
            kind=f"{count:,} timers due at one instant",
            timers=count,
            first_seconds=first - due_ms / 1000,
            visible_seconds=last - due_ms / 1000,
            longest_commit_at_most_seconds=at_most(commits, 1.0),
        )
    ]


async def _reminders(setting: Setting, app: str, count: int) -> tuple[float, float]:
    """Return when the first and the last of so many reminders could be read; each exactly once."""
    seen, first, deadline = set[bytes](), math.inf, time.monotonic() + LONGEST_WAIT_S
    async with setting.cluster.reader(setting.output(app, "actions"), setting.sizes.partitions) as reader:
        while len(seen) < count:
            for records in (await reader.getmany(timeout_ms=50)).values():
                first = min(first, time.time())
                before = len(seen)
                seen.update(record.key for record in records)
                if len(seen) - before != len(records):
                    raise InvariantError("a customer was reminded twice")
            if time.monotonic() > deadline:
                raise StorageError(f"{len(seen)} of {count} reminders came, and no more")
    return first, time.time()


async def restore(setting: Setting) -> list[Restored]:
    """Let customers wait, end the worker, and measure the one that takes over from the changelog."""
    count, partitions = setting.sizes.customers, setting.sizes.partitions
    events = await setting.cluster.create(setting.topic("restore-events"), partitions)
    project = setting.small_project()
    with setting.worker("restore", project, events) as worker:
        empty_seconds = await worker.ready()
        empty_bytes = worker.memory_bytes
        # Due evenly over the hour that begins when all are restored, more or less.
        now_ms = _now_ms()
        due_ms = now_ms + int(count * PER_CUSTOMER_MS)
        loaded = await setting.cluster.load(
            events, workload.carts(count, partitions, due_ms - instants.HOUR_MS, now_ms)
        )
        await drain(setting.cluster, worker, Input(f"{setting.run}-restore", events, loaded), "restore")
        await worker.stop()
    with setting.worker("restore", project, events) as worker:
        seconds = max(0.0, await worker.ready() - empty_seconds)
        taken = worker.memory_bytes - empty_bytes
        lateness = await _lateness(worker, due_ms)
        await worker.stop()
    return [
        Restored(
            kind=f"{count:,} customers waiting",
            customers=count,
            restore_seconds=seconds,
            restore_seconds_per_million=seconds * 1e6 / count,
            bytes_per_customer=taken / count,
            timers_fired=int(lateness.get(math.inf, 0)),
            late_at_most_seconds=at_most(lateness, 0.99),
        )
    ]


async def _lateness(worker: Worker, due_ms: int) -> dict[float, float]:
    """Watch the timers for a while once they come due, those left out that were due while nobody ran."""
    await asyncio.sleep(max(2.0, due_ms / 1000 - time.time()))
    before = buckets(await worker.metrics(), LATENESS)
    await asyncio.sleep(WATCHED_S)
    return since(before, buckets(await worker.metrics(), LATENESS))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
