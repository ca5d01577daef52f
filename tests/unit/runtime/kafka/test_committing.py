"""How far delivery commits in the actions: never over one that is still in hand, whatever is acknowledged first."""

import asyncio
import gc
from types import SimpleNamespace

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator

from orchestrator.runtime.kafka import app
from orchestrator.runtime.kafka.settings import KafkaSettings

TOPIC = "actions"


class Hosted:
    """The application that feeds a part, with the consumer that it would read with."""

    def __init__(self) -> None:
        self.service = SimpleNamespace(part=self)
        self.application = app._application(self.service, KafkaSettings.of({"app_id": "shop"}), TOPIC, "shop-deliver")
        self.application.finalize()
        self.application.topics._acking_topics.add(TOPIC)
        (self.agent,) = self.application.agents.values()
        nobody = self.take
        self.consumer = self.application.transport.create_consumer(
            callback=nobody, on_partitions_revoked=nobody, on_partitions_assigned=nobody
        )
        self.refuses: set[int] = set()
        self.refusal = RuntimeError("no")
        self.all_acked = asyncio.Event()

    @property
    def tp(self):
        from faust.types import TP

        return TP(TOPIC, 0)

    def hand_out(self, offset: int):
        from faust.types.tuples import ConsumerMessage

        generation = self.application.consumer_generation_id
        message = ConsumerMessage(TOPIC, 0, offset, 0.0, 0, (), None, b"{}", None, tp=self.tp, generation_id=generation)
        self.consumer.track_message(message)
        return message

    def committable(self) -> int | None:
        """Tell up to where it would commit now, and do it."""
        found = self.consumer._filter_committable_offsets([self.tp])
        self.consumer._committed_offset.update(found)
        return found.get(self.tp)

    # The part

    async def take(self, taken: app.Taken) -> None:
        if taken.offset in self.refuses:
            raise self.refusal

    async def assigned(self, partitions: list[int]) -> None:
        pass

    async def revoked(self, partitions: list[int]) -> None:
        pass

    # The stream of an agent

    def noack(self):
        return self

    async def events(self):
        for offset in range(10, 13):
            message = self.hand_out(offset)
            yield SimpleNamespace(message=message, ack=lambda message=message: self._ack(message))
            del message

    def _ack(self, message) -> None:
        self.consumer.ack(message)
        if message.offset == 12:
            self.all_acked.set()


@pytest.fixture
async def hosted(monkeypatch) -> Hosted:
    # Put back afterwards: the application changes it for its whole process.
    monkeypatch.setattr(GroupCoordinator, "_do_fetch_commit_offsets", GroupCoordinator._do_fetch_commit_offsets)
    return Hosted()


@pytest.mark.parametrize("committed", [None, 0, 10])
async def test_no_commit_passes_over_an_action_that_is_still_in_hand(hosted, committed):
    hosted.consumer._committed_offset[hosted.tp] = committed
    first = committed or 0
    earlier, later, last = (hosted.hand_out(first + number) for number in range(3))
    hosted.consumer.ack(later)
    assert hosted.committable() is None
    hosted.consumer.ack(earlier)
    assert hosted.committable() == first + 2
    hosted.consumer.ack(last)
    assert hosted.committable() == first + 3
    assert hosted.committable() is None


async def test_no_commit_passes_over_the_first_action_behind_the_mark_of_a_transaction(hosted):
    before = hosted.hand_out(10)
    hosted.consumer.ack(before)
    assert hosted.committable() == 11
    # As Faust tells of it when 14 comes behind 10.
    await hosted.consumer._add_gap(hosted.tp, 11, 14)
    first, second = hosted.hand_out(14), hosted.hand_out(15)
    hosted.consumer.ack(second)
    assert hosted.committable() is None
    hosted.consumer.ack(first)
    assert hosted.committable() == 16


async def test_what_was_in_hand_when_the_group_met_is_handed_out_again_and_counts_then(hosted):
    before = [hosted.hand_out(offset) for offset in (10, 11)]
    hosted.application.consumer_generation_id += 1
    hosted.consumer.ack(before[1])
    assert hosted.committable() is None
    after = [hosted.hand_out(offset) for offset in (10, 11)]
    hosted.consumer.ack(after[0])
    assert hosted.committable() == 11
    hosted.consumer.ack(before[0])
    assert hosted.committable() is None
    hosted.consumer.ack(after[1])
    assert hosted.committable() == 12


async def test_an_action_that_could_not_be_taken_in_holds_up_commits_until_its_partition_goes(hosted):
    hosted.refuses = {11}
    await hosted.agent.fun(hosted)
    await hosted.all_acked.wait()
    gc.collect()
    assert hosted.committable() == 11
    assert hosted.committable() is None
    await hosted.application.on_partitions_revoked.send({hosted.tp})
    hosted.refusal.with_traceback(None)  # which knows where it came from, and what that held
    gc.collect()
    assert not hosted.consumer.unacked
