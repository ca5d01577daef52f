"""The journeys topic: what is published, and the catalog that follows from it.

    key                       value
    journey/ID/VERSION        {"file", "text"} of one version of a journey, for as long as entries may stand on it
    file/PATH                 {"file", "text"} of the project, its segments, its messages
    release                   {"revision", "keys"}: last in its transaction; the keys that are in force together

Each publish is one transaction, so a reader of committed records never sees half a release, and it acts only on the
release record. Every worker reads the topic without a group and takes up a new release without a restart.
Owns this topic. Must never decide whether something may be published: that is `publish`'s question.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from orchestrator.errors import InvalidProject, StorageError
from orchestrator.model.catalog import Catalog
from orchestrator.model.journey import Journey
from orchestrator.runtime.kafka.outgoing import Line
from orchestrator.runtime.kafka.reading import reader
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.writer import Writer, is_fenced

if TYPE_CHECKING:
    from orchestrator.language import Loaded

log = logging.getLogger(__name__)

RELEASE_KEY = "release"
POLL_MS = 500
PUBLISHING_TRIES = 20
BACKING_OFF_S = 0.1
RETRY_S = 1.0


class Source(msgspec.Struct):
    """One file as it was published."""

    file: str
    text: str


class Release(msgspec.Struct):
    """What is in force together."""

    revision: int
    keys: list[str]


class Published:
    """The content of the topic, as far as it was read."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.release = Release(0, [])

    def take(self, key: str, value: bytes | None) -> bool:
        """Take in one record; true when it completes a release."""
        if key == RELEASE_KEY and value is not None:
            release = msgspec.json.decode(value, type=Release)
            # Read again from the beginning, the topic tells old releases before the one that is known.
            if release.revision > self.release.revision:
                self.release = release
            return True
        if value is None:
            self.sources.pop(key, None)
        else:
            self.sources[key] = msgspec.json.decode(value, type=Source)
        return False

    def current(self) -> dict[str, str]:
        """Return the texts in force, by file."""
        return {source.file: source.text for key in self.release.keys if (source := self.sources.get(key))}

    def older(self) -> list[Source]:
        """Return the versions that are in force no longer and that entries may still stand on."""
        inforce = set(self.release.keys)
        return [source for key, source in self.sources.items() if key.startswith("journey/") and key not in inforce]

    def journeys(self) -> set[str]:
        """Return the ids of all journeys that were ever published."""
        return {key.split("/")[1] for key in self.sources if key.startswith("journey/")}


def compile_published(published: Published) -> "tuple[Loaded, Catalog]":
    """Compile what is in force: the project, and its catalog with the older versions beside it; or InvalidProject."""
    from orchestrator.language import compile_sources

    current = published.current()
    loaded = compile_sources(current)
    catalog = loaded.catalog
    shared = {file: text for file, text in current.items() if not file.endswith(".journey.yaml")}
    older: list[Journey] = []
    for source in published.older():
        try:
            older += compile_sources({**shared, source.file: source.text}).catalog.current
        except InvalidProject as error:
            # Its customers stand still, each with its reason; all others go on.
            log.error("an older version in %s no longer fits the project: %s", source.file, error)
    return loaded, Catalog(catalog.project, catalog.current, older)


def keyed(loaded: "Loaded") -> dict[str, Source]:
    """Give each file of a project its key in the topic."""
    versions = {
        definition.file: f"journey/{journey}/{definition.journey.version}"
        for journey, definition in loaded.definitions.items()
    }
    return {versions.get(file, f"file/{file}"): Source(file, text) for file, text in loaded.sources.items()}


