"""One partition at work: order of records and timers, dead letters, and what a transaction will carry."""

import dataclasses
import json
from collections import Counter

import pytest

from orchestrator.language import compile_sources
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.identity import Identity
from orchestrator.runtime.kafka import outgoing
from orchestrator.runtime.kafka import partition as partition_module
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.state import Checkpoint, MemoryState

HOUR = 3_600_000
MOST_FACTS = 500
WALL = 100 * HOUR


def work(partition, catalog, *records, wall_ms=WALL):
    partition.inputs.add("events", list(records))
    partition.work(catalog, set(), wall_ms)


def sent(partition) -> list[tuple[str, str]]:
    actions = [json.loads(line) for _, line in partition.outgoing.actions]
    return [(action["customer_id"], action["at"]) for action in actions if action["kind"] == "message"]


def letters(partition) -> list[dict]:
    return [json.loads(line) for _, line in partition.outgoing.dead_letters]


def test_an_order_within_the_hour_stops_the_reminder(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, HOUR + 5, "order_placed"))
    work(partition, catalog, record(2, 9 * HOUR, "page_viewed", "ben"))
    assert sent(partition) == []
    assert partition.outgoing.offsets == {"events": 3}


def test_a_timer_that_the_log_passes_fires_at_its_own_instant_before_the_record(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, 9 * HOUR, "order_placed"))
    assert sent(partition) == [("ana", instants.to_text(2 * HOUR))]


def test_a_record_at_the_instant_of_a_timer_comes_first(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, 2 * HOUR, "order_placed"))
    work(partition, catalog, record(2, 9 * HOUR, "page_viewed"))
    assert sent(partition) == []


def test_a_timer_that_the_wall_clock_passes_fires_at_the_wall_clock(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"))
    assert partition.wants_end(WALL)
    partition.reach_end(50 * HOUR)
    partition.work(catalog, set(), WALL)
    assert sent(partition) == [("ana", instants.to_text(50 * HOUR))]


def test_no_timer_fires_before_the_end_is_reached(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"))
    partition.work(catalog, {"events"}, WALL)
    assert sent(partition) == []


def test_a_timestamp_in_the_future_fires_nothing(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, WALL + 1, "cart_updated", "ben"))
    assert sent(partition) == []
    assert partition.clock.now_ms == HOUR


def named(record, offset: int, customer_id: str | None = None, **identifiers: str):
    made = record(offset, (offset + 1) * HOUR, "cart_updated")
    event = {"id": f"e{offset}", "type": "cart_updated", "customer_id": customer_id, "identifiers": identifiers}
    made.value = json.dumps(event).encode()
    return made


@pytest.mark.parametrize("kinds", [("customer_id",), ("customer_id", "email")])
def test_who_is_known_by_an_identifier_is_one_customer_however_it_is_written(partition, catalog, record, kinds):
    lax = Catalog(dataclasses.replace(catalog.project, identity=Identity(kinds)), catalog.current)
    work(partition, lax, named(record, 0, email=" Ana@Shop.example"), named(record, 1, email="ana@shop.example"))
    [(_, kept)] = list(partition.state)
    assert codec.decode(kept).profile.identifiers == {"email": ["ana@shop.example"]}


def test_a_value_that_names_nobody_begins_nobody_and_is_on_record(partition, catalog, record):
    never = {"customer_id": frozenset({"null"}), "email": frozenset({"test@shop.example"})}
    strict = Catalog(dataclasses.replace(catalog.project, identity=Identity(never=never)), catalog.current)
    both = named(record, 1, "ana", email="test@shop.example")
    work(partition, strict, named(record, 0, "NULL"), both, named(record, 2, email="test@shop.example"))
    assert [letter["reason"] for letter in letters(partition)] == ["nobody", "nobody"]
    [(_, kept)] = list(partition.state)
    assert codec.decode(kept).profile.identifiers == {}
    decided = [json.loads(line) for _, line in partition.outgoing.decisions]
    assert [(one["reason"], one["saw"]) for one in decided if one["verdict"] == "not_merged"] == [
        ("never", {"kind": "email"})
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{not json", "not_json"),
        (b'{"customer_id": "ana"}', "no_type"),
        (b'{"type": "cart_updated"}', "nobody"),
        (None, "not_json"),
        (b'{"type": "x", "customer_id": "' + b"a" * (5 << 20) + b'"}', "too_large"),
        (b"\xff\xfe", "not_json"),
    ],
)
def test_a_poison_record_is_buried_and_the_next_is_processed(partition, catalog, record, value, reason):
    poison = record(7, HOUR, "x")
    poison.value = value
    work(partition, catalog, poison, record(8, HOUR, "cart_updated"))
    [letter] = letters(partition)
    assert (letter["reason"], letter["source"], letter["offset"], letter["key"]) == (reason, "events/0", 7, "ana")
    assert len(json.dumps(letter)) < 70_000
    assert Counter(json.loads(line)["verdict"] for _, line in partition.outgoing.decisions)["entered"] == 1
    assert partition.outgoing.offsets == {"events": 9}


def test_who_waits_again_after_a_timer_wakes_again(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, 3 * HOUR, "x"), record(2, 50 * HOUR, "x"))
    reasons = [(line["verdict"], line["step"]) for _, raw in partition.outgoing.decisions for line in [json.loads(raw)]]
    assert [verdict for verdict, _ in reasons] == [
        "entered",
        "waited",
        "resumed",
        "sent",
        "waited",
        "resumed",
        "exited",
    ]
    assert partition.waiting == 0


