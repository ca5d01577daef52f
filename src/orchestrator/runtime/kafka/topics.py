"""The topics of the Kafka runtime: their names, their settings, and whether what stands on the brokers will do.

Owns creation and the checks at start, with errors that say what to change. Must never change or delete a topic that
exists, nor create the topics that events come from: those belong to the channel systems.
"""

import asyncio
import logging
import math
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.errors import StorageError
from orchestrator.model.instants import DAY_MS
from orchestrator.runtime.kafka.describing import describer
from orchestrator.runtime.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

log = logging.getLogger(__name__)

# An event may have 1 MiB, an action or a decision around it a little more.
MAX_MESSAGE_BYTES = str(2 << 20)
# What brokers take where nobody set another bound (message.max.bytes).
DEFAULT_BATCH_BYTES = 1_048_588
DEFAULT_REPLICAS = 3
SETTLING_TRIES = 100
SETTLING_S = 0.1
SETTLED_S = SETTLING_TRIES * SETTLING_S

# `messages` is what the company's own apps, tills and tablets read.
_NAMED = ("actions", "decisions", "dead_letters", "receipts", "messages")

# A changelog is read from the beginning at every restore, so it must be compacted soon, in small segments.
CHANGELOG = {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": str(DAY_MS),
    # Whoever goes on from a copy of half a day ago still has to find out who was erased since.
    "delete.retention.ms": str(DAY_MS),
    "segment.bytes": str(64 << 20),
    "min.cleanable.dirty.ratio": "0.3",
    "max.message.bytes": MAX_MESSAGE_BYTES,
}


@dataclass(frozen=True)
class Topic:
    """One topic of ours. `must` are settings that make a topic unfit when they differ."""

    name: str
    partitions: int
    config: dict[str, str]
    must: tuple[str, ...] = ("cleanup.policy",)


@dataclass(frozen=True)
class Topics:
    """The names of everything a worker reads and writes, from the operator's settings."""

    events: tuple[str, ...]
    actions: str
    decisions: str
    dead_letters: str
    receipts: str
    messages: str
    journeys: str
    changelog: str
    resolved: str
    delivery_changelog: str
    coupons: str
    links: str
    links_changelog: str
    ours: tuple[Topic, ...] = field(repr=False)

    @classmethod
    def of(cls, settings: KafkaSettings) -> "Topics":
        """Name the topics that these settings ask for."""
        prefix, app, count = settings.topic_prefix, settings.app_id, settings.partitions
        expiring = {
            "cleanup.policy": "delete",
            "retention.ms": str(settings.retention_ms),
            # Only whole segments go: without this the oldest record of one stays a week longer.
            "segment.ms": str(min(settings.retention_ms, DAY_MS)),
            "max.message.bytes": MAX_MESSAGE_BYTES,
        }
        names = {name: prefix + name.replace("_", "-") for name in _NAMED}
        changelog, delivery = f"{prefix}{app}-turn-changelog", f"{prefix}{app}-delivery-changelog"
        journeys, resolved = f"{prefix}journeys", f"{prefix}{app}-resolved"
        # Who has which code follows from all of it.
        coupons, for_ever = f"{prefix}{app}-coupons", {**expiring, "retention.ms": "-1", "retention.bytes": "-1"}
        links, links_changelog = f"{prefix}{app}-links", f"{prefix}{app}-links-changelog"
        ours = [Topic(name, count, expiring) for name in names.values()]
        ours += [Topic(name, count, CHANGELOG) for name in (changelog, delivery)]
        ours += [Topic(journeys, 1, {**CHANGELOG, "min.cleanable.dirty.ratio": "0.5"})]
        ours += [Topic(coupons, 1, for_ever, must=("cleanup.policy", "retention.ms", "retention.bytes"))]
        if settings.resolve:
            # Records between partitions carry their events' own timestamps, which may lie far back; the writer stamps
            # each batch of such, so that these topics go by age as well.
            # Brokers may be set to put the time of writing in their place, and then nothing would be in order of time.
            backlog = {**expiring, "retention.bytes": str(4 << 30), "message.timestamp.type": "CreateTime"}
            in_time = ("cleanup.policy", "message.timestamp.type")
            ours += [Topic(resolved, count, backlog, must=in_time)]
            # Who is whose is decided in one place, in one order.
            ours += [Topic(links, 1, backlog, must=in_time), Topic(links_changelog, 1, CHANGELOG)]
        return cls(
            events=settings.input_topics,
            journeys=journeys,
            changelog=changelog,
            resolved=resolved,
            delivery_changelog=delivery,
            coupons=coupons,
            links=links,
            links_changelog=links_changelog,
            ours=tuple(ours),
            **names,
        )

    @property
    def single(self) -> frozenset[str]:
        """Name the topics of ours that have one partition, whatever the others have."""
        return frozenset({self.journeys, self.coupons, self.links, self.links_changelog})


