"""The linker and the partitions behind it: whatever falls where and dies when, it comes to what one process does.

A little Kafka stands in for the brokers: a list for each partition, to which whole transactions are appended. Units
are worked in random order and thrown away at random moments, and come back from what they had committed. The reference
is the simulated runtime, which links and merges in one process.
"""

import dataclasses
import json
import random
from collections import Counter, defaultdict

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orchestrator.errors import EventError
from orchestrator.model import codec, envelopes
from orchestrator.model.catalog import Catalog
from orchestrator.model.identity import Identity
from orchestrator.model.ids import profile_id_of
from orchestrator.model.project import Purpose, Retention
from orchestrator.runtime.kafka.clock import PartitionClock, SourcedClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.linking_partition import LINKS, LinkingPartition, read_name
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.records import receipt_line
from orchestrator.runtime.kafka.resolved_partition import ResolvedPartition
from orchestrator.runtime.kafka.resolving import ResolvingPartition
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.simulated import SimulatedRuntime
from shop.crowds import KINDS as CROWD_KINDS
from shop.crowds import NOBODY, Refusing, crowd, plain_union_find

HOUR = 3_600_000
MINUTE = 60_000
START = 1_000 * HOUR
END = 1_100 * HOUR
WALL = 2_000 * HOUR
KINDS = ("customer_id", "email", "cookie")
TURNS = 3
SOURCES = 2
KEY = "a-key-that-nobody-guesses"


@dataclasses.dataclass
class Record:
    offset: int
    timestamp: int
    value: bytes
    key: bytes | None
    topic: str
    partition: int
    headers: tuple = ()


