"""The actions that wait: by lane, the longest due first, and marks of those that are done."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.kafka.pendings import Pendings, Row, decode_row, encode_row
from orchestrator.storage import Settled

CONTENT = msgspec.Raw(b'{"id":"a"}')


def row(action_id: str, due_ms: int = 0, lane: str = "email", partition: int = 0, **more) -> Row:
    return Row(action_id, partition, 7, "p", lane, due_ms, action=CONTENT, **more)


def test_what_is_due_comes_the_longest_due_first():
    pendings = Pendings()
    for each in (row("a", 30), row("b", 10), row("c", 20), row("d", 5, lane="push")):
        pendings.put(each)
    assert [each.action_id for each in pendings.due("email", 25, 10)] == ["b", "c"]
    assert [each.action_id for each in pendings.due("email", 99, 1)] == ["b"]
    assert [each.action_id for each in pendings.due("email", 99, 1, but={"b", "d"})] == ["c"]
    assert (pendings.next_due("email", 10), pendings.next_due("email", 30), pendings.next_due("sms", 0)) == (
        20,
        None,
        None,
    )


def test_an_outcome_moves_ends_or_gives_up():
    waiting = row("a", 10)
    later = waiting.settled(Settled("a", due_ms=50, attempts=1, why="busy"))
    assert (later.due_ms, later.attempts, later.waits) == (50, 1, True)
    assert row("a", cancelled=True).settled(Settled("a", due_ms=50)).due_ms == 0
    left = waiting.settled(Settled("a", due_ms=50, action=b"{}"))
    assert (bytes(left.action), bytes(left.settled(Settled("a", due_ms=60)).action)) == (b"{}", b"{}")
    given_up = waiting.settled(Settled("a", attempts=3, reason="stale"))
    assert (given_up.waits, given_up.reason, given_up.action) == (False, "stale", CONTENT)
    assert waiting.settled(Settled("a")) == Row("a", 0, 7)


def test_a_row_survives_its_bytes():
    for each in (row("a", 3, attempts=2, why="x"), Row("b", 1, 9)):
        assert decode_row(encode_row(each)) == each


def test_a_partition_that_is_somebody_elses_is_forgotten():
    pendings = Pendings()
    pendings.put(row("a"))
    pendings.put(row("b", partition=1))
    pendings.put(Row("c", 1, 3))
    pendings.drop_partition(1)
    assert [pendings.get(name) for name in "bc"] == [None, None]
    assert [each.action_id for each in pendings.due("email", 99, 99)] == ["a"]
    assert pendings.oldest_mark(1, 0) is None


def test_marks_are_forgotten_oldest_first_by_partition_beyond_so_many():
    pendings = Pendings()
    for offset in (5, 3, 4):
        pendings.put(Row(f"m{offset}", 0, offset))
    pendings.put(Row("other", 1, 1))
    pendings.put(row("waits"))
    assert (pendings.oldest_mark(0, 3), pendings.oldest_mark(0, 2)) == (None, "m3")
    pendings.drop("m3")
    assert (pendings.oldest_mark(0, 2), pendings.oldest_mark(0, 1)) == (None, "m4")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.sampled_from(["wait", "done", "drop"]))))
def test_the_lanes_hold_what_waits_and_nothing_else(steps):
    pendings, model = Pendings(), {}
    for action_id, due_ms, what in steps:
        if what == "drop":
            pendings.drop(action_id)
            model.pop(action_id, None)
        else:
            pendings.put(row(action_id, due_ms) if what == "wait" else Row(action_id, 0, 1))
            model[action_id] = due_ms if what == "wait" else None
        waiting = sorted((due, action_id) for action_id, due in model.items() if due is not None)
        assert [(each.due_ms, each.action_id) for each in pendings.due("email", 99, 99)] == waiting


def test_what_was_given_up_on_is_tried_again_once_however_often_that_is_read():
    row = Row("a", 0, 5, "ana", "email", 10, attempts=3, reason="refused", why="no", action=msgspec.Raw(b"{}"))
    again = row.again(9, 100)
    assert (again.waits, again.due_ms, again.attempts, again.why, again.offset) == (True, 100, 0, None, 5)
    assert again.again(9, 200) is None  # it waits already
    gone = decode_row(encode_row(again.settled(Settled("a", reason="refused", why="no again"))))
    assert gone.again(9, 300) is None  # read again, for want of an acknowledgement
    assert gone.again(12, 300).waits
    assert again.settled(Settled("a")).again(20, 300) is None  # it was sent
