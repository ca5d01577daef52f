"""A partition behind resolve: nothing fires before a source's clock, and catching up comes to the same."""

import dataclasses
import json

import pytest

from orchestrator.errors import StorageError
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.profile import Profile
from orchestrator.model.state import State
from orchestrator.runtime.kafka import alignment, resolved_partition
from orchestrator.runtime.kafka.clock import SourcedClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.resolved import (
    CLOCK_KEY,
    KIND_HEADER,
    LIFE,
    ORIGIN_HEADER,
    WAIT,
    WHO_HEADER,
    Life,
    Tick,
    Wait,
    Who,
    encode,
    encode_tick,
)
from orchestrator.runtime.kafka.resolved_partition import ResolvedPartition
from orchestrator.runtime.kafka.state import MemoryState

HOUR = 3_600_000
WALL = 100 * HOUR


@pytest.fixture
def tick(record):
    def make(offset: int, source: str, at_ms: int, live: bool = False):
        told = record(offset, at_ms, "")
        told.key, told.value = CLOCK_KEY, encode_tick(Tick(source, at_ms, live))
        return told

    return make


def behind(header: Header | None = None, state: MemoryState | None = None) -> ResolvedPartition:
    header = header or Header()
    clock = SourcedClock(header.clock_ms, header.heard)
    clock.expect(["0", "1"])
    inputs = Inputs(["events"])
    return ResolvedPartition(0, 1, inputs, state or MemoryState(), clock, header, topic="events", most_facts=500)


def work(partition, catalog, *records, wall_ms=WALL):
    partition.inputs.add("events", list(records))
    partition.work(catalog, set(), wall_ms)


def decided(partition) -> list[tuple[str, str]]:
    lines = [json.loads(line) for _, line in partition.outgoing.decisions]
    return [(line["verdict"], line["at"]) for line in lines]


def test_an_order_that_one_source_still_holds_stops_the_reminder(partition, catalog, record, tick):
    unit = behind()
    work(unit, catalog, record(0, HOUR, "cart_updated"), tick(1, "0", 9 * HOUR), record(2, 9 * HOUR, "x"))
    assert unit.outgoing.actions == []
    work(unit, catalog, tick(3, "1", HOUR), record(4, HOUR + 5, "order_placed"), tick(5, "1", 9 * HOUR))
    verdicts = [verdict for verdict, _ in decided(unit)]
    assert (verdicts, unit.outgoing.actions) == (["entered", "waited", "exited"], [])


def test_a_cart_and_an_order_that_come_in_the_wrong_order_are_turned_in_the_right_one(catalog, record, tick):
    unit = behind()
    work(unit, catalog, record(0, 2 * HOUR, "order_placed"), record(1, HOUR + 5, "cart_updated"))
    assert decided(unit) == []
    work(unit, catalog, tick(2, "0", 3 * HOUR), tick(3, "1", 3 * HOUR))
    assert [verdict for verdict, _ in decided(unit)] == ["entered", "waited", "exited"]


def test_a_timer_between_two_records_fires_between_them(catalog, record, tick):
    unit = behind()
    work(unit, catalog, record(0, HOUR, "cart_updated"), record(1, 5 * HOUR, "order_placed"))
    work(unit, catalog, tick(2, "0", 6 * HOUR), tick(3, "1", 6 * HOUR))
    assert ("sent", instants.to_text(2 * HOUR)) in decided(unit)
    assert decided(unit)[-1] == ("exited", instants.to_text(5 * HOUR))


def test_what_was_left_over_when_time_was_up_waits_for_no_clock(catalog, record, tick, monkeypatch):
    unit, near = behind(), WALL - 1000
    work(unit, catalog, tick(0, "0", near), tick(1, "1", near))
    unit.inputs.add("events", [record(2, WALL - 10, "cart_updated"), record(3, WALL - 5, "cart_updated", "ben")])
    instants_of_time = iter([0.0, 2.0])
    monkeypatch.setattr(resolved_partition, "perf_counter", lambda: next(instants_of_time))
    unit.work(catalog, set(), WALL, until=1.0)
    monkeypatch.undo()
    assert ([verdict for verdict, _ in decided(unit)], unit.backlog) == (["entered", "waited"], 0)
    assert unit.is_due(WALL)
    work(unit, catalog)
    assert (len(decided(unit)), unit.is_due(WALL)) == (4, False)