def test_an_event_that_nobody_asks_for_changes_nothing(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "page_viewed"))
    assert (partition.outgoing.changes, partition.outgoing.decisions) == ({}, [])
    assert partition.tally.events == {("other", "ignored"): 1}


def test_a_repeated_event_changes_nothing_and_says_so(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"))
    again = record(1, HOUR + 1, "cart_updated")
    again.value = record(0, HOUR, "cart_updated").value
    work(partition, catalog, again)
    assert partition.tally.events == {("cart_updated", "applied"): 1, ("cart_updated", "duplicate"): 1}


def test_a_profile_that_changes_twice_is_written_once(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, HOUR + 1, "order_placed"))
    [(profile_id, changed)] = partition.outgoing.changes.items()
    assert partition.state.get(profile_id) == changed


def test_a_new_life_in_the_wrong_partition_is_refused(catalog, record):
    partition = Partition(
        0, 4, Inputs(["events"]), MemoryState(), PartitionClock(), Header(), checks_keys=True, most_facts=MOST_FACTS
    )
    keyless = record(3, HOUR, "cart_updated", "eva")
    keyless.key = None
    # By murmur2, "c0" to "c3" of four partitions lie in these.
    work(partition, catalog, *(record(at, HOUR, "cart_updated", f"c{at}") for at in range(3)), keyless)
    right = [f"c{at}" for at in range(3) if partition_of(b"c%d" % at, 4) == 0]
    assert len(partition.state) == len(right)
    assert {letter["reason"] for letter in letters(partition)} == {"wrong_partition"}
    assert len(letters(partition)) == 4 - len(right)


def test_many_timers_of_one_instant_are_spread_over_transactions(partition, catalog, record):
    customers = MOST_FACTS + 10
    partition.inputs.add("events", [record(at, HOUR, "cart_updated", f"c{at}") for at in range(customers)])
    rounds = []
    while partition.has_work:
        partition.work(catalog, set(), WALL)
        partition.take_outgoing()
    partition.reach_end(WALL)
    while partition.has_work:
        partition.work(catalog, set(), WALL)
        rounds.append(len(partition.take_outgoing()[0].actions))
    assert rounds == [MOST_FACTS, 10]


def test_a_record_waits_for_the_timers_before_it_when_the_transaction_is_full(partition, catalog, record):
    customers = MOST_FACTS + 10
    for at in range(customers):
        partition.inputs.add("events", [record(at, HOUR, "cart_updated", f"c{at}")])
    while partition.has_work:
        partition.work(catalog, set(), WALL)
        partition.take_outgoing()
    partition.inputs.add("events", [record(customers, 9 * HOUR, "order_placed", f"c{at}") for at in range(customers)])
    partition.work(catalog, set(), WALL)
    first, _ = partition.take_outgoing()
    assert (len(first.actions), first.offsets) == (MOST_FACTS, {})
    partition.work(catalog, set(), WALL)
    second, header = partition.take_outgoing()
    reminders = [line for _, line in second.actions if json.loads(line)["kind"] == "message"]
    assert len(reminders) == 10
    assert header.offsets == second.offsets


