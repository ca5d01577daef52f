"""How many events a second a worker takes: resolve off and on, one journey and all, beside the raw limit.

Owns the order of one comparison: all on the same broker and the same topic, one after the other. What each worker
committed is compared with the memory run of the same events; a difference is an error, not a figure.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from orchestrator.bench.kafka import workload
from orchestrator.bench.kafka.draining import Drained, Input, drain
from orchestrator.bench.kafka.histograms import gauge
from orchestrator.bench.kafka.peers import peers_of
from orchestrator.bench.kafka.programs import Program, Worker
from orchestrator.bench.kafka.setting import Setting
from orchestrator.bench.kafka.workload import Record
from orchestrator.errors import InvariantError, StorageError
from orchestrator.model import instants

LAG = "orchestrator_event_lag_seconds"
NEARLY_NOW_S = 5.0
LONGEST_CATCHING_UP_S = 60.0
RAW = "aiokafka fetch + orjson.loads + batch send"
FAUST = "Faust agent that passes through"


class Line(msgspec.Struct):
    """What of an action is compared."""

    id: str
    at: str


@dataclass(frozen=True)
class Mode:
    """One way to run a worker."""

    kind: str
    app: str
    project: Path
    resolve: bool = False
    in_one_topic: bool = False
    links: bool = False


@dataclass(frozen=True)
class Day:
    """What is loaded: topics, how many events, and the lines of both for the memory run."""

    people: str
    known: int
    events: str
    count: int
    begin_ms: int
    lines: Path
    # People and events together: see `in_one_topic`.
    everything: str

    @property
    def end(self) -> str:
        """Return the instant of the last word: what is decided up to it is the same everywhere."""
        return instants.to_text(self.begin_ms + instants.DAY_MS + workload.AFTERWARDS_MS)


async def throughput(setting: Setting, begin_ms: int, say: Callable[[str], None]) -> list[Drained]:
    """Measure the raw limit, each mode of the worker, Faust and the peers; of several rounds each one's fastest."""
    say(f"loading {setting.sizes.events:,} events")
    day = await load(setting, begin_ms)
    cart = setting.abandoned_cart_alone()
    modes = [
        Mode("worker, resolve off", "off", cart),
        Mode("worker, resolve on", "on", cart, resolve=True, in_one_topic=True),
        Mode("worker, all journeys", "all", setting.shop, in_one_topic=True),
    ]
    best: dict[str, Drained] = {}
    for number in range(setting.sizes.rounds):
        found = [await _raw(setting, day, number)]
        for mode in modes:
            say(mode.kind)
            measure = in_one_topic if mode.in_one_topic else _worker
            found.append(await measure(setting, day, mode, number))
            ratio = found[-1].events_per_second / found[0].events_per_second
            say(f"{found[-1].events_per_second:,.0f} events/s, {ratio:.2f} of the raw limit")
        if number == 0:
            say(FAUST)
            found.append(await _faust(setting, begin_ms))
            found += await _peers(setting, begin_ms, say)
        for drained in found:
            drained.ratio_to_raw = drained.events_per_second / found[0].events_per_second
            before = best.get(drained.kind)
            # By the ratio: a round that others disturbed disturbed the raw limit too.
            if before is None or drained.events_per_second > before.events_per_second:
                best[drained.kind] = drained
    return list(best.values())


async def load(
    setting: Setting, begin_ms: int, name: str = "", known_by: Callable[[Iterator[Record]], Iterator[Record]] = iter
) -> Day:
    """Load a day and its people, known by what `known_by` adds to an event."""
    partitions, cluster = setting.sizes.partitions, setting.cluster
    people = await cluster.create(setting.topic(f"{name}people"), partitions)
    events = await cluster.create(setting.topic(f"{name}events"), partitions)
    everything = await cluster.create(setting.topic(f"{name}everything"), partitions)
    lines = setting.folder / f"{name}day.jsonl"
    customers = workload.customers_of(setting.sizes.events)

    def of_people() -> Iterator[Record]:
        return known_by(workload.people(customers, partitions, begin_ms - instants.HOUR_MS))

    def of_day() -> Iterator[Record]:
        return known_by(workload.day(setting.sizes.events, partitions, begin_ms))

    with lines.open("wb") as file:
        known = await cluster.load(people, _written(of_people(), file))
        count = await cluster.load(events, _written(of_day(), file))
    await cluster.load(everything, chain(of_people(), of_day()))
    return Day(people, known, events, count, begin_ms, lines, everything)


def _written(records: Iterable[Record], file: BinaryIO) -> Iterator[Record]:
    for record in records:
        file.write(record[3] + b"\n")
        yield record


async def _raw(setting: Setting, day: Day, number: int) -> Drained:
    output = await setting.cluster.create(setting.topic(f"raw-{number}"), setting.sizes.partitions)
    group = f"{setting.run}-raw-{number}"
    arguments = [setting.cluster.servers, group, day.events, output]
    return await _passing(setting, "raw", arguments, Input(group, day.events, day.count), RAW)


async def _faust(setting: Setting, begin_ms: int) -> Drained:
    """Measure Faust on fewer events: it would take a hundred times as long."""
    partitions, count = setting.sizes.partitions, min(setting.sizes.events, setting.sizes.faust_events)
    source = await setting.cluster.create(setting.topic("faust-events"), partitions)
    output = await setting.cluster.create(setting.topic("faust"), partitions)
    count = await setting.cluster.load(source, workload.day(count, partitions, begin_ms))
    group = f"{setting.run}-faust"
    arguments = [setting.cluster.servers, group, source, output, str(setting.folder / "faust")]
    return await _passing(setting, "pass_faust", arguments, Input(group, source, count), FAUST)