@dataclass(frozen=True)
class Found:
    """What stands on the brokers: partition counts of every topic, and the settings of those that are ours."""

    partitions: dict[str, int]
    config: dict[str, dict[str, str]]


def mismatches(settings: KafkaSettings, topics: Topics, found: Found) -> list[str]:
    """Say what about the topics that exist would make a worker lose, double or misplace something."""
    counts = {topic.name: found.partitions[topic.name] for topic in topics.ours if topic.name in found.partitions}
    shared = {name: count for name, count in counts.items() if name not in topics.single}
    problems = _uneven(shared)
    for name in sorted(topics.single):
        if counts.get(name, 1) != 1:
            problems.append(f"{name} has {counts[name]} partitions; it must have 1: create it anew")
    problems += _unread(settings, topics, found, shared)
    for topic in topics.ours:
        problems += _unfit(topic, found.config.get(topic.name, {}))
    return problems


def troubles(settings: KafkaSettings, topics: Topics, found: Found) -> list[str]:
    """Say the same while a worker runs, when none of them may be missing."""
    gone = [f"{topic.name} is gone" for topic in topics.ours if topic.name not in found.partitions]
    return gone + mismatches(settings, topics, found)


def _unread(settings: KafkaSettings, topics: Topics, found: Found, ours: dict[str, int]) -> list[str]:
    problems = []
    reference = topics.changelog if topics.changelog in ours else next(iter(ours), None)
    for name in topics.events:
        count = found.partitions.get(name)
        if any(name == topic.name for topic in topics.ours):
            problems.append(
                f"{name} is a topic of ours, and holds no events: take it out of ORCHESTRATOR_EVENTS_TOPICS"
            )
        elif count is None:
            problems.append(f"{name} does not exist; create it, or set ORCHESTRATOR_EVENTS_TOPICS")
        elif not settings.resolve and reference is not None and count != ours[reference]:
            problems.append(
                f"{name} has {count} partitions and {reference} has {ours[reference]}; "
                "with ORCHESTRATOR_RESOLVE=off they must be equal"
            )
    return problems


def _uneven(counts: dict[str, int]) -> list[str]:
    if len(set(counts.values())) <= 1:
        return []
    listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return [f"our topics must have equal partition counts, found: {listed}; create the odd ones anew"]


def _unfit(topic: Topic, config: dict[str, str]) -> list[str]:
    return [
        f"{topic.name} has {name}={config[name]}; it must be {topic.config[name]}"
        for name in topic.must
        if name in config and config[name] != topic.config[name]
    ]


# What an existing topic may be set to otherwise, for how much or how little, and what follows from that.
_MOST = {"retention.ms": "what it holds of customers stays as long", "max.compaction.lag.ms": "so may what was erased"}
_LEAST = {
    "retention.ms": "what nobody has read by then is lost",
    "delete.retention.ms": "a copy of half a day ago might not hear of who was erased",
    "max.message.bytes": "a record that is larger would stop its partition",
}


def remarks(topics: Topics, found: Found) -> list[str]:
    """Say where topics that exist are set otherwise than we would make them, and what follows: they are left alone."""
    said = []
    for topic in topics.ours:
        stands = found.config.get(topic.name, {})
        for name, wanted in topic.config.items():
            if name not in stands or name in topic.must or _bound(wanted) == _bound(stands[name]):
                continue
            so = (_MOST if _bound(stands[name]) > _bound(wanted) else _LEAST).get(name)
            if so is not None:
                said.append(f"{topic.name} has {name}={stands[name]}, where {wanted} is wanted: {so}")
    return said


def _bound(value: str) -> float:
    """Read a setting's number; Kafka says -1 for no bound at all."""
    return math.inf if value == "-1" else float(value) if value.isdecimal() else 0.0


async def ensure(settings: KafkaSettings, topics: Topics) -> dict[str, int]:
    """Create the topics of ours that are missing, check those that exist, and return all partition counts.

    Safe to call from many workers at once. Raises StorageError with every problem at once; nothing is created
    while there is one.
    """
    async with describer(settings) as admin:
        found = await _settled(admin, topics)
        wanted = _wanted(settings, topics, found)
        problems = mismatches(settings, topics, found)
        if problems:
            raise StorageError("the topics do not fit: " + "; ".join(problems))
        for remark in remarks(topics, found):
            log.warning("%s", remark)
        missing = [topic for topic in wanted if topic.name not in found.partitions]
        if missing:
            theirs = [name for name in topics.events if name in found.partitions]
            await _create(admin, missing, settings.replication_factor or await _replicas(admin, theirs))
        return (await _settled(admin, topics, {topic.name for topic in wanted})).partitions


async def largest_batch(settings: KafkaSettings, name: str) -> int:
    """Tell how many bytes a topic takes at once, as its brokers are set; Kafka's default where we may not know."""
    async with describer(settings) as admin:
        config = await _config_of(admin, [name])
    return int(config.get(name, {}).get("max.message.bytes", DEFAULT_BATCH_BYTES))


