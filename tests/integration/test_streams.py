"""Streams: what an app, a till or a tablet reads over a real connection, leaves, and comes back to."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest

import providers.live
from orchestrator.errors import StorageError
from orchestrator.runtime.serving.streams import StoreReader
from orchestrator.web import streams as web_streams
from orchestrator.web.server import listen
from providers.live import PROJECT, READ, LiveShop, until, write_project

TELLS = """
journey: hello
version: 1
purpose: service
status: live
enter: {event: came_in, again: always}
steps:
  - {id: greet, send: {message: hello, channels: [in-app]}}
  - id: seen
    wait_for: {event: message_opened, within: 1d}
    then: [{exit: seen}]
"""
HELLO = 'message: hello\nin-app: {title: "Hola {{ profile.first_name }}", text: "{{ entry.n }}"}\n'


@pytest.fixture
def live(tmp_path):
    channels = "channels:\n  in-app: {address: profile.app_user}\n  tablet: {address: profile.app_user}\n"
    project = write_project(tmp_path / "shop", TELLS, project=PROJECT.replace("channels:\n", channels))
    (project / "messages" / "hello.message.yaml").write_text(HELLO)
    return LiveShop(tmp_path, in_app="stream:?keep=1h")


@pytest.fixture
async def shop(live):
    async with live:
        yield live


async def meet(shop, *names):
    for name in names:
        traits = {"app_user": f"user-{name}", "first_name": name}
        await shop.post({"type": "profile_updated", "customer_id": name, "properties": traits})


async def come(shop, name, *numbers):
    for n in numbers:
        await shop.post({"type": "came_in", "customer_id": name, "properties": {"n": n}})


class Reader:
    """Reads a stream's events from a connection, as (place, event, data)."""

    def __init__(self, response):
        self.response = response
        self.events, self.comments = [], 0
        self.task = asyncio.create_task(self._read())

    async def _read(self):
        fields = {}
        async for raw in self.response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                self.events.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
                fields = {}

    @property
    def texts(self):
        return [data["content"]["text"] for _, event, data in self.events if event == "message"]

    @property
    def ids(self):
        return [data["id"] for _, event, data in self.events if event == "message"]


