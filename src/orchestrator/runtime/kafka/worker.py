"""One worker: topics checked, definitions read, turns (and resolve) running, health told, stopped cleanly.

Owns the order in which a worker starts and stops. Must never know how it is hosted.
"""

import asyncio
import gc
import logging
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.model import codec
from orchestrator.runtime.kafka import logs
from orchestrator.runtime.kafka.app import host
from orchestrator.runtime.kafka.catalogs import Catalogs, Source, keyed, publish
from orchestrator.runtime.kafka.health import HealthServer
from orchestrator.runtime.kafka.linking import LINKS, LinkJob
from orchestrator.runtime.kafka.membership import Membership
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.resolving import ResolveJob
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.starting import once_brokers_answer
from orchestrator.runtime.kafka.topics import Topics, ensure
from orchestrator.runtime.kafka.turning import TurnJob

if TYPE_CHECKING:
    from orchestrator.language import Loaded

log = logging.getLogger(__name__)

# Of the 10 s that a stopped process has, the rest is the host's.
STOPPING_S = 7.0


class Worker:
    """The work of one process; `sources` are the project's files, published if none of its journeys is."""

    def __init__(self, settings: KafkaSettings, sources: Mapping[str, Source]) -> None:
        self._settings = settings
        self._sources = sources
        self._topics = Topics.of(settings)
        self._metrics = Metrics()
        self._catalogs = Catalogs(settings, self._topics)
        self._members: list[Membership] = []
        self._health = HealthServer(self._metrics.registry, self._is_alive, self._is_ready)
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Check the topics, publish and read the definitions, and answer probes; nothing is processed yet.

        Brokers that do not answer are waited for: they may be on their way up, as we are.
        """
        self._hire(await once_brokers_answer(self._settings, self._prepare))
        await self._health.start(self._settings)
        # Most of what is allocated is records that live for long: looking at them again and again is wasted.
        gc.freeze()
        gc.set_threshold(100_000, 20, 100)

    async def _prepare(self) -> dict[str, int]:
        settings, topics = self._settings, self._topics
        counts = await ensure(settings, topics)
        revision = await publish(settings, topics, self._sources, only_if_new=True)
        if revision is not None:
            log.info("published the journeys of the project as release %d", revision)
        await self._catalogs.read()
        # Asked for once before anything is processed: without a catalog there is nothing to do.
        log.info("%d journeys are in force", len(self._catalogs.catalog.current))
        return counts

    def _hire(self, counts: Mapping[str, int]) -> None:
        """Make the members that run jobs: turn, and resolve before it."""
        settings, topics = self._settings, self._topics
        count, sources = counts[topics.changelog], frozenset[str]()
        if settings.resolve:
            # Taken from what is in force now: a project that begins to link has its workers started anew.
            links = self._catalogs.catalog.project.identity.links
            events = {name: counts[name] for name in topics.events}
            resolve = ResolveJob(settings, topics, count, events, self._metrics, links=links)
            sources = resolve.sources
            self._members.append(Membership(resolve, self._catalogs))
            if links:
                linking = LinkJob(settings, topics, count, sources, self._metrics)
                self._members.append(Membership(linking, self._catalogs))
                sources |= {LINKS}
        self._members.append(Membership(TurnJob(settings, topics, count, sources, self._metrics), self._catalogs))

    async def run(self) -> None:
        """Work until stopped."""
        try:
            await _together([member.run() for member in self._members], self._catalogs.follow())
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Finish the batch, commit, leave the groups."""
        for member in self._members:
            member.stop()
        if self._members:
            try:
                await asyncio.wait_for(self._ended.wait(), STOPPING_S)
            except TimeoutError:
                log.error("work did not end in %g s; what was open is done again by the next owner", STOPPING_S)
        await self._health.stop()

    def _is_alive(self) -> bool:
        return all(member.is_alive for member in self._members)

    def _is_ready(self) -> bool:
        return bool(self._members) and all(member.is_ready for member in self._members)


def run_worker(loaded: "Loaded", settings: KafkaSettings) -> int:
    """Run one worker for a project until SIGTERM; return the process's exit code."""
    logs.configure(settings.log_level, settings.log_format)
    codec.write_format(settings.state_format)
    return host(partial(Worker, settings, keyed(loaded)), f"worker of {settings.app_id}")


async def _together(work: Sequence[Coroutine[Any, Any, None]], beside: Coroutine[Any, Any, None]) -> None:
    """Run all of `work` to its end; an error in any of it, or beside it, ends everything."""
    tasks = {asyncio.create_task(each) for each in work}
    other = asyncio.create_task(beside)
    try:
        while tasks:
            done, _ = await asyncio.wait({*tasks, other}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            tasks -= done
    finally:
        for task in (*tasks, other):
            task.cancel()
        await asyncio.gather(*tasks, other, return_exceptions=True)
