"""The watch of a worker, without a broker: what it looks at now and then does not end it."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from orchestrator.runtime.kafka import watching
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Found, Topics
from orchestrator.runtime.kafka.watching import Watch

SETTINGS = KafkaSettings.of({"app_id": "shop"})
TOPICS = Topics.of(SETTINGS)


@pytest.fixture
def watch(monkeypatch):
    """Return what makes a watch that looks once for each answer, and tells what it took the counts to be."""

    async def run(*answers, counts, found=None, settings=SETTINGS):
        left, told, through = list(answers), [], asyncio.Event()

        async def count(*_):
            if not left:
                through.set()
                await asyncio.sleep(3600)
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def look(*_):
            return found or Found({}, {})

        monkeypatch.setattr(watching, "partition_counts", count)
        monkeypatch.setattr(watching, "look", look)
        monkeypatch.setattr(watching, "WATCH_S", 0.0)
        metrics = Metrics()
        watch = Watch(settings, TOPICS, metrics, told.append)
        watch.counts = counts
        watching_it = asyncio.create_task(watch.run())
        await asyncio.wait([watching_it, asyncio.create_task(through.wait())], return_when=asyncio.FIRST_COMPLETED)
        watching_it.cancel()
        return told, metrics.registry.get_sample_value

    return run


@pytest.mark.timeout(10)
async def test_brokers_that_do_not_say_whether_the_events_have_grown_are_asked_again(watch):
    troubles = KafkaConnectionError(), OSError(), TimeoutError()
    told, _ = await watch(*troubles, {"events": 4}, {"events": 6}, {"events": 6}, counts={"events": 4, "actions": 4})
    assert told == [{"events": 6, "actions": 4}]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("again", [4, 2])
async def test_events_that_are_there_again_after_they_were_gone_are_joined_anew_and_their_absence_is_said_once(
    watch, caplog, again
):
    told, _ = await watch({}, {"events": 0}, {"events": again}, {"events": again}, counts={"events": 4})
    assert told == [{"events": again}]
    assert [each for each in caplog.messages if "gone" in each] == [
        "events is gone: nothing of it is read until it is there again"
    ]


@pytest.mark.timeout(10)
async def test_without_resolve_events_with_other_partitions_are_no_reason_to_join_anew(watch):
    settings = KafkaSettings.of({"app_id": "shop", "resolve": False})
    assert (await watch({"events": 6}, counts={"events": 4}, settings=settings))[0] == []


@pytest.mark.timeout(10)
async def test_topics_that_are_set_otherwise_while_a_worker_runs_are_said_and_counted(watch, monkeypatch, caplog):
    monkeypatch.setattr(watching, "INSPECT_S", 0.0)
    counts = {topic.name: 1 if topic.name in TOPICS.single else 4 for topic in TOPICS.ours} | {"events": 4}
    config = {TOPICS.changelog: {"cleanup.policy": "delete"}}
    for found, count in ((Found(counts, {}), 0), (Found(counts, config), 1), (Found({"events": 4}, {}), 12)):
        _, value = await watch({"events": 4}, counts=counts, found=found)
        assert value("orchestrator_topics_unfit") == count
    first, second = caplog.messages
    assert first.endswith("shop-turn-changelog has cleanup.policy=delete; it must be compact")
    assert "actions is gone; " in second


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("set_ms", "seconds"), [(3_600_000, 3600.0), (9_000, 0.0), (-3_600_000, 0.0)])
async def test_a_clock_that_was_set_ahead_is_said_and_counted(watch, monkeypatch, caplog, set_ms, seconds):
    walls = iter([1_000_000, 1_000_050, 1_000_100 + set_ms, 1_000_150 + set_ms])
    steady = iter([5_000, 5_050, 5_100, 5_150])
    monkeypatch.setattr(watching, "wall_clock_ms", lambda: next(walls))
    monkeypatch.setattr(watching, "steady_clock_ms", lambda: next(steady))
    _, value = await watch({"events": 4}, {"events": 4}, counts={"events": 4})
    assert value("orchestrator_clock_jumped_seconds_total") == seconds
    assert len([each for each in caplog.messages if "set ahead by 3600 s" in each]) == (seconds > 0)
