"""The partition's clock: never early, never back, never past the wall clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.kafka.clock import PartitionClock, SourcedClock

WALL = 10_000


def test_a_record_moves_the_clock_to_its_own_time():
    clock = PartitionClock()
    assert clock.pass_record(500, WALL) == 500
    assert clock.now_ms == 500


def test_an_older_record_is_turned_at_the_clock_and_moves_nothing():
    clock = PartitionClock(800)
    assert clock.pass_record(500, WALL) == 800
    assert clock.now_ms == 800


def test_a_record_from_the_future_moves_nothing():
    clock = PartitionClock(800)
    assert clock.pass_record(WALL + 1, WALL) == 800
    assert clock.now_ms == 800


def test_before_any_record_one_from_the_future_is_turned_at_the_wall_clock():
    clock = PartitionClock()
    assert clock.pass_record(WALL + 1, WALL) == WALL
    assert clock.now_ms == 0


def test_an_end_moves_the_clock_to_when_it_was_asked_for_and_never_back():
    clock = PartitionClock(800)
    assert clock.pass_end(900)
    assert clock.now_ms == 900
    assert clock.pass_end(850)
    assert clock.now_ms == 900


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2 * WALL)), max_size=40))
def test_the_clock_never_goes_back_nor_passes_the_wall_clock(steps):
    clock = PartitionClock()
    wall, last = 1, 0
    for is_record, instant in steps:
        wall = max(wall, instant // 2)
        if is_record:
            assert clock.pass_record(instant, wall) <= wall
        else:
            clock.pass_end(min(instant, wall))
        assert last <= clock.now_ms <= wall
        last = clock.now_ms


def test_a_sourced_clock_is_the_earliest_source_once_all_have_told():
    clock = SourcedClock()
    clock.expect(["events/0", "events/1"])
    clock.hear("events/0", 700)
    assert clock.now_ms == 0
    clock.hear("events/1", 300)
    assert clock.now_ms == 300
    clock.hear("events/1", 900)
    assert clock.now_ms == 700


@pytest.mark.parametrize(("rarer_ms", "open_ms"), [(0, 10_000), (2_000, 13_500)])
def test_where_sources_tell_their_clocks_less_often_they_are_near_the_wall_clock_for_longer(rarer_ms, open_ms):
    clock = SourcedClock()
    clock.expect(["events/0"], rarer_ms)
    clock.hear("events/0", 10_000)
    assert (clock.open_until(12_000), clock.open_until(13_500)) == (12_000, open_ms)


def test_a_source_that_goes_back_is_not_believed_and_a_stranger_is_not_heard():
    clock = SourcedClock()
    clock.expect(["events/0"])
    clock.hear("events/0", 500)
    clock.hear("events/0", 300)
    clock.hear("elsewhere/0", 100)
    assert clock.now_ms == 500
    assert clock.heard == {"events/0": 500}


def test_a_new_source_holds_the_clock_until_it_tells():
    clock = SourcedClock(heard={"events/0": 500})
    clock.expect(["events/0", "events/1"])
    clock.hear("events/0", 800)
    assert clock.now_ms == 0
    assert clock.silent(WALL, longest_ms=WALL - 800) == ["events/1"]
