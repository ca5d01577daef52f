"""Receipts that name an action and nothing else: the record's key says whose they are."""

import dataclasses
import json

import pytest

from orchestrator.errors import EventError
from orchestrator.model import codec
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.records import receipt_of
from orchestrator.runtime.kafka.state import MemoryState

HOUR = 3_600_000
WALL = 100 * HOUR


@pytest.fixture
def reminded(catalog, record):
    """Make a partition that has just reminded ana of her cart."""
    partition = Partition(
        0, 1, Inputs(["events", "receipts"]), MemoryState(), PartitionClock(), Header(),
        checks_keys=False, most_facts=500, receipts="receipts",
    )  # fmt: skip
    partition.inputs.add("events", [record(0, HOUR, "cart_updated"), record(1, 9 * HOUR, "page_viewed")])
    partition.work(catalog, {"receipts"}, WALL)
    [(_, line)] = partition.outgoing.actions
    partition.take_outgoing()
    return partition, json.loads(line)


def told(event_type: str, action: dict, **more) -> bytes:
    return json.dumps({"type": event_type, "properties": {"action_id": action["id"]}, **more}).encode()


def reported(record, value: bytes, key: bytes | None, offset: int = 0):
    """Make a record of the receipts topic."""
    return dataclasses.replace(record(offset, 10 * HOUR, "x"), value=value, key=key, topic="receipts")


@pytest.fixture
def hear(catalog, record):
    """Return what lets a partition take receipts for an action."""

    def hear(partition, action: dict, *values: bytes) -> None:
        key = action["profile_id"].encode()
        partition.inputs.add("receipts", [reported(record, value, key, at) for at, value in enumerate(values)])
        partition.work(catalog, {"events"}, WALL)

    return hear


def profile_in(partition, action: dict):
    return codec.decode(partition.state.get(action["profile_id"])).profile


@pytest.mark.parametrize("more", [{}, {"id": "r1"}, {"time": "2026-01-01T10:00:00Z"}, {"id": 7, "time": 5 * HOUR}])
def test_a_bounce_that_only_names_its_action_makes_the_address_unreachable(reminded, hear, more):
    partition, action = reminded
    hear(partition, action, told("message_bounced", action, **more))
    assert list(profile_in(partition, action).unreachable) == ["email"]
    assert partition.outgoing.dead_letters == []


def test_a_receipt_that_comes_twice_is_one(reminded, hear):
    partition, action = reminded
    complaint = told("message_complained", action)
    hear(partition, action, complaint, complaint)
    outcomes = {
        outcome: count for (name, outcome), count in partition.tally.events.items() if name == "message_complained"
    }
    assert outcomes == {"applied": 1, "duplicate": 1}


@pytest.mark.parametrize("event_type", ["message_sent", "message_delivered", "message_opened", "message_clicked"])
def test_a_receipt_that_no_journey_reads_costs_no_write(reminded, hear, event_type):
    partition, action = reminded
    hear(partition, action, told(event_type, action))
    assert partition.outgoing.changes == {}
    assert partition.tally.events["other", "applied"] == 0


def test_whom_a_receipt_names_itself_makes_no_difference(reminded, hear):
    partition, action = reminded
    hear(partition, action, told("message_bounced", action, customer_id="eva", identifiers={"email": "e@x"}))
    assert list(profile_in(partition, action).unreachable) == ["email"]
    assert profile_in(partition, action).customer_id == "ana"


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (b'{"type":"message_opened","properties":{"action_id":"a"}}', None, "nobody"),
        (b'{"type":"message_opened","properties":{"action_id":"a"}}', b"", "nobody"),
        (b'{"properties":{"action_id":"a"}}', b"p", "no_type"),
        (b'{"type":"message_opened","time":"soon"}', b"p", "bad_time"),
        (b'{"type":7}', b"p", "bad_envelope"),
        (b"opened", b"p", "not_json"),
        (b'{"type":"message_opened","id":"\xe1","time":1}', b"p", "not_json"),
        (b'{"type":"message_opened","properties":{"action_id":"a"}}', b"\xe1", "nobody"),
    ],
)
def test_what_is_no_receipt_says_why(record, value, key, reason):
    with pytest.raises(EventError) as caught:
        receipt_of(reported(record, value, key))
    assert caught.value.reason == reason


@pytest.mark.parametrize("checks_keys", [False, True])
def test_whoever_was_erased_and_leaves_by_an_old_message_is_remembered_by_every_partition(
    catalog, record, hear, checks_keys
):
    partition = Partition(
        0, 3, Inputs(["events", "receipts"]), MemoryState(), PartitionClock(), Header(),
        checks_keys=checks_keys, most_facts=500, receipts="receipts", objections=Objections(("k" * 16,)),
    )  # fmt: skip
    action = {"id": "a1", "profile_id": "p1"}
    said = {"action_id": "a1", "purpose": "service", "address_hash": "ab" * 16}
    left = {"type": "message_unsubscribed", "channel": "email", "time": 5 * HOUR}
    odd = [said | {"address_hash": "../x"}, {"purpose": "service"}, said | {"purpose": None}]
    hear(partition, action, *(json.dumps(left | {"properties": each}).encode() for each in [said, *odd]))
    place = "@objection/" + "ab" * 16
    told = {number: [key for key, *_ in lines] for number, lines in partition.outgoing.forwards.items() if lines}
    # Without resolve everybody hears of everybody, and who has erased somebody cannot be told from who never knew them.
    remembered = [] if checks_keys else [place]
    assert (list(partition.outgoing.changes), told) == (
        remembered, {number: [place.encode()] for number in (1, 2) if remembered},
    )  # fmt: skip
    known = {
        found: [(one.channel, one.purpose, one.at_ms) for one in noes]
        for found, noes in partition._objections.known.items()
    }
    assert known == ({} if checks_keys else {"ab" * 16: [("email", "service", 5 * HOUR)]})
