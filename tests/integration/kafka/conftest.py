"""A small shop on the session's broker: its events, its workers, and what they must come to.

Must never decide what is expected by hand where the simulated runtime can say it.
"""

import asyncio
import json
import random
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from orchestrator.language import Loaded as LoadedProject
from orchestrator.language import load as load_project
from orchestrator.model import codec
from orchestrator.model.project import Project
from orchestrator.runtime.kafka.catalogs import Catalogs, keyed, publish
from orchestrator.runtime.kafka.header import decode_header
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.membership import Membership
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.places import Places
from orchestrator.runtime.kafka.readside import ReadSide
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics, ensure
from orchestrator.runtime.kafka.turning import TurnJob
from orchestrator.storage import SqliteStore
from orchestrator.testing.brokers import Broker, await_topic
from orchestrator.testing.streams import Expected, Loaded, WorkerProcess, committed, expected_of, latest_by_key, load
from providers.deliveries import SECRET
from providers.live import PHONE, READ, WRITE

PARTITIONS = 4
START = 1_700_000_000_000
HOUR = 3_600_000
FILES = {
    "orchestrator.yaml": """
project: shop
channels: {email: {address: profile.customer_id, preferred_order: 1}}
purposes: {service: {consent: none}}
""",
    "messages/cart-reminder.message.yaml": """
message: cart-reminder
email: {subject: "Your cart is waiting", text: "Come back any time."}
""",
    "cart.journey.yaml": """
journey: abandoned-cart
version: 1
purpose: service
status: live
enter: {event: cart_updated, where: total >= 30, again: after_exit}
exit: [{event: order_placed, reason: bought}]
steps:
  - {id: settle, wait: {for: 1h, restart_on: cart_updated}}
  - {id: remind, send: {message: cart-reminder, channels: [email]}}
  - {id: rest, wait: 23h}
""",
}


def event(at: int, event_id: str, event_type: str, customer: str, total: float = 0.0) -> Loaded:
    """Make one record of a customer, where a Java client would put it."""
    value = {"id": event_id, "type": event_type, "customer_id": customer, "time": at, "properties": {"total": total}}
    key = customer.encode()
    return Loaded(partition_of(key, PARTITIONS), at, key, json.dumps(value).encode())


def shopping(count: int, seed: int, customers: int = 300) -> list[Loaded]:
    """Make a day of carts, orders and page views, and behind it an event that lets every timer fire."""
    dice = random.Random(seed)
    records = []
    for number in range(count):
        at = START + number * 24 * HOUR // count
        kind = dice.choices(["page_viewed", "cart_updated", "order_placed"], [5, 4, 1])[0]
        customer = f"c{dice.randrange(customers)}"
        records.append(event(at, f"e{number}", kind, customer, round(dice.uniform(5, 150), 2)))
    return records + endings(START + 96 * HOUR)


def scattered(records: list[Loaded], seed: int) -> list[Loaded]:
    """Put each record where any producer might have, without a key; the last ones stay."""
    dice = random.Random(seed)
    anywhere = [replace(record, partition=dice.randrange(PARTITIONS), key=None) for record in records[:-PARTITIONS]]
    return anywhere + records[-PARTITIONS:]


def endings(at: int) -> list[Loaded]:
    """Make one event a partition that nobody asks for, to move its clock."""
    value = b'{"id": "end", "type": "day_ended", "customer_id": "nobody", "time": %d}' % at
    return [Loaded(number, at, b"nobody", value) for number in range(PARTITIONS)]


class Door:
    """A process of `serve --kafka`, for those who come by HTTP; `copy` is the file of its read side."""

    def __init__(self, process: WorkerProcess, copy: Path) -> None:
        self.process = process
        self.copy = copy
        self.url = ""

    async def is_serving(self) -> bool:
        assert self.process.exit_code is None, self.process.said()
        found = re.search(r"serving on (http://\S+)", self.process.said())
        self.url = found[1] if found else ""
        return bool(found)

    def at(self, link: str) -> str:
        """Lead a link of a mail to this door."""
        return self.url + link.removeprefix("https://shop.example")

    async def post(self, *events: dict[str, Any]) -> int:
        """Send events as an array; give the status."""
        async with self._client(WRITE) as client, client.post(f"{self.url}/v1/events", json=list(events)) as response:
            return response.status

    async def known(self, name: str) -> Any:
        """Look a customer up; None when nobody is known by that, or not yet."""
        async with self._client(READ) as client, client.get(f"{self.url}/v1/customers/{name}") as response:
            return await response.json() if response.status == 200 else None

    async def get(self, link: str) -> tuple[int, str]:
        """Open a link, and do not follow where it leads; give the status, and the page or the place."""
        async with self._client() as client, client.get(self.at(link), allow_redirects=False) as response:
            return response.status, response.headers.get("Location") or await response.text()

    async def fetch(self, link: str) -> int:
        """Fetch what a link leads to here, whatever it is; give the status."""
        async with self._client() as client, client.get(self.at(link), allow_redirects=False) as response:
            return response.status

    async def send_form(self, link: str, form: dict[str, Any]) -> int:
        """Press the button of a page, or do as a mail program does in one click."""
        async with self._client() as client, client.post(self.at(link), data=form) as response:
            return response.status

    def _client(self, key: str = "") -> aiohttp.ClientSession:
        headers = {"Authorization": f"Bearer {key}"} if key else {"User-Agent": PHONE}
        return aiohttp.ClientSession(headers=headers)