class LittleKafka:
    """Logs, and what each unit has committed: its changes, its header, its offsets."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.wall_ms = WALL
        self.logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.kept: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.headers: dict[str, Header] = {}
        self.offsets: dict[str, dict[str, int]] = defaultdict(dict)
        self.decisions: list[dict] = []
        self.actions: list[dict] = []
        self.letters: list[dict] = []
        self.units: dict[str, object] = {}
        self.read: dict[str, dict[str, int]] = {}

    def append(self, topic: str, number: int, key, value, timestamp: int, headers=()) -> None:
        log = self.logs[topic, number]
        log.append(Record(len(log), timestamp, value, key, topic, number, tuple(headers)))

    def names(self) -> list[str]:
        return [*(f"resolve-{n}" for n in range(SOURCES)), "links-0", *(f"turn-{n}" for n in range(TURNS))]

    def topics_of(self, name: str) -> list[str]:
        return {"resolve": ["events"], "links": ["links"], "turn": ["resolved", "receipts"]}[name.partition("-")[0]]

    def unit(self, name: str):
        if name not in self.units:
            self.units[name] = self._made(name)
            self.read[name] = dict(self.offsets[name])
        return self.units[name]

    def _made(self, name: str):
        kind, _, text = name.partition("-")
        number, header = int(text), self.headers.get(name, Header())
        inputs = Inputs(self.topics_of(name))
        if kind == "resolve":
            return ResolvingPartition(number, TURNS, inputs, PartitionClock(), 500, links=True)
        state = MemoryState()
        for key, record in self.kept[name].items():
            state.put(key, record)
        clock = SourcedClock(header.clock_ms, header.heard, header.logged_ms)
        sources = {str(n) for n in range(SOURCES)}
        clock.expect(sources if kind == "links" else sources | {LINKS})
        if kind == "links":
            return LinkingPartition(TURNS, inputs, state, clock, header, topic="links", most_facts=500)
        return ResolvedPartition(
            number, TURNS, inputs, state, clock, header,
            topic="resolved", most_facts=500, receipts="receipts", objections=Objections((KEY,)), links=True,
        )  # fmt: skip

    def kill(self, name: str) -> None:
        self.units.pop(name, None)

    def give_up(self, name: str) -> None:
        """Let a unit go and take it up again with its memory, as a rebalance does."""
        self.commit(name, self.unit(name))
        self.unit(name).forget_fetched()
        self.read[name] = dict(self.offsets[name])

    def work(self, name: str, most: int, *, commits: bool) -> None:
        unit, number = self.unit(name), int(name.partition("-")[2])
        for topic in self.topics_of(name):
            at = self.read[name].get(topic, 0)
            fetched = self.logs[topic, number][at : at + most]
            unit.inputs.add(topic, fetched)
            self.read[name][topic] = at + len(fetched)
        ended = {t for t in self.topics_of(name) if self.read[name].get(t, 0) == len(self.logs[t, number])}
        unit.work(self.catalog, ended, self.wall_ms)
        if isinstance(unit, ResolvingPartition) and ended and not unit.backlog:
            unit.reach_end(self.wall_ms)
            unit.work(self.catalog, ended, self.wall_ms)
        if commits:
            self.commit(name, unit)

    def commit(self, name: str, unit) -> None:
        self.apply(name, *unit.take_outgoing())

    def apply(self, name: str, outgoing: Outgoing, header: Header) -> None:
        """Let what a transaction carries be seen."""
        for key, changed in outgoing.changes.items():
            if changed is None:
                self.kept[name].pop(key, None)
            else:
                self.kept[name][key] = changed
        self.headers[name] = header
        self.offsets[name] |= outgoing.offsets
        for number, forwards in outgoing.forwards.items():
            for key, value, timestamp, headers in forwards:
                self.append("resolved", number, key, value, timestamp, headers)
        for key, value, timestamp, headers in outgoing.links:
            self.append("links", 0, key, value, timestamp, headers)
        self.decisions += [json.loads(line) for _, line in outgoing.decisions]
        own = int(name.partition("-")[2])
        for number, lines in [(own, outgoing.actions), *outgoing.elsewhere.items()]:
            self.actions += [{**json.loads(line), "partition": number} for _, line in lines]
        self.letters += [json.loads(line) for _, line in outgoing.dead_letters]

    def work_all(self, dice: random.Random, kills: float, most: int = 9) -> None:
        """Work every unit once, in any order; some die before they commit, some are given up after it."""
        for name in dice.sample(self.names(), len(self.names())):
            if dice.random() < kills:
                self.work(name, dice.randint(1, most), commits=False)
                self.kill(name)
            elif dice.random() < kills:
                self.give_up(name)
            self.work(name, dice.randint(1, most) if kills else 500, commits=dice.random() < 0.8 or not kills)

    def settle(self, dice: random.Random, kills: float = 0.0) -> None:
        """Work every unit until nothing moves any more, and the wall clock's end is told to all."""
        quiet, calm_ms = 0, self.wall_ms + 100  # who dies again and again has ever more to read, and never ends
        while quiet < 6:
            before = sum(map(len, self.logs.values()))
            self.work_all(dice, kills if self.wall_ms < calm_ms else 0.0)
            behind = any(
                self.read[name].get(topic, 0) < len(self.logs[topic, int(name.partition("-")[2])])
                for name in self.names() if name in self.read for topic in self.topics_of(name)
            )  # fmt: skip
            quiet = 0 if behind or sum(map(len, self.logs.values())) != before else quiet + 1
            self.wall_ms += 1
        for name in self.names():
            self.commit(name, self.unit(name))


def event_line(number: int, at_ms: int, event: dict) -> bytes:
    who = {kind: value for kind, value in event.items() if kind in ("email", "cookie")}
    customer = {"customer_id": event["customer_id"]} if "customer_id" in event else {}
    return json.dumps(
        {"id": f"e{number}", "type": event["type"], "time": at_ms, "identifiers": who, "properties": {}, **customer}
    ).encode()


def linking(catalog: Catalog, kinds: tuple[str, ...] = KINDS, **rules) -> Catalog:
    """Let the project of these tests link."""
    identity = Identity(kinds=kinds, **rules)
    return Catalog(dataclasses.replace(catalog.project, identifiers=kinds, identity=identity), catalog.current)


def simulated(catalog: Catalog, lines: list[tuple[int, bytes]]) -> SimulatedRuntime:
    runtime = SimulatedRuntime(catalog, 0)
    for at_ms, line in lines:
        try:
            runtime.receive(envelopes.read(line, at_ms))
        except EventError:
            continue
    runtime.run_until(WALL)
    return runtime


