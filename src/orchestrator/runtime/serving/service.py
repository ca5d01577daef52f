"""The service: store, turns, delivery and the project in force, begun and ended in the right order.

Owns that order, and what pages and programs may ask of the whole. Must never speak HTTP, nor decide anything.

Beginning: lock and open the store, read the journeys, timers, lanes. Ending: no new events, lanes finish what they are
handing over and settle it, the last batch is committed, the store is closed.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from orchestrator.channels.links import Links
from orchestrator.errors import OrchestratorError, StorageError
from orchestrator.language import Loaded, load
from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event
from orchestrator.model.rights import objection_hash
from orchestrator.model.state import State
from orchestrator.runtime import addressing, finding, rights, versions
from orchestrator.runtime.addressing import Reached
from orchestrator.runtime.agents import Agent, read_agents, session_secret
from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.lanes import Lanes, Route
from orchestrator.runtime.delivery.routes import Find, Operator, preparer_of, routes_of
from orchestrator.runtime.live import Keys, Known, Refusal
from orchestrator.runtime.live_settings import ServeSettings
from orchestrator.runtime.serving.coupons import StoreClaims
from orchestrator.runtime.serving.inbox import Inbox
from orchestrator.runtime.serving.intake import Intake, StoreOutbox, open_store
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.project import Watch
from orchestrator.runtime.serving.streams import Streams
from orchestrator.runtime.serving.turns import Turns
from orchestrator.runtime.versions import InForce
from orchestrator.runtime.wall_clock import Clock, WallClock
from orchestrator.storage import Batch, Store

# What a store keeps of secrets that were made for it, and which of them nobody has been told: a start may end before
# anybody is, of a channel's mistaken URL, a full disk, a signal.
_SECRETS, _UNTOLD = "serve.", "serve.untold."
_log = structlog.get_logger(__name__)


class Service:
    """One live process. `failed` is done when something broke that it cannot go on without."""

    def __init__(
        self, directory: Path, state: Path, settings: ServeSettings, find: Find, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.clock = clock or WallClock()
        self.intake = Intake(self.clock, self._on_worked)
        self.claims = StoreClaims(self.intake, self.metrics)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._directory = directory
        self.state = state
        self.inbox, self.streams = Inbox(self.intake), Streams(self.intake)
        own = {"inbox": self.inbox.open_channel, "stream": self.streams.open_channel}
        self._operator = Operator(find, settings.allowed_hosts, f"{settings.public_url}/inbox", own)
        self._watch = Watch(directory, state, self.clock.sleep, self._newer)
        self._watching: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._is_open = self._delivers = False
        # Whether the state file knew nobody when it was opened: one that was restored in part, say.
        self.is_empty = False

    async def start(self) -> None:
        """Open everything; raises InvalidProject, StorageError or OrchestratorError, and then nothing is open."""
        loaded = await asyncio.to_thread(load, self._directory)
        try:
            await self.intake.start(lambda: open_store(self.state), lambda store: self._make_turns(loaded, store))
            await self._open(self._in_force.loaded)
        except BaseException:
            await self.intake.stop()
            raise
        self._watching = asyncio.create_task(self._watch.run(self.replace))
        self._is_open = True

    async def _open(self, loaded: Loaded) -> None:
        settings = self.settings
        self.keys, secrets = await self.intake.run(lambda: _keys(self.intake.store, settings))
        self.agents = await self.intake.run(lambda: _agents(self.intake.store, settings))
        key = await self.intake.run(lambda: rights.key_of(self.intake.store))
        self.links = Links(
            settings.public_url,
            secrets,
            lambda address: objection_hash(key, address, self.catalog.project.identity),
        )
        self.session_secret = session_secret(secrets)
        self._prepare(loaded)
        await self.intake.run(lambda: self.claims.open(self.intake.turns.catalog.project))
        self.lanes = Lanes(
            routes_of(loaded, lambda: self.preparer, self._operator, self.claims),
            StoreOutbox(self.intake),
            self.clock,
            dice=random.Random(),  # noqa: S311 - it spreads retries and guards nothing
            observe=self.metrics.delivered,
            fail=self._fail,
            release_over_ms=timing.release_over(loaded.project_definition.release_over),
        )
        self._delivers = True
        await self.lanes.start()

    def _make_turns(self, folder: Loaded, store: Store) -> Turns:
        self.is_empty = next(iter(store.records()), None) is None
        self._in_force = versions.take_up(folder, store)
        release_over = timing.release_over(self._in_force.loaded.project_definition.release_over)
        turns = Turns(self._in_force.catalog, store, self.metrics, release_over, self.settings.claim_ms)
        # Journeys may have changed while nobody ran.
        turns.take_up(self._in_force.catalog)
        return turns

    def _prepare(self, loaded: Loaded) -> None:
        self.preparer = preparer_of(loaded, self.intake.turns.catalog, self.links)

    @property
    def loaded(self) -> Loaded:
        """The project in force, as its authors wrote it."""
        return self._in_force.loaded

    @property
    def catalog(self) -> Catalog:
        """The journeys in force."""
        return self.intake.turns.catalog

    @property
    def is_ready(self) -> bool:
        """Whether what is sent now would be kept."""
        return self._is_open and self.intake.trouble is None

    @property
    def problem(self) -> str | None:
        """What a person should look at, though everything goes on; None when nothing."""
        return self.intake.trouble or self._watch.problem

    async def replace(self, folder: Loaded) -> None:
        """Put another project in force, between two batches; where `versions.choose` raises, nothing has changed."""
        store = self.intake.store
        loaded = await self.intake.run(lambda: versions.choose(folder, store))
        await self._go_by(loaded, lambda: versions.take_up(folder, store))

    async def _newer(self) -> None:
        """Take up what has been published to the store since."""
        found = await self.intake.run(lambda: versions.newer(self.intake.store, self._in_force.revision))
        if found is not None:
            await self._go_by(found.loaded, lambda: found)

    async def _go_by(self, loaded: Loaded, in_force: Callable[[], InForce]) -> None:
        # Routes first: a message is not decided that could not be handed over.
        routes = self._routes(loaded)

        def swap() -> None:
            self._in_force = in_force()
            self.intake.turns.take_up(self._in_force.catalog)
            self.claims.stock(self._in_force.catalog.project)
            release_over = self._in_force.loaded.project_definition.release_over
            self.intake.turns.release_over_ms = timing.release_over(release_over)

        await self.intake.run(swap)
        self._prepare(self._in_force.loaded)
        await self.lanes.take_up(routes, self.intake.turns.release_over_ms)
        if self._in_force.loaded is not loaded:  # something else was published in between
            await self.lanes.take_up(self._routes(self._in_force.loaded), self.intake.turns.release_over_ms)

    def _routes(self, loaded: Loaded) -> dict[str, Route]:
        """Make the routes of a project that no lane goes by yet."""
        return routes_of(loaded, lambda: self.preparer, self._operator, self.claims, self.lanes.origins)

    def _on_worked(self, lanes: set[str], cancelled: list[str]) -> None:
        if not self._delivers:
            return  # timers of before fire already: lanes look at the outbox when they open
        self.lanes.cancel(cancelled)
        self.lanes.wake(lanes)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def setting(self, name: str) -> str | None:
        """Look up what the operator set."""
        return self._operator.find(name)

    def told(self) -> None:
        """Take note that whoever started us was told the keys that were made; until then each start tells them."""
        names = dict.fromkeys((f"{_UNTOLD}{name}" for name, _ in self.keys.made), None)
        if names:
            self._telling = asyncio.create_task(self._note(Batch(positions=names)))

    async def _note(self, batch: Batch) -> None:
        try:
            await self.intake.run(lambda: self.intake.store.commit(batch))
        except StorageError as error:
            _log.warning("the next start will tell the keys again", why=str(error))

    async def take(self, lines: Sequence[bytes], source: str) -> list[Refusal]:
        """Take raw events; returns once they are durable, with those that were refused."""
        answered = self.metrics.accepted
        try:
            refusals = await self.intake.take(lines, source)
        except OrchestratorError:
            answered.labels("turned_away").inc(len(lines))
            raise
        answered.labels("accepted").inc(len(lines) - len(refusals))
        if refusals:
            answered.labels("refused").inc(len(refusals))
        return refusals

    async def hear(self, profile_id: str, *events: Event) -> None:
        """Take events about a profile; returns once they are durable."""
        answered = self.metrics.accepted
        try:
            await self.intake.hear(profile_id, events)
        except OrchestratorError:
            answered.labels("turned_away").inc(len(events))
            raise
        answered.labels("accepted").inc(len(events))

    async def state_of(self, profile_id: str) -> State | None:
        """Give a profile's state; None when it has none."""
        return await self.intake.run(lambda: finding.state_of(self.intake.store, profile_id))

    async def profile_named(self, name: str) -> str:
        """Give the profile that a name leads to: by itself where it is not known yet."""
        return await self.intake.run(lambda: finding.whose(self.intake.store, name))

    async def known_of(self, profile_id: str, newest: int) -> Known | None:
        """Give a profile's state and newest decisions; None when nothing is kept of it."""
        return await self.intake.run(lambda: finding.known(self.intake.store, profile_id, newest))

    async def find(self, name: str, newest: int) -> Known | None:
        """Find a customer by any identifier: a customer id, `kind:value`, or the value alone."""
        return await self.intake.run(lambda: finding.find(self.intake.store, self.catalog.project, name, newest))

    async def reached(self, channel: str, address: str) -> list[Reached]:
        """Find who is reached at an address by a channel."""
        return await self.intake.run(
            lambda: addressing.reached(self.intake.store, self.catalog.project, channel, address)
        )

    async def stop(self) -> None:
        """End in order."""
        self._is_open = False
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._telling is not None:
            await self._telling
        await self.lanes.stop()
        await self.intake.stop()