async def look(settings: KafkaSettings, topics: Topics) -> Found:
    """Look at what stands on the brokers now."""
    async with describer(settings) as admin:
        return await _look(admin, topics)


def _wanted(settings: KafkaSettings, topics: Topics, found: Found) -> list[Topic]:
    """Give our missing topics the partition count of those that exist, or of the events where that must be equal."""
    ours = [
        found.partitions[topic.name]
        for topic in topics.ours
        if topic.name in found.partitions and topic.name not in topics.single
    ]
    theirs = [found.partitions[name] for name in topics.events if name in found.partitions and not settings.resolve]
    count = (ours or theirs or [settings.partitions])[0]
    return [
        topic if topic.name in topics.single else Topic(topic.name, count, topic.config, topic.must)
        for topic in topics.ours
    ]


async def _settled(admin: "AIOKafkaAdminClient", topics: Topics, names: Collection[str] = ()) -> Found:
    """Look until every topic that exists, and all of `names`, has its partitions: another worker may be creating them.

    Raises StorageError when that takes too long.
    """
    found = Found({}, {})
    for _ in range(SETTLING_TRIES):
        found = await _look(admin, topics)
        if all(found.partitions.values()) and found.partitions.keys() >= set(names):
            return found
        await asyncio.sleep(SETTLING_S)
    unsettled = sorted(
        {name for name, count in found.partitions.items() if not count} | (set(names) - set(found.partitions))
    )
    raise StorageError(f"topics without partitions: {', '.join(unsettled)}; are the brokers well?")


async def _look(admin: "AIOKafkaAdminClient", topics: Topics) -> Found:
    existing = set(await admin.list_topics())
    names = [name for name in (*topics.events, *(topic.name for topic in topics.ours)) if name in existing]
    described = await admin.describe_topics(names) if names else []
    # A partition that has no leader yet cannot be worked with.
    partitions = {
        topic["topic"]: 0 if any(each["error_code"] for each in topic["partitions"]) else len(topic["partitions"])
        for topic in described
    }
    return Found(partitions, await _config_of(admin, [topic.name for topic in topics.ours if topic.name in existing]))


async def _config_of(admin: "AIOKafkaAdminClient", names: Collection[str]) -> dict[str, dict[str, str]]:
    """Ask for the settings of topics that exist; those that we may not know are left out. Raises KafkaError.

    Any broker is asked, and one may not know yet of a topic that was created at another: then again.
    """
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
    from aiokafka.errors import TopicAuthorizationFailedError, for_code

    wanted, until = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names], time.monotonic() + SETTLED_S
    while wanted:
        told = [resource for answer in await admin.describe_configs(wanted) for resource in answer.resources]
        errors = {for_code(code) for code, *_ in told if code} - {TopicAuthorizationFailedError}
        if not errors:
            return {name: {entry[0]: entry[1] for entry in entries} for code, _, _, name, entries in told if not code}
        error = min(errors, key=lambda each: each.retriable)
        if not error.retriable or time.monotonic() > until:
            raise error(f"the settings of {', '.join(names)} are not told")
        await asyncio.sleep(SETTLING_S)
    return {}


async def _replicas(admin: "AIOKafkaAdminClient", events: Collection[str]) -> int:
    """Choose how many brokers are to hold each of our topics: three, or all where there are fewer.

    Topics keep that for good, and while a cluster starts, not all of its brokers are there yet. Raises KafkaError where
    they are fewer than hold the events.
    """
    from aiokafka.errors import BrokerNotAvailableError

    count = len((await admin.describe_cluster())["brokers"])
    described = await admin.describe_topics(list(events)) if events else []
    theirs = max((len(each["replicas"]) for topic in described for each in topic["partitions"]), default=0)
    if count < min(theirs, DEFAULT_REPLICAS):
        raise BrokerNotAvailableError(
            f"the events are held by {theirs} brokers, and {count} answer; with ORCHESTRATOR_REPLICATION_FACTOR the "
            "others are not waited for"
        )
    return min(count, DEFAULT_REPLICAS)


async def _create(admin: "AIOKafkaAdminClient", missing: Iterable[Topic], replicas: int) -> None:
    from aiokafka.admin import NewTopic
    from aiokafka.errors import TopicAlreadyExistsError, for_code

    created = await admin.create_topics(
        [NewTopic(topic.name, topic.partitions, replicas, topic_configs=topic.config) for topic in missing]
    )
    for name, code, *message in created.topic_errors:
        error = for_code(code)
        # Another worker that started with us was quicker.
        if not code or error is TopicAlreadyExistsError:
            continue
        if error.retriable:
            raise error(name)  # so that whoever waits for the brokers asks again
        raise StorageError(f"topic {name} cannot be created: {message[0] if message else error.__name__}")
