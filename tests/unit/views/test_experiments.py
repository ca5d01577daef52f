"""When one group is said to do better, and what is missing while it is not."""

import random

import pytest

from orchestrator.views.experiments import judge
from orchestrator.views.intervals import Share

WEEK_MS = 7 * 86_400_000
CLEAR = {"coupon": Share(300, 1_000), "nothing": Share(100, 1_000)}


def test_a_clear_difference_names_the_better_one():
    found = judge(CLEAR, WEEK_MS)
    assert (found.winner, found.because) == ("coupon", "coupon does better")
    (difference,) = found.differences
    assert (difference.group, difference.than, round(difference.points, 6)) == ("coupon", "nothing", 0.2)
    assert difference.interval.low > 0


@pytest.mark.parametrize(
    ("shares", "span_ms", "missing"),
    [
        ({"a": Share(50, 99), "b": Share(10, 500)}, WEEK_MS, "a has 99 of 100 customers"),
        ({"a": Share(300, 500), "b": Share(9, 500)}, WEEK_MS, "9 of 10 customers of b reached the goal"),
        ({"a": Share(491, 500), "b": Share(90, 500)}, WEEK_MS, "all but 9 customers of a reached the goal"),
        (CLEAR, WEEK_MS - 1, "6 of 7 days"),
        ({"a": Share(300, 500)}, WEEK_MS, "there is only one group"),
        ({}, WEEK_MS, "there is only one group"),
    ],
)
def test_without_enough_nobody_wins_however_large_the_difference(shares, span_ms, missing):
    found = judge(shares, span_ms)
    assert (found.winner, found.because) == (None, f"not enough yet: {missing}")


def test_with_enough_a_small_difference_is_none():
    found = judge({"a": Share(105, 1_000), "b": Share(100, 1_000)}, WEEK_MS)
    assert (found.winner, found.because) == (None, "no difference is shown")


def test_a_difference_that_is_shown_at_95_and_not_at_99_is_told_and_names_nobody():
    found = judge({"a": Share(130, 1_000), "b": Share(101, 1_000)}, WEEK_MS)
    assert found.differences[0].interval.low > 0
    assert found.winner is None


def test_a_winner_beats_every_other_group():
    found = judge({"a": Share(200, 1_000), "b": Share(195, 1_000), "c": Share(50, 1_000)}, WEEK_MS)
    assert found.winner is None
    assert [(one.group, one.than) for one in found.differences] == [("a", "b"), ("b", "c")]


def test_from_a_control_the_difference_is_told_whichever_does_better():
    found = judge({"held out": Share(120, 1_000), "treated": Share(100, 1_000)}, WEEK_MS, "held out")
    (difference,) = found.differences
    assert (difference.group, difference.than, round(difference.points, 6)) == ("treated", "held out", -0.02)
    assert judge({"treated": Share(100, 1_000)}, WEEK_MS, "held out").differences == ()


def test_groups_that_differ_in_nothing_are_seldom_said_to_differ():
    dice = random.Random(7)

    def share():
        return Share(sum(dice.random() < 0.1 for _ in range(400)), 400)

    named = sum(judge({"a": share(), "b": share(), "c": share()}, WEEK_MS).winner is not None for _ in range(400))
    assert named <= 8  # 1 % of 400, and what chance adds
