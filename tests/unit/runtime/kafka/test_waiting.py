"""Records that wait for their turn: in the order of their times, the compiled ones as those in Python."""

from random import Random

import pytest

from orchestrator.runtime.kafka.fetched import PlainRecord, Record
from orchestrator.runtime.kafka.waiting import PlainWaiting, Waiting, plain_count, plain_count_in_python

# The compiled ones, and what stands in for them where there is no compiler; the same class twice there.
KINDS = [Waiting, PlainWaiting]
WALL = 1_000


def record_of(offset: int, at_ms: int, value: bytes | None = b"{}", topic: str = "t", headers: tuple = ()) -> Record:
    return Record(topic, 0, offset, at_ms, b"k", value, headers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_whose_turn_has_come_stays_until_it_is_dropped(kind):
    waiting = kind()
    waiting.add(record_of(1, 50), 50)
    waiting.add(record_of(2, 20, b"four"), 20)
    assert (waiting.next_key, waiting.first, waiting.bytes, len(waiting)) == ((20, 2), 1, 6, 2)
    assert waiting.step() == (20, 2)
    assert (waiting.look(2).value, len(waiting), waiting.bytes) == (b"four", 1, 6)
    assert waiting.drop(2).offset == 2
    assert (waiting.bytes, waiting.first, list(waiting.ordered())) == (2, 1, [(50, 1)])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_not_given(kind):
    waiting = kind()
    assert (waiting.next_key, waiting.first, list(waiting.ordered()), waiting.ahead(WALL)) == (None, None, [], ([], 0))
    for ask in (waiting.step, lambda: waiting.drop_next(1)):
        with pytest.raises(IndexError):
            ask()
    for ask in (waiting.look, waiting.drop):
        with pytest.raises(KeyError):
            ask(7)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sorted_look_ahead_ends_where_later_records_may_not_go(kind):
    waiting = kind()
    assert waiting.add_all([record_of(each, 100 - each) for each in range(5)], WALL, 1_000, 1_000) == 5
    ahead, at = waiting.ahead(98)
    assert ([each.offset for each in ahead], at) == ([4, 3, 2], 0)
    assert waiting.drop_next(2) == (97, 3)
    assert waiting.ahead(98) == (ahead, 2)
    waiting.add(record_of(9, 1), 1)
    assert [each.offset for each in waiting.ahead(98)[0]] == [9, 2]


@pytest.mark.parametrize("seed", range(200))
def test_both_kinds_hold_to_one_order_whatever_is_done(seed):
    dice, offset, held = Random(seed), 0, []
    compiled, plain = Waiting(), PlainWaiting()
    both = compiled, plain
    for _ in range(60):
        what = dice.random()
        if what < 0.3:
            came = [
                record_of(offset + each, dice.randrange(2 * WALL), dice.choice([None, b"", dice.randbytes(9)]))
                for each in range(dice.randrange(6))
            ]
            most, size = dice.choice([3, 10, 1_000]), dice.choice([20, 100, 10_000])
            assert compiled.add_all(came, WALL, most, size) == plain.add_all(came, WALL, most, size)
            offset += len(came)
        elif what < 0.4:
            at_ms = dice.randrange(WALL)
            for each in both:
                each.add(record_of(offset, at_ms), at_ms)
            offset += 1
        elif what < 0.6 and len(plain):
            key = plain.step()
            assert compiled.step() == key
            held.append(key[1])
        elif what < 0.7 and held:
            gone = held.pop(dice.randrange(len(held)))
            assert compiled.drop(gone) == plain.drop(gone)
        elif what < 0.9:
            until_ms = dice.randrange(WALL)
            (ahead, at), (also, place) = (each.ahead(until_ms) for each in both)
            assert (ahead, at) == (also, place)
            if count := dice.randrange(len(ahead) - at + 1):
                assert compiled.drop_next(count) == plain.drop_next(count)
        assert list(compiled.ordered()) == list(plain.ordered())
        assert (len(compiled), compiled.bytes, compiled.first) == (len(plain), plain.bytes, plain.first)
        assert compiled.next_key == plain.next_key


@pytest.mark.parametrize("kind", [Record, PlainRecord])
def test_plain_records_are_counted_up_to_the_first_of_another_kind(kind):
    plain, other = (("origin", b"e/0/1"),), (("kind", b"x"),)
    for last in [("t", other), ("t", ()), ("t", plain + other), ("u", plain)]:
        about = [("t", ()), ("t", plain), ("t", plain), last, ("t", plain)]
        records = [kind(topic, 0, at, 5, b"k", b"{}", headers) for at, (topic, headers) in enumerate(about)]
        for count in (plain_count, plain_count_in_python):
            assert [count(records, at, "t", "origin") for at in range(6)] == [0, 2, 1, 0, 1, 0]
