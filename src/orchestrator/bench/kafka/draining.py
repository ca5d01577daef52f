"""How fast a program empties a topic: its group's committed offsets, looked at again and again.

Owns the samples and what follows from them. The rate runs from the first look at which anything was committed, so that
neither starting nor a program's own commit interval counts; `cold` runs from the start of the process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from orchestrator.bench.kafka.cluster import Cluster
from orchestrator.bench.kafka.programs import Program
from orchestrator.errors import StorageError

LOOK_S = 0.05
LONGEST_STANDSTILL_S = 60.0


class Drained(msgspec.Struct):
    """What emptying a topic came to."""

    kind: str
    events: int
    events_per_second: float
    cold_events_per_second: float
    second_half_events_per_second: float
    cpu_seconds_per_million: float
    peak_bytes: int
    ready_seconds: float | None = None
    ratio_to_raw: float | None = None
    actions: int | None = None
    expected_actions: int | None = None


@dataclass(frozen=True)
class Look:
    """One look: when, how far, and what it had cost."""

    at: float
    reached: int
    cpu: float


@dataclass(frozen=True)
class Input:
    """What a group has to come through: a topic of so many events, and its own last group and topic behind that."""

    group: str
    topic: str
    events: int
    # With resolve on, the events are done when what each hop made of them is: group, topic and its partitions.
    behind: tuple[tuple[str, str, int], ...] = ()
    # So many of the events only lead up to what is measured.
    beginning: int = 0


async def drain(
    cluster: Cluster,
    program: Program,
    work: Input,
    kind: str,
    settled: Callable[[], Awaitable[None]] | None = None,
) -> Drained:
    """Watch a program until all is committed and `settled` returns; StorageError if it ends or stands still."""
    looks: list[Look] = []
    await _until(cluster, program, work.group, work.topic, work.events, looks)
    for group, topic, count in work.behind:
        # Resolve goes on telling its clock there; what matters is what it had passed on by now.
        await _until(cluster, program, group, topic, await cluster.ends(topic, count), [])
    if work.behind:
        if settled is not None:
            await settled()
        looks.append(Look(time.monotonic(), work.events, program.cpu_seconds))
    return _drained(kind, looks, work.beginning, work.events, program)


async def _until(cluster: Cluster, program: Program, group: str, topic: str, goal: int, looks: list[Look]) -> None:
    moved = time.monotonic()
    reached = 0
    while reached < goal:
        program.check()
        before, reached = reached, max(reached, await cluster.reached(group, topic))
        now = time.monotonic()
        if reached != before:
            moved = now
            looks.append(Look(now, reached, program.cpu_seconds))
        elif now - moved > LONGEST_STANDSTILL_S:
            raise StorageError(f"{program.log.stem} stands still at {reached} of {goal}: {program.said()[-1000:]}")
        await asyncio.sleep(LOOK_S)


def _drained(kind: str, looks: list[Look], beginning: int, events: int, program: Program) -> Drained:
    last = looks[-1]
    first = next((look for look in looks if look.reached >= beginning), last)
    half = next((look for look in looks if look.reached * 2 >= beginning + events), last)
    cost = last.cpu - first.cpu
    done = last.reached - first.reached
    return Drained(
        kind=kind,
        events=events - beginning,
        events_per_second=rate_of(first, last) or events / (last.at - program.began),
        cold_events_per_second=events / (last.at - program.began),
        second_half_events_per_second=rate_of(half, last),
        # Where one commit held everything, only the whole of it is known.
        cpu_seconds_per_million=(cost / done if done else last.cpu / events) * 1e6,
        peak_bytes=program.peak_bytes,
    )


def rate_of(first: Look, last: Look) -> float:
    """Return the events a second between two looks."""
    return (last.reached - first.reached) / (last.at - first.at) if last.reached > first.reached else 0.0
