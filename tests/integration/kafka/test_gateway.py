"""`serve --kafka`: what is answered with 202 is in the topics, whatever happens to the process or to the broker."""

import asyncio
import io
import json
import signal
from collections import Counter
from contextlib import asynccontextmanager, closing

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from orchestrator.model import codec
from orchestrator.model.profile import Profile
from orchestrator.model.state import State
from orchestrator.runtime.kafka import intake
from orchestrator.runtime.kafka.gateway import Gateway
from orchestrator.runtime.kafka.header import HEADER_KEY, Header, encode_header
from orchestrator.runtime.kafka.topics import ensure
from orchestrator.runtime.live_settings import ServeSettings
from orchestrator.testing.streams import Loaded, committed, load
from orchestrator.web.server import listen, serve
from providers.deliveries import SECRET
from providers.live import READ, WRITE

PARTITIONS = 4
CLIENTS = 8


def cart(number: int) -> dict:
    return {"id": f"e{number}", "type": "cart_updated", "customer_id": f"c{number % 97}", "properties": {"total": 40}}


class Crowd:
    """Channel systems that send one event after the other; each is noted once it is answered."""

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self._next = 0

    async def send_to(self, door) -> None:
        """Send until the door is gone."""
        headers = {"Authorization": f"Bearer {WRITE}"}
        async with aiohttp.ClientSession(door.url, headers=headers) as client:
            await asyncio.gather(*(self._send(client) for _ in range(CLIENTS)))

    async def _send(self, client: aiohttp.ClientSession) -> None:
        while True:
            self._next += 1
            event = cart(self._next)
            try:
                async with client.post("/v1/events", json=event) as response:
                    if response.status != 202:
                        assert response.status == 503
                        return
            except (aiohttp.ClientError, OSError):
                return
            self.accepted.append(event["id"])


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_killed_under_load_every_event_that_was_answered_202_is_in_the_topic(shop, rounds, capsys):
    crowd = Crowd()
    for number in range(rounds + 1):
        door = await shop.open_door()
        sending = asyncio.create_task(crowd.send_to(door))
        goal = len(crowd.accepted) + 300 + 37 * number

        async def reached(goal=goal) -> bool:
            return len(crowd.accepted) >= goal

        await shop.until(reached)
        if number < rounds:
            door.process.kill()
        else:
            # Asked to stop, it answers what it has in hand, and loses nothing either.
            assert await asyncio.to_thread(door.process.stop) == 0, shop.said()
        await sending
    found = Counter(json.loads(line)["id"] for line in await shop.lines(shop.events))
    lost = set(crowd.accepted) - set(found)
    with capsys.disabled():
        print(f"\n{rounds} kills: {len(crowd.accepted)} answered 202, {len(lost)} lost, {len(found)} kept")  # noqa: T201
    assert lost == set()
    assert max(found.values()) == 1


@pytest.mark.slow
async def test_a_batch_that_is_not_written_whole_is_answered_by_nobody(shop):
    """Killed between the sending and the answers of the brokers, and after them: neither was answered 202."""
    for point in ("intake.sent", "intake.written"):
        door = await shop.open_door(FAULT=f"{point}:1")
        with pytest.raises((aiohttp.ClientError, OSError)):
            await door.post(*(cart(number) for number in range(100)))
        assert await asyncio.to_thread(door.process.wait, 20) == -signal.SIGKILL


@asynccontextmanager
async def gateway_of(shop, copy, more=None):
    """Run a gateway with its HTTP in this loop; give it with a client."""
    settings = {"write_keys": WRITE, "read_keys": READ, "link_secret": SECRET, "public_url": "https://shop.example"}
    settings |= more or {}
    gateway = Gateway(shop.loaded, shop.settings(), ServeSettings.read(settings.get), copy, settings.get)
    ready, stop = asyncio.Event(), asyncio.Event()
    with closing(listen("127.0.0.1", 0)) as bound:
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        running = asyncio.create_task(serve(gateway, bound, ready.set, stop))
        async with asyncio.timeout(60):
            await ready.wait()
        try:
            async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {WRITE}"}) as client:
                yield gateway, client
        finally:
            stop.set()
            await running


