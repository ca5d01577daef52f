"""The contract of the runtimes: the same events come to the same actions and decisions, whatever drives the turns.

Each is driven in process, as what hosts it would: the embedded runtime from a file, in memory and on SQLite; the
simulated one; a partition of the Kafka runtime by its log, and one behind resolve by its sources' clocks. That the same
comes of it on a real broker, over kills and rebalances, is for the tests of integration.
"""

import dataclasses
import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings

from orchestrator.language import load
from orchestrator.model import envelopes, instants
from orchestrator.model.catalog import PROFILE_EVENTS, RECEIPTS, Catalog
from orchestrator.model.event import Event
from orchestrator.runtime.embedded.outputs import Outputs
from orchestrator.runtime.embedded.processing import Processor
from orchestrator.runtime.embedded.reading import Inputs as Files
from orchestrator.runtime.embedded.reading import Sorting
from orchestrator.runtime.kafka.clock import PartitionClock, SourcedClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.resolved import CLOCK_KEY, Tick, encode_tick
from orchestrator.runtime.kafka.resolved_partition import ResolvedPartition
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.simulated import SimulatedRuntime
from orchestrator.runtime.turn import IGNORED, Turned, profile_of
from orchestrator.storage import MemoryStore, SqliteStore
from shop import Customer, exits, journey, send, wait
from shop.lengths import ms
from shop.stories import LAW, Story, moments, stories, story

JOURNEYS = Path(__file__).parents[2] / "journeys"
START = instants.parse("2026-03-02T08:00:00Z")
_encode = msgspec.json.Encoder().encode

# An event as it was written, and its instant.
Written = tuple[int, bytes]
# The lines of actions and of decisions, sorted.
Outcome = tuple[list[bytes], list[bytes]]


@dataclasses.dataclass
class Record:
    """What aiokafka gives for one record, as far as the runtime looks at it."""

    offset: int
    timestamp: int
    value: bytes
    key: bytes | None = None
    topic: str = "events"
    partition: int = 0
    headers: tuple = ()


def embedded(make_store: Callable[[Path], MemoryStore | SqliteStore]):
    def run(catalog: Catalog, events: Sequence[Written], folder: Path) -> Outcome:
        source, actions, decisions = (folder / name for name in ("events.jsonl", "actions.jsonl", "decisions.jsonl"))
        source.write_bytes(b"".join(raw + b"\n" for _, raw in events))
        actions.unlink(missing_ok=True)
        decisions.unlink(missing_ok=True)
        targets = {"actions": str(actions), "decisions": str(decisions)}
        with make_store(folder) as store:
            outputs = Outputs(store, list(targets.values()), io.BytesIO(), durable=False)
            inputs = Files([str(source)], in_order=True, store=None)
            processor = Processor(
                catalog,
                store,
                outputs,
                targets,
                keeps_decisions=False,
                report=lambda _processor, _feed: None,
                newer=lambda: None,
            )
            processor.settle()
            for feed in inputs.feeds(lambda: events[-1][0], Sorting(1 << 20, lambda _feed: None)):
                processor.run(feed)
            processor.finish()
            outputs.close()
            inputs.close()
        return sorted(actions.read_bytes().splitlines()), sorted(decisions.read_bytes().splitlines())

    return run


def simulated(catalog: Catalog, events: Sequence[Written], folder: Path) -> Outcome:
    runtime = SimulatedRuntime(catalog, 0)
    for at_ms, raw in events:
        runtime.receive(envelopes.read(raw, at_ms))
    turns = [happened.turned for happened in runtime.history]
    return _lines(
        [action for each in turns for action in each.actions], [one for each in turns for one in each.decisions]
    )


def partition(catalog: Catalog, events: Sequence[Written], folder: Path) -> Outcome:
    unit = Partition(
        0, 1, Inputs(["events"]), MemoryState(), PartitionClock(), Header(), checks_keys=False, most_facts=7
    )
    records = [Record(number, at_ms, raw) for number, (at_ms, raw) in enumerate(events)]
    return _worked(unit, catalog, {"events": records}, events[-1][0] + 1)


def with_receipts(catalog: Catalog, events: Sequence[Written], folder: Path) -> Outcome:
    """Put what is about a message into the receipts topic, under the profile that it left to."""
    unit = Partition(
        0,
        1,
        Inputs(["events", "receipts"]),
        MemoryState(),
        PartitionClock(),
        Header(),
        checks_keys=False,
        most_facts=7,
        receipts="receipts",
    )
    log: dict[str, list[Record]] = {"events": [], "receipts": []}
    for at_ms, raw in events:
        event = envelopes.read(raw, at_ms)
        topic = "receipts" if event.type in RECEIPTS else "events"
        key = profile_of(catalog.project, event).encode()
        log[topic].append(Record(len(log[topic]), at_ms, raw, key, topic))
    return _worked(unit, catalog, log, events[-1][0] + 1)


def behind_resolve(catalog: Catalog, events: Sequence[Written], folder: Path) -> Outcome:
    """Two sources, one of which is behind; what it holds comes last in the log."""
    clock = SourcedClock()
    clock.expect(["0", "1"])
    unit = ResolvedPartition(0, 1, Inputs(["events"]), MemoryState(), clock, Header(), topic="events", most_facts=7)
    dice, end_ms = random.Random(len(events)), events[-1][0]
    sources: tuple[list[Written], list[Written]] = ([], [])
    for written in events:
        sources[dice.randrange(2)].append(written)
    log: list[Record] = []
    for number, source in enumerate(sources):
        log += [Record(0, at_ms, raw) for at_ms, raw in source]
        log.append(Record(0, end_ms, encode_tick(Tick(str(number), end_ms)), CLOCK_KEY))
    for offset, record in enumerate(log):
        record.offset = offset
    return _worked(unit, catalog, {"events": log}, end_ms + 1)