def told(decisions) -> Counter:
    return Counter((one["at"], one["profile_id"], one["journey"], one["verdict"], one["reason"]) for one in decisions)


def told_by(runtime: SimulatedRuntime) -> Counter:
    decisions = [decision for happened in runtime.history for decision in happened.turned.decisions]
    return Counter((one.at, one.profile_id, one.journey, str(one.verdict), str(one.reason)) for one in decisions)


@st.composite
def streams(draw):
    value = st.integers(1, 4)
    who = st.fixed_dictionaries(
        {},
        optional={
            "customer_id": value.map("c{}".format),
            "email": value.map("m{}@shop.example".format),
            "cookie": value.map("k{}".format),
        },
    ).filter(bool)
    events = draw(st.lists(st.tuples(who, st.sampled_from(["cart_updated", "order_placed", "x"])), max_size=25))
    return [{**who, "type": kind} for who, kind in events]


@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(streams(), st.integers(0, 10_000), st.sampled_from([KINDS, KINDS[:2]]))
def test_behind_any_partitions_and_over_any_crashes_it_comes_to_what_one_process_decides(catalog, events, seed, kinds):
    dice = random.Random(seed)
    catalog = linking(catalog, kinds, limits={"customer_id": 1, "email": 2})
    lines = [
        (START + number * 20 * MINUTE, event_line(number, START + number * 20 * MINUTE, event))
        for number, event in enumerate(events)
    ]
    kafka = LittleKafka(catalog)
    for at_ms, line in lines:
        kafka.append("events", dice.randrange(SOURCES), None, line, at_ms)
    # Behind the last record it would be the wall clock that passes: so each source ends when nothing waits any more.
    for number in range(SOURCES):
        lines.append((END, event_line(-1 - number, END, {"type": "x", "customer_id": f"end{number}"})))
        kafka.append("events", number, None, lines[-1][1], END)
    kafka.settle(dice, kills=0.2)
    runtime = simulated(catalog, lines)
    assert told(kafka.decisions) == told_by(runtime)
    states = {
        who: record for n in range(TURNS) for who, record in kafka.kept[f"turn-{n}"].items() if who[0] != "@"
    }  # fmt: skip
    assert {who: codec.decode(record) for who, record in states.items()} == {
        who: codec.decode(record) for who, record in runtime.records().items()
    }
    assert [key for n in range(TURNS) for key in kafka.kept[f"turn-{n}"] if key[0] == "@"] == []


FREE = {"limit": 10_000, "limits": {}}
STRICT = {"limit": 6, "limits": {"customer_id": 1}}


# Without limits no order is better than another, and many an event comes late.
@pytest.mark.parametrize(("limits", "seed"), [(STRICT, 7), (FREE, 7), (FREE, 8)])
def test_a_crowd_all_over_the_partitions_is_whom_a_plain_union_find_says_it_is_over_any_crashes(catalog, limits, seed):
    dice, sightings = random.Random(seed), crowd(900, seed, people=200)
    kafka = LittleKafka(linking(catalog, kinds=CROWD_KINDS, never={"email": frozenset({NOBODY})}, **limits))
    sightings = [each for each in sightings for _ in range(dice.choice([1, 1, 1, 2]))]
    records = []
    for at, each in enumerate(sightings):
        line = json.dumps(each.event(dice.choice(["cart_updated", "order_placed", "x"]), START + at * 1_000)).encode()
        records.append((START + at * 1_000, line))
    moments = [at_ms for at_ms, _ in records]
    if limits is FREE:
        dice.shuffle(moments)
    for at_ms, (_, line) in zip(moments, records, strict=True):
        kafka.append("events", dice.randrange(SOURCES), None, line, at_ms)
    for number in range(SOURCES):
        end = event_line(-1 - number, END, {"type": "x", "customer_id": f"end{number}"})
        kafka.append("events", number, None, end, END)
    for _ in range(60):
        kafka.work_all(dice, kills=0.2, most=60)
    kafka.settle(dice)
    reference = Refusing(**limits)
    expected = reference.told(sightings)
    clusters = {frozenset(profile_id_of(*name) for name in cluster) for cluster in reference.all()}
    assert set(clusters_of(kafka).values()) == clusters
    everybody_has_one_life(kafka)
    if limits is FREE:
        assert reference.all() == plain_union_find(each.names for each in sightings)
    else:
        said = [one for one in kafka.decisions if one["verdict"] == "not_merged"]
        assert Counter((one["cause"], one["saw"]["kind"], one["reason"]) for one in said) == expected
        assert {reason for _, _, reason in expected} == {"never", "kind_limit", "profile_limit"}


