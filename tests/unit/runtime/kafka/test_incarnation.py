"""Where an incarnation begins to read, without a broker."""

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.incarnation import Incarnation
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.resolving import ResolveJob, ResolvingPartition
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics

FIRST, END = 3, 90


class Consumer:
    """A group's offsets, and topics that all reach from FIRST to END."""

    def __init__(self, count: int, committed: dict[int, OffsetAndMetadata]) -> None:
        self.count = count
        self.committed = committed
        self.sought: dict[TopicPartition, int] = {}
        self._coordinator = self

    def partitions_for_topic(self, topic):
        return set(range(self.count))

    async def fetch_committed_offsets(self, tps):
        nothing = OffsetAndMetadata(-1, "")
        return {tp: self.committed.get(tp.partition, nothing) for tp in tps}

    async def beginning_offsets(self, tps):
        return dict.fromkeys(tps, FIRST)

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, END)

    def seek(self, tp, offset):
        self.sought[tp] = offset


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
    job = ResolveJob(settings, Topics.of(settings), 4, {"events": count}, Metrics())
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
    job = ResolveJob(settings, Topics.of(settings), 4, {"events": 4}, Metrics())
    with pytest.raises(LookupError, match="partition 4 was added"):
        await job.remember(4, None)


@pytest.mark.parametrize(("left", "found"), [(1, FIRST), (500, END)])
async def test_where_the_log_does_not_reach_any_more_its_nearest_offset_is_committed_at_once(left, found):
    settings = KafkaSettings.of({"app_id": "shop"})
    job = ResolveJob(settings, Topics.of(settings), 4, {"events": 4}, Metrics())
    unit, consumer = ResolvingPartition(0, 4, Inputs(["events"]), PartitionClock(), 500), Consumer(4, {0: at(left)})
    await Incarnation(job, unit, Writer(), 0)._seek(consumer)
    assert (consumer.sought, unit.outgoing.offsets) == ({TopicPartition("events", 0): found}, {"events": found})
