"""What brokers answer about topics: an error, or the answer of a moment, is never taken for what there is."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka.errors import BrokerNotAvailableError, InvalidTopicError, RequestTimedOutError

from orchestrator.errors import StorageError
from orchestrator.runtime.kafka import topics as module
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import DEFAULT_BATCH_BYTES, Topics, ensure, largest_batch

UNKNOWN, TIMED_OUT, INVALID_TOPIC, NOT_AUTHORIZED, THERE_ALREADY = 3, 7, 17, 29, 36


class Brokers:
    """A cluster that holds topics, and answers about their settings with errors first."""

    def __init__(self, *errors: int, alive: int = 3, replicas: int = 3) -> None:
        self.errors = list(errors)
        self.created: list[int] = []
        self.of_creation = 0
        self._alive = alive
        self._replicas = replicas
        self._counts = {"events": 4}

    async def list_topics(self):
        return list(self._counts)

    async def describe_cluster(self):
        return {"brokers": [object()] * self._alive}

    async def describe_topics(self, names):
        replicas = list(range(self._replicas))
        return [
            {"topic": name, "partitions": [{"error_code": 0, "replicas": replicas}] * self._counts[name]}
            for name in names
        ]

    async def describe_configs(self, resources):
        code = self.errors.pop(0) if self.errors else 0
        entries = [] if code else [("max.message.bytes", "2097152")]
        return [SimpleNamespace(resources=[(code, None, 2, each.name, entries) for each in resources])]

    async def create_topics(self, topics):
        self.created += [topic.replication_factor for topic in topics]
        self._counts |= {topic.name: topic.num_partitions for topic in topics}
        return SimpleNamespace(topic_errors=[(topic.name, self.of_creation, "no") for topic in topics])


@pytest.fixture
def asked(monkeypatch):
    """Let these brokers be asked, without a pause in between."""
    monkeypatch.setattr(module, "SETTLING_S", 0)

    def ask(brokers: Brokers) -> KafkaSettings:
        @asynccontextmanager
        async def describer(settings):
            yield brokers

        monkeypatch.setattr(module, "describer", describer)
        return KafkaSettings.of({"app_id": "shop"})

    return ask


async def test_a_broker_that_does_not_know_the_topic_yet_is_asked_again_how_much_that_takes(asked):
    assert await largest_batch(asked(Brokers(UNKNOWN, UNKNOWN)), "events") == 2 << 20


async def test_where_we_may_not_know_how_much_a_topic_takes_it_is_kafkas_default(asked):
    assert await largest_batch(asked(Brokers(NOT_AUTHORIZED)), "events") == DEFAULT_BATCH_BYTES


@pytest.mark.parametrize(("code", "error"), [(TIMED_OUT, RequestTimedOutError), (INVALID_TOPIC, InvalidTopicError)])
async def test_settings_that_are_not_told_are_an_error_and_not_none(asked, monkeypatch, code, error):
    monkeypatch.setattr(module, "SETTLED_S", 0)
    with pytest.raises(error):
        await largest_batch(asked(Brokers(*[code] * 1000)), "events")


async def test_topics_that_cannot_be_created_at_this_moment_are_the_brokers_move(asked):
    brokers = Brokers()
    settings = asked(brokers)
    brokers.of_creation = TIMED_OUT
    with pytest.raises(RequestTimedOutError):
        await ensure(settings, Topics.of(settings))
    brokers = Brokers()
    settings = asked(brokers)
    brokers.of_creation = INVALID_TOPIC
    with pytest.raises(StorageError, match="cannot be created: no"):
        await ensure(settings, Topics.of(settings))
    brokers = Brokers()
    settings = asked(brokers)
    brokers.of_creation = THERE_ALREADY
    assert (await ensure(settings, Topics.of(settings)))["actions"] == settings.partitions


@pytest.mark.parametrize(("alive", "theirs", "ours"), [(3, 3, 3), (5, 1, 3), (2, 2, 2), (1, 1, 1), (3, 5, 3)])
async def test_each_topic_of_ours_is_held_by_three_brokers_or_by_all_where_there_are_fewer(asked, alive, theirs, ours):
    brokers = Brokers(alive=alive, replicas=theirs)
    settings = asked(brokers)
    await ensure(settings, Topics.of(settings))
    assert set(brokers.created) == {ours}


@pytest.mark.parametrize("alive", [1, 2])
async def test_brokers_of_a_cluster_that_only_starts_are_waited_for(asked, alive):
    brokers = Brokers(alive=alive)
    settings = asked(brokers)
    with pytest.raises(BrokerNotAvailableError, match="ORCHESTRATOR_REPLICATION_FACTOR"):
        await ensure(settings, Topics.of(settings))
    assert brokers.created == []
    settings = asked(brokers).model_copy(update={"replication_factor": 1})
    await ensure(settings, Topics.of(settings))
    assert set(brokers.created) == {1}
