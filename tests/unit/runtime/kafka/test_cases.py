"""Cases in one partition: whose they are, what is asked of them, and that they go with their customer."""

import dataclasses
import json

import pytest

from orchestrator.language import compile_sources
from orchestrator.model import codec, ids
from orchestrator.model.casework import CaseFile
from orchestrator.model.catalog import WRITTEN
from orchestrator.model.event import Event
from orchestrator.runtime.kafka import cases
from orchestrator.runtime.kafka.cases import ASKED, MOST_BYTES, PLACE, TASK, place_of, read_file
from orchestrator.runtime.kafka.clock import PartitionClock, SourcedClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.records import receipt_line
from orchestrator.runtime.kafka.resolved import KIND_HEADER, MOVE, WAIT, Move, Wait, encode
from orchestrator.runtime.kafka.resolved_partition import ResolvedPartition
from orchestrator.runtime.kafka.state import MemoryState

HOUR, DAY = 3_600_000, 86_400_000
WALL = 1_000 * HOUR
ANA = ids.profile_id_of("customer_id", "ana")
HANDS_OVER = """
journey: unhappy
version: 1
purpose: service
status: live
enter: {event: comment_left, again: always}
steps: [{id: to-care, handoff: {to: care, reason: angry, until: closed}}]
"""
SOURCES = {
    "orchestrator.yaml": "project: shop\nchannels: {push: {address: profile.token}}\n"
    "purposes: {service: {consent: none}}\nteams: {care: {}}\n",
    "unhappy.journey.yaml": HANDS_OVER,
}


@pytest.fixture(scope="module")
def handing_over():
    return compile_sources(SOURCES).catalog


def begun(state=None) -> Partition:
    inputs = Inputs(["events", "receipts"])
    return Partition(
        0, 1, inputs, state if state is not None else MemoryState(), PartitionClock(), Header(),
        checks_keys=False, most_facts=500, receipts="receipts", keeps_cases_ms=DAY,
    )  # fmt: skip