def test_what_is_restored_goes_on_where_it_stood(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"))
    outgoing, header = partition.take_outgoing()
    assert header == Header(HOUR, 0, {"events": 1}, entries={"abandoned-cart": 1}, format=codec.FORMAT)
    state = MemoryState()
    for profile_id, changed in outgoing.changes.items():
        state.put(profile_id, changed)
    again = Partition(
        0,
        1,
        Inputs(["events"]),
        state,
        PartitionClock(header.clock_ms),
        header,
        checks_keys=False,
        most_facts=MOST_FACTS,
    )
    assert (again.offset_of("events"), again.offset_of("receipts"), again.waiting) == (1, None, 1)
    assert again.entries == {"abandoned-cart": 1}
    work(again, catalog, record(1, 9 * HOUR, "page_viewed"))
    assert sent(again) == [("ana", instants.to_text(2 * HOUR))]
    assert header == Header(HOUR, 0, {"events": 1}, entries={"abandoned-cart": 1}, format=codec.FORMAT)


def test_what_takes_offsets_and_holds_nothing_is_passed_over(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "x"))
    partition.pass_over({"events": 3, "receipts": 9})
    assert partition.take_outgoing()[0].offsets == {"events": 3}
    partition.pass_over({"events": 3})
    assert partition.outgoing.is_empty


def _with(catalog, status: str) -> Catalog:
    [journey] = catalog.current
    return Catalog(catalog.project, [dataclasses.replace(journey, status=status)])


def _taken_over(partition, most_facts: int = MOST_FACTS) -> Partition:
    """Give the partition to another owner, who knows what was committed and nothing else."""
    _, header = partition.take_outgoing()
    state = MemoryState()
    state.load(partition.state, Checkpoint(0, 0))
    clock = PartitionClock(header.clock_ms)
    return Partition(0, 1, Inputs(["events"]), state, clock, header, checks_keys=False, most_facts=most_facts)


def test_who_stood_still_in_a_paused_journey_goes_on_once_it_is_live_again(partition, catalog, record):
    paused = _with(catalog, "paused")
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, HOUR, "cart_updated", "ben"))
    partition.take_up(paused, 2)
    work(partition, paused, record(2, 3 * HOUR, "x"), record(3, 3 * HOUR, "order_placed", "ben"))
    assert sent(partition) == []
    assert not partition.wants_end(WALL)
    partition.take_up(catalog, 3)
    # Not before the end of the log: an order may be in it.
    work(partition, catalog, record(4, 4 * HOUR, "x", "eva"))
    assert sent(partition) == []
    assert partition.wants_end(WALL)
    partition.reach_end(50 * HOUR)
    partition.work(catalog, set(), WALL)
    assert sent(partition) == [("ana", instants.to_text(50 * HOUR))]
    while partition.has_work:
        partition.work(catalog, set(), WALL)
    assert not partition.wants_end(60 * HOUR)
    assert partition.take_outgoing()[1].settled == []


def test_an_owner_who_dies_in_the_middle_leaves_the_rest_of_them_to_the_next(partition, catalog, record):
    paused = _with(catalog, "paused")
    carts = [record(number, HOUR, "cart_updated", f"c{number}") for number in range(7)]
    work(partition, catalog, *carts)
    partition.take_up(paused, 2)
    work(partition, paused, record(9, 3 * HOUR, "x"))
    owner, found = partition, []
    for _ in range(4):  # two customers each
        owner = _taken_over(owner, most_facts=2)
        owner.take_up(catalog, 3)
        owner.reach_end(50 * HOUR)
        # Those that were looked at before are looked at again, and do nothing.
        while owner.has_work and not owner.outgoing.facts:
            owner.work(catalog, set(), WALL)
        found += sent(owner)
    assert sorted(found) == [(f"c{number}", instants.to_text(50 * HOUR)) for number in range(7)]


def _version_2(catalog, **fields) -> Catalog:
    """Publish a version that sends at once what a customer inside waits an hour for."""
    [journey] = catalog.current
    remind = dataclasses.replace(journey.steps["remind"], id="settle", next=None)
    newer = dataclasses.replace(journey, version=2, first="settle", steps={"settle": remind}, moves={}, **fields)
    return Catalog(catalog.project, [newer], [journey])