class Shop:
    """One application on the broker: topics of its own, a project folder, workers."""

    def __init__(self, broker: Broker, name: str, folder: Path, project: Path) -> None:
        self.broker = broker
        self.servers = broker.bootstrap_servers
        self.events = f"{name}-events"
        self.project = project
        self.variables = {
            "APP_ID": name,
            "TOPIC_PREFIX": f"{name}.",
            "KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "EVENTS_TOPICS": self.events,
            "PARTITIONS": str(PARTITIONS),
            "START": "earliest",
            "RESOLVE": "off",
            "SESSION_TIMEOUT_MS": "2000",
            "COMMIT_INTERVAL_MS": "50",
            "HTTP": "127.0.0.1:0",
        }
        self._folder = folder
        self._workers: list[WorkerProcess] = []

    async def open(self) -> None:
        """Create the events topic, which belongs to the shop's channel systems."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            settings = {"max.message.bytes": str(8 << 20)}
            await admin.create_topics([NewTopic(self.events, PARTITIONS, 1, topic_configs=settings)])
            await await_topic(admin, self.events)
        finally:
            await admin.close()

    @property
    def loaded(self) -> LoadedProject:
        return load_project(self.project)

    def settings(self, **changes: str) -> KafkaSettings:
        return KafkaSettings.of({name.lower(): value for name, value in {**self.variables, **changes}.items()})

    @property
    def topics(self) -> Topics:
        return Topics.of(self.settings())

    async def receive(self, records: Iterable[Loaded]) -> None:
        await load(self.servers, self.events, records)

    def start_worker(self, command: str = "worker", options: Sequence[str] = (), **changes: str) -> WorkerProcess:
        log = self._folder / f"{self.variables['APP_ID']}-{len(self._workers)}.log"
        worker = WorkerProcess(self.project, {**self.variables, **changes}, log, command, options)
        self._workers.append(worker)
        return worker

    async def open_door(self, **changes: str) -> "Door":
        """Start `serve --kafka`, and wait until it answers."""
        copy = self._folder / f"copy-{len(self._workers)}.db"
        options = ["--kafka", "--state", str(copy)]
        process = self.start_worker("serve", options, WRITE_KEYS=WRITE, READ_KEYS=READ, LINK_SECRET=SECRET, **changes)
        door = Door(process, copy)
        await self.until(door.is_serving)
        return door

    async def killed_at(self, points: Iterable[str], **changes: str) -> WorkerProcess:
        """Let one worker after another kill itself at a fault point each, and return the one that goes on."""
        for point in points:
            worker = self.start_worker(FAULT=point, **changes)
            assert await asyncio.to_thread(worker.wait, 40) == -signal.SIGKILL, (point, self.said())
        return self.start_worker(**changes)

    def close(self) -> None:
        for worker in self._workers:
            worker.__exit__(None, None, None)

    def said(self) -> str:
        """Return the end of what the workers logged, for a test that fails."""
        return "\n".join(f"{worker.log.name} {worker.exit_code}: {worker.said()[-1500:]}" for worker in self._workers)

    def said_all(self) -> str:
        """Return all that the workers logged."""
        return "\n".join(worker.said() for worker in self._workers)

    async def drained(self, longest_s: float = 60, group: str | None = None, topic: str | None = None) -> None:
        """Wait until the group has committed everything that its topic holds, and so what came of it."""
        tps = [TopicPartition(topic or self.events, number) for number in range(PARTITIONS)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.servers, group_id=group or self.variables["APP_ID"], enable_auto_commit=False
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(tps)

            async def reached() -> bool:
                return all([(await consumer.committed(tp) or 0) >= ends[tp] for tp in tps])

            await self.until(reached, longest_s)
        finally:
            await consumer.stop()

    async def resolved(self, longest_s: float = 60) -> None:
        """Wait until resolve has passed everything on, and the turns have come behind the last record with it."""
        group = f"{self.variables['APP_ID']}-resolve"
        await self.drained(longest_s, group=group)
        changelog = self.topics.changelog

        async def passed() -> bool:
            found = await committed(self.servers, changelog, PARTITIONS)
            headers = {each.partition: decode_header(each.value) for each in found if each.key == b"@partition"}
            states = latest_by_key(each for each in found if each.key != b"@partition")
            is_behind = all(header.clock_ms > START + 96 * HOUR for header in headers.values())
            return len(headers) == PARTITIONS and is_behind and not any(map(codec.due_of, states.values()))

        await self.until(passed, longest_s)
        # A clock may have passed what still waits for its turn; the group's offset has not.
        await self.drained(longest_s, topic=self.topics.resolved)
        await self.until(passed, longest_s)

    async def resolving(self, longest_s: float = 60) -> None:
        """Wait until every partition of the turns has heard of every source: what comes now is taken."""

        async def heard() -> bool:
            found = await committed(self.servers, self.topics.changelog, PARTITIONS)
            headers = {each.partition: decode_header(each.value) for each in found if each.key == b"@partition"}
            return len(headers) == PARTITIONS and all(len(each.heard) >= PARTITIONS for each in headers.values())

        await self.until(heard, longest_s)

    async def until(self, condition: Callable[[], Awaitable[bool]], longest_s: float = 60) -> None:
        """Look again and again until a condition about other processes holds."""
        deadline = time.monotonic() + longest_s
        while not await condition():
            assert time.monotonic() < deadline, self.said()
            await asyncio.sleep(0.1)

    async def lines(self, topic: str) -> list[bytes]:
        return [record.value for record in await committed(self.servers, topic, PARTITIONS)]

    async def check(self, records: Iterable[Loaded]) -> Expected:
        """Compare all that was committed with the simulated run of the same records: each line once, and the state."""
        if self.variables["RESOLVE"] == "on":
            # Rekeyed and aligned: as if all had come in one log, in the order of their times.
            records = [replace(each, partition=0) for each in sorted(records, key=lambda each: each.timestamp)]
        expected = expected_of(self.loaded.catalog, records)
        topics = self.topics
        for topic, lines in [(topics.actions, expected.actions), (topics.decisions, expected.decisions)]:
            found, wanted = Counter(await self.lines(topic)), Counter(lines)
            lost, doubled = wanted - found, found - wanted
            odd = [sorted(lines)[0][:400] if lines else b"" for lines in (lost, doubled)]
            told = f"{topic}: {len(lost)} lost, {len(doubled)} too many, the first of each: {odd}"
            assert (lost, doubled) == (Counter(), Counter()), told
        state = latest_by_key(await committed(self.servers, topics.changelog, PARTITIONS))
        state.pop("@partition", None)
        assert state == expected.records
        assert len(await self.lines(topics.dead_letters)) == expected.dead_letters
        return expected

    @asynccontextmanager
    async def copying(self, path: Path) -> AsyncIterator[Callable[[], SqliteStore]]:
        """Keep a copy of the customers in a file; give what opens it for reading."""
        settings, topics = self.settings(), self.topics
        counts = await ensure(settings, topics)
        side = ReadSide(settings, topics, path, lambda: Project("shop"), lambda seconds: None)
        await side.open()
        following = asyncio.create_task(side.follow(counts))
        try:
            yield lambda: SqliteStore(path, writes=False)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await side.close()

    @asynccontextmanager
    async def member(self, metrics: Metrics | None = None, **changes: str) -> AsyncIterator[Membership]:
        """Run a member of the turns' group in this process, for tests that arm faults."""
        settings = self.settings(**changes)
        topics = Topics.of(settings)
        counts = await ensure(settings, topics)
        revision = await publish(settings, topics, keyed(self.loaded), only_if_new=True)
        catalogs = Catalogs(settings, topics)
        await catalogs.read(revision or 0)
        metrics = metrics or Metrics()
        job = TurnJob(settings, topics, counts[topics.changelog], frozenset(), metrics, Places(settings, metrics))
        member = Membership(job, catalogs)
        running = asyncio.create_task(member.run())
        try:
            yield member
        finally:
            member.stop()
            await asyncio.wait_for(running, 20)


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
async def shop(broker, fresh_name, project, tmp_path) -> AsyncIterator[Shop]:
    """Return a shop whose events topic is empty and whose workers are not started yet."""
    shop = Shop(broker, fresh_name("shop"), tmp_path, project)
    await shop.open()
    yield shop
    shop.close()


@pytest.fixture
async def shop_to_break(restartable_broker, fresh_name, project, tmp_path) -> AsyncIterator[Shop]:
    """Return a shop on a broker that may be killed."""
    shop = Shop(restartable_broker, fresh_name("shop"), tmp_path, project)
    await shop.open()
    yield shop
    shop.close()


@pytest.fixture
def shop_at(fresh_name, project, tmp_path) -> Callable[[Broker], Shop]:
    """Return a maker of a shop at another broker than the session's; its topics are up to the test."""
    return lambda broker: Shop(broker, fresh_name("shop"), tmp_path, project)


@pytest.fixture
def a_day() -> Callable[..., list[Loaded]]:
    """Return a maker of a day's records: count and seed."""
    return shopping


@pytest.fixture
def scatter() -> Callable[..., list[Loaded]]:
    """Return what puts a day's records into whatever partitions: records and seed."""
    return scattered


@pytest.fixture
def one_event() -> Callable[..., Loaded]:
    """Return a maker of single records: time, id, type, customer, total."""
    return event
