"""The figures of `bench kafka` as tables for people and as JSON for programs.

Owns the columns. Must never measure, nor judge.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.bench.machine import text_of_machine
from orchestrator.bench.table import table

Figures = Mapping[str, Sequence[msgspec.Struct]]

# Of each figure: a field, its heading, and its form.
_COLUMNS: dict[str, list[tuple[str, str, str]]] = {
    "throughput": [
        ("events", "events", ",.0f"),
        ("events_per_second", "events/s", ",.0f"),
        ("ratio_to_raw", "of raw", ".2f"),
        ("cold_events_per_second", "from cold", ",.0f"),
        ("second_half_events_per_second", "2nd half", ",.0f"),
        ("cpu_seconds_per_million", "CPU s/M", ".1f"),
        ("peak_bytes", "peak MB", "MB"),
        ("ready_seconds", "ready s", ".1f"),
        ("actions", "actions", ",.0f"),
        ("expected_actions", "memory run", ",.0f"),
    ],
    "latency": [
        ("actions", "actions", ",.0f"),
        ("p50_ms", "p50 ms", ",.0f"),
        ("p99_ms", "p99 ms", ",.0f"),
        ("longest_ms", "longest ms", ",.0f"),
    ],
    "timers": [
        ("first_seconds", "first visible after s", ".2f"),
        ("visible_seconds", "last visible after s", ".2f"),
        ("longest_commit_at_most_seconds", "longest commit <= s", "g"),
    ],
    "restore": [
        ("restore_seconds", "restore s", ".1f"),
        ("restore_seconds_per_million", "s/million", ".1f"),
        ("bytes_per_customer", "bytes each", ",.0f"),
        ("timers_fired", "timers after it", ",.0f"),
        ("late_at_most_seconds", "p99 late <= s", "g"),
    ],
    "linking": [
        ("events", "events", ",.0f"),
        ("events_per_second", "events/s", ",.0f"),
        ("speed_kept", "speed kept", ".2f"),
        ("second_half_events_per_second", "2nd half", ",.0f"),
        ("cpu_seconds_per_million", "CPU s/M", ".1f"),
        ("peak_bytes", "peak MB", "MB"),
        ("actions", "actions", ",.0f"),
        ("expected_actions", "memory run", ",.0f"),
    ],
    "merging": [
        ("merges", "merges", ",.0f"),
        ("merges_per_second", "merges/s", ",.0f"),
        ("merged_after_ms", "all merged after ms", ",.0f"),
        ("actions", "actions", ",.0f"),
        ("p50_ms", "p50 ms", ",.0f"),
        ("p99_ms", "p99 ms", ",.0f"),
        ("longest_ms", "longest ms", ",.0f"),
    ],
    "idle": [
        ("commits", "commits", ",.0f"),
        ("commit_p50_at_most_seconds", "commit p50 <= s", "g"),
        ("commit_p99_at_most_seconds", "commit p99 <= s", "g"),
        ("cpu_share", "CPU share", ".2f"),
    ],
}
NAMES = tuple(_COLUMNS)


def text_of(figures: Figures, about: Mapping[str, Any]) -> str:
    """Write every figure as a table."""
    lines = [text_of_machine(about)]
    for name, rows in figures.items():
        columns = _COLUMNS[name]
        cells = [
            [str(_value(row, "kind")), *(_cell(_value(row, key), form) for key, _, form in columns)] for row in rows
        ]
        lines += ["", table([name, *(heading for _, heading, _ in columns)], cells)]
    return "\n".join(lines)


def rows_of(figures: Figures, about: Mapping[str, Any]) -> dict[str, Any]:
    """Give every figure as plain values."""
    return {"machine": dict(about), **{name: msgspec.to_builtins(list(rows)) for name, rows in figures.items()}}


def _value(row: msgspec.Struct, key: str) -> Any:
    return getattr(row, key)


def _cell(value: Any, form: str) -> str:
    if value is None:
        return ""
    return f"{value / 1e6:,.0f}" if form == "MB" else format(value, form)
