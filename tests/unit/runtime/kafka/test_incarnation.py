"""Where an incarnation begins to read, without a broker."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from orchestrator.runtime.kafka import group_offsets, incarnation
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.incarnation import Incarnation
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.ownership import Ownership
from orchestrator.runtime.kafka.resolving import ResolveJob, ResolvingPartition
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.kafka.turning import TurnJob
from orchestrator.runtime.kafka.unit import Unit
from unit.runtime.kafka.conftest import hired

FIRST, END = 3, 90
RESTORED = 0


class Consumer:
    """A group's offsets, and topics that all reach from FIRST to END."""

    def __init__(self, count: int, committed: dict[int, OffsetAndMetadata], newer: int | None = None) -> None:
        self.count = count
        self.newer = newer
        self.asked: dict[TopicPartition, int] = {}
        self.committed = committed
        self.sought: dict[TopicPartition, int] = {}
        self._coordinator = self

    def partitions_for_topic(self, topic):
        return set(range(self.count))

    async def offsets_for_times(self, times):
        self.asked |= times
        return dict.fromkeys(times, None if self.newer is None else SimpleNamespace(offset=self.newer))

    async def beginning_offsets(self, tps):
        return dict.fromkeys(tps, FIRST)

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, END)

    def seek(self, tp, offset):
        self.sought[tp] = offset


@pytest.fixture(autouse=True)
def offsets(monkeypatch):
    """Answer what the group has committed; the changelog ends where it was restored to."""

    async def committed(consumer, tps, *, is_stable=True):
        assert is_stable == (len(tps) == 1)  # others commit all the time
        return {tp: consumer.committed[tp.partition] for tp in tps if tp.partition in consumer.committed}

    async def end_of(settings, changelog):
        return RESTORED

    monkeypatch.setattr(group_offsets, "committed", committed)
    monkeypatch.setattr(incarnation, "end_of", end_of)


class Writer:
    """A producer that remembers the offsets of its transactions."""

    def __init__(self) -> None:
        self.offsets = {}

    async def begin(self):
        pass

    async def send(self, topic, partition, lines):
        return []

    forward = send

    async def add_offsets(self, offsets, group_id):
        self.offsets |= offsets

    async def end(self):
        pass


async def began(number: int, count: int, committed: dict[int, OffsetAndMetadata]) -> tuple[int, dict]:
    settings = KafkaSettings.of({"app_id": "shop", "start": "latest"})
    job = hired(ResolveJob, settings, 4, {"events": count})
    unit = ResolvingPartition(number, 4, Inputs(["events"]), PartitionClock(), 500)
    writer, consumer = Writer(), Consumer(count, committed)
    await Incarnation(job, unit, writer, 0)._seek(consumer)
    events = TopicPartition("events", number)
    return consumer.sought[events], writer.offsets.get(events)


def at(offset: int, note: str = "4") -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, note)


@pytest.mark.parametrize("others", [{}, {0: at(50), 1: at(60)}])
async def test_a_new_group_starts_where_it_is_told_whoever_of_it_was_first(others):
    assert await began(2, 4, others) == (END, (END, "4"))


async def test_a_partition_that_was_added_is_read_from_its_beginning():
    before = {number: at(50) for number in range(4)}
    assert await began(5, 6, before) == (FIRST, (FIRST, "6"))
    # Of several that were added together, whoever of them was first.
    assert await began(5, 6, {**before, 4: at(10, "6")}) == (FIRST, (FIRST, "6"))
    # And again, beside what was added before.
    assert await began(7, 8, {**before, 4: at(10, "6"), 5: at(9, "6")}) == (FIRST, (FIRST, "8"))


async def test_who_goes_on_does_so_from_its_own_place_and_keeps_its_note():
    assert await began(2, 6, {2: at(50)}) == (50, None)


async def test_where_an_older_release_noted_nothing_a_partition_starts_as_in_a_new_group():
    assert await began(5, 6, {number: at(50, "") for number in range(4)}) == (END, (END, "6"))


