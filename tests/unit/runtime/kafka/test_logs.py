"""Logs: what libraries repeat is told once in a while; what we say always is."""

import logging

from orchestrator.runtime.kafka.logs import MOST_LINES, REPEATS_S, Repeats


def line(name: str, message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, args, None)


def test_what_a_library_says_again_and_again_is_said_once_in_a_while_with_a_count():
    now = [0.0]
    repeats = Repeats(lambda: now[0])
    again = [line("aiokafka", "Unable connect to node with id %s", number) for number in range(400)]
    assert [repeats.filter(each) for each in again] == [True] + [False] * 399
    assert repeats.filter(line("aiokafka.consumer.fetcher", "Failed fetch messages from %s", 1))
    now[0] += REPEATS_S
    later = line("aiokafka", "Unable connect to node with id %s", 7)
    assert repeats.filter(later)
    assert later.getMessage() == "Unable connect to node with id 7 (399 more like it were left out)"
    now[0] += REPEATS_S
    assert repeats.filter(last := line("aiokafka", "Unable connect to node with id %s", 8))
    assert last.getMessage() == "Unable connect to node with id 8"


def test_our_own_lines_are_all_said():
    repeats = Repeats(lambda: 0.0)
    assert all(repeats.filter(line("orchestrator.runtime.kafka.worker", "the same")) for _ in range(3))


def test_lines_with_their_values_written_into_them_do_not_pile_up():
    repeats = Repeats(lambda: 0.0)
    assert all(repeats.filter(line("aiokafka", f"line {number}")) for number in range(3 * MOST_LINES))
    assert len(repeats._said) <= MOST_LINES
