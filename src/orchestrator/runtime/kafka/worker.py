"""One worker: topics checked, definitions read, the members of its groups running, health told, stopped cleanly.

Owns the order in which a worker starts and stops. Must never know how it is hosted.
"""

import asyncio
import gc
import logging
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.model import codec
from orchestrator.runtime.kafka.app import host
from orchestrator.runtime.kafka.catalogs import Catalogs, Source, keyed, publish
from orchestrator.runtime.kafka.health import HealthServer
from orchestrator.runtime.kafka.linking import LinkJob
from orchestrator.runtime.kafka.linking_partition import LINKS
from orchestrator.runtime.kafka.membership import Membership
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.places import Places
from orchestrator.runtime.kafka.reading import newest_headers, was_written
from orchestrator.runtime.kafka.resolving import ResolveJob
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.starting import once_brokers_answer
from orchestrator.runtime.kafka.topics import Topics, ensure
from orchestrator.runtime.kafka.turning import TurnJob, check
from orchestrator.runtime.kafka.watching import Watch

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
        self._catalogs = Catalogs(settings, self._topics, self._take_up)
        self._watch = Watch(settings, self._topics, self._metrics, self._take_counts)
        # What was begun stays so, whatever members there are.
        self._places = Places(settings, self._metrics)
        self._members: list[Membership] = []
        self._links = self._joins_anew = False
        self._counts: Mapping[str, int] = {}
        self._stopping = False
        self._health = HealthServer(self._metrics.registry, self._is_alive, self._is_ready)
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Check the topics, publish and read the definitions, and answer probes; nothing is processed yet.

        Brokers that do not answer are waited for: they may be on their way up, as we are.
        """
        self._watch.counts = self._counts = await once_brokers_answer(self._settings, self._prepare)
        await self._health.start(self._settings)
        self._hire(self._counts)
        # Most of what is allocated is records that live for long: looking at them again and again is wasted.
        gc.freeze()
        gc.set_threshold(100_000, 20, 100)

    async def _prepare(self) -> dict[str, int]:
        settings, topics = self._settings, self._topics
        counts = await ensure(settings, topics)
        # Before the group is joined: to join it, and only then to find out, would take partitions from everybody.
        headers = (await newest_headers(settings, topics.changelog, counts[topics.changelog])).values()
        for header in headers:
            check(header, counts[topics.changelog], topics.changelog, resolves=settings.resolve)
        known = max((header.revision for header in headers), default=0)
        revision = await publish(settings, topics, self._sources, only_if_new=True, known=known)
        if revision is not None:
            log.info("published the journeys of the project as release %d", revision)
        await self._catalogs.read(revision or 0)
        # Asked for once before anything is processed: without a catalog there is nothing to do.
        log.info("%d journeys are in force", len(self._catalogs.catalog.current))
        if not settings.objection_keys:
            log.warning("ORCHESTRATOR_OBJECTION_KEY is not set: noes of customers who are erased are not remembered")
        self._links = await self._must_link()
        return counts

    async def _must_link(self) -> bool:
        """Tell whether the linker is needed: where the project links, and for good once anything was sent to it.

        A project that links no more still has clusters, and events on their way to them.
        """
        if not self._settings.resolve:
            return False
        return self._catalogs.catalog.project.identity.links or await was_written(self._settings, self._topics.links)

    async def _take_up(self) -> None:
        """Take up a release: a project that begins to link needs members anew, all else they take up by themselves."""
        begins = self._settings.resolve and self._catalogs.catalog.project.identity.links and not self._links
        if begins and self._members:
            log.info("the project begins to link identifiers; this worker joins its groups anew")
            self._links = True
            self._join_anew()

    def _take_counts(self, counts: Mapping[str, int]) -> None:
        """Join anew where the events have other partitions, each of which is a source to wait for."""
        self._counts = counts
        self._join_anew()

    def _join_anew(self) -> None:
        self._joins_anew = True
        for member in self._members:
            member.stop()

    def _hire(self, counts: Mapping[str, int]) -> None:
        """Make the members that run jobs: turn, and before it resolve and link, where that is asked for."""
        settings, topics, metrics, places = self._settings, self._topics, self._metrics, self._places
        count, sources, links = counts[topics.changelog], frozenset[str](), self._links
        self._members.clear()
        if settings.resolve:
            events = {name: counts[name] for name in topics.events}
            resolve = ResolveJob(settings, topics, count, events, metrics, places, links=links)
            sources = resolve.sources
            self._members.append(Membership(resolve, self._catalogs))
            if links:
                linking = LinkJob(settings, topics, count, sources, metrics, places)
                self._members.append(Membership(linking, self._catalogs))
                sources |= {LINKS}
        turns = TurnJob(settings, topics, count, sources, metrics, places)
        self._members.append(Membership(turns, self._catalogs))

    async def run(self) -> None:
        """Work until stopped."""
        beside = [
            asyncio.create_task(self._catalogs.follow(), name="follow the journeys"),
            asyncio.create_task(self._watch.run(), name="watch the topics"),
        ]
        try:
            await self._work(beside)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self._ended.set()

    async def _work(self, beside: "Sequence[asyncio.Task[None]]") -> None:
        """Have the members work; when they ended though nobody stopped us, others go on."""
        while True:
            await _together([member.run() for member in self._members], beside)
            if self._stopping or not self._joins_anew:
                return
            self._joins_anew = False
            self._hire(self._counts)

    async def stop(self) -> None:
        """Finish the batch, commit, leave the groups."""
        self._stopping = True
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
    codec.write_format(settings.state_format)
    return host(partial(Worker, settings, keyed(loaded)), f"worker of {settings.app_id}")


async def _together(work: Sequence[Coroutine[Any, Any, None]], beside: "Sequence[asyncio.Task[None]]") -> None:
    """Run all of `work` to its end; an error in any of it, or beside it, ends everything."""
    tasks = {asyncio.create_task(each) for each in work}
    try:
        while tasks:
            done, _ = await asyncio.wait({*tasks, *beside}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            tasks -= done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
