"""The topics: their names, and every mismatch that would lose, double or misplace something."""

import pytest

from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Found, Topics, mismatches, remarks


def settings(**values) -> KafkaSettings:
    return KafkaSettings.of({"app_id": "shop", "resolve": False, "partitions": 4, **values})


def fitting(topics: Topics) -> Found:
    counts = {topic.name: topic.partitions for topic in topics.ours} | dict.fromkeys(topics.events, 4)
    return Found(counts, {topic.name: dict(topic.config) for topic in topics.ours})


def test_the_names_are_those_of_the_contract():
    topics = Topics.of(settings())
    assert topics.events == ("events",)
    assert (topics.actions, topics.decisions, topics.dead_letters) == ("actions", "decisions", "dead-letters")
    assert (topics.receipts, topics.journeys, topics.changelog) == ("receipts", "journeys", "shop-turn-changelog")


def test_a_prefix_stands_before_all_topics_of_ours_and_not_before_the_events():
    topics = Topics.of(settings(topic_prefix="eu.", events_topics="web"))
    assert topics.events == ("web",)
    assert all(topic.name.startswith("eu.") for topic in topics.ours)


def test_what_we_would_create_fits():
    for chosen in (settings(), settings(resolve=True)):
        topics = Topics.of(chosen)
        assert mismatches(chosen, topics, fitting(topics)) == []


def test_nothing_there_but_the_events_fits():
    chosen = settings()
    assert mismatches(chosen, Topics.of(chosen), Found({"events": 4}, {})) == []


@pytest.mark.parametrize(
    ("counts", "config", "said"),
    [
        ({"actions": 3}, {}, "equal partition counts"),
        ({"journeys": 2}, {}, "journeys has 2 partitions; it must have 1"),
        ({"events": 6}, {}, "events has 6 partitions"),
        ({}, {"shop-turn-changelog": {"cleanup.policy": "compact,delete"}}, "cleanup.policy=compact,delete"),
        ({}, {"actions": {"cleanup.policy": "compact"}}, "it must be delete"),
        ({}, {"journeys": {"cleanup.policy": "delete"}}, "it must be compact"),
    ],
)
def test_what_does_not_fit_is_told_with_what_to_change(counts, config, said):
    chosen = settings()
    topics = Topics.of(chosen)
    found = fitting(topics)
    problems = mismatches(chosen, topics, Found({**found.partitions, **counts}, {**found.config, **config}))
    assert len(problems) == 1
    assert said in problems[0]


def test_events_that_do_not_exist_are_told():
    chosen = settings(events_topics="web")
    [problem] = mismatches(chosen, Topics.of(chosen), Found({}, {}))
    assert problem.startswith("web does not exist")


def test_with_resolve_the_events_may_have_any_number_of_partitions():
    chosen = settings(resolve=True)
    topics = Topics.of(chosen)
    found = fitting(topics)
    assert mismatches(chosen, topics, Found({**found.partitions, "events": 7}, found.config)) == []


def test_between_partitions_records_must_keep_the_times_of_their_events():
    chosen = settings(resolve=True)
    topics = Topics.of(chosen)
    found = fitting(topics)
    for name in (topics.resolved, topics.links):
        config = {**found.config, name: {**found.config[name], "message.timestamp.type": "LogAppendTime"}}
        [problem] = mismatches(chosen, topics, Found(found.partitions, config))
        assert problem == f"{name} has message.timestamp.type=LogAppendTime; it must be CreateTime"


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("actions", {"retention.ms": "-1"}, "retention.ms=-1, where 604800000 is wanted: what it holds of customers"),
        ("decisions", {"retention.ms": "3600000"}, "what nobody has read by then is lost"),
        ("receipts", {"max.message.bytes": "1048588"}, "a record that is larger would stop its partition"),
        ("shop-turn-changelog", {"max.compaction.lag.ms": str(2**63 - 1)}, "so may what was erased"),
        ("shop-delivery-changelog", {"delete.retention.ms": "100"}, "might not hear of who was erased"),
    ],
)
def test_what_stands_otherwise_than_it_would_be_made_is_said_and_left_alone(name, config, said):
    chosen = settings()
    topics = Topics.of(chosen)
    found = fitting(topics)
    assert remarks(topics, found) == []
    changed = Found(found.partitions, {**found.config, name: {**found.config[name], **config}})
    assert mismatches(chosen, topics, changed) == []
    [remark] = remarks(topics, changed)
    assert remark.startswith(f"{name} has ")
    assert said in remark


def test_what_is_better_than_wanted_is_not_worth_a_word():
    topics = Topics.of(settings())
    found = fitting(topics)
    config = {"max.message.bytes": str(8 << 20), "segment.bytes": "1", "delete.retention.ms": "-1"}
    better = {topic.name: {**found.config[topic.name], **config} for topic in topics.ours}
    assert remarks(topics, Found(found.partitions, better)) == []


def test_what_we_write_is_not_read_as_events():
    chosen = settings(events_topics="events,receipts")
    topics = Topics.of(chosen)
    [problem] = mismatches(chosen, topics, fitting(topics))
    assert problem.startswith("receipts is a topic of ours")
