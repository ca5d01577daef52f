"""Retention: who is silent for too long is erased, in every runtime; old decisions and keys go."""

import json

import pytest

from orchestrator.language import Loaded, compile_sources
from orchestrator.model import codec, instants
from orchestrator.model.event import Event
from orchestrator.model.ids import profile_id_of
from orchestrator.runtime import versions
from orchestrator.runtime.embedded import RunOptions, run_events
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.turns import Records, Turns
from orchestrator.runtime.simulated import SimulatedRuntime
from orchestrator.storage import MemoryStore, SqliteStore

DAY_MS = instants.DAY_MS
ANA, BEN = profile_id_of("customer_id", "ana"), profile_id_of("customer_id", "ben")
PROJECT = "project: shop\npurposes: {service: {consent: none}}\n"
JOURNEY = """\
journey: hello
version: 1
status: live
purpose: service
enter: {event: came, key: cart, again: once}
steps: [{id: stay, wait: 1d}]
"""


def project(retention: str) -> Loaded:
    return compile_sources({"orchestrator.yaml": f"{PROJECT}retention: {retention}\n", "a.journey.yaml": JOURNEY})


def line(name: str, day: float, who: str, **properties: object) -> bytes:
    about = {"id": f"{name}-{who}-{day}", "time": int(day * DAY_MS), "customer_id": who, "properties": properties}
    return json.dumps({"type": name, **about}).encode()


# Ana comes once; Ben is seen now and then, by an event that no journey asks for.
STREAM = [
    line("came", 1, "ana", cart="a"),
    line("came", 1, "ben", cart="b"),
    line("viewed", 60, "ben"),
    line("message_delivered", 90, "ana"),
    line("viewed", 140, "ben"),
]


@pytest.fixture
def run(tmp_path):
    def run(loaded: Loaded, lines: list[bytes], until_day: float) -> SqliteStore:
        events = tmp_path / "events.jsonl"
        events.write_bytes(b"".join(one + b"\n" for one in lines))
        until_ms = int(until_day * DAY_MS)
        files = {"state": tmp_path / "s.db", "actions": tmp_path / "actions"}
        run_events(loaded, RunOptions(events=[str(events)], until_ms=until_ms, **files))
        return SqliteStore(tmp_path / "s.db")

    return run


@pytest.mark.parametrize(("until_day", "known"), [(100.9, {ANA, BEN}), (101, {BEN}), (239.9, {BEN}), (240, set())])
def test_who_gives_no_sign_of_life_for_so_long_is_erased_by_run(run, until_day, known):
    # What a provider reports is none of Ana's doing.
    stream = [one for one in STREAM if json.loads(one)["time"] <= until_day * DAY_MS]
    with run(project("{inactive: 100d}"), stream, until_day) as store:
        assert {name for name, _ in store.records()} == known
        assert {name for name in (ANA, BEN) if list(store.decisions_of(name))} == known


def test_a_life_of_long_ago_that_turns_out_to_be_theirs_takes_nobody_with_it(run):
    linking = PROJECT + "identity: {identifiers: [customer_id, cookie]}\nretention: {inactive: 100d}\n"
    loaded = compile_sources({"orchestrator.yaml": linking, "a.journey.yaml": JOURNEY})
    before = {"id": "e1", "type": "came", "time": DAY_MS, "identifiers": {"cookie": "k"}, "properties": {"cart": "a"}}
    # Told by the contact centre, it is no sign of life itself.
    told = {
        "id": "e3",
        "type": "case_opened",
        "time": 95 * DAY_MS,
        "customer_id": "ana",
        "identifiers": {"cookie": "k"},
    }
    stream = [json.dumps(before).encode(), line("came", 90, "ana", cart="b"), json.dumps(told).encode()]
    with run(loaded, stream, 189) as store:
        assert [name for name, _ in store.records()] == [ANA]
    with run(loaded, stream, 190) as store:
        assert list(store.records()) == []


def test_who_comes_back_after_that_begins_anew(run):
    with run(project("{inactive: 100d}"), [*STREAM, line("came", 150, "ana", cart="a")], 150) as store:
        record = store.read(ANA)
        assert record is not None
        assert [entry.journey for entry in codec.decode(record).entries] == ["hello"]


def test_serve_erases_them_before_it_takes_the_next_event():
    store = MemoryStore()
    turns = Turns(versions.take_up(project("{inactive: 100d}"), store).catalog, store, Metrics(), 0)
    turns.work([Records(STREAM[:1], "test")], DAY_MS)
    turns.work([], 101 * DAY_MS - 1)
    assert store.read(ANA) is not None
    turns.work([Records([line("viewed", 102, "ben")], "test")], 101 * DAY_MS + 1)
    assert store.read(ANA) is None
    assert list(store.decisions_of(ANA)) == []


def test_a_worker_leaves_a_tombstone_of_them():
    catalog = project("{inactive: 100d}").catalog
    inputs = Inputs(["events"])
    partition = Partition(0, 1, inputs, MemoryState(), PartitionClock(), Header(), checks_keys=False, most_facts=1_000)
    partition.take_up(catalog, 1)

    class Record:
        topic, partition, key, headers = "events", 0, b"k", ()

        def __init__(self, offset: int, value: bytes) -> None:
            self.offset, self.value, self.timestamp = offset, value, int(json.loads(value)["time"])

    inputs.add("events", [Record(offset, value) for offset, value in enumerate(STREAM)])
    partition.work(catalog, set(), 200 * DAY_MS)
    assert partition.state.get(ANA) is None
    assert partition.state.get(BEN) is not None
    outgoing, header = partition.take_outgoing()
    assert outgoing.changes[ANA] is None
    assert header.entries == {}


def test_a_sign_of_life_is_noted_once_a_day():
    catalog = project("{inactive: 100d}").catalog
    runtime = SimulatedRuntime(catalog, 0)
    written = [
        runtime.receive(Event(f"e{hour}", "came" if not hour else "viewed", hour * instants.HOUR_MS, "ana", decoded={}))
        for hour in range(49)
    ]
    assert [hour for hour, turned in enumerate(written) if turned.record is not None] == [0, 24, 48]
    assert runtime.next_settling_ms() > 1 << 60  # what is kept for so long holds up no example
    runtime.run_until(103 * DAY_MS)
    assert runtime.record_of(ANA) is None


def test_old_decisions_are_dropped_and_the_profile_stays(run):
    stream = [line("came", 1, "ana", cart="a"), line("came", 50, "ana", cart="b")]
    with run(project("{decisions: 30d}"), stream, 60) as store:
        days = {json.loads(one)["at"][:10] for one in store.decisions_of(ANA)}
        assert days == {"1970-02-20", "1970-02-21"}
        assert store.read(ANA) is not None


def test_keys_are_forgotten_so_that_a_cart_of_long_ago_may_come_again():
    catalog = project("{keys: 30d}").catalog
    runtime = SimulatedRuntime(catalog, 0)
    for number, (day, cart) in enumerate([(0, "a"), (10, "b"), (20, "a"), (40, "c"), (50, "a")]):
        runtime.receive(Event(f"e{number}", "came", day * DAY_MS, "ana", decoded={"cart": cart}))
    told = [each.reason for happened in runtime.history for each in happened.turned.decisions if each.step is None]
    assert [reason for reason in told if reason != "completed"] == ["event", "event", "not_again", "event", "event"]
