"""`bench identity`: what it costs to know that it is one customer.

Owns the rows of that table: the same events by customer id alone and by identifiers that are linked already, one
customer with 50 identifiers, and visitors who become known, each a merge of two lives. Must never decide whether a
figure is good.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from orchestrator.bench.table import table
from orchestrator.bench.workload import SOURCES
from orchestrator.language import compile_sources
from orchestrator.runtime.embedded import RunOptions, run_events

IDENTITY = "\nidentity: {identifiers: [customer_id, email, cookie], limits: {cookie: 50}, limit: 60}\n"
START_MS = 1_700_000_000_000
CUSTOMERS = 1_000
IDENTIFIERS = 50
_NAMES = {
    "off": "by customer id, nothing links",
    "direct": "by customer id, identifiers link",
    "linked": "by customer id and cookie, linked already",
    "looked_up": "by cookie alone",
    "many": f"one customer with {IDENTIFIERS} identifiers",
    "merges": "visitors who become known",
}


class Cost(msgspec.Struct):
    """What one kind of stream came to."""

    kind: str
    events: int
    seconds: float
    merges: int


def bench_identity(events: int) -> list[Cost]:
    """Run each stream in memory, one after the other."""
    with TemporaryDirectory(prefix="orchestrator-bench-") as name:
        return [_cost(kind, events, Path(name)) for kind in _NAMES]


def _cost(kind: str, count: int, folder: Path) -> Cost:
    sources = dict(SOURCES)
    if kind != "off":
        sources["orchestrator.yaml"] += IDENTITY
    loaded = compile_sources(sources)
    file = folder / f"{kind}.jsonl"
    with file.open("w") as lines:
        for number, (event_type, who) in enumerate(_stream(kind, count)):
            lines.write(json.dumps(_event(number, event_type, who)) + "\n")
    decisions = folder / f"{kind}-decisions.jsonl"
    options = RunOptions(events=[str(file)], in_order=True, actions=folder / "actions.jsonl", decisions=decisions)
    began = time.perf_counter()
    run_events(loaded, options)
    seconds = time.perf_counter() - began
    merges = sum(b'"verdict":"merged"' in line for line in decisions.read_bytes().splitlines())
    for leftover in folder.iterdir():
        leftover.unlink()
    return Cost(kind, count, seconds, merges)


def _stream(kind: str, count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Make what happens, and by whom it is said to be."""
    for number in range(count):
        customer, what = number % CUSTOMERS, "cart_updated" if number % 3 else "page_viewed"
        if number < CUSTOMERS:
            what = "profile_updated"  # everybody is known from then on, so that it is linking that is compared
        by_id, by_cookie = {"customer_id": f"c{customer}"}, {"cookie": f"k{customer}"}
        if kind in ("off", "direct"):
            yield what, by_id
        elif kind == "linked":
            yield what, by_id | by_cookie
        elif kind == "looked_up":
            yield what, by_id | by_cookie if number < CUSTOMERS else by_cookie
        elif kind == "many":
            yield what, {"cookie": f"k{number % IDENTIFIERS}"} | ({"customer_id": "c1"} if number < IDENTIFIERS else {})
        else:
            visitor = {"cookie": f"k{number // 2}"}
            yield "cart_updated", visitor | ({"customer_id": f"c{number // 2}"} if number % 2 else {})


def _event(number: int, event_type: str, who: dict[str, str]) -> dict[str, object]:
    identifiers = {kind: value for kind, value in who.items() if kind != "customer_id"}
    named = {"customer_id": who["customer_id"]} if "customer_id" in who else {}
    event = {"id": f"e{number}", "type": event_type, "time": START_MS + number, **named}
    return {**event, **({"identifiers": identifiers} if identifiers else {}), "properties": {"total": 40}}


def rows_of(costs: list[Cost]) -> list[dict[str, object]]:
    """Put each stream beside the one that links nothing: `speed_kept` is the share of its speed."""
    return [
        {
            "kind": each.kind,
            "events": each.events,
            "events_per_second": round(each.events / each.seconds),
            "speed_kept": round(each.events / each.seconds / (costs[0].events / costs[0].seconds), 3),
            "merges_per_second": round(each.merges / each.seconds),
        }
        for each in costs
    ]


def text_of(costs: list[Cost]) -> str:
    """Write the results as a table for people."""
    lines = [
        [
            _NAMES[str(row["kind"])],
            f"{row['events_per_second']:,}",
            f"{row['speed_kept']:.2f}",
            f"{row['merges_per_second']:,}",
        ]
        for row in rows_of(costs)
    ]
    return table(["", "events/s", "speed kept", "merges/s"], lines)
