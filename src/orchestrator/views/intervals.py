"""Intervals: how sure one may be of a rate, and of the difference between two.

Owns two formulas by name. Must never judge what an interval means: that is `experiments`' rule.

Wilson's score interval (E. B. Wilson, 1927, JASA 22, 209-212) for a rate: it stays inside 0 and 1 and is right where
the textbook's normal interval is not, with few customers or with rates near 0. Newcombe's hybrid score interval
(R. G. Newcombe, 1998, Statistics in Medicine 17, 873-890, method 10) for a difference of two independent rates: made of
the Wilson intervals of both.
"""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    """The ends of an interval, both part of it."""

    low: float
    high: float


class Share(NamedTuple):
    """How many reached something, of how many."""

    reached: int
    of: int

    @property
    def rate(self) -> float | None:
        """The share itself; None where there is nobody to count."""
        return self.reached / self.of if self.of else None


def wilson(share: Share, level: float = LEVEL) -> Interval:
    """Give Wilson's score interval of a rate; of nobody, anything is possible."""
    reached, of = share
    if not of:
        return Interval(0.0, 1.0)
    z = _z(level)
    rate = reached / of
    centre = (rate + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * sqrt(rate * (1 - rate) / of + z * z / (4 * of * of))
    # Of none or of all the interval ends at 0 or 1 exactly; rounding would leave it a hair beside.
    return Interval(0.0 if reached == 0 else centre - reach, 1.0 if reached == of else centre + reach)


def newcombe(first: Share, second: Share, level: float = LEVEL) -> Interval:
    """Give Newcombe's hybrid score interval of the first rate minus the second."""
    one, two = wilson(first, level), wilson(second, level)
    if first.rate is None or second.rate is None:
        return Interval(-1.0, 1.0)
    difference = first.rate - second.rate
    below = sqrt((first.rate - one.low) ** 2 + (two.high - second.rate) ** 2)
    above = sqrt((one.high - first.rate) ** 2 + (second.rate - two.low) ** 2)
    return Interval(difference - below, difference + above)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)
