"""`bench run`: the embedded runtime over a shop's day, beside reading the same file alone.

Owns the rows of that table. Each figure stands beside its ratio to plain reading, which says more than
events a second do: a busy or slow machine slows both. Must never decide whether a figure is good.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.bench.measuring import EVENTS_FILE, TWICE_FILE, Measured, measure
from orchestrator.bench.table import table
from orchestrator.bench.workload import EVENTS_PER_CUSTOMER, write_events

_NAMES = {
    "read": "orjson.loads alone",
    "memory": "run, in memory",
    "twice": "run, twice the events",
    "policies": "run, with policies",
    "sqlite": "run, --state on SQLite",
}


def bench_run(events: int, rounds: int = 1) -> list[Measured]:
    """Measure reading, and running in memory and on SQLite; of several rounds each one's fastest.

    Twice the events of the same customers show beside the run in memory what its memory grows with.
    """
    with TemporaryDirectory(prefix="orchestrator-bench-") as name:
        folder = Path(name)
        write_events(folder / EVENTS_FILE, events)
        write_events(folder / TWICE_FILE, 2 * events, max(1, events // EVENTS_PER_CUSTOMER))
        best: dict[str, Measured] = {}
        for _ in range(rounds):
            for kind in _NAMES:
                measured = measure(kind, folder)
                if kind not in best or measured.seconds < best[kind].seconds:
                    best[kind] = measured
                for leftover in folder.glob("state.db*"):
                    leftover.unlink()
        return list(best.values())


def rows_of(measured: list[Measured]) -> list[dict[str, object]]:
    """Put each measurement beside plain reading, the first of them: `ratio` is how many times as long it takes.

    The run with policies also stands beside the one without: `speed_kept` is the share of its speed.
    """
    read, kept = measured[0], _speed_kept(measured)
    return [
        {
            "kind": each.kind,
            "events": each.events,
            "events_per_second": round(each.events_per_second),
            "ratio": round(read.events_per_second / each.events_per_second, 2),
            "cpu_seconds_per_million": round(each.cpu_seconds * 1e6 / each.events, 2),
            "peak_bytes": each.peak_bytes,
            "actions": each.actions,
            "decisions": each.decisions,
            **({"speed_kept": round(kept, 3)} if each.kind == "policies" and kept is not None else {}),
        }
        for each in measured
    ]


def text_of(measured: list[Measured]) -> str:
    """Write the results as a table for people."""
    head = ["", "events/s", "x reading", "CPU s/million", "peak MB", "actions", "decisions"]
    lines = [
        [
            _NAMES[each.kind],
            f"{each.events_per_second:,.0f}",
            f"{measured[0].events_per_second / each.events_per_second:.1f}",
            f"{each.cpu_seconds * 1e6 / each.events:.1f}",
            f"{each.peak_bytes / 1e6:,.0f}",
            f"{each.actions:,}",
            f"{each.decisions:,}",
        ]
        for each in measured
    ]
    kept = _speed_kept(measured)
    told = [] if kept is None else [f"With policies {100 * kept:.0f} % of the speed is kept."]
    return "\n".join([table(head, lines), *told])


def _speed_kept(measured: list[Measured]) -> float | None:
    """Give the share of its speed that the journey keeps where every policy is asked; None where nobody measured."""
    by_kind = {each.kind: each for each in measured}
    if "memory" not in by_kind or "policies" not in by_kind:
        return None
    return by_kind["policies"].events_per_second / by_kind["memory"].events_per_second
