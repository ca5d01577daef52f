"""Timers against a table of due instants: who is due wakes, in order, and nobody is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.timers import NEVER_MS, PlainTimers, Timers

# The compiled ones, and what stands in for them where there is no compiler; the same class twice there.
KINDS = [Timers, PlainTimers]
# Names, and ids of profiles, between which some names lie.
PROFILES = st.sampled_from(["a", "@b", "0" * 32, "9" * 32, "f" * 32, "fff"])
END_MS = 100
CHANGES = st.lists(st.tuples(PROFILES, st.integers(0, 50)), max_size=200)


def _wake_all(timers: PlainTimers, due: dict[str, int], before_ms: int, pause_ms: int) -> list[tuple[int, str]]:
    """Take wakes as a runtime does; whoever was due waits for `pause_ms` more, up to the end."""
    woken = []
    for wake_ms, profile_id in timers.take_before(before_ms):
        due_ms = due.get(profile_id, 0)
        if due_ms > wake_ms:
            timers.put_back(profile_id, due_ms)
        elif due_ms:
            assert due_ms == wake_ms
            woken.append((wake_ms, profile_id))
            due[profile_id] = due_ms + pause_ms if due_ms + pause_ms <= END_MS else 0
            timers.schedule(profile_id, 0, due[profile_id])
    return woken


@given(st.sampled_from(KINDS), CHANGES, st.integers(0, 60), st.integers(1, 100))
def test_whoever_is_due_wakes_each_time_in_order_and_nobody_else(kind, changes, before_ms, pause_ms):
    timers, due = kind(), {}
    for profile_id, due_ms in changes:
        timers.schedule(profile_id, due.get(profile_id, 0), due_ms)
        due[profile_id] = due_ms
    expected = sorted(
        (instant_ms, profile_id)
        for profile_id, due_ms in due.items()
        if due_ms
        for instant_ms in range(due_ms, END_MS + 1, pause_ms)
    )
    first = _wake_all(timers, due, before_ms, pause_ms)
    assert [*first, *_wake_all(timers, due, NEVER_MS, pause_ms)] == expected
    assert first == [wake for wake in expected if wake[0] < before_ms]


@pytest.mark.parametrize("kind", KINDS)
def test_wakes_are_rebuilt_from_what_waits(kind):
    timers = kind([(30, "b"), (10, "c"), (10, "a")])
    assert timers.next_ms == 10
    assert [timers.take() for _ in range(3)] == [(10, "a"), (10, "c"), (30, "b")]
    assert timers.next_ms == NEVER_MS


@pytest.mark.parametrize("kind", KINDS)
def test_a_timer_that_moves_back_is_not_pushed_again(kind):
    timers = kind()
    for due_ms in range(1000, 2000):
        timers.schedule("ana", due_ms - 1 if due_ms > 1000 else 0, due_ms)
    assert len(timers) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_heap_grows_with_customers_and_not_with_what_they_do(kind):
    timers = kind()
    for due_ms in range(1, 100_001):
        timers.schedule("ana", 0, due_ms)
        timers.schedule("ana", due_ms, 0)
    assert len(timers) < 2_000
    assert timers.next_ms == 1


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_taken_where_nobody_waits(kind):
    with pytest.raises(IndexError):
        kind().take()
