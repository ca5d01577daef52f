"""A web server on this machine that answers in bytes, so that it can also answer wrongly, halfway, or not at all.

Owns its script: each request takes the next answer, and the last one serves all that follow.
"""

import asyncio
import json
import ssl
from typing import Any, Self

HANG = b"hang"
RESET = b"reset"


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    """Write a whole HTTP answer."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Told\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


class WebServer:
    """Keeps what it got: `requests` as (path, headers by lower-case name, body)."""

    def __init__(self, *script: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.script = list(script) or [answer(200)]
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/hook"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone, as clients do
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((first.split()[1], headers, body))
        told = self.next_answer(*self.requests[-1])
        if told == HANG:
            await reader.read()  # until the client gives up
            return False
        if told == RESET:
            transport: Any = writer.transport
            transport.abort()
            return False
        writer.write(told)
        await writer.drain()
        return b"\r\n\r\n" in told and len(told.split(b"\r\n\r\n", 1)[1]) == _length(told)

    def next_answer(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()


def _length(told: bytes) -> int:
    head = told.split(b"\r\n\r\n", 1)[0].lower()
    return int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else -1