def test_when_all_sources_are_live_a_record_does_not_wait(catalog, record, tick):
    unit = behind()
    near = WALL - 1000
    work(unit, catalog, tick(0, "0", near), tick(1, "1", near), record(2, WALL - 10, "cart_updated"))
    assert decided(unit)[0] == ("entered", instants.to_text(WALL - 10))


def test_the_groups_offset_stays_before_what_waits_and_a_restart_does_nothing_twice(catalog, record, tick):
    unit = behind()
    log = [record(0, 9 * HOUR, "order_placed"), record(1, HOUR, "cart_updated"), tick(2, "0", 2 * HOUR)]
    work(unit, catalog, *log, tick(3, "1", 2 * HOUR - 1))
    outgoing, header = unit.take_outgoing()
    assert outgoing.offsets == header.offsets == {"events": 0}
    assert (header.read, header.mark_ms, header.mark_offset) == (4, HOUR, 1)
    state = MemoryState()
    for profile_id, changed in outgoing.changes.items():
        state.put(profile_id, changed)
    again = behind(header, state)
    work(again, catalog, *log, tick(3, "1", 2 * HOUR - 1))
    assert decided(again) == []
    work(again, catalog, tick(4, "0", 20 * HOUR), tick(5, "1", 20 * HOUR))
    assert decided(again)[-1] == ("exited", instants.to_text(9 * HOUR))
    assert again.take_outgoing()[1].offsets == {"events": 6}


def test_a_timer_that_the_sources_pass_at_their_ends_is_given_the_wall_clock(catalog, record):
    unit = behind()

    def at_the_end(offset: int, source: str):
        told = record(offset, WALL, "")
        told.key, told.value = CLOCK_KEY, encode_tick(Tick(source, WALL - 5, live=True))
        return told

    work(unit, catalog, record(0, HOUR, "cart_updated"), at_the_end(1, "0"), at_the_end(2, "1"))
    assert decided(unit)[-2] == ("sent", instants.to_text(WALL - 5))


def test_who_stood_still_in_a_paused_journey_goes_on_once_every_source_is_at_its_end(catalog, record, tick):
    [journey] = catalog.current
    paused = Catalog(catalog.project, [dataclasses.replace(journey, status="paused")])
    unit = behind()
    work(unit, catalog, record(0, HOUR, "cart_updated"), tick(1, "0", 2 * HOUR), tick(2, "1", 2 * HOUR))
    unit.take_up(paused, 2)
    work(unit, paused, tick(3, "0", 5 * HOUR), tick(4, "1", 5 * HOUR))
    unit.take_up(catalog, 3)
    work(unit, catalog, tick(5, "0", 6 * HOUR), tick(6, "1", 6 * HOUR))
    assert unit.outgoing.actions == []
    work(unit, catalog, tick(7, "0", WALL, live=True), tick(8, "1", WALL, live=True))
    assert [json.loads(line)["at"] for _, line in unit.outgoing.actions] == [instants.to_text(WALL)]


def test_timers_that_fill_a_transaction_go_on_in_the_next_without_waiting_for_a_tick(catalog, record, tick):
    unit = ResolvedPartition(
        0, 1, Inputs(["events"]), MemoryState(), behind().clock, Header(), topic="events", most_facts=4
    )
    carts = [record(number, HOUR, "cart_updated", f"c{number}") for number in range(6)]
    work(unit, catalog, *carts, tick(6, "0", 9 * HOUR), tick(7, "1", 9 * HOUR))
    fired = 0
    while unit.has_work:
        unit.work(catalog, set(), WALL)
        fired += len(unit.outgoing.actions)
        unit.take_outgoing()
    assert (fired, unit.turned_ms) == (6, 9 * HOUR)


def test_what_fills_a_transaction_without_a_trace_is_committed_so_that_the_next_can_begin(catalog, record, tick):
    unit = ResolvedPartition(
        0, 1, Inputs(["events"]), MemoryState(), behind().clock, Header(), topic="events", most_facts=4
    )
    orders = [record(number, HOUR, "order_placed", f"c{number}") for number in range(9)]
    work(unit, catalog, *orders, tick(9, "0", 9 * HOUR), tick(10, "1", 9 * HOUR))
    unit.take_outgoing()
    unit.work(catalog, set(), WALL)  # four of those that waited, of nobody in any journey
    assert (unit.outgoing.is_full, unit.outgoing.is_urgent, unit.outgoing.is_empty) == (True, False, False)
    assert unit.take_outgoing()[0].offsets == {"events": 8}


