"""Resolve: every event to its profile's partition as it came, and a clock behind what was passed on."""

import dataclasses
import json

import pytest

from orchestrator.model.catalog import Catalog
from orchestrator.model.identity import Identity
from orchestrator.model.ids import profile_id_of
from orchestrator.runtime.kafka import outgoing
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.resolved import CLOCK_KEY, TICK_MS, tick_ms
from orchestrator.runtime.kafka.resolving import ALONE_MS, ResolvingPartition

HOUR = 3_600_000
WALL = 100 * HOUR


def resolver(count: int = 4) -> ResolvingPartition:
    return ResolvingPartition(2, count, Inputs(["web", "tills"]), PartitionClock(), most_facts=500)


def passed_on(unit: ResolvingPartition) -> dict[int, list]:
    return {
        number: [forward for forward in forwards if forward[0] != CLOCK_KEY]
        for number, forwards in unit.outgoing.forwards.items()
        if any(forward[0] != CLOCK_KEY for forward in forwards)
    }


def told(outgoing: Outgoing) -> dict[int, list]:
    return {
        number: [json.loads(value) for key, value, _, _ in forwards if key == CLOCK_KEY]
        for number, forwards in outgoing.forwards.items()
    }


def test_events_of_one_customer_meet_in_one_partition_whatever_their_keys(catalog, record):
    unit = resolver()
    first, second = (record(0, HOUR, "cart_updated", topic=topic) for topic in ("web", "tills"))
    second.key = None
    unit.inputs.add("web", [first])
    unit.inputs.add("tills", [second])
    unit.work(catalog, {"web", "tills"}, WALL)
    profile_id = profile_id_of("customer_id", "ana").encode()
    [(number, forwards)] = passed_on(unit).items()
    assert number == partition_of(profile_id, 4)
    assert [forward[0] for forward in forwards] == [profile_id, profile_id]


def test_an_event_is_passed_on_as_it_came_with_its_origin(catalog, record):
    unit = resolver(1)
    came = record(7, HOUR, "cart_updated", topic="web", headers=(("ce_id", b"1"),))
    unit.inputs.add("web", [came])
    unit.work(catalog, {"tills"}, WALL)
    [(_, value, timestamp, headers)] = passed_on(unit)[0]
    assert (value, timestamp) == (came.value, HOUR)
    assert headers == [("ce_id", b"1"), ("orchestrator-origin", b"web/0/7")]
    assert unit.outgoing.offsets == {"web": 8}


def test_where_nothing_links_an_event_goes_by_its_identifier_as_it_is_kept_and_nobody_is_buried(catalog, record):
    never = {"customer_id": frozenset({"null"})}
    strict = Catalog(dataclasses.replace(catalog.project, identity=Identity(never=never)), catalog.current)
    unit = resolver(1)
    lines = [{"identifiers": {"email": " Ana@Shop.example"}}, {"customer_id": "null"}, {"customer_id": "ana"}]
    for offset, who in enumerate(lines):
        came = record(offset, HOUR, "cart_updated", topic="web")
        came.value = json.dumps({"id": str(offset), "type": "cart_updated", **who}).encode()
        unit.inputs.add("web", [came])
    unit.work(strict, {"web", "tills"}, WALL)
    names = [profile_id_of("email", "ana@shop.example"), profile_id_of("customer_id", "ana")]
    assert [forward[0].decode() for forward in passed_on(unit)[0]] == names
    assert [json.loads(line)["reason"] for _, line in unit.outgoing.dead_letters] == ["nobody"]


def test_what_nobody_asks_for_is_not_passed_on_but_its_clock_goes_on(catalog, record):
    unit = resolver(2)
    unit.inputs.add("web", [record(7, HOUR, "x", topic="web")])
    unit.work(catalog, {"tills"}, WALL)
    assert (passed_on(unit), unit.outgoing.offsets, unit.clock.now_ms) == ({}, {"web": 8}, HOUR)
    assert unit.tally.events == {("other", "ignored"): 1}
    sent, _ = unit.take_outgoing()
    assert told(sent)[0] == [{"source": "2", "at_ms": HOUR, "live": False}]


def test_a_poison_record_is_buried_here(catalog, record):
    unit = resolver()
    poison = record(7, HOUR, "x", topic="web")
    poison.value = b"{"
    unit.inputs.add("web", [poison])
    unit.work(catalog, {"tills"}, WALL)
    [letter] = [json.loads(line) for _, line in unit.outgoing.dead_letters]
    assert (letter["reason"], letter["source"], letter["offset"]) == ("not_json", "web/0", 7)


