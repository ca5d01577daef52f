"""What it costs a worker to know that it is one customer: identifiers that are linked, and lives that are merged.

Owns the figures `linking` (the same day, by what its customers are known) and `merging` (a steady stream of visitors
who become known, and how long customers wait who do not). Must never decide whether a figure is good.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from orchestrator.bench.identity import IDENTIFIERS, IDENTITY
from orchestrator.bench.kafka import workload
from orchestrator.bench.kafka.draining import Drained
from orchestrator.bench.kafka.latency import UNCOUNTED_MS, offer, quantile, watch
from orchestrator.bench.kafka.setting import Setting
from orchestrator.bench.kafka.throughput import Mode, in_one_topic, load
from orchestrator.errors import StorageError

OTHERS_PER_SECOND = 1_000
MERGES_PER_SECOND = 1_000
# How long a visitor stays one: so that a life is there to be merged.
VISIT_TICKS = 50
LONGEST_WAIT_S = 60.0


class Linked(Drained, kw_only=True):
    """What emptying a topic came to, and the share that was kept of the speed without resolve."""

    speed_kept: float | None = None


class Merging(msgspec.Struct):
    """What customers who are not merged wait, in milliseconds, and how many were merged meanwhile.

    `merged_after_ms` is the time from the last login to the instant at which all merges could be read.
    """

    kind: str
    merges: int
    merges_per_second: float
    merged_after_ms: float | None
    actions: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


async def linking(setting: Setting, begin_ms: int, say: Callable[[str], None]) -> list[Linked]:
    """Measure the same day without resolve, behind it, with identifiers that could be linked, and that are."""
    off, on = setting.small_project(), setting.small_project("linking", IDENTITY)
    both = setting.small_project("linked", IDENTITY)
    plain = await load(setting, begin_ms, "known")
    cookies = await load(setting, begin_ms, "linked", workload.with_cookies)
    found: list[Linked] = []
    for mode, day in (
        (Mode("resolve off", "l-off", off, in_one_topic=True), plain),
        (Mode("resolve on, nothing links", "l-on", off, resolve=True), plain),
        (Mode("identifiers link, by customer id", "l-direct", on, resolve=True, links=True), plain),
        (Mode("by customer id and cookie, linked", "l-linked", both, resolve=True, links=True), cookies),
    ):
        say(mode.kind)
        drained = await in_one_topic(setting, day, mode, 0)
        found.append(Linked(**msgspec.structs.asdict(drained)))
        found[-1].speed_kept = drained.events_per_second / found[0].events_per_second
        say(f"{drained.events_per_second:,.0f} events/s, {found[-1].speed_kept:.2f} of it without resolve")
    return found


async def merging(setting: Setting) -> list[Merging]:
    """Measure how long the others wait, alone and beside a thousand merges a second."""
    project = setting.small_project("merging", IDENTITY)
    return [await _beside(setting, project, merges) for merges in (0, MERGES_PER_SECOND)]


async def _beside(setting: Setting, project: Path, merges_per_second: int) -> Merging:
    partitions, app = setting.sizes.partitions, f"merging{merges_per_second}"
    events = await setting.cluster.create(setting.topic(f"{app}-events"), partitions)
    span_ms = UNCOUNTED_MS + setting.sizes.seconds * 1000
    crowd = workload.Becoming(merges_per_second, IDENTIFIERS, VISIT_TICKS) if merges_per_second else None
    with setting.worker(app, project, events, resolve=True) as worker:
        await worker.ready()
        async with (
            setting.cluster.reader(setting.output(app, "actions"), partitions) as reader,
            setting.cluster.producer() as producer,
        ):
            offering = asyncio.create_task(offer(producer, events, partitions, OTHERS_PER_SECOND, span_ms, crowd))
            merged = asyncio.create_task(_merged(setting, app, offering, crowd))
            seen = await watch(reader, offering)
            after_ms = await merged
        worker.check()
        await worker.stop()
    taken = sorted(visible - offered for offered, visible in seen if offered >= seen[0][0] + UNCOUNTED_MS)
    return Merging(
        kind=f"{OTHERS_PER_SECOND:,} events/s of others"
        + (f", {merges_per_second:,} merges/s" if crowd else ", alone"),
        merges=crowd.merges if crowd else 0,
        merges_per_second=crowd.merges * 1000 / (span_ms + (after_ms or 0)) if crowd else 0.0,
        merged_after_ms=after_ms,
        actions=len(taken),
        p50_ms=quantile(taken, 0.5),
        p99_ms=quantile(taken, 0.99),
        longest_ms=taken[-1],
    )


async def _merged(
    setting: Setting, app: str, offering: "asyncio.Task[int]", crowd: workload.Becoming | None
) -> float | None:
    """Wait until everybody who logged in was merged; give the milliseconds since the last of them did."""
    if crowd is None:
        return None
    found, heard = 0, time.monotonic()
    async with setting.cluster.reader(setting.output(app, "decisions"), setting.sizes.partitions) as reader:
        while not offering.done() or found < crowd.merges:
            for records in (await reader.getmany(timeout_ms=50)).values():
                heard = time.monotonic()
                found += sum(b'"verdict":"merged"' in record.value for record in records)
            if time.monotonic() - heard > LONGEST_WAIT_S:
                raise StorageError(f"{found} of {crowd.merges} merges came, and no more")
    return max(0.0, time.time() * 1000 - crowd.last_ms)
