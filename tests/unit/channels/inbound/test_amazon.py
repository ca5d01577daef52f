"""What is fetched from Amazon: all of it, however many pieces it comes in."""

import asyncio

import aiohttp
import pytest

from orchestrator.channels.inbound.amazon import Amazon, NotFetched

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\n" + b"x" * 4_000 + b"\n-----END CERTIFICATE-----\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CERTIFICATE)


@pytest.fixture
def asking(monkeypatch):
    """Ask without the guard, which lets nobody reach this machine."""
    monkeypatch.setattr("orchestrator.channels.guarded.open_client", lambda *_: aiohttp.ClientSession())


async def fetched(*pieces):
    """Give what a server is understood to say that says it piece by piece."""
    done = asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.02)  # or the pieces would travel together
        writer.close()
        done.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        try:
            return await Amazon()._fetch(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/1.pem")
        finally:
            await done.wait()


async def test_a_certificate_that_comes_in_pieces_is_whole(asking):
    assert await fetched(HEAD, CERTIFICATE[:1_400], CERTIFICATE[1_400:]) == CERTIFICATE


async def test_half_a_certificate_is_none(asking):
    with pytest.raises(NotFetched):
        await fetched(HEAD, CERTIFICATE[:1_400])
