"""What a worker's metrics say: its gauges, and a quantile of everything a histogram observed between two looks.

Owns the reading. A quantile is given as its bucket's upper bound, which is never better than the truth.
"""

import math

from prometheus_client.parser import text_string_to_metric_families

# Cumulated counts by upper bound.
Buckets = dict[float, float]


def buckets(text: str, name: str) -> Buckets:
    """Read a histogram from what /metrics answered."""
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        if family.name == name
        for sample in family.samples
        if sample.name == f"{name}_bucket"
    }


def gauge(text: str, name: str) -> float | None:
    """Read a gauge without labels; None where it is not there."""
    families = text_string_to_metric_families(text)
    return next((sample.value for family in families if family.name == name for sample in family.samples), None)


def since(before: Buckets, after: Buckets) -> Buckets:
    """Return what was observed in between."""
    return {bound: count - before.get(bound, 0.0) for bound, count in after.items()}


def at_most(observed: Buckets, share: float) -> float | None:
    """Return the bound that this share of what was observed does not pass; None where nothing was observed."""
    total = observed.get(math.inf, 0.0)
    return next((bound for bound in sorted(observed) if observed[bound] >= share * total), None) if total else None
