"""The law of compiled batches: a partition with the compiled side comes to what it comes to without, in the same order.

Records are of any kind that a topic may hold: plain ones in any spelling of JSON, other envelopes, poison, ones from
the future or of another partition, receipts, none at all; transactions are as small as can be, and the clock jumps over
many timers at once. Somebody may have objected and been erased before. Only where one transaction ends and the next
begins may differ.

Seen failing with a timer that was lost where a transaction was full, with a clock that a poison record did not move,
with a time of half a second read as five, with an event that named its customer twice, with a newcomer of another
partition, and with one who came back under an address that somebody had objected under.
"""

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.catalog import Catalog
from orchestrator.model.ids import profile_id_of
from orchestrator.model.rights import Objection
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.shortcut import Shortcut
from orchestrator.runtime.kafka.state import MemoryState
from shop.compiled import needs_compiled
from shop.plain import plain_story
from shop.sayings import saying
from shop.stories import LAW, story
from shop.tales import Tale

HOUR, DAY = 3_600_000, 86_400_000
BEGIN = 20_000 * DAY
WALL = BEGIN + 40 * DAY
CUSTOMERS = ("ana", "ben", "eva", "jörg", "名")
EVENTS = ("come", "come", "come", "ordered", "ping", "pong", "viewed", "looked", "looked", "looked", "message_clicked")

pytestmark = needs_compiled


class Record:
    def __init__(self, offset, timestamp, value, key, topic="events", headers=()):
        self.offset, self.timestamp, self.value, self.key = offset, timestamp, value, key
        self.topic, self.partition, self.headers = topic, 0, headers


def written(event: dict, dice: Random) -> bytes:
    """Write an event as producers do, in one of many spellings."""
    text = json.dumps(event, ensure_ascii=dice.random() < 0.5, indent=dice.choice([None, None, None, 1]))
    odd = dice.random()
    if odd < 0.03:
        text = text[: dice.randrange(len(text))]
    elif odd < 0.05:
        text = text.replace("}", ',"customer_id":"ben"}', 1)
    elif odd < 0.06:
        text = text.replace('"n"', '"\\ud800"')
    elif odd < 0.07:
        text += dice.choice([" ", "\n", "x", "{}"])
    raw = text.encode()
    return raw.replace(b"shelf", b"sh\xfflf") if dice.random() < 0.02 else raw


