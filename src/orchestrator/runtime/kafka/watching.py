"""What is looked at while a worker runs: whether its topics are still there, as they were found, and its clock is one.

An events topic that has more partitions, or is there again after it was gone, has other sources, and members begin
anew with those. Whatever else would make a worker lose, double or misplace something is complained of and counted for
as long as it lasts: to end would help nobody.
Owns this looking. Must never change a topic.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from orchestrator.runtime.complaints import Complaint
from orchestrator.runtime.kafka.describing import partition_counts
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics, look, troubles
from orchestrator.runtime.wall_clock import steady_clock_ms, wall_clock_ms

if TYPE_CHECKING:
    from orchestrator.runtime.kafka.metrics import Metrics

log = logging.getLogger(__name__)

# How often it is looked whether the events have more partitions: so long, timers do not wait for what comes there. Most
# producers take longer to find them.
WATCH_S = 3.0
# How often all topics are looked at with their settings.
INSPECT_S = 30.0
# Clocks are set right by seconds now and then.
LONGEST_JUMP_S = 10


class Watch:
    """The watch over the topics of one worker.

    `counts` are their partitions, as members know them; `changed` is called when those of the events are others.
    """

    def __init__(
        self, settings: KafkaSettings, topics: Topics, metrics: "Metrics", changed: Callable[[Mapping[str, int]], None]
    ) -> None:
        self.counts: Mapping[str, int] = {}
        self._settings = settings
        self._topics = topics
        self._metrics = metrics
        self._changed = changed
        self._gone: set[str] = set()
        self._troubles = Complaint(log)
        self._inspected_at = time.monotonic()
        self._wall_ahead_ms = wall_clock_ms() - steady_clock_ms()

    async def run(self) -> None:
        """Look again and again, whatever becomes of the brokers meanwhile."""
        while True:
            await asyncio.sleep(WATCH_S)
            self._look_at_the_clock()
            try:
                await self._look_for_partitions()
                if time.monotonic() - self._inspected_at >= INSPECT_S:
                    self._inspected_at = time.monotonic()
                    await self._inspect()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("nobody knows whether the topics are as they were: %r", error)

    def _look_at_the_clock(self) -> None:
        """Say that this machine's clock was set ahead: what is due until then fires, whether it is time or not."""
        before, self._wall_ahead_ms = self._wall_ahead_ms, wall_clock_ms() - steady_clock_ms()
        jumped_s = (self._wall_ahead_ms - before) / 1000
        if jumped_s > LONGEST_JUMP_S:
            self._metrics.clock_jumped.inc(jumped_s)
            log.error(
                "the clock of this machine was set ahead by %d s, and timers that are due until then fire now: if it "
                "is wrong, stop this worker until it is right",
                jumped_s,
            )

    async def _look_for_partitions(self) -> None:
        found = await partition_counts(self._settings, self._topics.events)
        gone = {name for name in self._topics.events if not found.get(name)}
        for name in sorted(gone - self._gone):
            log.error("%s is gone: nothing of it is read until it is there again", name)
        back, self._gone = self._gone - gone, gone
        others = {name: found[name] for name in self._topics.events if name in back or self._differs(found, name)}
        if others:
            told = ", ".join(f"{name} has {count} partitions" for name, count in others.items())
            log.info("%s now; this worker joins its groups anew", told)
            self.counts = {**self.counts, **others}
            self._changed(self.counts)

    def _differs(self, found: Mapping[str, int], name: str) -> bool:
        # Without resolve they must be as many as ours, and what is done with others is a trouble.
        return self._settings.resolve and found.get(name, 0) not in (0, self.counts[name])

    async def _inspect(self) -> None:
        found = troubles(self._settings, self._topics, await look(self._settings, self._topics))
        self._metrics.topics_unfit.set(len(found))
        if found:
            self._troubles.say("the topics are not as they must be any more: %s", "; ".join(found))