async def posted(client, path, body):
    data = io.BytesIO(json.dumps(body).encode())
    async with client.post(path, data=data, headers={"Content-Type": "application/json"}) as response:
        return response.status, response.headers.get("Retry-After"), await response.json()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_while_the_broker_is_away_nobody_is_told_that_an_event_was_kept(shop_to_break, tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "PATIENCE_S", 1.0)
    shop = shop_to_break
    async with gateway_of(shop, tmp_path / "copy.db") as (gateway, client):
        assert (await posted(client, "/v1/events", cart(1)))[0] == 202
        await asyncio.to_thread(shop.broker.pause)
        status, retry_after, told = await posted(client, "/v1/events", cart(2))
        assert (status, retry_after, told["code"]) == (503, "5", "not_kept")
        assert told["message"] == "it is not known to be kept; send it again as it was"  # it lies with the broker
        assert not gateway.is_ready
        # From now on nobody waits for what is known not to answer.
        assert (await posted(client, "/v1/batch", {"batch": [cart(3)], "writeKey": WRITE}))[:2] == (503, "5")
        report = {"type": "delivered", "action_id": "a", "customer_id": "c1"}
        assert (await posted(client, "/hooks/push", report))[:2] == (503, "5")
        async with client.get("/readyz") as response:
            assert response.status == 503
        await asyncio.to_thread(shop.broker.resume)

        async def is_back() -> bool:
            return gateway.is_ready

        await shop.until(is_back)
        assert (await posted(client, "/v1/events", cart(4)))[0] == 202
        async with client.get("/metrics") as response:
            counted = await response.text()
    found = {json.loads(line)["id"] for line in await shop.lines(shop.events)}
    # The second was sent, and nobody knew: whoever sends it again does no harm.
    assert {"e1", "e4"} <= found <= {"e1", "e2", "e4"}
    assert 'orchestrator_http_events_total{outcome="accepted"} 2.0' in counted
    assert 'orchestrator_http_events_total{outcome="turned_away"} 3.0' in counted


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_what_is_malformed_is_named_and_buried_and_the_others_are_keyed_by_their_customers(shop, tmp_path):
    async with gateway_of(shop, tmp_path / "copy.db") as (_, client):
        anonymous = {"type": "page_viewed", "identifiers": {"email": "ana@example.com"}}
        large = {"type": "page_viewed", "customer_id": "ana", "properties": {"text": "x" * (1 << 20)}}
        status, _, told = await posted(client, "/v1/events", [cart(1), {"customer_id": "ana"}, anonymous, large])
        assert (status, told["accepted"]) == (202, 2)
        assert [(each["index"], each["reason"]) for each in told["refused"]] == [(1, "no_type"), (3, "too_large")]
        assert (await posted(client, "/v1/track", {"userId": "ben", "event": "order_placed"}))[0] == 202
        # Without resolve nobody but its owner knows where a profile lives: all are told.
        click = {"type": "clicked", "action_id": "ab" * 16, "customer_id": "ana", "properties": {"link": "https://x"}}
        assert (await posted(client, "/hooks/email", click))[0] == 202

        async def nobody_is_known() -> bool:
            # 503 until the copy of the customers is whole.
            reading = {"Authorization": f"Bearer {READ}"}
            async with client.get("/v1/customers/ana", headers=reading) as response:
                assert response.status in (404, 503)
                return response.status == 404

        await shop.until(nobody_is_known)
    records = await committed(shop.servers, shop.events, PARTITIONS)
    assert {each.key for each in records} == {b"c1", b"ana@example.com", b"ben"}
    letters = [json.loads(line) for line in await shop.lines(shop.topics.dead_letters)]
    assert sorted((each["reason"], each["source"], each["offset"]) for each in letters) == [
        ("no_type", "/v1/events", 1),
        ("too_large", "/v1/events", 3),
    ]
    receipts = await committed(shop.servers, shop.topics.receipts, PARTITIONS)
    assert [each.partition for each in receipts] == [0, 1, 2, 3]
    assert {json.loads(each.value)["channel"] for each in receipts} == {"email"}


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_copy_of_a_changelog_that_was_made_anew_and_has_grown_past_it_begins_anew(shop, tmp_path):
    changelog = shop.topics.changelog

    async def written_by(log: str, *names: str) -> None:
        """Write customers as the owner of a partition does."""
        await ensure(shop.settings(), shop.topics)
        lives = [(name.encode(), codec.encode(State(Profile(name, name)))) for name in names]
        headed = [*lives, (HEADER_KEY.encode(), encode_header(Header(log=log)))]
        await load(shop.servers, changelog, [Loaded(0, 1_700_000_000_000, key, value) for key, value in headed])

    async def copied(name: str) -> set[str]:
        async with shop.copying(tmp_path / "copy.db") as opened:

            async def there() -> bool:
                with closing(opened()) as store:
                    return store.read(name) is not None

            await shop.until(there)
            with closing(opened()) as store:
                return {profile_id for profile_id, _ in store.records()}

    await written_by("one", "ana", "ben")
    assert await copied("ben") == {"ana", "ben"}
    admin = AIOKafkaAdminClient(bootstrap_servers=shop.servers)
    await admin.start()
    await admin.delete_topics([changelog])

    async def gone() -> bool:
        return changelog not in await admin.list_topics()

    await shop.until(gone)
    await admin.close()
    await written_by("two", "cem", *(f"c{number}" for number in range(9)))
    assert await copied("cem") == {"cem", *(f"c{number}" for number in range(9))}