async def _passing(setting: Setting, module: str, arguments: list[str], work: Input, kind: str) -> Drained:
    command = [sys.executable, "-m", f"orchestrator.bench.kafka.{module}", *arguments]
    with Program(command, {}, setting.folder / f"{module}.log") as program:
        return await drain(setting.cluster, program, work, kind)


async def _peers(setting: Setting, begin_ms: int, say: Callable[[str], None]) -> list[Drained]:
    found = peers_of(setting, say)
    if not found:
        return []
    partitions = setting.sizes.partitions
    source = await setting.cluster.create(setting.topic("peers-events"), partitions)
    records = workload.for_kafka_streams(setting.sizes.events, partitions, begin_ms)
    count = await setting.cluster.load(source, records)
    measured = []
    for number, (kind, start) in enumerate(found.items()):
        say(kind)
        group = f"{setting.run}-peer-{number}"
        output = await setting.cluster.create(setting.topic(f"peer-{number}"), partitions)
        with start(group, source, output) as program:
            drained = await drain(setting.cluster, program, Input(group, source, count), kind)
            await program.stop()
        drained.actions = len(await setting.cluster.committed(output, partitions))
        measured.append(drained)
        await setting.cluster.delete(f"{group}-")
    return measured


async def _worker(setting: Setting, day: Day, mode: Mode, number: int) -> Drained:
    """Make the customers known with one worker, then measure another one that takes up where that left off."""
    app = f"{mode.app}{number}"
    with setting.worker(app, mode.project, day.people, resolve=False) as program:
        known = Input(f"{setting.run}-{app}", day.people, day.known)
        await drain(setting.cluster, program, known, mode.kind)
        await program.stop()
    with setting.worker(app, mode.project, day.events, resolve=False) as program:
        ready = await program.ready()
        work = Input(f"{setting.run}-{app}", day.events, day.count)
        drained = await drain(setting.cluster, program, work, mode.kind)
        await program.stop()
    drained.ready_seconds = ready
    drained.actions, drained.expected_actions = await _check(setting, day, mode, app)
    return drained


async def in_one_topic(setting: Setting, day: Day, mode: Mode, number: int) -> Drained:
    """Measure a worker from where the customers are known, who are in the same topic as the day.

    Read from a topic of their own, the people would end at the wall clock, where resolve tells it or a schedule waits
    for it; the day, which lies in the past, would then be late as a whole, and its timers due only an hour from now.
    """
    app, partitions = f"{mode.app}{number}", setting.sizes.partitions
    with setting.worker(app, mode.project, day.everything, resolve=mode.resolve) as program:
        ready = await program.ready()
        group = f"{setting.run}-{app}"
        links = (f"{group}-links", setting.output(app, f"{group}-links"), 1)
        turns = (group, setting.output(app, f"{group}-resolved"), partitions)
        behind = (*([links] if mode.links else []), *([turns] if mode.resolve else []))
        first = f"{group}-resolve" if mode.resolve else group
        work = Input(first, day.everything, day.known + day.count, behind, beginning=day.known)
        caught_up = partial(_caught_up, program)
        drained = await drain(setting.cluster, program, work, mode.kind, caught_up)
        await program.stop()
    drained.ready_seconds = ready
    drained.actions, drained.expected_actions = await _check(setting, day, mode, app)
    return drained


async def _caught_up(worker: Worker) -> None:
    """Wait until all sources have told that they are at their end, and with it the last timers have fired."""
    began = time.monotonic()
    while (gauge(await worker.metrics(), LAG) or 0.0) > NEARLY_NOW_S:
        worker.check()
        if time.monotonic() - began > LONGEST_CATCHING_UP_S:
            raise StorageError(f"{worker.log.stem} is not at the end of its events: {worker.said()[-1000:]}")
        await asyncio.sleep(0.1)


async def _check(setting: Setting, day: Day, mode: Mode, app: str) -> tuple[int, int]:
    """Compare what was committed up to the last word with the memory run, and return how much either was."""
    committed = await setting.cluster.committed(setting.output(app, "actions"), setting.sizes.partitions)
    found = sorted(line.id for line in map(_line, (record.value for record in committed)) if line.at <= day.end)
    expected = sorted(line.id for line in _memory_run(setting, day, mode) if line.at <= day.end)
    doubled = len(found) - len(set(found))
    if doubled or found != expected:
        missing, strange = len(set(expected) - set(found)), len(set(found) - set(expected))
        raise InvariantError(
            f"{mode.kind}: {len(found)} actions where the memory run has {len(expected)}; "
            f"{missing} missing, {strange} of its own, {doubled} doubled"
        )
    return len(found), len(expected)


def _memory_run(setting: Setting, day: Day, mode: Mode) -> list[Line]:
    actions = setting.folder / f"{mode.project.name}.actions.jsonl"
    if not actions.exists():
        command = [sys.executable, "-m", "orchestrator", "run", str(mode.project), "--in-order"]
        files = ["--events", str(day.lines), "--actions", str(actions)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        log = setting.folder / "run.log"
        with log.open("ab") as output:
            subprocess.run([*command, *files], check=True, env=environment, stdout=output, stderr=output)  # noqa: S603
    return [_line(line) for line in actions.read_bytes().splitlines()]


_line = msgspec.json.Decoder(Line).decode