def _worked(unit: Partition, catalog: Catalog, log: dict[str, list[Record]], wall_ms: int) -> Outcome:
    """Let a partition work in small transactions."""
    unit.take_up(catalog, 1)
    for topic, records in log.items():
        unit.inputs.add(topic, records)
    actions, decisions = [], []
    while unit.has_work:
        unit.work(catalog, log.keys(), wall_ms)
        outgoing, _ = unit.take_outgoing()
        actions += [line for _, line in outgoing.actions]
        decisions += [line for _, line in outgoing.decisions]
    return sorted(actions), sorted(decisions)


def _lines(actions: list, decisions: list) -> Outcome:
    return sorted(map(_encode, actions)), sorted(map(_encode, decisions))


OTHERS = {
    "embedded, memory": embedded(lambda _folder: MemoryStore()),
    "embedded, sqlite": embedded(lambda folder: SqliteStore(folder / "state.db")),
    "kafka, resolve off": partition,
    "kafka, receipts in a topic of their own": with_receipts,
    "kafka, resolve on": behind_resolve,
}


def the_end(at_ms: int) -> Written:
    """Write an event that nobody asks for, to let everything fire that is due before."""
    return at_ms, b'{"id": "end", "type": "the_end", "customer_id": "nobody", "time": %d}' % at_ms


def a_month_of_the_shop(catalog: Catalog, seed: int) -> list[Written]:
    """Let a few customers do whatever the shop's journeys ask about, at instants of their own."""
    dice = random.Random(seed)
    # Who is erased leaves no story to compare.
    asked = set[str]().union(*(journey.asks for journey in catalog.current))
    types = sorted(asked - RECEIPTS - PROFILE_EVENTS - {"profile_erase_requested"})
    customers = [f"c{number}" for number in range(12)]
    events: list[Written] = []

    def write(at_ms: int, event_type: str, customer: str, properties: dict) -> None:
        about = {"id": f"e{len(events)}", "time": at_ms, "type": event_type, "customer_id": customer}
        events.append((at_ms, json.dumps({**about, "properties": properties}).encode()))

    at_ms = START
    for number, customer in enumerate(customers):
        about = {"email": f"{customer}@shop.example", "device_token": f"t-{number}", "phone": f"+3460000{number:04d}"}
        write(at_ms + number, "profile_updated", customer, {**about, "birth_date": f"1990-03-{number + 3:02d}"})
    for number, customer in enumerate(customers):
        agreed = {"granted": dice.random() < 0.8, "confirmed": True}
        write(at_ms + 100 + number, "consent_changed", customer, agreed)
    for _ in range(500):
        at_ms += dice.randrange(1, ms("2h"))
        cart, price = f"k{dice.randrange(3)}", round(dice.uniform(5, 150), 2)
        product = {"product": f"p{dice.randrange(5)}", "sku": f"p{dice.randrange(5)}", "price": price, "old_price": 99}
        ids = {"cart_id": cart, "order_id": f"o{dice.randrange(9)}", "score": dice.randrange(11)}
        items = [{"sku": "p1", "name": "Lamp", "quantity": 1, "price": price}]
        write(at_ms, dice.choice(types), dice.choice(customers), {**product, **ids, "total": price, "items": items})
    return [*events, the_end(at_ms + ms("3d"))]


@pytest.fixture(scope="module")
def shop_catalog() -> Catalog:
    return load(JOURNEYS).catalog


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_shops_journeys_come_to_the_same_everywhere(shop_catalog, tmp_path, other, seed):
    events = a_month_of_the_shop(shop_catalog, seed)
    expected = simulated(shop_catalog, events, tmp_path)
    assert len(expected[0]) > 20
    assert len({json.loads(line)["journey"] for line in expected[1]}) > 5
    assert OTHERS[other](shop_catalog, events, tmp_path) == expected


class Heard(Customer):
    """A customer of whom a turn hears what somebody asks for, as in every runtime: most receipts end before it."""

    def take(self, event: Event) -> Turned:
        return super().take(event) if event.type in self.catalog.wanted else IGNORED


def assert_comes_to_the_same_everywhere(customer: Heard, folder: Path) -> None:
    """Give every runtime what a customer did, and a month in which nothing happens."""
    events = [*customer.wrote, the_end(customer.wrote[-1][0] + ms("30d") + 1)]
    expected = _lines(customer.actions, customer.decisions)
    for name, other in {"simulated": simulated, **OTHERS}.items():
        assert other(customer.catalog, events, folder) == expected, name


@pytest.mark.parametrize(("is_read", "kinds"), [(False, ["message", "cancel"]), (True, ["message"])])
def test_what_a_receipt_changes_depends_on_whether_a_journey_reads_receipts_everywhere(tmp_path, is_read, kinds):
    flow = journey(
        send("remind", "hello", "email"), wait("calm", "9d"), exits=[exits("order_placed")], reads_receipts=is_read
    )
    customer = Heard(flow)
    customer.does("cart_updated")
    customer.does("message_opened", "5m", action_id=customer.actions[0].id)
    customer.does("order_placed", "1h")
    assert [action.kind for action in customer.actions] == kinds
    assert_comes_to_the_same_everywhere(customer, tmp_path)


@settings(LAW, max_examples=15)
@given(story=stories())
@example(story=story(35170410, 3, 24))  # opened, of which nobody hears: taken back
def test_random_journeys_come_to_the_same_everywhere(tmp_path_factory, story: Story):
    customer = story.customer(made=Heard)
    for _ in moments(story, customer):
        pass
    assert_comes_to_the_same_everywhere(customer, tmp_path_factory.mktemp("story"))
