"""The gateway: what `serve --kafka` puts behind HTTP, in front of the workers.

What channel systems send goes, as it came, to the first of the events topics, keyed by the customer. What is known to
be about a profile (a link's click, a page's answer, a provider's receipt) goes to the receipts topic, which its own
partition of the workers reads. Both are answered for once every replica in step has them. What pages and lookups have
to know of a customer is asked of the read side, and so are the cases that people work on, and the messages that the
company's own apps read.
Any number of these run beside each other: they share nothing but the topics and the settings, so keys and the links'
secret are the operator's to name, and none is made here.
Owns where what comes in goes, and the order of starting and ending. Must never decide anything about a customer.
"""

import asyncio
import logging
import zlib
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.channels.links import Links
from orchestrator.errors import EventError, OrchestratorError, StorageError
from orchestrator.model import envelopes, instants
from orchestrator.model.casework import Streamed
from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event
from orchestrator.model.project import Project
from orchestrator.model.state import State
from orchestrator.runtime.addressing import Reached
from orchestrator.runtime.agents import session_secret
from orchestrator.runtime.dead_letters import DeadLetter, quote
from orchestrator.runtime.delivery.routes import Find, preparer_of
from orchestrator.runtime.kafka.catalogs import Catalogs
from orchestrator.runtime.kafka.inbox import Inbox
from orchestrator.runtime.kafka.intake import OVERHEAD_BYTES, Intake
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.metrics import GatewayMetrics
from orchestrator.runtime.kafka.outgoing import Line
from orchestrator.runtime.kafka.readers import Streams
from orchestrator.runtime.kafka.readside import ReadSide
from orchestrator.runtime.kafka.records import receipt_line
from orchestrator.runtime.kafka.settings import KafkaSettings, SettingError
from orchestrator.runtime.kafka.starting import once_brokers_answer
from orchestrator.runtime.kafka.topics import Topics, ensure, largest_batch
from orchestrator.runtime.live import Keys, Known, Refusal
from orchestrator.runtime.live_settings import ServeSettings
from orchestrator.runtime.wall_clock import Clock, WallClock

if TYPE_CHECKING:
    from orchestrator.language import Loaded

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


