"""A journey built by hand and records as Kafka hands them over, for the tests of the Kafka runtime.

Must never read YAML: what is tested here begins behind the language.
"""

import json
from dataclasses import dataclass, field

import pytest

from orchestrator.model.catalog import Catalog
from orchestrator.model.expression import Expression
from orchestrator.model.journey import Again, ExitRule, Journey, Send, Trigger, Wait
from orchestrator.model.project import Channel, Message, Project, Purpose
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.places import Places
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.kafka.topics import Topics

HOUR = 3_600_000
MOST_FACTS = 500


def hired(job, settings: KafkaSettings, *about, metrics: Metrics | None = None):
    """Make a job as a worker does, `about` so many partitions and such sources, with places of its own."""
    metrics = metrics or Metrics()
    return job(settings, Topics.of(settings), *about, metrics, Places(settings, metrics))


@dataclass
class Record:
    """What aiokafka gives for one record, as far as the runtime looks at it."""

    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None
    topic: str = "events"
    partition: int = 0
    headers: tuple = field(default=())


def _record(offset: int, at_ms: int, event_type: str, customer: str = "ana", **more) -> Record:
    event = {"id": f"e{offset}", "type": event_type, "customer_id": customer, "time": at_ms}
    return Record(offset, at_ms, json.dumps(event).encode(), customer.encode(), **more)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Remind of a cart that is left for an hour, and forget it a day later; an order ends it."""
    enter = Trigger(frozenset({"cart_updated"}))
    bought = ExitRule(Trigger(frozenset({"order_placed"})))
    journey = Journey(
        id="abandoned-cart",
        version=1,
        first="settle",
        steps={
            "settle": Wait(id="settle", next="remind", after_ms=HOUR),
            "remind": Send(id="remind", next="rest", message="cart-reminder", channels=("email",), purpose="service"),
            "rest": Wait(id="rest", after_ms=23 * HOUR),
        },
        enter=(enter,),
        exits=(bought,),
        again=Again("after_exit"),
        purpose="service",
        status="live",
        enters_by_event={"cart_updated": (enter,)},
        exits_by_event={"order_placed": (bought,)},
    )
    project = Project(
        "shop",
        channels={"email": Channel("email", Expression("'a@b.example'", lambda scope: "a@b.example"), 1)},
        purposes={"service": Purpose("service", "none")},
        messages={"cart-reminder": Message("cart-reminder", ("email",), languages=("en",))},
    )
    return Catalog(project, [journey])


@pytest.fixture
def partition() -> Partition:
    """Partition 0 of one, which checks no keys."""
    return Partition(
        0, 1, Inputs(["events"]), MemoryState(), PartitionClock(), Header(), checks_keys=False, most_facts=MOST_FACTS
    )


@pytest.fixture
def record():
    """Return a maker of records: offset, time, event type, customer."""
    return _record
