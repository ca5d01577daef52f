"""What a process of the Kafka runtime counts and measures beside what every process does.

Owns the metrics of partitions: lag, restores, incarnations, sources. No label grows with what producers send. Must
never be read by the product: what it decides depends on events alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.runtime.metrics import LATENESS, ProcessMetrics, WebMetrics

if TYPE_CHECKING:
    from orchestrator.runtime.kafka.unit import Tally, Unit


class Metrics(ProcessMetrics):
    """The metrics of one worker, or of one process that delivers."""

    def __init__(self) -> None:
        super().__init__()
        gauge = self.gauge
        self.event_lag = gauge("event_lag_seconds", "How far the slowest partition's clock lies behind the wall clock.")
        self.restore_seconds = self.seconds("restore_seconds", "How long a partition's restore took.", buckets=LATENESS)
        self.partitions = gauge("partitions", "Partitions that are being processed, on this worker.")
        self.incarnations_ended = self.counter(
            "incarnations_ended", "Partitions dropped after an error, to be restored.", "reason"
        )
        self.clock_ahead = gauge(
            "clock_ahead_seconds", "How far a partition's clock lies before the wall clock: until then no timer fires."
        )
        self.delivery_lag = gauge(
            "delivery_lag_seconds",
            "How long the oldest action waits that this process is to deliver and has not taken in.",
        )
        self.records_lost = self.counter(
            "records_lost", "Records that were deleted by age or size before they were read.", "topic"
        )
        self.made_anew = self.counter("logs_made_anew", "Partitions found cut off or made anew while in use.", "topic")
        self.topics_unfit = gauge("topics_unfit", "What is wrong with the topics, counted: the log says what.")
        self.clock_jumped = self.counter(
            "clock_jumped_seconds", "How far the machine's clock was set ahead while this process ran."
        )
        self.silent_sources = gauge("silent_sources", "Sources behind resolve whose clock holds timers back.")

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
        for team, what, seconds in tally.took:
            self.took(team, what, seconds)
        tally.clear()

    def look_at(self, units: Iterable["Unit"], wall_ms: int) -> None:
        """Measure what the turn partitions hold now."""
        units = list(units)
        clocks = [unit.turned_ms for unit in units if unit.turned_ms]
        self.partitions.set(len(units))
        inside: defaultdict[str, int] = defaultdict(int)
        for unit in units:
            for journey, count in unit.entries.items():
                inside[journey] += count
        self.inside(inside)
        self.timers_waiting.set(sum(unit.waiting for unit in units))
        self.event_lag.set(max(0, wall_ms - min(clocks)) / 1000 if clocks else 0)


class GatewayMetrics(WebMetrics):
    """The metrics of one process that takes events in over HTTP; what they mean is counted by the workers."""

    def __init__(self) -> None:
        super().__init__()
        self.intake_seconds = self.seconds("intake_seconds", "How long the brokers took to write a round of events.")
        self.read_side_lag = self.gauge("read_side_lag_seconds", "How far the copy of the customers is behind.")