def _keys(store: Store, settings: ServeSettings) -> tuple[Keys, tuple[str, ...]]:
    made: list[tuple[str, str]] = []

    def own(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
        if given:
            return given
        key = _made_once(store, name)
        if store.position(f"{_UNTOLD}{name}") is not None:
            made.append((name, key))
        return (key,)

    write, read = own("write_key", settings.write_keys), own("read_key", settings.read_keys)
    if not settings.agents:
        own("agent_key", ())
    return Keys(write, read, tuple(made)), _link_secrets(store, settings.link_secrets)


def _link_secrets(store: Store, given: tuple[str, ...]) -> tuple[str, ...]:
    """Give what links are read with, the newest last, which signs.

    One that was made here before the operator named theirs comes first: mails that people still have lead by it, and
    who leaves by one of those must be heard.
    """
    if not given:
        return (_made_once(store, "link_secret"),)
    made = store.position(f"{_SECRETS}link_secret")
    return given if made is None else (made.decode(), *given)


def _agents(store: Store, settings: ServeSettings) -> tuple[Agent, ...]:
    """Give who works on cases; where the operator names nobody, one whose key is made once."""
    return settings.agents or read_agents(f"agent:{_made_once(store, 'agent_key')}")


def _made_once(store: Store, name: str) -> str:
    """Give a secret that belongs to a store, made where there is none yet, and told to nobody then."""
    kept = store.position(f"{_SECRETS}{name}")
    if kept is not None:
        return kept.decode()
    made = secrets.token_urlsafe(32)
    store.commit(Batch(positions={f"{_SECRETS}{name}": made.encode(), f"{_UNTOLD}{name}": b""}))
    return made
