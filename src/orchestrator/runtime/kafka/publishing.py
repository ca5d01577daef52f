"""What is in force on Kafka, and who stands where: what `publish` compares a project with.

Owns the two readings, of the journeys topic and of every changelog. Must never write: publishing itself
is one transaction of `catalogs`.
"""

from collections import Counter
from dataclasses import dataclass

from aiokafka.structs import TopicPartition

from orchestrator.language import Loaded
from orchestrator.runtime.kafka.catalogs import Catalogs
from orchestrator.runtime.kafka.describing import partition_counts
from orchestrator.runtime.kafka.restore import restore
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.publishing import Standing, readable, standing_of


@dataclass(frozen=True)
class InForce:
    """What is in force (None: nothing yet), how many customers stand where, and the newest revision they were at.

    `release` is the revision of what is in force, 0 for nothing.
    """

    loaded: Loaded | None
    standing: Standing
    revision: int = 0
    release: int = 0


async def in_force(settings: KafkaSettings, topics: Topics) -> InForce:
    """Read what is in force, and count who stands where; where there are no topics yet, nothing and nobody.

    Reads every changelog from its beginning, a partition at a time, so it takes as long as a restore.
    Raises StorageError for a record that a newer release wrote.
    """
    found = await partition_counts(settings)
    loaded, release = None, 0
    if topics.journeys in found:
        published = await Catalogs(settings, topics).peek()
        release = published.release.revision
        loaded = readable(published.current()) if release else None
    standing: Standing = Counter()
    revision = 0
    for partition in range(found.get(topics.changelog, 0)):
        state = MemoryState()
        restored = await restore(settings, TopicPartition(topics.changelog, partition), state)
        # A life on its way stands nowhere.
        standing += standing_of(record for name, record in state if not name.startswith("@"))
        revision = max(revision, restored.header.revision)
    return InForce(loaded, standing, revision, release)