async def test_a_partition_that_no_member_knows_yet_tells_no_clock():
    settings = KafkaSettings.of({"app_id": "shop"})
    job = hired(ResolveJob, settings, 4, {"events": 4})
    with pytest.raises(LookupError, match="partition 4 was added"):
        await job.remember(4, None)


@pytest.mark.parametrize(
    ("left", "found", "metric", "count", "told"),
    [
        (1, FIRST, "records_lost", 2, "events/0 begins at 3 by now, and the next record to read was 1"),
        (500, END, "logs_made_anew", 1, "events/0 ends at 90, and all before 500 was processed"),
    ],
)
async def test_where_the_log_does_not_reach_any_more_its_nearest_offset_is_committed_at_once_and_that_is_counted(
    caplog, left, found, metric, count, told
):
    settings, metrics = KafkaSettings.of({"app_id": "shop"}), Metrics()
    job = hired(ResolveJob, settings, 4, {"events": 4}, metrics=metrics)
    unit, consumer = ResolvingPartition(0, 4, Inputs(["events"]), PartitionClock(), 500), Consumer(4, {0: at(left)})
    await Incarnation(job, unit, Writer(), 0)._seek(consumer)
    assert (consumer.sought, unit.outgoing.offsets) == ({TopicPartition("events", 0): found}, {"events": found})
    assert metrics.registry.get_sample_value(f"orchestrator_{metric}_total", {"topic": "events"}) == count
    [complaint] = caplog.messages
    assert told in complaint


# Made anew after it was read to CLOCK: all in it is newer, or nothing is in it yet, or the group's offsets expired.
CLOCK = 1_000
READ = {"events": 50, "receipts": 40}


async def _turned(
    newer: int | None, committed: dict, recorded: dict, restored: int = RESTORED
) -> tuple[Consumer, Unit, Metrics]:
    """Let an incarnation of the turns without resolve find its places; `newer` is the first record after the clock."""
    settings, metrics = KafkaSettings.of({"app_id": "shop", "resolve": False, "start": "latest"}), Metrics()
    job = hired(TurnJob, settings, 4, frozenset(), metrics=metrics)
    unit = job._partition(0, MemoryState(), Header(CLOCK, offsets=recorded))
    consumer = Consumer(4, committed, newer)
    await Incarnation(job, unit, Writer(), restored)._seek(consumer)
    return consumer, unit, metrics


@pytest.mark.parametrize(("newer", "found"), [(FIRST, FIRST), (None, 50), (70, 50), (20, 20)])
async def test_in_events_that_were_made_anew_all_that_is_newer_than_what_is_known_is_read(caplog, newer, found):
    consumer, unit, metrics = await _turned(newer, {}, READ)
    events, receipts = TopicPartition("events", 0), TopicPartition("receipts", 0)
    assert (consumer.sought, consumer.asked) == ({events: found, receipts: 40}, {events: CLOCK + 1})
    assert unit.outgoing.offsets == ({} if found == 50 else {"events": found})
    is_anew = metrics.registry.get_sample_value("orchestrator_logs_made_anew_total", {"topic": "events"})
    assert (is_anew, len(caplog.messages)) == ((0, 0) if found == 50 else (1, 1))


async def test_events_that_were_made_anew_under_a_running_worker_are_read_from_their_beginning():
    settings, events = KafkaSettings.of({"app_id": "shop", "start": "latest"}), TopicPartition("events", 0)
    job = hired(ResolveJob, settings, 4, {"events": 4})
    for committed, found in (({}, END), ({0: at(95)}, END), ({}, FIRST)):  # brokers forget the offset with the topic
        consumer = Consumer(4, committed)
        unit = ResolvingPartition(0, 4, Inputs(["events"]), PartitionClock(), 500)
        await Incarnation(job, unit, Writer(), 0)._seek(consumer)
        assert consumer.sought == {events: found}