@pytest.mark.parametrize("first", ["0", "1"])
def test_up_to_the_last_record_of_any_source_it_is_the_log_that_passes(first, catalog, record, tick):
    """Whichever source comes to its end first, and whether or not that record is this partition's own."""
    unit, second = behind(), {"0": "1", "1": "0"}[first]
    told = {"0": 3 * HOUR, "1": 9 * HOUR}
    ticks = [(source, at, live) for source in (first, second) for at, live in [(told[source], False), (WALL, True)]]
    work(unit, catalog, record(0, HOUR, "cart_updated"))
    work(unit, catalog, *(tick(1 + place, *told) for place, told in enumerate(ticks)))
    assert [json.loads(line)["at"] for _, line in unit.outgoing.actions] == [instants.to_text(2 * HOUR)]
    late = [at for verdict, at in decided(unit) if verdict in ("resumed", "exited")]
    # The rest of 23 hours is due long after the last record, and before now.
    assert late == [instants.to_text(2 * HOUR), instants.to_text(WALL), instants.to_text(WALL)]


def test_after_a_crash_nothing_is_taken_before_all_that_was_read_is_here_again(catalog, record, tick):
    """The clocks of before speak of records that come only with the second fetch."""
    log = [
        record(0, 9 * HOUR, "x", "eva"),
        record(1, 2 * HOUR, "order_placed"),
        record(2, HOUR, "cart_updated"),
        tick(3, "0", 3 * HOUR),
        tick(4, "1", 3 * HOUR),
    ]
    # As if the transaction with the clocks had been full before anything was taken.
    header = Header(3 * HOUR, 1, {"events": 0}, {"0": 3 * HOUR, "1": 3 * HOUR}, read=5)
    unit = behind(header)
    unit.work(catalog, set(), WALL)
    work(unit, catalog, *log[:2])
    assert (decided(unit), unit.has_work) == ([], False)
    work(unit, catalog, *log[2:])
    assert [verdict for verdict, _ in decided(unit)] == ["entered", "waited", "exited"]


def test_a_header_of_a_producers_own_that_is_called_like_one_of_ours_is_theirs(catalog, record, tick):
    unit = behind()
    headers = (("orchestrator-came", b"by bike"), ("orchestrator-origin", b"e/0/0"))
    own = record(0, HOUR, "cart_updated", headers=headers)
    work(unit, catalog, own, tick(1, "0", 9 * HOUR), tick(2, "1", 9 * HOUR))
    assert decided(unit)[0] == ("entered", instants.to_text(HOUR))


def test_behind_a_topic_that_was_made_anew_what_comes_is_taken_and_a_restart_finds_its_place(catalog, record, tick):
    header = Header(3 * HOUR, 1, {"events": 900}, {"0": 3 * HOUR, "1": 3 * HOUR}, read=905, mark_ms=3 * HOUR)
    unit = behind(header)
    unit.go_on_from("events", 2)
    work(unit, catalog, record(2, 4 * HOUR, "cart_updated"), tick(3, "0", 9 * HOUR), tick(4, "1", 9 * HOUR))
    assert decided(unit)[0] == ("entered", instants.to_text(4 * HOUR))
    taken, after = unit.take_outgoing()
    assert (taken.offsets, after.offsets, after.read) == ({"events": 5}, {"events": 5}, 5)


def test_behind_a_log_whose_beginning_was_cut_the_place_is_known_though_nothing_comes(catalog, record, tick):
    header = Header(3 * HOUR, 1, {"events": 900}, {"0": 3 * HOUR, "1": 3 * HOUR}, read=905, mark_ms=3 * HOUR)
    unit = behind(header)
    unit.go_on_from("events", 910)
    taken, after = unit.take_outgoing()
    assert (taken.offsets, after.read) == ({"events": 910}, 910)
    work(unit, catalog, record(910, 4 * HOUR, "cart_updated"), tick(911, "0", 9 * HOUR), tick(912, "1", 9 * HOUR))
    assert decided(unit)[0] == ("entered", instants.to_text(4 * HOUR))