def clusters_of(kafka) -> dict[str, frozenset[str]]:
    """Read from the graph who is whose, by root."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, record in kafka.kept["links-0"].items():
        found[read_name(record)[0]].add(name)
    return {root: frozenset(names) for root, names in found.items()}


def everybody_has_one_life(kafka) -> None:
    """Look whether everybody who was linked has one record, under their root, with all their names and no others."""
    kept = {who: record for n in range(TURNS) for who, record in kafka.kept[f"turn-{n}"].items()}
    profiles = {who: codec.decode(record).profile for who, record in kept.items()}
    rules = Identity(CROWD_KINDS)
    named = {who: frozenset(rules.names_of(each.customer_id, each.identifiers)) for who, each in profiles.items()}
    assert {who: names for who, names in named.items() if len(names) > 1} == clusters_of(kafka)
    assert sum(map(len, named.values())) == len(frozenset().union(*named.values()))


# Among these are some in which a crash comes while an event that is late waits for a life.
@pytest.mark.parametrize("seed", [6, 11, 26, 30, 40, 58, 1, 2, 3])
def test_while_all_is_live_and_events_come_late_each_is_taken_once_over_any_crashes(catalog, seed):
    dice = random.Random(seed)
    kafka = LittleKafka(linking(catalog, limits={"customer_id": 1}))
    carts = set()
    for number in range(25):
        who = {"customer_id": f"c{dice.randrange(9)}"} if dice.random() < 0.5 else {}
        if dice.random() < 0.6 or not who:
            who["cookie"] = f"k{dice.randrange(12)}"
        kind = dice.choice(["cart_updated", "x"])
        carts |= {f"e{number}"} if kind == "cart_updated" else set()
        kafka.wall_ms += 300
        at_ms = kafka.wall_ms - dice.randrange(900)
        line = event_line(number, at_ms, {**who, "type": kind})
        kafka.append("events", dice.randrange(SOURCES), None, line, at_ms)
        for name in dice.sample(kafka.names(), 4):
            kafka.work(name, 9, commits=dice.random() < 0.8)
            if dice.random() < 0.4:
                kafka.kill(name)
    kafka.settle(dice, kills=0.2)
    asked = Counter(one["cause"] for one in kafka.decisions if one["verdict"] in ("entered", "not_entered"))
    assert asked == Counter(carts)
    kept = {key for n in range(TURNS) for key in kafka.kept[f"turn-{n}"]}
    assert not kept & {one["saw"]["profile"] for one in kafka.decisions if one["verdict"] == "merged"}
    assert [key for key in kept if key[0] == "@"] == []


def test_whoever_waits_for_a_life_holds_up_nobody_else_and_their_timers_keep_their_instants(catalog):
    kafka = LittleKafka(linking(catalog))
    [ana, *others] = [f"c{n}" for n in range(60) if turn_of(f"c{n}") == 0]
    visitor = next(f"k{n}" for n in range(60) if turn_of(f"k{n}", "cookie") == 1)
    lines = [
        (START, {"type": "cart_updated", "customer_id": ana}),
        (START, {"type": "cart_updated", "cookie": visitor}),
        (START + MINUTE, {"type": "x", "customer_id": ana, "cookie": visitor}),
        (START + 90 * MINUTE, {"type": "cart_updated", "customer_id": ana, "cookie": visitor}),
        *((START + 2 * HOUR, {"type": "cart_updated", "customer_id": each}) for each in others),
        *((END, {"type": "x", "customer_id": f"end{number}"}) for number in range(SOURCES)),
    ]
    written = [(at_ms, event_line(number, at_ms, event)) for number, (at_ms, event) in enumerate(lines)]
    for number, (at_ms, line) in enumerate(written):
        kafka.append("events", number % SOURCES, None, line, at_ms)
    for _ in range(9):
        for name in (*(f"resolve-{n}" for n in range(SOURCES)), "links-0", "turn-0", "turn-2"):  # turn-1 is down
            kafka.work(name, 500, commits=True)
    entered = {one["profile_id"] for one in kafka.decisions if one["verdict"] == "entered"}
    assert {profile_id_of("customer_id", each) for each in others} <= entered
    assert "merged" not in {one["verdict"] for one in kafka.decisions}
    kafka.kill("turn-0")
    kafka.settle(random.Random(6))
    assert told(kafka.decisions) == told_by(simulated(kafka.catalog, written))


def turn_of(value: str, kind: str = "customer_id") -> int:
    """Tell which partition of the turns somebody belongs to."""
    return partition_of(profile_id_of(kind, value).encode(), TURNS)


def test_an_order_right_behind_a_login_does_not_overtake_it_though_it_names_a_customer_id_alone(catalog):
    kafka = LittleKafka(linking(catalog))
    kafka.wall_ms = START
    happen(kafka, [{"type": "cart_updated", "cookie": "k1"}])
    happened = [{"type": "x", "cookie": "k1", "customer_id": "ana"}, {"type": "order_placed", "customer_id": "ana"}]
    for number, event in enumerate(happened, 5):
        kafka.append("events", 0, None, event_line(number, START + number, event), START + number)
    kafka.wall_ms += 100
    for name in ("resolve-0", *(f"turn-{n}" for n in range(TURNS))):  # the linker is behind
        kafka.work(name, 500, commits=True)
    kafka.settle(random.Random(3))
    assert [(one["verdict"], one["reason"]) for one in kafka.decisions][-2:] == [
        ("merged", "same_customer"),
        ("exited", "order_placed"),
    ]


def test_a_receipt_for_a_merged_visitor_follows_them(catalog):
    catalog = linking(catalog)
    kafka = LittleKafka(catalog)
    cart = event_line(1, START, {"type": "cart_updated", "cookie": "k1"})
    login = event_line(2, START + 2 * HOUR, {"type": "x", "cookie": "k1", "customer_id": "ana"})
    for at_ms, line in ((START, cart), (START + 2 * HOUR, login)):
        kafka.append("events", 0, None, line, at_ms)
    dice = random.Random(1)
    kafka.settle(dice)
    [action] = kafka.actions
    complained = envelopes.read(
        json.dumps(
            {"id": "r1", "type": "message_complained", "customer_id": "-", "time": WALL,
             "properties": {"action_id": action["id"], "channel": "email"}}
        ).encode(), WALL,
    )  # fmt: skip
    for number in range(TURNS):
        kafka.append("receipts", number, action["profile_id"].encode(), receipt_line(complained), WALL)
    kafka.settle(dice)
    [state] = [codec.decode(record) for n in range(TURNS) for record in kafka.kept[f"turn-{n}"].values()]
    assert state.profile.customer_id == "ana"
    assert [(said.channel, said.granted) for said in state.profile.consents] == [("email", False)]


def test_an_erased_customer_starts_afresh_and_the_graph_forgets_them(catalog):
    catalog = linking(catalog)
    kafka = LittleKafka(catalog)
    happened = [
        {"type": "cart_updated", "cookie": "k1", "customer_id": "ana"},
        {"type": "profile_erase_requested", "customer_id": "ana"},
        {"type": "cart_updated", "cookie": "k1"},
    ]
    for number, event in enumerate(happened):
        kafka.append("events", number % 2, None, event_line(number, START + number, event), START + number)
    kafka.settle(random.Random(2))
    [state] = [codec.decode(record) for n in range(TURNS) for record in kafka.kept[f"turn-{n}"].values()]
    assert state.profile.customer_id is None
    assert kafka.kept["links-0"] == {}
    assert [one["verdict"] for one in kafka.decisions].count("entered") == 2


def objecting(catalog: Catalog, **project) -> Catalog:
    """Let the project of these tests ask for no yes and obey a no."""
    catalog = linking(catalog)
    purposes = {"service": Purpose("service", "opt_out")}
    return Catalog(dataclasses.replace(catalog.project, purposes=purposes, **project), catalog.current)


def happen(kafka: LittleKafka, happened: list[dict], start_ms: int = START, dice: int = 2, kills: float = 0.0) -> None:
    for number, event in enumerate(happened):
        at_ms, about = start_ms + number, {"properties": event.pop("properties", {})}
        line = json.dumps({**json.loads(event_line(start_ms + number, at_ms, event)), **about}).encode()
        kafka.append("events", number % SOURCES, None, line, at_ms)
    kafka.settle(random.Random(dice), kills)


ADDRESS = "a@b.example"  # where the shop's only channel reaches everybody
NO = {"type": "consent_changed", "customer_id": "ana", "properties": {"granted": False}}


@pytest.mark.parametrize("kills", [0.0, 0.3])
def test_whoever_comes_back_under_an_address_with_an_objection_is_still_refused(catalog, kills):
    kafka = LittleKafka(objecting(catalog))
    known = {"type": "cart_updated", "email": ADDRESS, "customer_id": "ana"}
    happen(kafka, [known, dict(NO), {"type": "profile_erase_requested", "email": ADDRESS}], kills=kills)
    kept = [set(kafka.kept[f"turn-{n}"]) for n in range(TURNS)]
    assert kept[0] == kept[1] == kept[2]
    [place] = kept[0]
    assert (place.startswith("@objection/"), ADDRESS in str(kafka.kept)) == (True, False)
    kafka.decisions.clear()
    happen(kafka, [{"type": "cart_updated", "cookie": "new", "email": "A@B.example"}], START + HOUR, 3, kills)
    kafka.wall_ms += 2 * HOUR
    kafka.settle(random.Random(4))
    assert [(one["verdict"], one["reason"]) for one in kafka.decisions][-2:] == [
        ("suppressed", "no_consent"),
        ("waited", "time"),
    ]
    kafka.decisions.clear()
    happen(kafka, [{"type": "cart_updated", "customer_id": "ben", "cookie": "b"}], START + 99 * HOUR)
    kafka.wall_ms += 2 * HOUR
    kafka.settle(random.Random(5))
    assert "sent" in {one["verdict"] for one in kafka.decisions}


def test_what_left_to_a_visitor_is_taken_back_where_it_left_and_everything_of_them_forgotten(catalog):
    kafka = LittleKafka(linking(catalog))
    kafka.wall_ms = START + 2 * HOUR
    happen(kafka, [{"type": "cart_updated", "cookie": "k1"}])
    [sent] = kafka.actions
    login = {"type": "x", "cookie": "k1", "customer_id": "ana"}
    happen(kafka, [login, {"type": "profile_erase_requested", "customer_id": "ana"}], START + 2 * HOUR)
    cancels = [one for one in kafka.actions if one["kind"] == "cancel"]
    assert {one["customer_id"] for one in cancels} == {None}
    [back] = [one for one in cancels if one["data"]["action_id"] is not None]
    assert back["data"]["action_id"] == sent["id"]
    assert (back["partition"], back["profile_id"]) == (sent["partition"], sent["profile_id"])
    whole = {one["profile_id"]: one["partition"] for one in cancels if one["data"]["action_id"] is None}
    names = [profile_id_of("cookie", "k1"), profile_id_of("customer_id", "ana")]
    assert whole == {name: partition_of(name.encode(), TURNS) for name in names}


def test_who_is_forgotten_for_their_silence_is_forgotten_by_the_graph_too(catalog):
    catalog = objecting(catalog, retention=Retention(inactive_ms=50 * HOUR))
    kafka = LittleKafka(catalog)
    happen(kafka, [{"type": "cart_updated", "cookie": "k1", "email": ADDRESS, "customer_id": "ana"}, dict(NO)])
    assert kafka.kept["links-0"] == {}
    for number in range(TURNS):
        assert [key for key in kafka.kept[f"turn-{number}"] if not key.startswith("@objection/")] == []
