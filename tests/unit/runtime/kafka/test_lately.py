"""What came by lately: known for as long as is promised, and not for much longer."""

from orchestrator.runtime.kafka.lately import Lately


def test_a_thing_is_known_for_its_window_wherever_in_a_half_it_came():
    lately = Lately[str](100)
    lately.pass_to(1_000)
    lately.add("early")
    lately.pass_to(1_099)
    lately.add("late")
    lately.pass_to(1_198)
    assert ("early" in lately, "late" in lately) == (True, True)
    lately.pass_to(1_298)
    assert ("early" in lately, "late" in lately) == (False, False)


def test_nothing_is_known_from_before_a_long_silence():
    lately = Lately[str](100)
    lately.pass_to(1_000)
    lately.add("a")
    lately.pass_to(1_200)
    assert "a" not in lately


def test_of_more_than_it_may_hold_the_oldest_half_goes_first():
    lately = Lately[int](100, most=3)
    for number in range(7):
        lately.add(number)
    assert [number for number in range(7) if number in lately] == [3, 4, 5, 6]


def test_a_wall_clock_that_is_set_back_begins_a_half_anew():
    lately = Lately[str](100)
    lately.pass_to(1_000)
    lately.add("before")
    lately.pass_to(10)
    assert "before" in lately
    lately.pass_to(110)
    assert "before" not in lately


def test_nothing_is_known_once_it_is_cleared():
    lately = Lately[str](100)
    lately.add("a")
    lately.clear()
    assert "a" not in lately