def test_who_is_inside_moves_to_a_version_that_migrates_though_nothing_happens_to_them(partition, catalog, record):
    work(partition, catalog, record(0, HOUR, "cart_updated"), record(1, HOUR, "cart_updated", "ben"))
    newer = _version_2(catalog)
    partition.take_up(newer, 2)
    assert partition.wants_end(HOUR)
    partition.reach_end(HOUR + 5)
    while partition.has_work:
        partition.work(newer, set(), WALL)
    assert sorted(sent(partition)) == [("ana", instants.to_text(HOUR + 5)), ("ben", instants.to_text(HOUR + 5))]
    assert partition.take_outgoing()[1].settled == ["abandoned-cart@2"]


def test_an_owner_who_dies_in_the_middle_of_a_move_leaves_nobody_half_moved_and_nobody_behind(
    partition, catalog, record
):
    work(partition, catalog, *[record(number, HOUR, "cart_updated", f"c{number}") for number in range(7)])
    newer, owner, found = _version_2(catalog), partition, []
    for _ in range(4):  # two customers each
        owner = _taken_over(owner, most_facts=2)
        owner.take_up(newer, 2)
        owner.reach_end(HOUR + 5)
        while owner.has_work and not owner.outgoing.facts:
            owner.work(newer, set(), WALL)
        found += sent(owner)
        # Somebody who dies here has sent nothing: what was not committed is done again by the next, the same.
        lost = _taken_over(owner, most_facts=2)
        lost.take_up(newer, 2)
    assert sorted(found) == [(f"c{number}", instants.to_text(HOUR + 5)) for number in range(7)]


def _timed(enter: str, version: int = 1) -> Catalog:
    journey = f"journey: hello\nversion: {version}\nstatus: live\npurpose: service\nenter: {enter}\n"
    return compile_sources(
        {
            "orchestrator.yaml": "project: shop\nchannels: {email: {address: profile.customer_id}}\n"
            "purposes: {service: {consent: none}}\n",
            "messages/hi.message.yaml": "message: hi\nemail: {subject: Hello, text: You.}\n",
            "hello.journey.yaml": journey + "steps:\n  - {id: greet, send: hi}\n",
        }
    ).catalog


def test_a_broadcast_that_is_published_later_reaches_whom_nobody_sees_any_more(partition, record):
    midnight = 1_767_225_600_000  # as 2026 begins: there are no broadcasts in 1970
    wall = midnight + WALL
    before = _timed("{event: came}")
    partition.take_up(before, 1)
    work(partition, before, *[record(number, midnight, "came", f"c{number}") for number in range(7)], wall_ms=wall)
    assert len(sent(partition)) == 7
    broadcast = _timed('{schedule: {once: "2026-01-03T09:00"}, again: always}', version=2)
    owner, found = _taken_over(partition), []
    for _ in range(4):  # two customers each; the armed key goes from owner to owner until all of them are
        owner = _taken_over(owner, most_facts=2)
        owner.take_up(broadcast, 2)
        owner.reach_end(midnight + 50 * HOUR)
        while owner.has_work and not owner.outgoing.facts:
            owner.work(broadcast, set(), wall)
    owner = _taken_over(owner)
    owner.take_up(broadcast, 2)
    owner.reach_end(midnight + 58 * HOUR)
    while owner.has_work:
        owner.work(broadcast, set(), wall)
        found += sent(owner)
        owner.take_outgoing()
    assert sorted(found) == [(f"c{number}", instants.to_text(midnight + 58 * HOUR)) for number in range(7)]
    owner = _taken_over(owner)
    owner.take_up(broadcast, 2)
    assert not owner.wants_end(wall)


def test_a_limit_is_shared_among_the_partitions_and_goes_from_owner_to_owner(record):
    catalog = _timed("{event: came, limit: {entries: 3, per: 1d}}")

    def owned(number: int, header: Header, state: MemoryState) -> Partition:
        return Partition(
            number, 2, Inputs(["events"]), state, PartitionClock(), header, checks_keys=False, most_facts=500
        )

    for number, share in ((0, 2), (1, 1)):
        state = MemoryState()
        owner = owned(number, Header(), state)
        owner.take_up(catalog, 1)
        work(owner, catalog, *[record(each, HOUR, "came", f"c{each}") for each in range(4)])
        assert len(sent(owner)) == share
        _, header = owner.take_outgoing()
        assert header.admitted == {"hello": [[HOUR, share]]}
        later = owned(number, header, state)
        later.take_up(catalog, 1)
        work(later, catalog, record(9, 2 * HOUR, "came", "late"))
        assert sent(later) == []