class Gateway:
    """One process in front of Kafka. `copy` is the file of its read side."""

    def __init__(
        self,
        loaded: "Loaded",
        settings: KafkaSettings,
        serving: ServeSettings,
        copy: Path,
        find: Find,
    ) -> None:
        _check(serving)
        self.clock: Clock = WallClock()
        self.keys = Keys(serving.write_keys, serving.read_keys)
        self.links = Links(serving.public_url, serving.link_secrets)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._find = find
        self._settings = settings
        self._topics = Topics.of(settings)
        self._folder = loaded
        self.agents = serving.agents
        self.session_secret = session_secret(serving.link_secrets)
        self.metrics = GatewayMetrics()
        self.preparer = preparer_of(loaded, loaded.catalog, self.links)
        self._catalogs = Catalogs(settings, self._topics, self._take_up)
        self._intake = Intake(settings, self.metrics.intake_seconds.observe)
        lags = self.metrics.read_side_lag.set
        self._read_side = ReadSide(settings, self._topics, copy, lambda: self.catalog.project, lags, self._tell)
        self.inbox = Inbox(self._read_side, self.hear, self.clock, serving.claim_ms)
        self.streams = Streams(self._read_side, self.clock)
        self._counts: Mapping[str, int] = {}
        self._following: list[asyncio.Task[None]] = []

    @property
    def catalog(self) -> Catalog:
        """The journeys in force: those that are published, the folder's as long as none are."""
        return self._catalogs.catalog if self._catalogs.revision else self._folder.catalog

    @property
    def is_ready(self) -> bool:
        """Whether what is sent now would be kept; pages may have to wait for the read side a little longer."""
        return bool(self._counts) and self._intake.trouble is None

    @property
    def problem(self) -> str | None:
        """What a person should look at, though everything goes on; None when nothing."""
        return self._intake.trouble or self._read_side.trouble

    async def start(self) -> None:
        """Check the topics, open the producer and the copy, and begin to follow what workers commit."""
        if not self.agents:
            log.info("nobody works on cases here: ORCHESTRATOR_AGENTS names whom the inbox lets in")
        await self._read_side.open()
        try:
            self._counts = await once_brokers_answer(self._settings, self._prepare)
        except BaseException:
            await self._read_side.close()
            raise
        self._follow(self._catalogs.follow(), self._read_side.follow(self._counts))

    async def _prepare(self) -> dict[str, int]:
        counts = await ensure(self._settings, self._topics)
        await self._catalogs.read()
        await self._intake.start(await largest_batch(self._settings, self._topics.events[0]))
        return counts

    def setting(self, name: str) -> str | None:
        """Look up what the operator set."""
        return self._find(name)

    async def _take_up(self) -> None:
        """Show cases as what is published says."""
        if self._catalogs.loaded is not None:
            self.preparer = preparer_of(self._catalogs.loaded, self._catalogs.catalog, self.links)

    def _follow(self, *following: Coroutine[Any, Any, None]) -> None:
        for each in following:
            task = asyncio.create_task(each)
            task.add_done_callback(self._ended)
            self._following.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self.failed.done():
            self.failed.set_exception(task.exception() or StorageError("what workers commit is no longer followed"))

    async def stop(self) -> None:
        """Write what is on its way, then let go of everything."""
        await self._intake.stop()
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await self._read_side.close()

    # What comes in

    async def take(self, lines: Sequence[bytes], source: str) -> list[Refusal]:
        """Take raw events; returns once the topics have them, with those that are refused, which are dead letters.

        A worker may still refuse what only journeys can tell; that is a dead letter too.
        """
        now_ms, project = self.clock.now_ms(), self.catalog.project
        topic = self._topics.events[0]
        accepted: defaultdict[tuple[str, int], list[Line]] = defaultdict(list)
        refusals: list[Refusal] = []
        for index, raw in enumerate(lines):
            try:
                event = envelopes.read(raw, now_ms)
                key = _key_of(project, event).encode()
                if len(raw) + len(key) + OVERHEAD_BYTES > self._intake.largest:
                    raise EventError("too_large", f"the record has {len(raw)} bytes; {topic} does not take that much")
            except EventError as error:
                refusals.append(Refusal(index, error.reason, error.message))
                accepted[self._buried_in(raw)].append((None, _letter(error, raw, source, index, now_ms)))
                continue
            accepted[topic, partition_of(key, self._counts[topic])].append((key, raw))
        await self._write(accepted, len(lines) - len(refusals))
        for refusal in refusals:
            self.metrics.dead_letters.labels(refusal.reason).inc()
        self.metrics.accepted.labels("refused").inc(len(refusals))
        return refusals

    async def hear(self, profile_id: str, *events: Event) -> None:
        """Take events about a profile; returns once its partition will read them."""
        key, topic = profile_id.encode(), self._topics.receipts
        count = self._counts[topic]
        lines: list[Line] = [(key, receipt_line(event)) for event in events]
        # Without resolve, a profile lives where its producers' keys lead to, which its id does not tell; everybody
        # who does not know it passes over what is said about it.
        numbers = [partition_of(key, count)] if self._settings.resolve else range(count)
        await self._write({(topic, number): lines for number in numbers}, len(events))

    async def _write(self, lines: Mapping[tuple[str, int], Sequence[Line]], count: int) -> None:
        try:
            await self._intake.write(lines)
        except OrchestratorError:
            self.metrics.accepted.labels("turned_away").inc(count)
            raise
        self.metrics.accepted.labels("accepted").inc(count)

    def _buried_in(self, raw: bytes) -> tuple[str, int]:
        topic = self._topics.dead_letters
        return topic, zlib.crc32(raw) % self._counts[topic]

    def _tell(self, messages: Sequence[Streamed]) -> None:
        for message in messages:
            self.streams.tell(message.channel, message.profile_id)

    # What is asked

    async def state_of(self, profile_id: str) -> State | None:
        """Give a profile's state as far as the copy goes."""
        return await self._read_side.state_of(profile_id)

    async def known_of(self, profile_id: str, newest: int) -> Known | None:
        """Give a profile's state and newest decisions as far as the copy goes."""
        return await self._read_side.known_of(profile_id, newest)

    async def profile_named(self, name: str) -> str:
        """Give the profile that a name leads to, as far as the copy goes."""
        return await self._read_side.profile_named(name)

    async def find(self, name: str, newest: int) -> Known | None:
        """Find a customer by any identifier, as far as the copy goes."""
        return await self._read_side.find(self.catalog.project, name, newest)

    async def reached(self, channel: str, address: str) -> list[Reached]:
        """Find who is reached at an address by a channel, as far as the copy goes."""
        return await self._read_side.reached(self.catalog.project, channel, address)


def _check(serving: ServeSettings) -> None:
    """Refuse to begin without what all of these processes must share."""
    needed = {"WRITE_KEYS": serving.write_keys, "LINK_SECRET": serving.link_secrets}
    missing = [f"ORCHESTRATOR_{name}" for name, value in needed.items() if not value]
    if missing:
        raise SettingError(
            f"{' and '.join(missing)} must be set: on Kafka all processes share them, so none is made here; make one"
            " with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )


def _key_of(project: Project, event: Event) -> str:
    """Give what the event is keyed by: the customer id, else the strongest identifier."""
    if event.customer_id is not None:
        return event.customer_id
    kind = next((kind for kind in project.identifiers if kind in event.identifiers), None) or min(event.identifiers)
    return event.identifiers[kind]


def _letter(error: EventError, raw: bytes, source: str, index: int, now_ms: int) -> bytes:
    letter = DeadLetter(error.reason, error.message, source, index, instants.to_text(now_ms), **quote(raw))
    return _encode(letter)
