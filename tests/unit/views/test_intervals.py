"""The intervals against what their authors published, and against chance itself."""

import random

import pytest

from orchestrator.model import ids
from orchestrator.views.intervals import Interval, Share, newcombe, wilson

# R. G. Newcombe, 1998, Statistics in Medicine 17, 857-872, table I, method 3.
WILSON = [
    (Share(81, 263), Interval(0.2553, 0.3662)),
    (Share(15, 148), Interval(0.0624, 0.1605)),
    (Share(0, 20), Interval(0.0000, 0.1611)),
    (Share(1, 29), Interval(0.0061, 0.1718)),
]
# R. G. Newcombe, 1998, Statistics in Medicine 17, 873-890, table II, method 10.
NEWCOMBE = [
    (Share(56, 70), Share(48, 80), Interval(0.0524, 0.3339)),
    (Share(9, 10), Share(3, 10), Interval(0.1705, 0.8090)),
    (Share(5, 56), Share(0, 29), Interval(-0.0381, 0.1926)),
    (Share(0, 10), Share(0, 10), Interval(-0.2775, 0.2775)),
    (Share(10, 10), Share(0, 10), Interval(0.6075, 1.0000)),
]


@pytest.mark.parametrize(("share", "expected"), WILSON)
def test_wilson_gives_what_was_published(share, expected):
    assert [round(end, 4) for end in wilson(share)] == list(expected)


@pytest.mark.parametrize(("one", "two", "expected"), NEWCOMBE)
def test_newcombe_gives_what_was_published(one, two, expected):
    assert [round(end, 4) for end in newcombe(one, two)] == list(expected)


def test_the_difference_seen_from_the_other_side_is_the_same():
    there, back = newcombe(Share(5, 56), Share(0, 29)), newcombe(Share(0, 29), Share(5, 56))
    assert back == Interval(-there.high, -there.low)


def test_of_nobody_anything_is_possible():
    assert (wilson(Share(0, 0)), newcombe(Share(0, 0), Share(3, 9))) == (Interval(0, 1), Interval(-1, 1))


def test_a_surer_level_makes_a_wider_interval():
    loose, sure = wilson(Share(15, 148), 0.95), wilson(Share(15, 148), 0.99)
    assert sure.low < loose.low < loose.high < sure.high


@pytest.mark.parametrize(("customers", "holdout", "rate"), [(300, 50, 0.1), (600, 10, 0.08)])
def test_over_2000_experiments_without_an_effect_the_interval_holds_the_truth_in_95_of_100(customers, holdout, rate):
    """Customers are drawn as the engine draws them, and whether one buys has nothing to do with it."""
    dice = random.Random(customers)
    inside = 0
    for number in range(2_000):
        counted = {True: [0, 0], False: [0, 0]}
        for customer in range(customers):
            group = counted[ids.share_of("holdout", f"c{customer}", f"journey-{number}") < holdout]
            group[0] += dice.random() < rate
            group[1] += 1
        interval = newcombe(Share(*counted[False]), Share(*counted[True]))
        inside += interval.low <= 0 <= interval.high
    assert 0.935 <= inside / 2_000 <= 0.965
