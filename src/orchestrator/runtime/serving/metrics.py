"""What a live process counts and measures, under the names of CONTRACTS.md.

Owns the metrics of one process, in a registry of its own. No label carries a customer; the types of events are what
producers make up, so only those that a journey asks for have a label of their own. Must never be read by the product.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

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

        def seconds(name: str, text: str, *labels: str, buckets: Iterable[float] = SECONDS) -> Histogram:
            return Histogram(prefix + name, text, labels, registry=registry, buckets=tuple(buckets))

        self.events = counter("events", "Events read, by what became of them.", "type", "outcome")
        self.actions = counter("actions", "Actions decided.", "journey", "channel")
        self.decisions = counter("decisions", "Decisions recorded.", "journey", "verdict", "reason")
        self.dead_letters = counter("dead_letters", "Records and entries that came to nothing.", "reason")
        self.timers_waiting = Gauge(f"{prefix}timers_waiting", "Timers that wait.", registry=registry)
        self.timer_lateness = seconds("timer_lateness_seconds", "How late timers fired.", buckets=LATENESS)
        self.batch_seconds = seconds("batch_seconds", "How long a batch's turns took.")
        self.commit_seconds = seconds("commit_seconds", "How long a commit took.")
        self.delivery_seconds = seconds("delivery_seconds", "How long a delivery took.", "channel")
        self.delivery = counter("delivery", "Actions delivered, by outcome.", "channel", "outcome")

    def count_events(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add what a batch's events came to."""
        for labels, count in counts.items():
            self.events.labels(*labels).inc(count)

    def delivered(self, lane: str, outcome: str, seconds: float) -> None:
        """Add what became of an action on its lane."""
        self.delivery.labels(lane, outcome).inc()
        self.delivery_seconds.labels(lane).observe(seconds)