@asynccontextmanager
async def reading(shop, channel="in-app", token=READ, last=None, query=""):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if last is not None:
        headers["Last-Event-ID"] = last
    async with (
        aiohttp.ClientSession(shop.url, headers=headers) as client,
        client.get(f"/v1/stream/{channel}{query}") as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        reader = Reader(response)
        try:
            yield reader
        finally:
            reader.task.cancel()


async def token_of(shop, name, channel="in-app"):
    headers = {"Authorization": f"Bearer {READ}"}
    async with shop.client.post(
        f"/v1/stream/{channel}/tokens", json={"customer_id": name}, headers=headers
    ) as response:
        assert response.status == 201
        return (await response.json())["token"]


async def test_a_reader_gets_what_was_before_and_what_comes_and_each_once(shop):
    await meet(shop, "ana", "ben")
    await come(shop, "ana", 1, 2)
    async with reading(shop) as reader:
        await until(lambda: reader.texts == ["1", "2"])
        await come(shop, "ben", 3)
        await until(lambda: reader.texts == ["1", "2", "3"])
    _, _, first = reader.events[0]
    assert (first["to"], first["customer_id"], first["channel"]) == ("user-ana", "ana", "in-app")
    assert first["content"]["title"] == "Hola ana"
    async with reading(shop, query="?from=now") as late:
        await come(shop, "ben", 4)
        await until(lambda: late.texts == ["4"])


async def test_who_asks_for_a_channel_that_there_is_not_hears_so_and_a_look_at_one_has_an_end(shop):
    async with aiohttp.ClientSession(shop.url, headers={"Authorization": f"Bearer {READ}"}) as client:
        async with client.get("/v1/stream/in_app") as response:
            assert (response.status, (await response.json())["code"]) == (404, "unknown")
        async with client.head("/v1/stream/in-app") as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")


async def test_a_reader_that_comes_back_loses_nothing_and_gets_nothing_twice_also_over_a_restart(live):
    async with live as shop:
        await meet(shop, "ana")
        async with reading(shop) as reader:
            await come(shop, "ana", 1, 2)
            await until(lambda: reader.texts == ["1", "2"])
        await come(shop, "ana", 3)
        await until(lambda: _streamed(shop, 3))
        ids = reader.ids
    async with live as shop:  # another process over the same state
        async with reading(shop, last=reader.events[-1][0]) as again:
            await come(shop, "ana", 4)
            await until(lambda: again.texts == ["3", "4"])
            ids += again.ids
        async with reading(shop, last=reader.events[0][0]) as from_the_first:
            await until(lambda: from_the_first.texts == ["2", "3", "4"])
        assert from_the_first.ids == ids[1:]
    assert len(set(ids)) == 4


async def _streamed(shop, count):
    store = shop.service.intake.store
    return await shop.service.intake.run(store.casework.last_streamed) == count


async def test_a_customers_token_reads_their_messages_and_no_others(shop):
    await meet(shop, "ana", "ben")
    token = await token_of(shop, "ana")
    async with reading(shop, token=None, query=f"?token={token}") as reader:
        await come(shop, "ben", 1)
        await come(shop, "ana", 2)
        await until(lambda: reader.texts == ["2"])
        message = reader.events[0][2]
    assert await _status(shop, "/v1/stream/tablet", token) == 403
    assert await _status(shop, "/v1/stream/in-app", "nonsense") == 401
    assert await _status(shop, "/v1/stream/in-app", None) == 401
    assert await _status(shop, "/v1/stream/in-app?after=-1", READ) == 400
    shop.later(25 * 3600)
    assert await _status(shop, "/v1/stream/in-app", token) == 401
    assert message["customer_id"] == "ana"


async def _status(shop, path, token):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(shop.url, headers=headers) as client, client.get(path) as response:
        return response.status


async def report(shop, message_id, what, token):
    headers = {"Authorization": f"Bearer {token}"}
    body = {"id": message_id, "type": what}
    async with shop.client.post("/v1/stream/in-app/receipts", json=body, headers=headers) as response:
        return response.status


async def test_what_is_read_comes_back_and_moves_the_journey_on(shop):
    await meet(shop, "ana", "ben")
    await come(shop, "ana", 1)
    ana, ben = await token_of(shop, "ana"), await token_of(shop, "ben")
    async with reading(shop, token=ana) as reader:
        await until(lambda: reader.ids)
    [message_id] = reader.ids
    assert await report(shop, message_id, "delivered", ana) == 202
    assert await report(shop, message_id, "opened", ben) == 404
    assert await report(shop, message_id, "read", ana) == 422
    assert (await shop.known())["journeys"][0]["step"] == "seen"
    assert [await report(shop, message_id, "opened", ana) for _ in range(2)] == [202, 202]
    assert (await shop.verdicts())[-1] == ("exited", "seen")


async def test_messages_are_gone_after_their_time_and_with_their_customer(shop):
    await meet(shop, "ana", "ben")
    await come(shop, "ana", "planted-1")
    await until(lambda: _streamed(shop, 1))
    shop.later(3601)
    async with reading(shop) as reader:
        await come(shop, "ben", 2)
        await until(lambda: reader.texts == ["2"])
        await come(shop, "ana", "planted-3")
        await until(lambda: reader.texts == ["2", "planted-3"])
    await shop.post({"type": "profile_erase_requested", "customer_id": "ana"})
    assert b"planted" not in b"".join(path.read_bytes() for path in shop.state.parent.glob("state.db*"))


async def test_a_reader_hears_that_we_are_still_here_and_when_we_stop(live, monkeypatch):
    monkeypatch.setattr(web_streams, "HEARTBEAT_SECONDS", 0.05)
    async with live as shop:
        client = aiohttp.ClientSession(shop.url, headers={"Authorization": f"Bearer {READ}"})
        response = await client.get("/v1/stream/in-app")
        reader = Reader(response)
        await until(lambda: reader.comments >= 2)
    await asyncio.wait_for(reader.task, 10)
    assert reader.events == [(None, "cut", {"reason": "stopping"})]
    await client.close()


async def test_a_reader_is_cut_and_told_why_where_what_is_kept_cannot_be_asked(shop, monkeypatch, caplog):
    async def page(reader):
        raise StorageError("the copy of the customers is still being made; come back in a moment")

    async with reading(shop) as reader:
        monkeypatch.setattr(StoreReader, "page", page)
        await meet(shop, "ana")
        await come(shop, "ana", 1)
        await asyncio.wait_for(reader.task, 10)
        assert reader.events == [(None, "cut", {"reason": "not_now"})]
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@pytest.fixture
async def narrow(live, monkeypatch):
    """Serve over connections that hold little, long messages, to readers who are soon too slow."""

    def listen_narrowly(host, port):
        bound = listen(host, port)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        return bound

    monkeypatch.setattr(providers.live, "listen", listen_narrowly)
    monkeypatch.setattr(web_streams, "PATIENCE_SECONDS", 0.1)
    long = HELLO.replace("hello\nin-app: {", "hello\nin-app: {url: https://shop.example/" + "x" * 50_000 + ", ")
    (live.project / "messages" / "hello.message.yaml").write_text(long)
    async with live as shop:
        await meet(shop, "ana")
        await come(shop, "ana", *range(12))
        await until(lambda: _streamed(shop, 12))
        yield shop


@asynccontextmanager
async def idling(shop):
    """Ask for a stream, and read nothing of it."""
    host, port = shop.url.removeprefix("http://").split(":")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, int(port)))
        slow.sendall(f"GET /v1/stream/in-app HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {READ}\r\n\r\n".encode())
        slow.setblocking(False)
        yield slow


async def _counted(shop, line):
    async with shop.client.get("/metrics") as response:
        return line in await response.text()


async def test_a_slow_reader_is_cut_told_why_and_resumes_from_the_store(narrow):
    async with idling(narrow) as slow:
        await until(lambda: _counted(narrow, "orchestrator_slow_readers_total 1.0"))
        taken = await asyncio.wait_for(_rest_of(slow), 20)
    assert b'event: cut\ndata: {"reason":"too_slow"}' in taken
    last = max(int(line[4:]) for line in taken.split(b"\n") if line.startswith(b"id: ") and line[4:].isdigit())
    assert last < 12
    async with reading(narrow, last=str(last)) as reader:
        await until(lambda: len(reader.texts) == 12 - last)
    assert reader.texts == [str(n) for n in range(last, 12)]


async def test_a_reader_who_takes_nothing_is_let_go(narrow, monkeypatch):
    monkeypatch.setattr(web_streams, "GONE_SECONDS", 0.1)
    async with idling(narrow) as slow:
        await until(lambda: not narrow.service.streams._readers and _counted(narrow, "slow_readers_total 1.0"))
        taken = await asyncio.wait_for(_rest_of(slow), 20)
    assert b"event: cut" not in taken
    assert len(taken) < 12 * 50_000


async def _rest_of(sock):
    loop, taken = asyncio.get_running_loop(), b""
    while piece := await loop.sock_recv(sock, 65536):
        taken += piece
    return taken
