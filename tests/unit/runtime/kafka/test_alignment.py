"""Alignment behind resolve: in the order of times, whatever the log's order, and over any restart."""

from dataclasses import dataclass
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.kafka import alignment
from orchestrator.runtime.kafka.alignment import Alignment

WALL = 1_000


def taken(aligned: Alignment, until_ms: int) -> list[int]:
    found = []
    while aligned.next_ms is not None and aligned.next_ms <= until_ms:
        found.append(aligned.take().timestamp)
    return found


def test_records_come_in_the_order_of_their_times(record):
    aligned = Alignment()
    for offset, at in enumerate([50, 10, 40]):
        aligned.add(record(offset, at, "x"), WALL)
    assert taken(aligned, 45) == [10, 40]
    assert (aligned.position, aligned.read, aligned.mark) == (0, 3, (40, 2))
    assert taken(aligned, WALL) == [50]
    assert aligned.position == 3


def test_many_records_wait_as_each_by_itself(record):
    records = [record(offset, at, "x") for offset, at in enumerate([50, 10, 2 * WALL, 40])]
    aligned, one_by_one = Alignment(), Alignment()
    assert aligned.add_new(records, WALL, until_crowded=True) == 4
    for each in records:
        one_by_one.add(each, WALL)
    assert (len(aligned), aligned.bytes, aligned.read) == (len(one_by_one), one_by_one.bytes, one_by_one.read)
    assert taken(aligned, WALL) == taken(one_by_one, WALL) == [2 * WALL, 10, 40, 50]


def test_no_more_of_many_records_wait_than_may(record, monkeypatch):
    monkeypatch.setattr(alignment, "MOST_WAITING", 3)
    records = [record(offset, 10, "x") for offset in range(6)]
    aligned = Alignment()
    assert aligned.add_new(records, WALL, until_crowded=True) == 3
    assert (aligned.is_crowded, aligned.read) == (True, 3)
    assert aligned.add_new(records[3:], WALL, until_crowded=False) == 3
    assert (len(aligned), aligned.read) == (6, 6)


def test_what_waits_late_is_known_over_a_second_restart_before_all_of_it_is_read_again(record):
    aligned = Alignment()
    for offset, at in enumerate([50, 60, 20, 30]):
        aligned.add(record(offset, at, "x"), WALL)
        if offset == 1:
            taken(aligned, 60)
    assert aligned.late == [2, 3]  # they wait for a life, say
    again = Alignment(aligned.read, aligned.mark, aligned.position, aligned.late)
    again.add(record(2, 20, "x"), WALL)
    assert again.late == [2, 3]
    third = Alignment(again.read, again.mark, again.position, again.late)
    assert not third.was_taken(record(3, 30, "x"))


def test_what_was_late_once_and_is_done_is_not_late_again_when_memory_is_kept(record):
    aligned = Alignment(3, (60, 0), 1, [2])
    for offset, at in enumerate([75, 20, 80], 1):
        aligned.add(record(offset, at, "x"), WALL)
    assert taken(aligned, 60) == [20]
    aligned.clear()
    assert (aligned.late, aligned.position) == ([], 1)
    assert aligned.was_taken(record(2, 20, "x"))


def test_what_was_held_is_known_over_restarts_and_lets_the_others_by(record):
    aligned = Alignment()
    for offset, at in enumerate([10, 20, 30]):
        aligned.add(record(offset, at, "x"), WALL)
    held = aligned.hold()
    assert taken(aligned, 20) == [20]
    assert (aligned.position, aligned.late, aligned.held, aligned.mark) == (0, [0], [0], (20, 1))
    again = Alignment(aligned.read, aligned.mark, aligned.position, aligned.late, aligned.held)
    assert [again.was_taken(record(offset, at, "x")) for offset, at in enumerate([10, 20, 30])] == [False, True, False]
    again.add(held, WALL)
    assert (again.held, again.was_held(held), again.is_late) == ([0], True, True)
    aligned.let_go(held)
    assert (aligned.position, aligned.late, aligned.held) == (2, [], [])


def test_a_record_before_what_was_taken_is_late(record):
    aligned = Alignment()
    aligned.add(record(0, 50, "x"), WALL)
    taken(aligned, 50)
    aligned.add(record(1, 60, "x"), WALL)
    assert not aligned.is_late
    aligned.add(record(2, 20, "x"), WALL)
    assert aligned.is_late
    assert aligned.look().timestamp == 20


def test_a_record_from_the_future_does_not_wait_for_it(record):
    aligned = Alignment()
    aligned.add(record(0, WALL + 1, "x"), WALL)
    assert aligned.next_ms == 0


@dataclass(frozen=True)
class Record:
    """A record as far as it is aligned."""

    offset: int
    timestamp: int
    value: bytes = b"an event"


def step(aligned: Alignment, arriving: list[Record], clock_ms: int, done: list[int]) -> None:
    """Take in some records, then take what the clock has passed, and with it whatever is late."""
    for each in arriving:
        if aligned.was_taken(each):
            aligned.pass_over(each.offset + 1)
        else:
            aligned.add(each, WALL)
    while aligned.next_ms is not None and (aligned.is_late or aligned.next_ms <= clock_ms):
        done.append(aligned.take().offset)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=30), st.integers(0, 30))
def test_over_a_restart_each_record_is_taken_once(arrivals, restart_at):
    log = [Record(offset, at) for offset, (at, _) in enumerate(arrivals)]
    clocks = list(accumulate((clock for _, clock in arrivals), max))
    aligned, done = Alignment(), []
    for each, clock in zip(log[:restart_at], clocks[:restart_at], strict=True):
        step(aligned, [each], clock, done)
    # The process dies after a commit; the next incarnation reads again from its position.
    position = aligned.position
    aligned = Alignment(aligned.read, aligned.mark)
    for each in log[position:]:
        step(aligned, [each], clocks[each.offset], done)
    step(aligned, [], WALL, done)
    assert sorted(done) == [each.offset for each in log]


def test_given_up_again_before_all_is_here_what_waited_is_still_to_be_read(record):
    aligned = Alignment(read=9, mark=(50, 3), position=2)
    assert aligned.was_taken(record(2, 40, "x"))
    aligned.pass_over(3)
    # Another owner now, or this one again: neither may begin behind what still waits from 3 on.
    assert (aligned.position, aligned.is_whole) == (3, False)
    aligned.clear()
    assert (aligned.position, aligned.is_whole) == (3, False)
    for offset in range(3, 9):
        aligned.add(record(offset, 60 + offset, "x"), WALL)
    assert (aligned.position, aligned.is_whole) == (3, True)


def test_where_all_partitions_come_together_more_may_wait(record, monkeypatch):
    monkeypatch.setattr(alignment, "MOST_WAITING", 2)
    monkeypatch.setattr(alignment, "ALL_TOGETHER", 3)
    aligned = Alignment(holds_all=True)
    for offset in range(6):
        assert not aligned.is_crowded
        aligned.add(record(offset, 10, "x"), WALL)
    assert aligned.is_crowded
    aligned.take()
    again = aligned.going_on_from(0)  # the log was made anew
    for offset in range(6):
        assert not again.is_crowded
        again.add(record(offset, 10, "x"), WALL)
    assert again.is_crowded