class Catalogs:
    """Follows the journeys topic; `catalog` and `revision` are those of the latest release that could be read.

    `loaded` is its project, None before the first; `changed` is called whenever another release is in force.
    """

    def __init__(
        self, settings: KafkaSettings, topics: Topics, changed: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._tp = TopicPartition(topics.journeys, 0)
        self.loaded: Loaded | None = None
        self._published = Published()
        self._catalog: Catalog | None = None
        self.revision = 0

    @property
    def catalog(self) -> Catalog:
        """Return the catalog in force."""
        if self._catalog is None:
            raise StorageError(f"nothing is published in {self._tp.topic}; run `orchestrator publish`")
        return self._catalog

    async def read(self, published: int = 0) -> None:
        """Read the topic to its end as it is now, and compile what is in force.

        `published` is a revision that was published just now: brokers say so before readers may see it.
        """
        await self.peek(published)
        if self._published.release.revision:
            await self._compile()

    async def peek(self, published: int = 0) -> Published:
        """Read the topic to its end as it is now, and to a revision that is known to be there; return what it holds."""
        async with self._consumer() as consumer:
            end = (await consumer.end_offsets([self._tp]))[self._tp]
            while await consumer.position(self._tp) < end or self._published.release.revision < published:
                await self._take(consumer)
        return self._published

    async def follow(self) -> None:
        """Take up new releases for ever, whatever becomes of the brokers meanwhile."""
        while True:
            try:
                async with self._consumer() as consumer:
                    while True:
                        if await self._take(consumer) and self._published.release.revision > self.revision:
                            await self._compile()
            except KafkaError as error:
                log.warning("the definitions cannot be followed, those in force stay: %r", error)
                await asyncio.sleep(RETRY_S)

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        async with reader(self._settings) as consumer:
            consumer.assign([self._tp])
            await consumer.seek_to_beginning(self._tp)
            yield consumer

    async def _take(self, consumer: AIOKafkaConsumer) -> bool:
        """Take in what comes; true when a release was completed."""
        released = False
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            for record in records:
                try:
                    released |= self._published.take((record.key or b"").decode(), record.value)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    log.error("%s holds what nobody published at %d: %s", self._tp.topic, record.offset, error)
        return released

    async def _compile(self) -> None:
        revision = self._published.release.revision
        try:
            # In a thread: heartbeats go on meanwhile.
            self.loaded, catalog = await asyncio.to_thread(compile_published, self._published)
        except InvalidProject as error:
            log.error("release %d cannot be used, the one before stays in force: %s", revision, error)
            return
        self._catalog, self.revision = catalog, revision
        log.info("release %d is in force, with %d journeys", revision, len(catalog.current))
        if self._changed is not None:
            await self._changed()


async def publish(
    settings: KafkaSettings,
    topics: Topics,
    sources: Mapping[str, Source],
    *,
    only_if_new: bool = False,
    known: int = 0,
    compared: int | None = None,
) -> int | None:
    """Put a project's files in force, all or none; return the revision, or None where there was nothing to do.

    Raises StorageError where another release is in force by now than the one that they were `compared` with: what may
    follow that one need not be fit to follow the other.
    With `only_if_new`, nothing is published when any journey of these was published before. `known` is a revision that
    states were written with: where the topic was made anew, its revisions go on from there. One publisher at a time:
    a second one fences the first, and reads what that has finished.
    """
    for attempt in range(PUBLISHING_TRIES):
        # Looked at before a producer is opened as well: opening fences whoever is publishing this very moment.
        if _release_of(await Catalogs(settings, topics).peek(), sources, known, only_if_new=only_if_new) is None:
            return None
        writer = Writer(settings, f"{settings.app_id}-publish")
        try:
            await writer.open()
            revision = await _publish(writer, settings, topics, sources, known, compared, only_if_new=only_if_new)
        except Exception as error:
            await writer.discard()
            if not is_fenced(error):
                raise
            log.info("somebody else publishes at the same time; looking again")
            # Of several that begin together each would fence the other for ever, if all looked again at once.
            await asyncio.sleep(random.uniform(0, BACKING_OFF_S * 2 ** min(attempt, 4)))  # noqa: S311 - no secret
        else:
            await writer.close()
            return revision
    raise StorageError(f"{topics.journeys} is being published to without end; who else does?")


def _release_of(
    published: Published, sources: Mapping[str, Source], known: int, *, only_if_new: bool
) -> Release | None:
    """Make the release that puts these files in force; None where there is nothing to publish."""
    ours = {key.split("/")[1] for key in sources if key.startswith("journey/")}
    if only_if_new and published.journeys() & ours:
        return None
    is_same = all(published.sources.get(key) == source for key, source in sources.items())
    revision = published.release.revision
    if is_same and set(published.release.keys) == set(sources) and revision >= known:
        return None
    return Release(max(revision, known) + 1, sorted(sources))


async def _publish(
    writer: Writer,
    settings: KafkaSettings,
    topics: Topics,
    sources: Mapping[str, Source],
    known: int,
    compared: int | None,
    *,
    only_if_new: bool,
) -> int | None:
    published = await Catalogs(settings, topics).peek()
    release = _release_of(published, sources, known, only_if_new=only_if_new)
    if release is None:
        return None
    if compared not in (None, published.release.revision):
        raise StorageError(
            f"somebody else has published release {published.release.revision} meanwhile, with which nothing was "
            "compared; publish again"
        )
    lines: list[Line] = [(key.encode(), msgspec.json.encode(source)) for key, source in sources.items()]
    lines.append((RELEASE_KEY.encode(), msgspec.json.encode(release)))
    await writer.begin()
    for future, _ in await writer.send(topics.journeys, 0, lines):
        await future
    await writer.end()
    return release.revision
