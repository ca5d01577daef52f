"""The figures of the live service's benchmarks, as rows for programs and tables for people.

Owns their form. A rate stands beside what nobody can be faster than, because a busy machine slows both. Must never
judge a figure.
"""

import msgspec

from orchestrator.bench.measuring import Measured
from orchestrator.bench.table import table


class Taken(msgspec.Struct):
    """What sending events came to; latencies are from when an event was due to its answer."""

    kind: str
    events: int
    seconds: float
    median_ms: float
    p99_ms: float
    client_cpu_seconds: float
    client_peak_bytes: int
    offered: float = 0.0

    @property
    def per_second(self) -> float:
        """How many events a second of wall time."""
        return self.events / self.seconds


_DELIVERED = {
    "smtp-bare": "aiosmtplib alone, one mail made beforehand",
    "smtp": "e-mail: rendered, composed, handed over, settled",
    "http-bare": "aiohttp alone, one payload made beforehand",
    "http": "webhook: rendered, signed, handed over, settled",
    "http-memory": "webhook: rendered, signed, handed over, settled",
}
_TAKEN = {
    "asking": "asking /healthz",
    "single": "events one by one",
    "batch": "events 500 at a time",
}


def rows_of_delivered(measured: list[Measured]) -> list[dict[str, object]]:
    """Put each measurement beside the bare library's, which stands before it."""
    bare = {_road_of(each): each for each in measured if each.kind.endswith("-bare")}
    return [
        {
            "kind": each.kind,
            "messages": each.events,
            "messages_per_second": round(each.events_per_second),
            "ratio": round(each.seconds / bare[_road_of(each)].seconds, 2),
            "cpu_ms_a_message": round(each.cpu_seconds * 1000 / each.events, 3),
            "peak_bytes": each.peak_bytes,
            **({"resident_bytes": each.resident_bytes} if each.resident_bytes else {}),
        }
        for each in measured
    ]


def _road_of(measured: Measured) -> str:
    return measured.kind.partition("-")[0]


def text_of_delivered(measured: list[Measured]) -> str:
    """Write deliveries as a table."""
    rows = rows_of_delivered(measured)
    lines = [
        [
            _DELIVERED[str(row["kind"])],
            f"{row['messages_per_second']:,}",
            f"{row['ratio']:.1f}",
            f"{row['cpu_ms_a_message']:.2f}",
            f"{each.peak_bytes / 1e6:,.0f}",
        ]
        for row, each in zip(rows, measured, strict=True)
    ]
    resident = [
        f"resident MB after each tenth: {', '.join(f'{size / 1e6:,.0f}' for size in each.resident_bytes)}"
        for each in measured
        if each.resident_bytes
    ]
    return "\n".join([table(["", "messages/s", "x bare", "CPU ms each", "peak MB"], lines), *resident])


def rows_of_taken(taken: list[Taken]) -> list[dict[str, object]]:
    """Write what was taken as rows."""
    return [
        {
            "kind": each.kind,
            "events": each.events,
            "offered_per_second": round(each.offered) or None,
            "events_per_second": round(each.per_second),
            "median_ms": round(each.median_ms, 2),
            "p99_ms": round(each.p99_ms, 2),
        }
        for each in taken
    ]


def text_of_taken(taken: list[Taken]) -> str:
    """Write what was taken as a table."""
    lines = [
        [
            _TAKEN[each.kind] + (f", {each.offered:,.0f}/s offered" if each.offered else ""),
            f"{each.per_second:,.0f}",
            f"{each.median_ms:.1f}",
            f"{each.p99_ms:.1f}",
        ]
        for each in taken
    ]
    return table(["", "events/s", "median ms", "p99 ms"], lines)
