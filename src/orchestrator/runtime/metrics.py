"""What every live process counts and measures, whatever drives it, under the names of CONTRACTS.md.

Owns the registry of one process, the prefix, the buckets, and the metrics that all runtimes share. No label
carries a customer. Must never be read by the product: what it decides depends on events alone.
"""

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LATENESS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
# People take minutes and days.
CASES = (60, 300, 900, 1800, 3600, 14_400, 28_800, 86_400, 172_800, 604_800)
# Where a contact centre names a team that the project does not know.
OTHER_TEAMS = "other"
_CLAIMED, _CLOSED = "How long cases waited for their first claim.", "How long cases were open until they were closed."
_PREFIX = "orchestrator_"


class ProcessMetrics:
    """The metrics of one process; a runtime adds its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.events = self.counter("events", "Events read, by what became of them.", "type", "outcome")
        self.actions = self.counter("actions", "Actions decided.", "journey", "channel")
        self.decisions = self.counter("decisions", "Decisions recorded.", "journey", "verdict", "reason")
        self.dead_letters = self.counter("dead_letters", "Records and entries that came to nothing.", "reason")
        self._entries = self.gauge("entries", "Customers inside a journey, in this process.", "journey")
        self._inside: set[str] = set()
        self.timers_waiting = self.gauge("timers_waiting", "Timers that wait, in this process.")
        self.timer_lateness = self.seconds(
            "timer_lateness_seconds", "How late timers fired by the wall clock.", buckets=LATENESS
        )
        self.batch_seconds = self.seconds("batch_seconds", "How long a batch's turns kept the process busy.")
        self.commit_seconds = self.seconds("commit_seconds", "How long a commit took, from begin to end.")
        self.delivery_seconds = self.seconds("delivery_seconds", "How long a delivery took.", "channel")
        self.delivery = self.counter("delivery", "Actions delivered, by outcome.", "channel", "outcome")
        self.case_claim = self.seconds("case_claim_seconds", _CLAIMED, "team", buckets=CASES)
        self.case_close = self.seconds("case_close_seconds", _CLOSED, "team", buckets=CASES)
        self.coupons = self.gauge("coupons", "Codes in a coupon's file, given or not.", "coupon")
        self.coupons_left = self.gauge("coupons_left", "Codes of a coupon that nobody has yet.", "coupon")

    def inside(self, entries: Mapping[str, int]) -> None:
        """Measure how many customers are inside each journey; a journey that is not named has none."""
        for journey in self._inside.difference(entries):
            self._entries.remove(journey)
        self._inside = set(entries)
        for journey, count in entries.items():
            self._entries.labels(journey).set(count)

    def took(self, team: str, what: str, seconds: float) -> None:
        """Measure how long a team took to `claim` or `close` a case."""
        (self.case_claim if what == "claim" else self.case_close).labels(team).observe(seconds)

    def stock(self, coupons: Mapping[str, Sequence[str]], left: Mapping[str, int]) -> None:
        """Measure the pools of a project that is in force now."""
        self.coupons.clear()
        self.coupons_left.clear()
        for coupon, codes in coupons.items():
            self.coupons.labels(coupon).set(len(codes))
        self.left(left)

    def left(self, left: Mapping[str, int]) -> None:
        """Measure how many codes are left."""
        for coupon, count in left.items():
            self.coupons_left.labels(coupon).set(count)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Make a counter of this process."""
        return Counter(_PREFIX + name, text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Make a gauge of this process."""
        return Gauge(_PREFIX + name, text, labels, registry=self.registry)

    def seconds(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
        """Make a histogram of lengths of time, in seconds."""
        return Histogram(_PREFIX + name, text, labels, registry=self.registry, buckets=buckets)


class WebMetrics(ProcessMetrics):
    """The metrics of a process that is read over HTTP, too."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted = self.counter("http_events", "Events that came over HTTP, by what was answered.", "outcome")
        for outcome in ("accepted", "refused", "turned_away"):
            self.accepted.labels(outcome)
        self.stream_cuts = self.counter("stream_cuts", "Readers of streams that were cut.", "reason")
        self.slow_readers = self.counter("slow_readers", "Readers of streams that were too slow.")