def test_the_clock_is_told_to_every_partition_behind_what_was_passed_on(catalog, record):
    unit = resolver(3)
    unit.inputs.add("web", [record(0, HOUR, "x", topic="web")])
    unit.work(catalog, {"tills"}, WALL)
    # While it lags, with every transaction: a crash behind it must not forget how far the log had been read.
    sent, _ = unit.take_outgoing()
    assert told(sent) == {number: [{"source": "2", "at_ms": HOUR, "live": False}] for number in range(3)}
    assert all(forwards[-1][0] == CLOCK_KEY for forwards in sent.forwards.values())


def test_before_the_clock_goes_on_to_the_wall_the_last_record_is_told(catalog, record):
    unit = resolver(1)
    unit.inputs.add("web", [record(0, HOUR, "x", topic="web")])
    unit.work(catalog, {"tills"}, WALL)
    unit.reach_end(WALL - 1)
    unit.work(catalog, {"web", "tills"}, WALL)
    assert told(unit.outgoing)[0] == [
        {"source": "2", "at_ms": HOUR, "live": False},
        {"source": "2", "at_ms": WALL - 1, "live": True},
    ]


def test_the_clock_is_told_twice_a_second_and_only_when_it_moved(catalog, record):
    unit = resolver(1)
    unit.reach_end(WALL - 2)
    unit.work(catalog, set(), WALL)
    unit.reach_end(WALL - 1)
    unit.work(catalog, set(), WALL + TICK_MS - 1)
    first = {"source": "2", "at_ms": WALL - 2, "live": True}
    assert told(unit.outgoing) == {0: [first]}
    unit.work(catalog, set(), WALL + TICK_MS)
    unit.work(catalog, set(), WALL + 9 * TICK_MS)
    assert told(unit.outgoing) == {0: [first, {"source": "2", "at_ms": WALL - 1, "live": True}]}


@pytest.mark.parametrize(
    ("sources", "partitions", "every_ms"),
    [(1, 1, 500), (12, 12, 500), (32, 32, 500), (64, 64, 2_000), (200, 200, 19_531)],
)
def test_the_more_partitions_there_are_the_less_often_each_is_told_so_that_brokers_keep_up(
    catalog, sources, partitions, every_ms
):
    assert tick_ms(sources, partitions) == every_ms
    unit = ResolvingPartition(0, 1, Inputs(["web"]), PartitionClock(), 500, tick_ms=every_ms)
    unit.reach_end(WALL - 2)
    unit.work(catalog, set(), WALL)
    unit.reach_end(WALL - 1)
    unit.clock.now_ms = WALL + every_ms  # no more than a moment behind
    assert [unit.is_due(WALL + after_ms) for after_ms in (every_ms - 1, every_ms)] == [False, True]


def test_between_two_tellings_there_is_nothing_to_do(catalog, record):
    # Whoever is told that there is something to do goes round without a pause: half a processor, for nothing.
    unit = resolver(1)
    unit.work(catalog, {"web", "tills"}, WALL)
    unit.reach_end(WALL)
    unit.work(catalog, {"web", "tills"}, WALL)
    unit.take_outgoing()
    unit.reach_end(WALL + 100)
    assert [unit.is_due(WALL + after_ms) for after_ms in (100, TICK_MS - 1, TICK_MS)] == [False, False, True]
    unit.inputs.add("web", [record(7, WALL + 50, "x", topic="web")])
    assert unit.is_due(WALL + 100)


def to_the_linker(unit: ResolvingPartition, catalog, record, *came: tuple[str, dict], wall_ms: int = WALL) -> list[str]:
    """Let a resolver that links read events of these types and identifiers; give the types that went to the linker."""
    records = [record(number, HOUR, event_type, topic="web") for number, (event_type, _) in enumerate(came)]
    for each, (event_type, who) in zip(records, came, strict=True):
        each.value = json.dumps({"id": str(each.offset), "type": event_type, **who}).encode()
    unit.inputs.add("web", records)
    unit.work(catalog, {"tills"}, wall_ms)
    sent, _ = unit.take_outgoing()
    return [json.loads(value)["type"] for key, value, _, _ in sent.links if key != CLOCK_KEY]


def linking() -> ResolvingPartition:
    return ResolvingPartition(2, 4, Inputs(["web", "tills"]), PartitionClock(), most_facts=500, links=True)


