"""The attack table of the doors behind ingestion: the inbox, streams, and what other systems call."""

import asyncio
import gzip
import json

import pytest

from orchestrator.web import bodies
from providers.live import PROJECT, READ, LiveShop, write_project

AGENT_KEY = "an-agents-key-that-is-long-enough"
DEEP = b'{"x": ' + b"[" * 30_000
# Each door, who may come in there, and what nonsense comes to when they bring it.
DOORS = {
    "/v1/inbox/cases/x/note": (f"Bearer {AGENT_KEY}", 400),
    "/v1/stream/in-app/tokens": (f"Bearer {READ}", 400),
    "/v1/stream/in-app/receipts": (f"Bearer {READ}", 400),
    "/hooks/cases/care": ("", 401),  # whoever does not sign learns nothing about their JSON
    "/hooks/email/postmark": ("Basic cG9zdG1hcms6c2VjcmV0", 400),
    "/inbox/login": ("", 401),
    "/inbox/logout": ("", 303),
}


@pytest.fixture
async def shop(tmp_path):
    channels = "channels:\n  in-app: {address: profile.app_user}\n"
    teams = "teams: {care: {to: inbox}}\n"
    write_project(tmp_path / "shop", project=PROJECT.replace("channels:\n", channels) + teams)
    live = LiveShop(tmp_path, in_app="stream:?keep=1h")
    live.settings |= {
        "agents": f"eva:{AGENT_KEY}",
        "team_care_hook_secret": "a-teams-secret",
        "hook_postmark_password": "secret",
    }
    async with live:
        yield live


async def posted(shop, path, body, key, **headers):
    """Post a body; give the answer's status and text."""
    headers = {"Authorization": key, **headers}
    async with shop.client.post(path, data=body, headers=headers, allow_redirects=False) as response:
        return response.status, await response.text()


async def raw(shop, text, *, ends=True):
    """Send bytes as they are; give the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
    writer.write(text)
    if ends:
        await writer.drain()
    try:
        return await reader.readline()
    finally:
        writer.close()


async def test_too_much_is_refused_by_its_length_and_unpacked(shop):
    bomb, small = gzip.compress(b" " * (40 << 20), 9), gzip.compress(b" " * (2 << 20), 9)
    for path, (key, _) in DOORS.items():
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: 99999999\r\n\r\n"
        assert b" 413 " in await raw(shop, head.encode()), path
        packed = bomb if path.startswith("/hooks/email") else small
        assert (await posted(shop, path, packed, key, **{"Content-Encoding": "gzip"}))[0] == 413, path


async def test_nonsense_is_refused_and_nothing_breaks(shop):
    for path, (key, status) in DOORS.items():
        for body in (DEEP, b"[" * 60_000):
            assert (await posted(shop, path, body, key))[0] == status, (path, body[:9])
        # What can be read and means nothing is refused as well, or nobody's.
        for body in (b"\xff\xfe\x00", b"null", b'{"type": 7, "id": {}, "customer_id": []}'):
            assert (await posted(shop, path, body, key))[0] in (status, 200, 400, 404, 422), (path, body)


async def test_without_a_key_or_with_a_wrong_one_nobody_gets_in(shop):
    for path in [path for path in DOORS if path.startswith("/v1/")]:
        for key in ("", "Bearer ", "Bearer wrong", "Basic !!", "Bearer a-write-key"):
            status, told = await posted(shop, path, b"{}", key)
            assert (status, json.loads(told)["code"]) == (401, "bad_key"), path
    for path in ("/inbox", "/inbox/cases/x"):
        for cookie in ("", "inbox=x", "inbox=" + "A" * 200):
            async with shop.client.get(path, headers={"Cookie": cookie}, allow_redirects=False) as response:
                assert (response.status, response.headers["Location"]) == (303, "/inbox/login")


async def test_whoever_never_finishes_is_shown_the_door(shop, monkeypatch):
    monkeypatch.setattr(bodies, "SECONDS", 0.1)
    for path, (key, _) in DOORS.items():
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: 50\r\n\r\n{{"
        assert b" 408 " in await raw(shop, head.encode(), ends=False), path


async def test_no_path_leads_anywhere_else(shop):
    for path in (
        "/hooks/../../etc/passwd",
        "/hooks/..%2f..%2fetc/postmark",
        "/hooks/email%0d%0aX: y/postmark",
        "/v1/stream/..%2f..%2fetc",
        "/v1/inbox/cases/..%2f..%2fetc%2fpasswd",
        "/inbox/cases/..%2f..%2fetc%2fpasswd",
    ):
        for method in ("GET", "POST"):
            line = await raw(shop, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert line.split()[1] in (b"303", b"400", b"401", b"404", b"405"), (method, path, line)
