"""The read side: a copy of every customer in a local file, for pages and lookups, that follows what workers commit.

It reads the turns' changelog (customers and cases), the links' (who is whose), the decisions, and the messages for the
company's own apps, and lags by what a commit takes. How far it
came is committed with what it copied, so a new process goes on where the last one stopped.
Bounded by what it copies: one record a customer, and decisions for as long as their topic keeps them.
Owns the following, and the thread that the copy belongs to. Must never be asked by whoever decides.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition

from orchestrator.errors import StorageError
from orchestrator.model.casework import Streamed
from orchestrator.model.project import Project
from orchestrator.model.state import State
from orchestrator.runtime import addressing, finding
from orchestrator.runtime.addressing import Reached
from orchestrator.runtime.kafka.copied import AnotherLogError, Copy, News
from orchestrator.runtime.kafka.reading import FETCH_BYTES, reader
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.live import Known
from orchestrator.runtime.wall_clock import wall_clock_ms
from orchestrator.storage import Store

log = logging.getLogger(__name__)

# So many records are copied in one commit; whoever asks waits at most for one.
AT_ONCE = 5_000
POLL_MS = 500
RETRY_S = 1.0
# So far the clocks of workers may lie apart from ours.
MARGIN_MS = 60_000

Result = TypeVar("Result")


class ReadSide:
    """The copy that one process keeps. `project()` is in force; `lags(seconds)` is told how far behind the copy is.

    `told(messages)` is told what is new. `changed` is set, and another one in its place, whenever something was copied.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Topics,
        path: Path,
        project: Callable[[], Project],
        lags: Callable[[float], None],
        told: Callable[[Sequence[Streamed]], None] = lambda messages: None,
    ) -> None:
        self.changed = asyncio.Event()
        self._told = told
        self._settings = settings
        self._topics = topics
        self._path = path
        self._project = project
        self._lags = lags
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="copy")
        self._copy: Copy | None = None
        self._links = TopicPartition(topics.links_changelog, 0)
        self._since_ms = 0
        self._is_whole = False
        self.trouble: str | None = None

    async def open(self) -> None:
        """Open the file; raises StorageError for one that is in use, or is no copy of this application."""
        of = f"{self._settings.topic_prefix}{self._settings.app_id}"
        messages = self._topics.messages
        self._copy = await self._run(lambda: Copy(self._path, of, self._settings.retention_ms, self._project, messages))

    async def close(self) -> None:
        """Close the file, behind whatever is being copied."""
        if self._copy is not None:
            await self._run(self._copy.close)
        self._thread.shutdown()

    async def state_of(self, profile_id: str) -> State | None:
        """Give a profile's state; None when it has none. Raises StorageError while the copy is not whole."""
        return await self.ask(lambda store: finding.state_of(store, profile_id))

    async def find(self, project: Project, name: str, newest: int) -> Known | None:
        """Find a customer by any identifier; raises StorageError while the copy is not whole."""
        return await self.ask(lambda store: finding.find(store, project, name, newest))

    async def known_of(self, profile_id: str, newest: int) -> Known | None:
        """Give a profile's state and newest decisions; raises StorageError while the copy is not whole."""
        return await self.ask(lambda store: finding.known(store, profile_id, newest))

    async def profile_named(self, name: str) -> str:
        """Give the profile that a name leads to; raises StorageError while the copy is not whole."""
        return await self.ask(lambda store: store.named(name) or name)

    async def ask(self, call: Callable[[Store], Result]) -> Result:
        """Ask the copy something, between two commits; raises StorageError while it is not whole."""
        return await self.look(lambda copy: call(copy.store))

    async def look(self, call: Callable[[Copy], Result]) -> Result:
        """Look at the copy itself, as `ask` does."""
        return await self._run(lambda: call(self._whole()))

    async def reached(self, project: Project, channel: str, address: str) -> list[Reached]:
        """Find who is reached at an address by a channel; raises StorageError while the copy is not whole."""
        return await self.ask(lambda store: addressing.reached(store, project, channel, address))

    async def follow(self, counts: Mapping[str, int]) -> None:
        """Copy for ever, whatever becomes of the brokers or the disk meanwhile. `counts` are the topics' partitions."""
        # What is decided from now on comes here beside its records, and may come before them.
        self._since_ms = wall_clock_ms() - MARGIN_MS
        while True:
            try:
                # Decisions may expire while the brokers are away; then what is left of them is read on from.
                async with (
                    reader(self._settings, max_partition_fetch_bytes=FETCH_BYTES) as consumer,
                    reader(self._settings, isolation_level="read_uncommitted") as asker,
                ):
                    await self._follow(consumer, asker, counts)
            except AnotherLogError as error:
                await self._make_anew(str(error))
            except (KafkaError, StorageError) as error:
                self.trouble = f"the copy of the customers cannot follow: {error or repr(error)}"
                log.warning("%s", self.trouble)
                await asyncio.sleep(RETRY_S)

    async def _follow(self, consumer: AIOKafkaConsumer, asker: AIOKafkaConsumer, counts: Mapping[str, int]) -> None:
        began = time.monotonic()
        links = [self._links] if self._settings.resolve else []
        states = _partitions(self._topics.changelog, counts)
        decisions = [*_partitions(self._topics.decisions, counts), *_partitions(self._topics.messages, counts)]
        positions = await self._begin(consumer, [*links, *states], decisions)
        # Who is whose first, and decisions last: whose they are, and who is still known, is asked of the others.
        for assigned in filter(None, (links, [*links, *states], [*links, *states, *decisions])):
            consumer.assign(assigned)
            for tp in assigned:
                consumer.seek(tp, positions[tp])
            ends = await consumer.end_offsets(assigned)
            while any(positions[tp] < ends[tp] for tp in assigned):
                positions |= await self._go_on(consumer, asker)
        if not self._is_whole:
            log.info("the copy of the customers is whole after %.1f s", time.monotonic() - began)
        self._is_whole, self.trouble = True, None
        while True:
            await self._go_on(consumer, asker)

    async def _begin(
        self, consumer: AIOKafkaConsumer, changelogs: Sequence[TopicPartition], decisions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Find out where to go on: where the copy stopped, or at the beginnings with an empty one."""
        everything = [*changelogs, *decisions]
        firsts, ends = await consumer.beginning_offsets(everything), await consumer.end_offsets(everything)
        kept = await self._run(self._held().kept)
        is_cut = any(kept.get(tp, firsts[tp]) < firsts[tp] for tp in changelogs)
        if is_cut or any(kept.get(tp, 0) > ends[tp] for tp in everything):
            await self._make_anew("a topic was made anew, or cut")
            kept = {}
        return {tp: max(kept.get(tp, 0), firsts[tp]) for tp in everything}

    async def _make_anew(self, why: str) -> None:
        """Begin with an empty copy; nobody is told of half of it."""
        log.warning("the copy of the customers is of another log, and is made anew: %s", why)
        self._is_whole = False
        await self._run(self._held().wipe)

    async def _go_on(self, consumer: AIOKafkaConsumer, asker: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Copy what came, tidy up where nothing did or that is overdue, and tell how far that is."""
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=AT_ONCE)
        copy, news = self._held(), News()
        for tp, records in fetched.items():
            _sort_in(news, self._topics, tp, records)
        if self._links in consumer.assignment() and any(record.value is None for record in news.states):
            news.links += await self._rest_of_links(consumer, asker)
        if not fetched:
            self._lags(0.0)
        if not fetched or copy.is_overdue:
            await self._run(copy.tidy)
        news.positions = {tp: await consumer.position(tp) for tp in consumer.assignment()}
        if fetched:
            streamed = await self._run(lambda: copy.take(news, self._since_ms))
            changed, self.changed = self.changed, asyncio.Event()
            changed.set()
            self._told(streamed)
            newest = max((record.timestamp for record in (*news.states, *news.decisions, *news.messages)), default=None)
            if newest is not None:
                self._lags(max(0.0, time.time() - newest / 1000))
        return news.positions

    async def _rest_of_links(self, consumer: AIOKafkaConsumer, asker: AIOKafkaConsumer) -> list[ConsumerRecord]:
        """Read the links as far as they go: a record that is gone may be part of another, and they know.

        The whole log, as `asker` sees it: a link is committed before the record goes, but partitions learn that one by
        one, and while theirs has not, the links seem to end before it.
        """
        found: list[ConsumerRecord] = []
        end = (await asker.end_offsets([self._links]))[self._links]
        while await consumer.position(self._links) < end:
            found += (await consumer.getmany(self._links, timeout_ms=POLL_MS)).get(self._links, [])
        return found

    def _held(self) -> Copy:
        if self._copy is None:
            raise StorageError("the copy of the customers is not open")
        return self._copy

    def _whole(self) -> Copy:
        if not self._is_whole:
            raise StorageError("the copy of the customers is still being made; come back in a moment")
        return self._held()

    async def _run(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _partitions(topic: str, counts: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(counts[topic])]


def _sort_in(news: News, topics: Topics, tp: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
    """Put a partition's records where they belong."""
    if tp.topic == topics.changelog:
        news.states += records
    elif tp.topic == topics.decisions:
        news.decisions += records
    elif tp.topic == topics.messages:
        news.messages += records
    else:
        news.links += records
