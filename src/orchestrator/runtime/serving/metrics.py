"""What a live process counts, out of what its batches and lanes report.

Owns the labels: the types of events are what producers make up, so only those that a journey asks for have a label of
their own. Must never be read by the product.
"""

from collections.abc import Mapping

from prometheus_client import Counter, Histogram

from orchestrator.runtime.delivery.lane import GIVEN_UP
from orchestrator.runtime.metrics import WebMetrics


class Metrics(WebMetrics):
    """The metrics of one process that serves."""

    def __init__(self) -> None:
        super().__init__()
        # Finding a metric by its labels costs more than counting.
        self._delivered: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def count_events(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add what a batch's events came to."""
        for labels, count in counts.items():
            self.events.labels(*labels).inc(count)

    def delivered(self, lane: str, outcome: str, seconds: float) -> None:
        """Add what became of an action on its lane."""
        if outcome in GIVEN_UP:
            self.dead_letters.labels(outcome).inc()
        key = (lane, outcome)
        if key not in self._delivered:
            self._delivered[key] = (self.delivery.labels(lane, outcome), self.delivery_seconds.labels(lane))
        counter, histogram = self._delivered[key]
        counter.inc()
        histogram.observe(seconds)