async def test_a_worker_that_finds_nothing_in_its_changelog_though_the_group_has_offsets_says_so(caplog):
    _, _, metrics = await _turned(None, {0: at(60)}, {})
    changelog = {"topic": "shop-turn-changelog"}
    assert metrics.registry.get_sample_value("orchestrator_logs_made_anew_total", changelog) == 1
    [complaint] = caplog.messages
    assert "who was known is forgotten, unless those were set before the first start" in complaint
    for committed, restored in (({}, RESTORED), ({0: at(60)}, 7)):  # a new group; another worker has begun meanwhile
        _, _, metrics = await _turned(None, committed, {}, restored)
        assert metrics.registry.get_sample_value("orchestrator_logs_made_anew_total", changelog) is None


async def test_what_a_changelog_held_that_was_made_anew_is_written_again(monkeypatch, caplog):
    settings, metrics = KafkaSettings.of({"app_id": "shop", "resolve": False}), Metrics()
    job, state = hired(TurnJob, settings, 4, frozenset(), metrics=metrics), MemoryState()
    for number in range(7):
        state.put(f"c{number}", bytes(9) + b"%d" % number)
    unit = job._partition(0, state, Header(CLOCK, offsets=READ))
    unit.outgoing.most_facts = 3
    written, ends = [], iter([600, 5, 11, 17, 23])

    async def commit(writer, outgoing, *_):
        written.append(sorted(outgoing.changes))
        unit.outgoing.most_facts = 3
        return next(ends)

    monkeypatch.setattr(incarnation, "commit", commit)
    at_work = Incarnation(job, unit, Writer(), 500)
    for _ in range(2):
        unit.outgoing.changes["c9"] = None
        await at_work.commit()
    assert written == [["c9"], ["c9"]]
    assert "is not what it was: it was made anew while it was in use; what is known is written again" in caplog.text
    monkeypatch.setattr(incarnation, "IDLE_COMMIT_S", 0.0)
    monkeypatch.setattr(incarnation, "pace_s", lambda *_: 0.0)
    state.drop("c5")
    while at_work.commit_is_due(0.0, 0):
        await at_work.commit()
    assert written[2:] == [["c0", "c1", "c2"], ["c3", "c4", "c6"], []]


class Stubborn(Writer):
    """A producer that cannot be let go of without an error."""

    async def open(self):
        pass

    async def discard(self):
        raise asyncio.CancelledError


@pytest.mark.parametrize("error", [asyncio.CancelledError, ZeroDivisionError])
async def test_the_files_of_a_beginning_that_comes_to_nothing_are_closed_whatever_its_producer_does(monkeypatch, error):
    closed = []
    unit = SimpleNamespace(number=0, close=lambda: closed.append(unit))

    async def remember(number, kept):
        return unit, 0

    async def begins(self, consumer):
        raise error

    monkeypatch.setattr(incarnation, "Writer", lambda *_: Stubborn())
    monkeypatch.setattr(Incarnation, "_seek", begins)
    job = SimpleNamespace(settings=None, group_id="shop", remember=remember)
    with pytest.raises(asyncio.CancelledError):
        await Incarnation.begin(job, 0, None, Consumer(4, {}))
    with pytest.raises(asyncio.CancelledError):
        await Incarnation(job, unit, Stubborn(), 0).drop()
    assert closed == [unit, unit]


async def test_a_producer_is_let_go_of_though_what_it_was_doing_is_cancelled_with_it(monkeypatch):
    writer = incarnation.Writer(KafkaSettings.of({"app_id": "shop"}), "shop-0")

    async def close():
        raise asyncio.CancelledError

    monkeypatch.setattr(writer._producer._sender, "close", close)
    await writer.discard()


async def test_whoever_is_cancelled_while_letting_go_drops_what_is_left():
    dropped = []

    class Leaving:
        unit = SimpleNamespace(number=0)

        async def let_go(self):
            raise asyncio.CancelledError

        async def drop(self):
            dropped.append(self)

    ownership = Ownership(SimpleNamespace(), Consumer(4, {}))
    ownership.at_work[0] = leaving = Leaving()
    with pytest.raises(asyncio.CancelledError):
        await ownership.on_partitions_revoked([])
    assert dropped == [leaving]
