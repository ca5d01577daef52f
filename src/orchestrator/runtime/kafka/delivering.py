"""One deliverer: an agent that takes in committed actions, and the lanes that send them.

What is sent is what is published: its messages, templates and webhooks are those of the journeys topic, and change with
it; the project's folder serves only as long as nothing is published.

Owns the order in which `orchestrator deliver` starts and stops: lanes are open before the first action comes, and
finish what they have in hand before their partitions are let go. Must never know how it is hosted.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.channels.links import Links
from orchestrator.errors import OrchestratorError
from orchestrator.model.commas import listed
from orchestrator.model.rights import objection_hash
from orchestrator.runtime import interpreter
from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.lane import GIVEN_UP
from orchestrator.runtime.delivery.lanes import Lanes
from orchestrator.runtime.delivery.routes import Find, Operator, allowed_hosts, preparer_of, routes_of
from orchestrator.runtime.kafka.app import Taken, group_of, host_agent
from orchestrator.runtime.kafka.behind import Behind
from orchestrator.runtime.kafka.catalogs import Catalogs
from orchestrator.runtime.kafka.coupons import LogClaims
from orchestrator.runtime.kafka.delivery import KafkaOutbox
from orchestrator.runtime.kafka.health import HealthServer
from orchestrator.runtime.kafka.inbox import Tasks
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.starting import once_brokers_answer
from orchestrator.runtime.kafka.streaming import KafkaStreams
from orchestrator.runtime.kafka.topics import Topics, ensure
from orchestrator.runtime.wall_clock import WallClock

if TYPE_CHECKING:
    from orchestrator.language import Loaded

log = logging.getLogger(__name__)


class Deliverer:
    """The delivery of one process."""

    def __init__(self, loaded: "Loaded", settings: KafkaSettings, find: Find) -> None:
        self.settings = settings
        self.topics = Topics.of(settings)
        self._metrics = Metrics()
        release_over_ms = timing.release_over(loaded.project_definition.release_over)
        self._outbox = KafkaOutbox(settings, self.topics, release_over_ms, self._bury)
        self._links = _links(find, self._hashed)
        self._preparer = preparer_of(loaded, loaded.catalog, self._links)
        streams = KafkaStreams(settings, self.topics.messages)
        tasks = Tasks(settings, self.topics.receipts)
        own = {"stream": streams.open_channel, "inbox": tasks.open_channel}
        # Cases are in the inbox of every gateway since their decision was committed.
        self._operator = Operator(find, allowed_hosts(find), f"{self._links.base_url}/inbox", own)
        self._claims = LogClaims(settings, self.topics, self._metrics)
        self._folder = loaded
        self._catalogs = Catalogs(settings, self.topics, self._take_up)
        self._lanes = Lanes(
            routes_of(loaded, lambda: self._preparer, self._operator, self._claims),
            self._outbox,
            WallClock(),
            dice=random.Random(),  # noqa: S311 - it spreads retries and guards nothing
            observe=self._observe,
            fail=self._fail,
            release_over_ms=release_over_ms,
        )
        group = group_of(settings)
        self._behind = Behind(settings, self.topics.actions, group, self._metrics, lambda: self._outbox.partitions)
        self._health = HealthServer(self._metrics.registry, lambda: not self._failed.done(), self._is_ready)
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Check the topics, read what is published and open the lanes; brokers that do not answer are waited for."""
        await once_brokers_answer(self.settings, lambda: ensure(self.settings, self.topics))
        await once_brokers_answer(self.settings, self._claims.start)
        await self._lanes.start()
        await once_brokers_answer(self.settings, self._catalogs.read)
        if self._catalogs.loaded is None:
            self._claims.stock(self._folder.catalog.project.coupons, 0)
        for lane in self._lanes.by_name.values():
            if (missing := getattr(lane.road, "missing", None)) is not None:
                log.warning("%s; what goes there waits", missing)
        await self._health.start(self.settings)
        interpreter.settle_down()

    async def run(self) -> None:
        """Follow what is published, until something breaks that nothing can go on without."""
        following = asyncio.create_task(self._catalogs.follow(), name="follow the journeys")
        claiming = asyncio.create_task(self._claims.run(), name="claim codes")
        measuring = asyncio.create_task(self._behind.run(), name="measure how far behind")
        tasks = following, claiming, measuring
        try:
            await asyncio.wait([self._failed, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._failed, *tasks):
                if ended.done():
                    ended.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Finish what is being sent, then let go of the partitions."""
        await self._lanes.stop()
        await self._claims.stop()
        await self._outbox.close()
        await self._health.stop()

    async def take(self, taken: Taken) -> None:
        """Take one action in; on return it is durable."""
        lane, cancelled = await self._outbox.accept(taken.partition, taken.offset, taken.value)
        if cancelled:
            self._lanes.cancel(cancelled)
        if lane is not None:
            self._lanes.wake([lane])

    async def assigned(self, partitions: list[int]) -> None:
        """Begin with partitions of the actions."""
        self._outbox.assign(partitions)

    async def revoked(self, partitions: list[int]) -> None:
        """Let go of partitions of the actions."""
        await self._outbox.revoke(partitions)

    async def _take_up(self) -> None:
        """Send by what is published now, and open the lanes that it brings, or leads elsewhere."""
        loaded = self._catalogs.loaded
        if loaded is None:
            return
        try:
            known = self._lanes.origins
            routes = routes_of(loaded, lambda: self._preparer, self._operator, self._claims, known)
        except OrchestratorError as error:
            log.error("what is published cannot be delivered, what was before stays in force: %s", error)
            return
        self._preparer = preparer_of(loaded, self._catalogs.catalog, self._links)
        self._claims.stock(loaded.catalog.project.coupons, self._catalogs.revision)
        self._outbox.release_over_ms = timing.release_over(loaded.project_definition.release_over)
        await self._lanes.take_up(routes, self._outbox.release_over_ms)

    def _hashed(self, address: str) -> str:
        """Hash an address as workers remember noes of it; "" where they remember none."""
        keys, project = self.settings.objection_keys, (self._catalogs.loaded or self._folder).catalog.project
        return objection_hash(keys[0], address, project.identity) if keys else ""

    def _is_ready(self) -> bool:
        return self._outbox.is_ready and not self._failed.done()

    def _observe(self, lane: str, outcome: str, seconds: float) -> None:
        if outcome in GIVEN_UP:
            self._bury(outcome)
        self._metrics.delivery.labels(lane, outcome).inc()
        self._metrics.delivery_seconds.labels(lane).observe(seconds)

    def _bury(self, reason: str) -> None:
        self._metrics.dead_letters.labels(reason).inc()

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)


def run_deliverer(loaded: "Loaded", settings: KafkaSettings, find: Find) -> int:
    """Deliver a project's actions until SIGTERM; return the process's exit code."""
    return host_agent(lambda: Deliverer(loaded, settings, find), settings, Topics.of(settings).actions)


def _links(find: Find, hashed: Callable[[str], str]) -> Links:
    signing = listed(find("link_secret"))
    if not signing:
        # Whoever answers the links must know the secret; without one they are only good to look at.
        log.warning("links are signed with a secret of this process alone; set ORCHESTRATOR_LINK_SECRET for real ones")
        signing = (secrets.token_urlsafe(48),)
    return Links(find("public_url") or "http://127.0.0.1:8080", signing, hashed)