def test_however_many_a_journey_with_a_limit_takes_the_header_of_a_commit_stays_small(record, monkeypatch):
    monkeypatch.setattr(partition_module, "MOST_INSTANTS", 20)
    catalog = _timed("{event: came, limit: {entries: 100, per: 1d}}")
    owner = Partition(
        0, 1, Inputs(["events"]), MemoryState(), PartitionClock(), Header(), checks_keys=False, most_facts=500
    )
    owner.take_up(catalog, 1)
    work(owner, catalog, *[record(each, HOUR + each * 60_000, "came", f"c{each}") for each in range(150)])
    assert len(sent(owner)) == 100
    [pairs] = owner.take_outgoing()[1].admitted.values()
    assert (len(pairs) <= 20, sum(count for _, count in pairs)) == (True, 100)
    # Free again when the first of them lie a day back, within a tenth of that, and never before.
    work(owner, catalog, record(200, 25 * HOUR - 1, "came", "early"))
    assert sent(owner) == []
    work(owner, catalog, record(201, 28 * HOUR, "came", "late"))
    assert len(sent(owner)) == 1


def test_turns_give_way_when_their_time_is_over_and_go_on_where_they_stopped(partition, catalog, record):
    carts = [record(number, HOUR, "cart_updated", f"c{number}") for number in range(4)]
    partition.inputs.add("events", [*carts, record(4, 9 * HOUR, "x", "eva")])
    passes = 0
    while partition.has_work:
        partition.work(catalog, set(), WALL, until=0)
        passes += 1
    # One turn each time, of a record or a timer: 4 carts, 4 reminders, and the last timer with the last record.
    assert (passes, len(sent(partition)), partition.outgoing.offsets) == (8, 4, {"events": 5})


def test_no_producer_can_make_a_metrics_labels_grow_though_every_event_is_wanted(partition, record):
    catalog = _timed("{any: [{event: came}, {inactive: {for: 9d}}], again: always}")
    partition.take_up(catalog, 1)
    work(partition, catalog, record(0, HOUR, "came"), *[record(each, HOUR, f"type-{each}") for each in range(1, 5)])
    assert {label for label, _ in partition.tally.events} == {"came", "other"}


def test_timers_that_are_due_together_fill_no_transaction_beyond_its_bytes(partition, catalog, record, monkeypatch):
    work(partition, catalog, *(record(at, HOUR, "cart_updated", f"c{at}") for at in range(50)))
    partition.take_outgoing()
    monkeypatch.setattr(outgoing, "MOST_BYTES", 10_000)
    partition.reach_end(50 * HOUR)
    taken = []
    while partition.has_work:
        partition.work(catalog, {"events"}, WALL)
        taken.append(partition.take_outgoing()[0])
    assert sum(len(each.actions) for each in taken) == 50
    assert max(each.bytes for each in taken) < 12_000


def test_records_fill_no_transaction_beyond_its_bytes(partition, catalog, record, monkeypatch):
    monkeypatch.setattr(outgoing, "MOST_BYTES", 10_000)
    partition.inputs.add("events", [record(at, HOUR, "cart_updated", f"c{at}") for at in range(50)])
    taken = []
    while partition.has_work:
        partition.work(catalog, {"events"}, WALL)
        taken.append(partition.take_outgoing()[0])
    assert sum(len(each.changes) for each in taken) == 50
    assert max(each.bytes for each in taken) < 12_000


def test_whom_a_new_version_moves_fill_no_transaction_beyond_its_bytes(partition, catalog, record, monkeypatch):
    work(partition, catalog, *(record(at, HOUR, "cart_updated", f"c{at}") for at in range(50)))
    partition.take_outgoing()
    monkeypatch.setattr(outgoing, "MOST_BYTES", 5_000)
    newer = _version_2(catalog)
    partition.take_up(newer, 2)
    partition.reach_end(HOUR + 5)
    taken = []
    while partition.has_work:
        partition.work(newer, {"events"}, WALL)
        taken.append(partition.take_outgoing()[0])
    assert sum(len(each.actions) for each in taken) == 50
    assert max(len(each.actions) for each in taken) < 30
