"""A member without a broker: a worker that cannot go on says so, and goes on behind what cannot be read."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import InvalidSessionTimeoutError
from aiokafka.structs import TopicPartition

from orchestrator.errors import StorageError
from orchestrator.runtime.kafka import membership
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.membership import Membership, wall_clock_ms
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.ownership import FencedError, Ownership
from orchestrator.runtime.kafka.resolving import ResolvingPartition
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.turning import TurnJob
from unit.runtime.kafka.conftest import hired


@pytest.fixture
def member():
    settings = KafkaSettings.of({"app_id": "shop", "resolve": False})
    job = hired(TurnJob, settings, 4, frozenset())
    member = Membership(job, SimpleNamespace(revision=3))
    member._ownership = SimpleNamespace(is_ready=True)
    return member


def test_partitions_that_wait_for_a_release_that_does_not_come_are_named_and_not_ready(
    member, partition, monkeypatch, caplog
):
    partition.revision = 5
    member._look_for_releases([partition])
    assert (member.is_ready, caplog.text) == (True, "")  # it may be on its way
    monkeypatch.setattr(membership, "READING_S", 0.0)
    member._look_for_releases([partition])
    assert not member.is_ready
    assert "partitions 0 of shop stand still: their state is of release 5 of the journeys, and 3 is" in caplog.text
    partition.revision = 3
    member._look_for_releases([partition])
    assert member.is_ready


class Consumer:
    """Logs of which some records cannot be read; what was read before one in the same go is lost, as in aiokafka."""

    def __init__(self, logs: dict[TopicPartition, list]) -> None:
        self.logs = logs
        self.at = dict.fromkeys(logs, 0)
        self._fetcher = SimpleNamespace(_records={})

    def seek(self, tp, offset):
        self.at[tp] = offset

    async def getmany(self, *tps, timeout_ms, max_records):
        found = {}
        for tp in tps:
            records = self.logs[tp][self.at[tp] : self.at[tp] + max_records]
            if None in records:
                raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
            self.at[tp] += len(records)
            if records:
                found[tp] = records
        return found


async def test_a_record_whose_headers_are_no_text_is_an_empty_one_and_nothing_beside_it_is_lost(member, record):
    logs, at_work = {}, {}
    for number, unreadable in ((0, {}), (1, {0, 3, 9}), (2, {5})):
        tp = TopicPartition("events", number)
        logs[tp] = [None if at in unreadable else record(at, 1, "x", partition=number) for at in range(10)]
        unit = SimpleNamespace(number=number, inputs=Inputs(["events"]), outgoing=SimpleNamespace(is_full=False))
        unit.is_due = lambda wall_ms: True
        unit.revision = 0
        at_work[number] = SimpleNamespace(unit=unit, fetched={"events": 0}, has_more=False)
    member._job.topics = ("events",)
    consumer, ownership = Consumer(logs), SimpleNamespace(at_work=at_work)
    for _ in range(9):
        await member._fetch(consumer, ownership)
    for number, unreadable in ((0, set()), (1, {0, 3, 9}), (2, {5})):
        taken = at_work[number].unit.inputs.take(100, {"events"}, 1)
        assert [each.offset for each in taken] == list(range(10))
        assert {each.offset for each in taken if each.value == b""} == unreadable


async def test_a_partition_that_is_far_ahead_of_a_slower_one_reads_on_when_that_has_come_closer(member, record):
    logs, at_work = {}, {}
    for number, leads in ((0, 0), (1, 4_999), (2, 5_001), (3, 5_001)):
        logs[TopicPartition("events", number)] = [record(0, 1, "x", partition=number)]
        unit = SimpleNamespace(number=number, inputs=Inputs(["events"]), outgoing=SimpleNamespace(is_full=False))
        unit.is_due, unit.revision, unit.clock = lambda wall_ms: True, 0, PartitionClock(7 + leads)
        unit.lead_over = lambda at_ms, clock=unit.clock: clock.now_ms - at_ms
        at_work[number] = SimpleNamespace(unit=unit, fetched={"events": 0}, has_more=number != 3)
    member._job.topics = ("events",)
    consumer, ownership = Consumer(logs), SimpleNamespace(at_work=at_work)
    await member._fetch(consumer, ownership)
    assert [len(each.unit.inputs) for each in at_work.values()] == [1, 1, 0, 1]
    at_work[0].unit.clock.now_ms += 1
    await member._fetch(consumer, ownership)
    assert len(at_work[2].unit.inputs) == 1


@pytest.mark.parametrize(("reassigning", "alive"), [(True, True), (False, False)])
def test_a_member_is_alive_while_brokers_keep_it_waiting_and_not_when_its_loop_stands(member, reassigning, alive):
    member.beat_at = -1e9
    assert member.is_alive  # it does not belong to the group yet
    member._consumer = SimpleNamespace(_subscription=SimpleNamespace(reassignment_in_progress=reassigning))
    assert member.is_alive is alive


async def test_what_an_open_transaction_of_others_hides_holds_timers_back_and_is_said(
    member, partition, catalog, caplog
):
    ends = {"events": 9, "receipts": 4}
    at = SimpleNamespace(events=5, receipts=4)

    async def position(tp):
        return getattr(at, tp.topic)

    def last_stable_offset(tp):
        return getattr(at, tp.topic)

    consumer = SimpleNamespace(position=position, last_stable_offset=last_stable_offset)
    member._definitions.catalog = catalog
    asked_ms = wall_clock_ms()
    incarnation = SimpleNamespace(unit=partition, first_ends=dict.fromkeys(ends, 0), promise=(asked_ms, ends))
    partition.take_up = lambda *_: None
    assert await member._work(incarnation, consumer, 1.0)
    assert (incarnation.promise, partition.clock.now_ms, caplog.messages) == ((asked_ms, ends), 0, [])
    incarnation.promise = (asked_ms - membership.HIDDEN_MS - 1, ends)
    for _ in range(2):
        await member._work(incarnation, consumer, 1.0)
    [told] = caplog.messages
    assert "no timer fires: a transaction that somebody left open hides events/0 from 5 on;" in told
    at.events = 9
    await member._work(incarnation, consumer, 1.0)
    assert (incarnation.promise, partition.clock.now_ms) == (None, asked_ms - membership.HIDDEN_MS - 1)


async def test_what_is_held_up_is_measured_though_the_loop_waits_for_brokers(member, partition, monkeypatch):
    monkeypatch.setattr(membership, "MEASURE_S", 0.0)
    metrics, measured = member._job.metrics, asyncio.Event()
    member._definitions.revision = partition.revision
    member._ownership = ownership = Ownership(member._job, SimpleNamespace())
    ownership.at_work[0] = SimpleNamespace(unit=partition)
    monkeypatch.setattr(member._job, "measure", lambda units, _: (metrics.partitions.set(len(units)), measured.set()))
    measuring = asyncio.create_task(member._keep_measuring(ownership))
    for at_work in (1, 0):
        measured.clear()
        await asyncio.wait_for(measured.wait(), 10)
        assert metrics.registry.get_sample_value("orchestrator_partitions") == at_work
        ownership.at_work.clear()
    measuring.cancel()


@pytest.mark.parametrize(("error", "ends"), [(IndexError("a bug"), False), (StorageError("newer"), True)])
async def test_what_failed_in_the_middle_of_a_turn_is_dropped_and_not_committed(
    member, partition, monkeypatch, caplog, error, ends
):
    dropped, begun = asyncio.Event(), []

    class Half:
        unit, committing, fetched, first_ends, promise, has_more = partition, None, {}, {}, None, False

        async def drop(self):
            dropped.set()

        def commit_is_due(self, interval_s, wall_ms):
            raise AssertionError("half of a turn is committed")

    async def position(tp):
        return 0

    async def getmany(*tps, **_):
        return {}

    def fail(*_):
        raise error

    consumer = SimpleNamespace(pause=lambda *_: None, position=position, last_stable_offset=lambda _: None)
    consumer.getmany = getmany
    member._job.topics = ("events",)
    member._definitions.revision, partition.is_due, partition.work = 3, lambda _: True, fail
    member._definitions.catalog, partition.take_up = None, lambda *_: None
    ownership = Ownership(member._job, consumer)
    monkeypatch.setattr(ownership, "_start", lambda number, after_s: begun.append(number) or member.stop())
    ownership.at_work[0] = Half()
    serving = member._serve(consumer, ownership)
    if ends:
        with pytest.raises(StorageError, match="newer"):
            await serving
    else:
        await serving
        assert "partition 0 of shop failed" in caplog.text
    await asyncio.wait_for(dropped.wait(), 5)
    assert (ownership.at_work, begun) == ({}, [] if ends else [0])


async def test_a_member_from_whom_everything_was_taken_is_not_ready_before_it_is_told_what_is_its_own(member):
    ownership = Ownership(member._job, SimpleNamespace(pause=lambda *_: None, seek=lambda *_: None))
    member._ownership = ownership
    assert not member.is_ready
    await ownership.on_partitions_assigned([])  # more workers than partitions
    assert member.is_ready
    await ownership.on_partitions_revoked([])
    assert not member.is_ready


async def test_what_fails_beside_the_loop_ends_the_member_and_is_heard(member, monkeypatch):
    class Asking:
        def __init__(self, *_):
            pass

        async def run(self):
            raise IndexError("nobody would ever ask for an end again")

    async def nothing():
        pass

    async def serve(*_):
        await asyncio.sleep(60)

    consumer = SimpleNamespace(subscribe=lambda *_, **__: None, start=nothing, stop=nothing)
    monkeypatch.setattr(membership, "Asking", Asking)
    monkeypatch.setattr(member, "_new_consumer", lambda: consumer)
    monkeypatch.setattr(member, "_serve", serve)
    with pytest.raises(IndexError, match="nobody would ever ask"):
        await asyncio.wait_for(member.run(), 5)


@pytest.mark.parametrize(("name", "told"), [("w1", 1), (None, 0)])
async def test_a_member_whose_name_another_one_has_says_so_when_it_is_fenced_again(monkeypatch, caplog, name, told):
    settings = KafkaSettings.of({"app_id": "shop", "resolve": False, "instance_id": name})
    member = Membership(hired(TurnJob, settings, 4, frozenset()), SimpleNamespace(revision=3))
    fenced = []

    async def be_member():
        fenced.append(1)
        if len(fenced) == 4:
            member.stop()
        said.append("INSTANCE_ID" in caplog.text)
        raise FencedError("partition 0")

    said: list[bool] = []
    monkeypatch.setattr(member, "_be_member", be_member)
    await member.run()
    assert said[:2] == [False, False]  # once is a rebalance
    assert caplog.text.count("does another one have ORCHESTRATOR_INSTANCE_ID=w1, too?") == told


async def test_a_session_that_brokers_do_not_take_ends_the_process_with_what_to_set(member, monkeypatch):
    async def be_member():
        raise InvalidSessionTimeoutError

    monkeypatch.setattr(member, "_be_member", be_member)
    with pytest.raises(StorageError, match="take no session of 8000 ms: set ORCHESTRATOR_SESSION_TIMEOUT_MS within"):
        await member.run()


@pytest.mark.parametrize("resolves", [False, True])
async def test_events_that_come_by_nearly_a_name_that_is_asked_for_are_told_once(
    member, partition, catalog, record, caplog, resolves
):
    unit = ResolvingPartition(0, 1, Inputs(["events"]), PartitionClock(), most_facts=500) if resolves else partition
    ownership = SimpleNamespace(at_work={0: SimpleNamespace(unit=unit)})
    member._definitions = SimpleNamespace(catalog=catalog, revision=1)
    member._job.measure = lambda *_: None
    for offset, name in enumerate(["page_viewed", "Cart Updated", "cart_updated", "Cart Updated"]):
        unit.inputs.add("events", [record(offset, 3_600_000 + offset, name)])
        unit.work(catalog, {"events", "receipts"}, 7_200_000)
        member._measure(ownership)
    [told] = caplog.messages
    assert (
        told == "events come by nearly a name that journeys ask for: 'Cart Updated', where they ask for 'cart_updated'"
    )