def test_what_nobody_asks_for_goes_to_the_linker_once_for_one_identifier_alone(catalog, record):
    unit = linking()
    visitor, other = {"identifiers": {"cookie": "1"}}, {"identifiers": {"cookie": "2"}}
    page, cart = ("page_viewed", visitor), ("cart_updated", visitor)
    assert to_the_linker(unit, catalog, record, page, page, cart, page, ("page_viewed", other)) == [
        "page_viewed",
        "cart_updated",
        "page_viewed",
    ]
    assert unit.tally.events == {("other", "ignored"): 2}
    assert to_the_linker(unit, catalog, record, page, wall_ms=WALL + 2 * ALONE_MS) == ["page_viewed"]


@pytest.mark.parametrize(
    "who",
    [
        {"customer_id": "ana", "identifiers": {"cookie": "1"}},
        {"identifiers": {"cookie": "1", "email": "ana@shop.example"}},
        {"identifiers": {"email": "nobody"}},
    ],
    ids=["with a customer id", "two", "one that names nobody"],
)
def test_what_may_be_refused_goes_to_the_linker_each_time(catalog, record, who):
    assert len(to_the_linker(linking(), catalog, record, ("page_viewed", who), ("page_viewed", who))) == 2


def test_after_an_erasure_what_an_identifier_says_is_news_again(catalog, record):
    visitor = {"identifiers": {"cookie": "1"}}
    came = [("page_viewed", visitor), ("profile_erase_requested", {"customer_id": "ana"}), ("page_viewed", visitor)]
    assert to_the_linker(linking(), catalog, record, *came) == [event_type for event_type, _ in came]


def test_while_a_topic_is_not_at_its_end_nothing_is_passed_on_nor_told(catalog, record):
    unit = resolver()
    unit.inputs.add("web", [record(0, HOUR, "x", topic="web")])
    unit.work(catalog, set(), WALL)
    assert unit.outgoing.is_empty
    assert unit.wants_end(WALL)


def test_large_events_fill_no_transaction_beyond_its_bytes(catalog, record, monkeypatch):
    monkeypatch.setattr(outgoing, "MOST_BYTES", 1_000)
    unit = resolver(1)
    unit.inputs.add("web", [record(at, HOUR, "cart_updated", topic="web") for at in range(50)])
    taken = []
    while unit.has_work:
        unit.work(catalog, {"web", "tills"}, WALL)
        taken.append(unit.take_outgoing()[0])
    sizes = [sum(len(value) for key, value, *_ in each.forwards[0] if key != CLOCK_KEY) for each in taken]
    assert sum(sizes) == 50 * len(record(10, HOUR, "cart_updated").value) - 10 * len("1")
    assert max(sizes) < 1_200
    assert [each.offsets["web"] for each in taken][-1] == 50


def test_a_record_from_the_far_future_is_passed_on_as_of_now_since_brokers_refuse_it_otherwise(catalog, record):
    unit = resolver(1)
    ahead = [record(at, HOUR, "cart_updated", topic="web") for at in range(3)]
    for each, by_ms in zip(ahead, (60_000, HOUR, 1 << 60), strict=True):
        each.timestamp = WALL + by_ms
    unit.inputs.add("web", ahead)
    unit.work(catalog, {"tills"}, WALL)
    assert [timestamp for _, _, timestamp, _ in passed_on(unit)[0]] == [WALL + 60_000, WALL, WALL]


def test_headers_that_would_not_fit_into_our_topics_are_a_dead_letter_and_the_next_event_goes_on(catalog, record):
    unit = resolver(1)
    large, small = ((("trace", b"x" * size),) for size in ((1 << 20), 1000))
    unit.inputs.add("web", [record(0, HOUR, "cart_updated", topic="web", headers=large)])
    unit.inputs.add("tills", [record(1, HOUR, "cart_updated", topic="tills", headers=small)])
    unit.work(catalog, {"web", "tills"}, WALL)
    [letter] = [json.loads(line) for _, line in unit.outgoing.dead_letters]
    assert (letter["reason"], letter["source"], letter["offset"]) == ("too_large", "web/0", 0)
    assert len(passed_on(unit)[0]) == 1


def test_a_dead_letter_quotes_the_beginning_of_a_key_however_large_it_is(catalog, record):
    unit = resolver(1)
    poison = record(0, HOUR, "cart_updated", topic="web")
    poison.key, poison.value = b"\x00" * (1 << 20), b"{"
    unit.inputs.add("web", [poison])
    unit.work(catalog, {"tills"}, WALL)
    [(key, line)] = unit.outgoing.dead_letters
    assert len(key) + len(line) < 50_000
