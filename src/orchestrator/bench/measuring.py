"""One measurement in a process of its own: `python -m orchestrator.bench.measuring KIND FOLDER`.

Owns what is measured and how: wall and CPU seconds of the work alone, imports and compiling left out, and
the whole process's peak memory. Prints one line of JSON. Must never share a process with another one.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

EVENTS_FILE = "events.jsonl"
# Twice as many events of as many customers: memory is to grow with these, not with those.
TWICE_FILE = "events-twice.jsonl"


class Measured(msgspec.Struct):
    """What one measurement came to. `peak_bytes` is the process's greatest resident size.

    `resident_bytes` is its size along the way, after each tenth of the work, where that was asked for.
    """

    kind: str
    events: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    actions: int = 0
    decisions: int = 0
    resident_bytes: list[int] = []

    @property
    def events_per_second(self) -> float:
        """How many events a second of wall time."""
        return self.events / self.seconds


def measure(kind: str, folder: Path) -> Measured:
    """Measure in a new process; raises subprocess.CalledProcessError when that fails."""
    command = [sys.executable, "-m", "orchestrator.bench.measuring", kind, str(folder)]
    # It finds the same modules as this one, installed or not.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)  # noqa: S603 - our own program
    return msgspec.json.decode(done.stdout, type=Measured)


def _reading(folder: Path) -> Callable[[], tuple[int, int, int]]:
    """Only decode each line: what nobody can be faster than."""
    import orjson

    def work() -> tuple[int, int, int]:
        decode, events = orjson.loads, 0
        with (folder / EVENTS_FILE).open("rb") as file:
            for line in file:
                decode(line)
                events += 1
        return events, 0, 0

    return work


def _running(
    folder: Path, *, file: str = EVENTS_FILE, with_state: bool = False, with_policies: bool = False
) -> Callable[[], tuple[int, int, int]]:
    """Run the journey, actions and decisions written to files."""
    from orchestrator.bench.workload import SOURCES, SOURCES_WITH_POLICIES
    from orchestrator.language import compile_sources
    from orchestrator.runtime.embedded import RunOptions, run_events

    loaded = compile_sources(SOURCES_WITH_POLICIES if with_policies else SOURCES)
    options = RunOptions(
        events=[str(folder / file)],
        in_order=True,
        actions=folder / "actions.jsonl",
        decisions=folder / "decisions.jsonl",
        state=folder / "state.db" if with_state else None,
    )

    def work() -> tuple[int, int, int]:
        summary = run_events(loaded, options)
        return summary.events.total(), summary.actions.total(), summary.decisions.total()

    return work


WORKS: dict[str, Callable[[Path], Callable[[], tuple[int, int, int]]]] = {
    "read": _reading,
    "memory": _running,
    "twice": lambda folder: _running(folder, file=TWICE_FILE),
    "policies": lambda folder: _running(folder, with_policies=True),
    "sqlite": lambda folder: _running(folder, with_state=True),
}


def main() -> None:
    """Measure what the arguments name."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    work = WORKS[kind](folder)
    cpu, wall = time.process_time(), time.perf_counter()
    events, actions, decisions = work()
    measured = Measured(
        kind=kind,
        events=events,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        actions=actions,
        decisions=decisions,
    )
    sys.stdout.write(json.dumps(msgspec.to_builtins(measured)) + "\n")


if __name__ == "__main__":
    main()
