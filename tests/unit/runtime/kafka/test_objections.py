"""What a partition remembers of people who were erased, where a journey writes the address that they objected under."""

import dataclasses
import json

import pytest

from orchestrator.model.catalog import Catalog
from orchestrator.model.project import Channel, Purpose
from orchestrator.model.rights import Objection
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.state import MemoryState
from shop import const, journey, on, send, set_to, trait

HOUR = 3_600_000


@pytest.mark.parametrize(("written", "reason"), [("Ana@x.example", "no_consent"), ("ben@x.example", "allowed")])
def test_a_no_holds_for_whoever_a_journey_gives_the_address(catalog, record, written, reason):
    take, tip = set_to("take", email=const(written)), send("tip", "cart-reminder", "email", purpose="service")
    project = dataclasses.replace(
        catalog.project,
        channels={"email": Channel("email", trait("email"))},
        purposes={"service": Purpose("service", "opt_out")},
    )
    remembered = Objections(("k" * 16,))
    for place, told in remembered.hashed({"ana@x.example": [Objection("email", "service", HOUR)]}).items():
        remembered.keep(place, told)
    partition = Partition(
        0, 1, Inputs(["events"]), MemoryState(), PartitionClock(), Header(),
        checks_keys=False, most_facts=500, objections=remembered,
    )  # fmt: skip
    partition.inputs.add("events", [record(0, 2 * HOUR, "form")])
    partition.work(Catalog(project, [journey(take, tip, id="form", enter=on("form"))]), {"events"}, 100 * HOUR)
    decided = [json.loads(line) for _, line in partition.outgoing.decisions]
    assert [one["reason"] for one in decided if one["step"] == "tip"] == [reason]
