"""What every process of the Kafka runtime counts and measures, under the names of CONTRACTS.md.

Owns the metrics of one process, in a registry of its own. No label carries a customer, nor grows with what producers
send. Must never be read by the product: what it decides depends on events alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

if TYPE_CHECKING:
    from orchestrator.runtime.kafka.unit import Tally, Unit

SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LATENESS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        prefix = "orchestrator_"

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(prefix + name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(prefix + name, text, labels, registry=registry)

        def seconds(name: str, text: str, *labels: str, buckets: Iterable[float] = SECONDS) -> Histogram:
            return Histogram(prefix + name, text, labels, registry=registry, buckets=tuple(buckets))

        self.events = counter("events", "Events read, by what became of them.", "type", "outcome")
        self.actions = counter("actions", "Actions decided.", "journey", "channel")
        self.decisions = counter("decisions", "Decisions recorded.", "journey", "verdict", "reason")
        self.dead_letters = counter("dead_letters", "Records and entries that came to nothing.", "reason")
        self.entries = gauge("entries", "Customers inside a journey, on this worker.", "journey")
        self.timers_waiting = gauge("timers_waiting", "Timers that wait, on this worker.")
        self.timer_lateness = seconds(
            "timer_lateness_seconds", "How late timers fired by the wall clock.", buckets=LATENESS
        )
        self.event_lag = gauge("event_lag_seconds", "How far the slowest partition's clock lies behind the wall clock.")
        self.batch_seconds = seconds("batch_seconds", "How long one partition's turns kept the worker busy.")
        self.commit_seconds = seconds("commit_seconds", "How long a transaction took, from begin to end.")
        self.restore_seconds = seconds("restore_seconds", "How long a partition's restore took.", buckets=LATENESS)
        self.partitions = gauge("partitions", "Partitions that are being processed, on this worker.")
        self.incarnations_ended = counter(
            "incarnations_ended", "Partitions dropped after an error, to be restored.", "reason"
        )
        self.silent_sources = gauge("silent_sources", "Sources behind resolve whose clock holds timers back.")
        self.delivery_seconds = seconds("delivery_seconds", "How long a delivery took.", "channel")
        self.delivery = counter("delivery", "Actions delivered, by outcome.", "channel", "outcome")

    def take(self, tally: "Tally") -> None:
        """Add what a partition counted since the last time."""
        for (event_type, outcome), count in tally.events.items():
            self.events.labels(event_type, outcome).inc(count)
        for (journey, channel), count in tally.actions.items():
            self.actions.labels(journey, channel).inc(count)
        for (journey, verdict, reason), count in tally.decisions.items():
            self.decisions.labels(journey, verdict, reason).inc(count)
        for reason, count in tally.dead_letters.items():
            self.dead_letters.labels(reason).inc(count)
        for late_ms in tally.lateness_ms:
            self.timer_lateness.observe(late_ms / 1000)
        tally.clear()

    def look_at(self, units: Iterable["Unit"], wall_ms: int) -> None:
        """Measure what the turn partitions hold now."""
        units = list(units)
        clocks = [unit.clock.now_ms for unit in units if unit.clock.now_ms]
        self.partitions.set(len(units))
        inside: defaultdict[str, int] = defaultdict(int)
        for unit in units:
            for journey, count in unit.entries.items():
                inside[journey] += count
        self.entries.clear()  # a journey whose last customer has left, or whose partition has gone
        for journey, count in inside.items():
            self.entries.labels(journey).set(count)
        self.timers_waiting.set(sum(unit.waiting for unit in units))
        self.event_lag.set(max(0, wall_ms - min(clocks)) / 1000 if clocks else 0)