def test_of_large_events_no_more_wait_for_a_source_than_there_is_memory_for(catalog, record, tick, monkeypatch):
    monkeypatch.setattr(alignment, "MOST_WAITING_BYTES", 2_000)
    unit = behind()
    carts = [record(at, HOUR + at, "cart_updated", f"c{at}") for at in range(50)]
    work(unit, catalog, *carts)
    while unit.backlog:
        unit.work(catalog, set(), WALL)
    waiting = len(unit._aligned)
    assert waiting * len(carts[10].value) < 2_200
    assert [at for verdict, at in decided(unit) if verdict == "entered"] == [
        instants.to_text(HOUR + at) for at in range(50 - waiting)
    ]
    work(unit, catalog, tick(50, "0", 9 * HOUR), tick(51, "1", 9 * HOUR))
    assert (len(unit._aligned), unit._aligned.bytes) == (0, 0)


def merging(unit, catalog, record, tick) -> dict:
    """Let a life come that somebody waits for, and an event behind it; give the one dead letter."""
    wait, life = record(0, HOUR, "x"), record(1, HOUR, "x")
    wait.key = life.key = b"root"
    wait.value, wait.headers = encode(Wait("l1", ["loser"], "e", None, [])), ((KIND_HEADER, WAIT),)
    lost = codec.encode(State(Profile("loser", None)))
    life.value, life.headers = encode(Life("l1", "loser", lost)), ((KIND_HEADER, LIFE),)
    behind_it = record(2, HOUR + 1, "cart_updated", headers=(("orchestrator-origin", b"e/0/0"),))
    behind_it.key = b"root"
    work(unit, catalog, wait, life, behind_it, tick(3, "0", 9 * HOUR), tick(4, "1", 9 * HOUR))
    assert decided(unit)[0] == ("entered", instants.to_text(HOUR + 1))
    [letter] = [json.loads(line) for _, line in unit.outgoing.dead_letters]
    assert letter["profile_id"] == "root"
    return letter


def test_a_bug_in_merging_is_a_dead_letter_and_holds_up_nobody(catalog, record, tick, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(resolved_partition.turn, "on_meeting", broken)
    letter = merging(behind(), catalog, record, tick)
    assert letter["reason"] == "failure"
    assert "ZeroDivisionError" in letter["traceback"]


def test_a_life_that_a_newer_release_wrote_is_not_taken_and_lost(catalog, record):
    wait, life = record(0, HOUR, "x"), record(1, HOUR, "x")
    wait.key = life.key = b"root"
    wait.value, wait.headers = encode(Wait("l1", ["loser"], "e", None, [])), ((KIND_HEADER, WAIT),)
    lost = bytearray(codec.encode(State(Profile("loser", None))))
    lost[8] = codec.FORMAT + 1
    life.value, life.headers = encode(Life("l1", "loser", bytes(lost))), ((KIND_HEADER, LIFE),)
    unit = behind()
    with pytest.raises(StorageError, match="events holds state of format 2, and this release reads up to 1"):
        work(unit, catalog, wait, life)
    assert (dict(unit.state), unit.outgoing.changes, unit.outgoing.offsets) == ({}, {}, {})


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        ([], ("events/0", 0)),
        ([(ORIGIN_HEADER, b"tills/3/70")], ("tills/3", 70)),
        # As a producer may call a header of its own, and as the linker passes an event on.
        ([(ORIGIN_HEADER, b"?"), (ORIGIN_HEADER, b"a/b/0/7"), (WHO_HEADER, encode(Who("ana", {})))], ("a/b/0", 7)),
    ],
)
def test_a_dead_letter_says_where_its_producer_put_the_record(catalog, record, tick, headers, place):
    unit = behind()
    odd = dataclasses.replace(record(0, HOUR, "cart_updated"), headers=tuple(headers))
    odd.value = b'{"type": "cart_updated", "customer_id": "ana", "properties": 7}'
    work(unit, catalog, odd, tick(1, "0", 9 * HOUR), tick(2, "1", 9 * HOUR))
    [letter] = [json.loads(line) for _, line in unit.outgoing.dead_letters]
    assert (letter["reason"], (letter["source"], letter["offset"])) == ("bad_properties", place)