def time_of(at_ms: int, dice: Random) -> object:
    seconds, rest = divmod(at_ms, 1000)
    hours, minutes = divmod(seconds % 86_400 // 60, 60)
    day = f"2024-{seconds // 86_400 % 12 + 1:02d}-{seconds // 86_400 % 31 + 1:02d}"  # of some months there is none
    clock = f"T{hours:02d}:{minutes:02d}:{seconds % 60:02d}"
    spelt = [
        at_ms, at_ms, at_ms, f"{day}{clock}Z", f"{day}{clock}.{rest:03d}Z", f"{day}{clock}.5+02:00", f"{day}{clock}",
        f"{day}{clock}.{rest:03d}500Z", f"{day} {clock[1:]}Z", float(at_ms), -5, "noon", None, 10**15,
    ]  # fmt: skip
    return dice.choice(spelt) if dice.random() < 0.4 else at_ms


def event_of(number: int, at_ms: int, dice: Random) -> tuple[str, dict]:
    who = dice.choice(CUSTOMERS)
    properties = {
        "k": dice.choice([1, 1.0, "1", "2", "", None, 2.5, True, 10**17]),
        "n": dice.choice([0, 1, 2, 3, 4.0]),
    }
    event = {"id": f"e{number}", "type": dice.choice(EVENTS), "customer_id": who, "time": time_of(at_ms, dice)}
    if dice.random() < 0.2:
        event["type"], properties = saying(dice)
    if dice.random() < 0.9:
        event["properties"] = properties | {"deep": [{"shelf": [1, -2.5e3, "ä", {}]}, []]}
    for name, value in (
        ("channel", dice.choice(["sms", None])), ("identifiers", dice.choice([{}, {}, {"cookie": "k1"}])),
        ("specversion", None), ("extra", {"a": [1, 2, {"b": None}]}), ("properties", dice.choice([None, [], "x", {}])),
        ("id", dice.choice(["", "e1", 7])), ("decoded", None), ("traits", {"x": 1}),
    ):  # fmt: skip
        if dice.random() < 0.04:
            event[name] = value
    if dice.random() < 0.05:
        event.pop(dice.choice(list(event)))
    return who, event


def records_of(seed: int, count: int) -> list[Record]:
    dice = Random(f"{seed} records")
    at_ms, records = BEGIN, []
    for number, who in enumerate(CUSTOMERS[:-1]):
        about = {
            "email": f"{who}@shop.example",
            "device_token": f"t-{who}",
            "timezone": dice.choice([None, "Asia/Tokyo"]),
        }
        told = {"id": f"p{number}", "type": "profile_updated", "customer_id": who, "properties": about}
        agreed = {"id": f"c{number}", "type": "consent_changed", "customer_id": who, "properties": {"granted": True}}
        records += [Record(0, at_ms, json.dumps(each).encode(), who.encode()) for each in (told, agreed)]
    for number in range(count):
        at_ms += dice.choice([0, 1, 60_000, 600_000, HOUR, 5 * HOUR, DAY])
        who, event = event_of(number, at_ms, dice)
        stamp = at_ms if dice.random() < 0.9 else dice.choice([at_ms - HOUR, WALL + HOUR, 0])
        key = who.encode() if dice.random() < 0.99 else None
        records.append(Record(0, stamp, written(event, dice), key))
        if dice.random() < 0.03:
            about = {"id": f"r{number}", "type": "message_delivered", "properties": {}}
            receipt = json.dumps(about).encode()
            records.append(Record(0, at_ms, receipt, profile_id_of("customer_id", who).encode(), "receipts"))
        if dice.random() < 0.02:
            records.append(Record(0, at_ms, None, who.encode()))
    for offset, record in enumerate(records):
        record.offset = offset
    return records


def objected(address: str) -> Objections:
    """Remember the no of somebody who was erased."""
    objections = Objections(("k" * 16,))
    for place, said in objections.hashed({address: [Objection("email", "marketing", BEGIN)]}).items():
        objections.keep(place, said)
    return objections


def partition_of(catalog: Catalog, most_facts: int, *, is_compiled: bool, seed: int = 0) -> Partition:
    inputs = Inputs(["events", "receipts"])
    partition = Partition(
        0, 2 if seed % 5 == 4 else 1, inputs, MemoryState(), PartitionClock(0), Header(),
        checks_keys=seed % 11 != 10, most_facts=most_facts, receipts="receipts",
        objections=objected("a@b.example") if seed % 2 == 1 else None,
    )  # fmt: skip
    if not is_compiled:
        partition._shortcut.take_up = lambda catalog: None
    partition.take_up(catalog, 1)
    return partition


def came_of(partition: Partition, catalog: Catalog, records: list[Record], dice: Random) -> dict[str, object]:
    """Work through records in batches, transaction by transaction, and give all that anybody can see of it."""
    decisions, actions, letters, facts, size, at = [], [], [], 0, 0, 0
    offsets: dict[str, int] = {}
    while at < len(records):
        batch = records[at : at + dice.randrange(1, 40)]
        at += len(batch)
        for topic in ("events", "receipts"):
            partition.inputs.add(topic, [record for record in batch if record.topic == topic])
        if dice.random() < 0.2:  # the inputs are at their end, and the wall clock passes
            partition.reach_end(partition.clock.now_ms + dice.choice([0, 60_000, HOUR, DAY]))
        while partition.has_work:
            partition.work(catalog, {"events", "receipts"}, WALL)
            out, header = partition.take_outgoing()
            decisions += out.decisions
            actions += out.actions
            letters += out.dead_letters
            offsets |= out.offsets
            facts, size = facts + out.facts, size + sum(len(line) for _, line in out.decisions)
            assert len(out.decisions) < 100 * (partition.outgoing.most_facts + 1)
    tally = partition.tally
    return {
        "decisions": decisions, "actions": actions, "letters": letters, "offsets": offsets, "facts": (facts, size),
        "state": sorted(partition.state), "timers": (partition.waiting, partition._timers.next_ms),
        "clock": (header.clock_ms, header.entries),
        "events": dict(tally.events), "asked": dict(tally.actions), "decided": dict(tally.decisions),
        "buried": dict(tally.dead_letters), "lateness": tally.lateness_ms,
    }  # fmt: skip


def shop_of(seed: int) -> Catalog:
    """Publish a shop with one journey of the plain kind, with any journeys, or one that asks for the past."""
    if seed % 3 == 0:
        return Tale(seed).catalogs()[0]
    told = plain_story(seed, 10) if seed % 3 == 1 else story(seed, 1 + seed % 2, 10)
    return Catalog(told.project, told.journeys)


@LAW
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 7, 500]))
def test_a_partition_comes_to_the_same_with_the_compiled_side_and_without(seed, most_facts):
    records = records_of(seed, 120)
    came = []
    for is_compiled in (True, False):
        catalog = shop_of(seed)
        partition = partition_of(catalog, most_facts, is_compiled=is_compiled, seed=seed)
        came.append(came_of(partition, catalog, records, Random(seed)))
    compiled, without = came
    for what, found in without.items():
        assert compiled[what] == found


def test_most_records_of_plain_journeys_never_come_to_python(monkeypatch):
    passed, ran = 0, Shortcut.run

    def counted(shortcut, records, at, *more):
        nonlocal passed
        end, now_ms = ran(shortcut, records, at, *more)
        passed += end - at
        return end, now_ms

    monkeypatch.setattr(Shortcut, "run", counted)
    count = 0
    for seed in range(40):
        told, records = plain_story(seed, 10), records_of(seed, 200)
        catalog = Catalog(told.project, told.journeys)
        came_of(partition_of(catalog, 500, is_compiled=True), catalog, records, Random(seed))
        count += len(records)
    assert passed > count / 4
