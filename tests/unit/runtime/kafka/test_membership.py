"""A member without a broker: a worker that cannot go on says so."""

from types import SimpleNamespace

import pytest

from orchestrator.runtime.kafka import membership
from orchestrator.runtime.kafka.membership import Membership
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.turning import TurnJob


@pytest.fixture
def member():
    settings = KafkaSettings.of({"app_id": "shop", "resolve": False})
    job = TurnJob(settings, Topics.of(settings), 4, frozenset(), Metrics())
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
