"""Events over HTTP into a live process, from clients beside it.

    python -m orchestrator.bench.live.ingesting KIND PORT COUNT RATE

Owns what is sent and what is measured: `asking` only asks whether the process lives, `single` sends events one by one
over connections that stay open, `batch` sends them 500 at a time; with a RATE above 0 no faster than that many events
a second. Clients write requests that were made beforehand and read no more of an answer than its status, so that what
is measured is the other side. Prints one line of JSON.
"""

import asyncio
import json
import resource
import sys
import time

from orchestrator.bench.live.figures import Taken

CONNECTIONS = 64
A_BATCH = 500
KEY = "the-benchmarks-key"
_CUSTOMERS = 20_000


def _event(number: int) -> bytes:
    drawn = number % 10
    kind = "page_viewed" if drawn < 7 else "cart_updated" if drawn < 9 else "order_placed"
    customer = number * 7919 % _CUSTOMERS
    properties = {"cart_id": f"cart-{customer}", "total": 40.5, "items": 3, "url": f"https://shop.example/{number}"}
    return json.dumps(
        {"id": f"evt-{number:012d}", "type": kind, "customer_id": f"c{customer}", "properties": properties},
        separators=(",", ":"),
    ).encode()


def _request(body: bytes) -> bytes:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_ASKING = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"


class _Client(asyncio.Protocol):
    """One connection: sends a request, takes its answer, and tells how long that took."""

    def __init__(self) -> None:
        self._buffer = b""
        self.answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or b"0")
        if len(body) < length:
            return
        self._buffer = body[length:]
        if self.answered is not None:
            self.answered.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(exc or ConnectionError("the other side has gone"))

    async def ask(self, request: bytes) -> int:
        """Send a request; give its answer's status."""
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]  # a TCP connection's
        return await self.answered


async def _take(kind: str, port: int, requests: list[bytes], size: int, rate: float) -> Taken:
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(_Client, "127.0.0.1", port))[1] for _ in range(CONNECTIONS)]
    waiting, latencies = iter(enumerate(requests)), []
    wanted = 200 if kind == "asking" else 202
    began = loop.time()

    async def send(client: _Client) -> None:
        for number, request in waiting:
            due = began + number * size / rate if rate else 0.0
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            # From when it was due, not from when there was a connection for it: a queue here is time for the caller.
            asked = due or loop.time()
            if await client.ask(request) != wanted:
                raise RuntimeError("an event was not accepted")
            latencies.append(loop.time() - asked)

    cpu = time.process_time()
    await asyncio.gather(*(send(client) for client in clients))
    seconds = loop.time() - began
    latencies.sort()
    return Taken(
        kind=kind,
        events=len(requests) * size,
        seconds=seconds,
        median_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[min(len(latencies) * 99 // 100, len(latencies) - 1)] * 1000,
        client_cpu_seconds=time.process_time() - cpu,
        client_peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def requests_of(kind: str, count: int) -> tuple[list[bytes], int]:
    """Make the requests of a kind, and say how many events each holds."""
    if kind == "asking":
        return [_ASKING] * count, 1
    if kind == "single":
        return [_request(_event(number)) for number in range(count)], 1
    return [
        _request(b"[" + b",".join(_event(number) for number in range(first, first + A_BATCH)) + b"]")
        for first in range(0, count, A_BATCH)
    ], A_BATCH


def main() -> None:
    """Measure what the arguments name."""
    import msgspec
    import uvloop

    kind, port, count, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    requests, size = requests_of(kind, count)
    taken = uvloop.run(_take(kind, port, requests, size, rate))
    sys.stdout.write(msgspec.json.encode(taken).decode() + "\n")


if __name__ == "__main__":
    main()