class Office:
    """A partition, and who asks it: each record is an hour's tenth later than the one before."""

    def __init__(self, catalog, record, partition=None):
        self.catalog, self._record, self.partition = catalog, record, partition or begun()
        self.at_ms, self._count = 100 * HOUR, 0

    def take(self, topic, value, key=ANA, headers=()):
        self._count += 1
        made = self._record(self._count, self.at_ms, "x", topic=topic, headers=headers)
        made = dataclasses.replace(made, value=value, key=key.encode())
        self.partition.inputs.add(topic, [made])
        self.partition.work(self.catalog, {"events", "receipts"}, WALL)

    def happens(self, event_type, customer="ana", **properties):
        event = {"type": event_type, "customer_id": customer, "properties": properties}
        self.take("events", json.dumps({"id": f"e{self._count}", **event}).encode(), customer)

    def tell(self, event_type, **properties):
        self.take("receipts", receipt_line(Event(f"r{self._count}", event_type, self.at_ms, decoded=properties)))

    def ask(self, verb, agent="eva", once=None, case=None, **said):
        """Ask for something; give the reason for which it was turned down, None when it was done."""
        asking, case = f"a{self._count}", case or self.case.id
        claim_ms = said.pop("claim_ms", HOUR // 2)
        ask = {"case_id": case, "verb": verb, "agent": agent, "once": once or asking, **said}
        self.tell(ASKED, asking=asking, ask=ask, claim_ms=claim_ms)
        return next((each.reason for each in self.case.turned_down if each.asking == asking), None)

    @property
    def files(self) -> list[CaseFile]:
        return [read_file(record) for name, record in self.partition.state if name.startswith(PLACE)]

    @property
    def case(self) -> CaseFile:
        [file] = self.files
        return file

    @property
    def reasons(self):
        return [json.loads(line)["reason"] for _, line in self.partition.outgoing.decisions]


@pytest.fixture
def office(handing_over, record):
    office = Office(handing_over, record)
    office.happens("profile_updated", token="t-ana", first_name="planted-name")
    office.happens("comment_left", text="planted-comment")
    return office


def test_of_two_who_claim_the_second_is_turned_down_until_the_claim_lapses(office):
    assert (office.ask("claim", once="1"), office.ask("claim", "tom")) == (None, "taken")
    assert office.ask("claim", once="1") is None  # the same asking once more
    assert [line.what for line in office.case.lines] == ["claimed"]
    office.at_ms += HOUR // 2
    assert (office.ask("claim", "tom", claim_ms=HOUR), office.case.agent) == (None, "tom")
    office.at_ms += HOUR - 1
    assert office.ask("close", outcome="solved") == "taken"
    assert [(each, what) for each, what, _ in office.partition.tally.took] == [("care", "claim")]


def test_an_answer_and_a_closing_are_turns_of_the_customer_in_the_same_transaction(office):
    office.ask("claim")
    assert office.ask("answer", text="Lo siento", once="1") is None
    assert office.ask("answer", text="Lo siento", once="1") is None
    [answer] = [json.loads(line) for _, line in office.partition.outgoing.actions if b'"answer"' in line]
    assert (answer["to"], answer["data"]["answer"]["text"]) == ("t-ana", "Lo siento")
    office.tell("message_delivered", action_id=answer["id"])
    office.happens("message_received", text="Gracias", channel="push")
    assert office.ask("close", outcome="solved") is None
    lines = [(line.what, line.who, line.status) for line in office.case.lines]
    assert lines[1:] == [("answer", "eva", "delivered"), ("customer", "customer", None), ("closed", "eva", None)]
    assert office.reasons[-3:] == ["case_closed", "answered", "completed"]
    assert (office.ask("note", text="x"), office.ask("claim", case="nobody's")) == ("closed", None)


def test_what_comes_to_nothing_is_turned_down_with_its_reason(office):
    assert office.ask("answer", text="x") == "unclaimed"
    office.ask("claim")
    assert (office.ask("close"), office.ask("note", text=" ")) == ("no_outcome", "empty")
    assert office.ask("answer", text="\u200b", channel="fax") is None  # on record as unreachable
    assert office.case.lines[-1].status == "unreachable"
    office.take(
        "receipts",
        b'{"id": "1", "type": "case_asked", "time": 1, "properties": {"asking": "1", "ask": {"verb": "eat"}}}',
    )
    assert [json.loads(line)["reason"] for _, line in office.partition.outgoing.dead_letters] == ["not_a_case"]


def test_a_claim_that_lapsed_is_not_taken_again_by_what_is_turned_down(office):
    office.ask("claim")
    office.at_ms += HOUR
    assert (office.ask("close"), office.ask("answer", text=" ")) == ("no_outcome", "empty")
    assert office.ask("claim", "tom") is None  # nobody holds it


def test_who_takes_the_partition_over_goes_on_where_it_stood(office, handing_over, record):
    office.ask("claim")
    again = Office(handing_over, record, begun(office.partition.state))
    again.at_ms, again._count = office.at_ms, 50
    assert (again.ask("claim", "tom"), again.ask("close", outcome="solved")) == ("taken", None)


def test_nothing_is_left_of_whoever_is_erased(office):
    office.ask("note", text="planted-note")
    office.tell(TASK, id="call-1", kind="call", profile_id="whoever", team="care", opened_ms=1, summary="planted-task")
    places = [name for name, _ in office.partition.state if name.startswith(PLACE)]
    assert (len(places), places[1]) == (2, place_of(ANA, "call-1"))
    office.happens("profile_erase_requested")
    assert list(office.partition.state) == []
    assert [office.partition.outgoing.changes[place] for place in places] == [None, None]
    office.happens("comment_left", text="again")  # who comes back has a case of their own
    assert [line.what for line in office.case.lines] == []


def test_a_closed_case_is_forgotten_when_its_time_has_come(office):
    office.ask("claim")
    office.ask("close", outcome="solved")
    office.at_ms += DAY
    office.happens("seen")
    assert len(office.files) == 1
    office.at_ms += 1
    office.happens("seen")
    assert office.files == []
    assert [value for place, value in office.partition.outgoing.changes.items() if place.startswith(PLACE)] == [None]


def test_a_case_that_grows_too_large_loses_its_oldest_lines(office):
    for number in range(80):
        office.ask("note", text=f"{number}" + "x" * 9_900)
        office.partition.take_outgoing()
    [kept] = [record for name, record in office.partition.state if name.startswith(PLACE)]
    assert len(kept) < MOST_BYTES + 100
    assert office.case.lines[-1].text.startswith("79x")


def test_an_event_of_a_producer_asks_for_nothing(office):
    ask = {"case_id": office.case.id, "verb": "claim", "agent": "eva", "once": "1"}
    office.happens(ASKED, asking="1", ask=ask)
    assert office.case.agent is None


def test_cases_go_with_their_customer_who_is_another_one_now(handing_over, record):
    clock = SourcedClock(0, {})
    clock.expect(["0"])
    clock.hear("0", WALL, True)
    unit = ResolvedPartition(0, 1, Inputs(["events", "receipts"]), MemoryState(), clock, Header(),
                             topic="events", most_facts=500, receipts="receipts", links=True)  # fmt: skip
    office = Office(handing_over, record, unit)
    office.at_ms = WALL
    ben = ids.profile_id_of("customer_id", "ben")
    for name, profile_id in (("ana", ANA), ("ben", ben)):
        event = {"id": name, "type": "comment_left", "customer_id": name, "properties": {"text": name}}
        event |= {"customer_id": None, "identifiers": {"cookie": name}} if name == "ana" else {}
        office.take("events", json.dumps(event).encode(), profile_id)
    case = next(file.id for file in office.files if file.profile_id == ANA)
    office.tell(ASKED, asking="1", ask={"case_id": case, "verb": "claim", "agent": "eva", "once": "1"})
    office.take("events", encode(Move("link", ben)), ANA, ((KIND_HEADER, MOVE),))
    office.take("events", encode(Wait("link", [ANA], "e", "ben", [])), ben, ((KIND_HEADER, WAIT),))
    for key, value, _, headers in unit.outgoing.forwards[0]:
        office.take("events", value, key.decode(), tuple(headers))
    assert {(file.profile_id, file.customer_id) for file in office.files} == {(ben, "ben")}
    moved = next(file for file in office.files if file.id == case)
    assert (len(office.files), moved.agent, moved.lines[0].what) == (2, "eva", "claimed")
    assert [name for name, _ in unit.state if name.startswith("@") and not name.startswith(PLACE)] == []
    assert {case.id for case in codec.decode(unit.state.get(ben)).cases} == {file.id for file in office.files}
    office.take("receipts", receipt_line(Event("r", "case_closed", WALL, decoded={"case_id": case})), ben)
    assert next(file for file in office.files if file.id == case).closed_ms == WALL


def test_of_a_customer_whose_cases_nobody_closes_the_oldest_go(office, monkeypatch):
    monkeypatch.setattr(cases, "MOST_CASES", 2)
    for number in range(3):
        office.happens("case_opened", case_id=f"theirs-{number}")
    assert sorted(file.id for file in office.files) == ["theirs-1", "theirs-2"]


def test_what_opens_a_case_stands_in_it_once_and_what_cannot_be_read_changes_nothing(office, record):
    [before] = office.files
    written = {"unhappy.journey.yaml": HANDS_OVER.replace("comment_left", WRITTEN)}
    office.catalog = compile_sources(SOURCES | written).catalog
    office.happens("message_received", text="Horrible", channel="push")
    first, second = sorted(office.files, key=lambda file: file.id != before.id)
    assert ([line.text for line in first.lines], second.lines) == (["Horrible"], [])
    changes = dict(office.partition.outgoing.changes)
    deep = b'{"a":' * 200 + b"1" + b"}" * 200
    office.take(
        "events", b'{"id": "d", "type": "%s", "customer_id": "ana", "properties": %s}' % (WRITTEN.encode(), deep)
    )
    assert [json.loads(line)["reason"] for _, line in office.partition.outgoing.dead_letters] == ["bad_properties"]
    assert office.partition.outgoing.changes == changes
