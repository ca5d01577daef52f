"""Experiments: whether one group of customers did better than another, and when that may be said at all.

Owns the rule of what is enough. Customers are counted, not entries, because customers are what is drawn: one with three
carts is one observation. Must never count them: that is `tallies`' work.

Enough is, and it is said what is missing while it is not:

1. at least 100 customers in every group,
2. at least 10 in every group who reached the goal, and 10 who did not, or rates are too rough to compare,
3. seven days from the first customer to the last, because people buy otherwise on weekends.

With enough, a group is named better than another when the interval of their difference leaves 0 out, at 99 % and not
at 95 %: results are looked at again and again while they come in, and every look is another chance to be fooled. Where
there are more than two groups the 1 % is shared among the comparisons that a winner has to win (Bonferroni).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.views.intervals import Interval, Share, newcombe, wilson

LEAST_CUSTOMERS = 100
LEAST_OF_EACH = 10
LEAST_DAYS = 7
LEVEL_TO_NAME = 0.99

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Group:
    """One group of customers: how many, how many of them reached the goal, the rate and its Wilson interval (95 %)."""

    name: str
    customers: int
    converted: int
    rate: float | None
    interval: Interval

    @classmethod
    def of(cls, name: str, share: Share) -> "Group":
        """Make a group of its share."""
        return cls(name, share.of, share.reached, share.rate, wilson(share))


@dataclass(frozen=True, slots=True)
class Difference:
    """The rate of one group less that of another, with Newcombe's interval (95 %)."""

    group: str
    than: str
    points: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a split or a holdout has shown. `winner` is None while nothing may be said; `because` says why."""

    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    winner: str | None
    because: str


def judge(shares: Mapping[str, Share], span_ms: int, control: str | None = None) -> Experiment:
    """Compare groups, seen over so many milliseconds; every difference is told, a winner only where there is one.

    Differences are from the control where there is one, else from one group to the next lower one.
    """
    groups = tuple(Group.of(name, share) for name, share in shares.items())
    # Of equal rates the larger group first, then by name, so that the answer never depends on the order of counting.
    seen = [group for group in groups if group.rate is not None]
    ranked = sorted(seen, key=lambda one: (-(one.rate or 0), -one.customers, one.name))
    pairs = pairwise(ranked) if control is None else ((one, two) for one in ranked for two in ranked if one != two)
    differences = tuple(_difference(one, two, shares) for one, two in pairs if control in (None, two.name))
    missing = _missing(groups, span_ms)
    if missing is not None:
        return Experiment(groups, differences, None, f"not enough yet: {missing}")
    best, others = ranked[0], ranked[1:]
    level = 1 - (1 - LEVEL_TO_NAME) / len(others)
    if all(newcombe(shares[best.name], shares[other.name], level).low > 0 for other in others):
        return Experiment(groups, differences, best.name, f"{best.name} does better")
    return Experiment(groups, differences, None, "no difference is shown")


def _difference(one: Group, two: Group, shares: Mapping[str, Share]) -> Difference:
    points = (one.rate or 0) - (two.rate or 0)
    return Difference(one.name, two.name, points, newcombe(shares[one.name], shares[two.name]))


def _missing(groups: tuple[Group, ...], span_ms: int) -> str | None:
    if len(groups) < 2:
        return "there is only one group"
    for group in groups:
        if group.customers < LEAST_CUSTOMERS:
            return f"{group.name} has {group.customers} of {LEAST_CUSTOMERS} customers"
        if group.converted < LEAST_OF_EACH:
            return f"{group.converted} of {LEAST_OF_EACH} customers of {group.name} reached the goal"
        if group.customers - group.converted < LEAST_OF_EACH:
            return f"all but {group.customers - group.converted} customers of {group.name} reached the goal"
    if span_ms < LEAST_DAYS * _DAY_MS:
        return f"{span_ms // _DAY_MS} of {LEAST_DAYS} days"
    return None
