"""Inputs of one partition number: one sequence by time, and nobody runs ahead."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.resolved import CLOCK_KEY

WALL = 1_000


@dataclass(frozen=True)
class Record:
    """A record with a time, and what to know it by."""

    timestamp: int
    name: str = ""
    key: bytes | None = None


def records(*times: int) -> list[Record]:
    return [Record(time) for time in times]


def times(taken) -> list[int]:
    return [record.timestamp for record in taken]


def test_two_topics_are_merged_by_time():
    inputs = Inputs(["a", "b"])
    inputs.add("a", records(1, 4, 6))
    inputs.add("b", records(2, 3, 9))
    assert times(inputs.take(10, {"a", "b"}, WALL)) == [1, 2, 3, 4, 6, 9]


def test_a_clock_goes_as_soon_as_it_is_its_topics_turn_whenever_it_was_written():
    inputs = Inputs(["a", "b"])
    inputs.add("a", [Record(1), Record(900, key=CLOCK_KEY), Record(3)])
    inputs.add("b", records(2, 4))
    assert times(inputs.take(10, {"a", "b"}, WALL)) == [1, 900, 2, 3, 4]


def test_a_topic_that_is_not_at_its_end_holds_the_others():
    inputs = Inputs(["a", "b"])
    inputs.add("a", records(1, 4))
    assert inputs.take(10, set(), WALL) == ()
    assert times(inputs.take(10, {"b"}, WALL)) == [1, 4]


def test_a_merge_stops_where_a_topic_runs_out_before_its_end():
    inputs = Inputs(["a", "b"])
    inputs.add("a", records(1, 4))
    inputs.add("b", records(2, 3))
    assert times(inputs.take(10, {"a"}, WALL)) == [1, 2, 3]
    assert inputs.waiting("a") == 1
    inputs.add("b", records(5))
    assert times(inputs.take(10, {"a"}, WALL)) == [4, 5]


def test_at_one_instant_the_topics_go_in_the_order_they_were_named():
    inputs = Inputs(["b", "a"])
    inputs.add("a", [Record(1, "a")])
    inputs.add("b", [Record(1, "b")])
    assert [record.name for record in inputs.take(10, {"a", "b"}, WALL)] == ["b", "a"]


def test_a_record_from_the_future_counts_as_now():
    inputs = Inputs(["a", "b"])
    inputs.add("a", records(WALL * 9, 5))
    inputs.add("b", records(WALL - 1, WALL * 5))
    assert times(inputs.take(10, {"a", "b"}, WALL)) == [WALL - 1, WALL * 9, 5, WALL * 5]


def test_at_most_so_many_are_taken_and_the_rest_comes_next():
    inputs = Inputs(["a"])
    inputs.add("a", records(1, 2, 3))
    assert times(inputs.take(2, set(), WALL)) == [1, 2]
    inputs.add("a", records(4))
    assert times(inputs.take(5, set(), WALL)) == [3, 4]
    assert len(inputs) == 0


@given(st.lists(st.integers(0, 50)), st.lists(st.integers(0, 50)), st.integers(1, 7))
def test_no_record_is_lost_doubled_or_moved_within_its_topic(a, b, limit):
    inputs = Inputs(["a", "b"])
    inputs.add("a", [Record(time, f"a{at}") for at, time in enumerate(a)])
    inputs.add("b", [Record(time, f"b{at}") for at, time in enumerate(b)])
    taken = []
    while len(inputs):
        taken += inputs.take(limit, {"a", "b"}, WALL)
    names = [record.name for record in taken]
    assert [name for name in names if name[0] == "a"] == [f"a{at}" for at in range(len(a))]
    assert [name for name in names if name[0] == "b"] == [f"b{at}" for at in range(len(b))]
    if a == sorted(a) and b == sorted(b):
        assert times(taken) == sorted(a + b)
