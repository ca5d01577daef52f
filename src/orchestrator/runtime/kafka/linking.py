"""The job of the linker: one partition, its own group, its own changelog.

Owns where the linker reads and writes, and how it remembers. Must never run where nothing links.
"""

import logging
import secrets
from collections.abc import Sequence

from orchestrator.runtime.kafka.clock import SourcedClock
from orchestrator.runtime.kafka.commit import Target
from orchestrator.runtime.kafka.incarnation import Kept
from orchestrator.runtime.kafka.linking_partition import LinkingPartition
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.places import Places
from orchestrator.runtime.kafka.resolved import TICK_MS, tick_ms
from orchestrator.runtime.kafka.restore import restore
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.unit import Unit

log = logging.getLogger(__name__)


class LinkJob:
    """The linker of one application; `sources` are the partitions of resolve, whose clocks it waits for."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Topics,
        count: int,
        sources: frozenset[str],
        metrics: Metrics,
        places: Places,
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.places = places
        self.group_id = f"{settings.app_id}-links"
        self.topics: tuple[str, ...] = (topics.links,)
        self._names = topics
        self._count = count
        self._sources = sources

    def inputs_of(self, number: int) -> tuple[str, ...]:
        """Name the one input."""
        return self.topics

    def target(self, number: int) -> Target:
        """Say where the transactions go."""
        return Target(self._names, number, number, self.group_id, changelog=self._names.links_changelog)

    async def remember(self, number: int, kept: Kept | None) -> tuple[Unit, int]:
        """Restore the graph; it is small beside the profiles, so memory is never kept over a rebalance."""
        if kept is not None:
            kept.close()
        state = MemoryState()
        changelog = self.target(number).logged_to
        restored = await restore(self.settings, changelog, state, reads_states=False)
        log.info("the graph of identifiers was restored: %d records in %.2f s", restored.records, restored.seconds)
        header = restored.header
        header.log = header.log or secrets.token_hex(8)
        clock = SourcedClock.of(header, self._sources, tick_ms(len(self._sources), self._count) - TICK_MS)
        most, inputs = self.settings.transaction_facts, Inputs(self.topics)
        unit = LinkingPartition(self._count, inputs, state, clock, header, topic=self._names.links, most_facts=most)
        return unit, restored.end

    def measure(self, units: Sequence[Unit], wall_ms: int) -> None:
        """Do nothing more: what the linker counts is taken from the units already."""
