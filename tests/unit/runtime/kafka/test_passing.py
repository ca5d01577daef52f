"""How far an application has come with a record: what brokers cannot tell at a moment is not taken for passed."""

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupLoadInProgressError, UnknownTopicOrPartitionError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from orchestrator.runtime.kafka import passing
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics

PLACE = TopicPartition("events", 0)
UNKNOWN = 3


class Brokers:
    """Answer as told: of a topic's partitions, and of what groups have committed."""

    def __init__(self, *answers: Exception | int, error_code: int = 0) -> None:
        self.answers = list(answers)
        self._error_code = error_code

    async def describe_topics(self, names):
        partitions = [] if self._error_code else [{"partition": 0}]
        return [{"topic": name, "error_code": self._error_code, "partitions": partitions} for name in names]

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, 1)

    async def committed_by(self, admin, group, tps):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {tp: OffsetAndMetadata(answer, "") for tp in tps if answer}


@pytest.fixture
def passed(monkeypatch):
    """Wait for the first record of the events, without a pause between looks."""
    monkeypatch.setattr(passing, "LOOK_S", 0)
    settings = KafkaSettings.of({"app_id": "shop", "resolve": False})

    async def wait(brokers: Brokers) -> None:
        monkeypatch.setattr(passing, "committed_by", brokers.committed_by)
        await passing._Passing(settings, Topics.of(settings), brokers, brokers).until_everywhere(PLACE, 0)

    return wait


async def test_a_coordinator_that_still_loads_is_asked_again(passed):
    brokers = Brokers(GroupLoadInProgressError(), 0, 1, GroupLoadInProgressError(), 1)
    await passed(brokers)
    assert brokers.answers == []


async def test_what_asking_again_does_not_mend_is_raised(passed):
    with pytest.raises(GroupAuthorizationFailedError):
        await passed(Brokers(GroupAuthorizationFailedError()))


async def test_a_topic_of_which_a_broker_knows_nothing_was_not_passed(passed):
    with pytest.raises(UnknownTopicOrPartitionError):
        await passed(Brokers(1, error_code=UNKNOWN))
