"""One measurement of handing over, in a process of its own.

    python -m orchestrator.bench.live.delivering KIND PORT COUNT FOLDER

Owns what is measured: `smtp-bare` and `http-bare` are the client library alone, with one message made beforehand;
`smtp` and `http` are delivery as `serve` runs it: from the outbox on disk, rendered, linked, composed or signed, paced,
handed over, settled on disk. `http-memory` is the same as `http`, and looks at the process's memory along the way.
Prints one line of JSON.
"""

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop
from aiosmtplib import SMTP

from orchestrator.bench.measuring import Measured
from orchestrator.channels.email.composing import compose
from orchestrator.channels.links import Links
from orchestrator.channels.port import Setup
from orchestrator.channels.registry import open_channel
from orchestrator.channels.webhook import payload_of
from orchestrator.language import compile_sources
from orchestrator.model import ids, instants
from orchestrator.model.effects import Action
from orchestrator.runtime import interpreter
from orchestrator.runtime.delivery.lanes import Lanes, Route
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.roads import MessageRoad
from orchestrator.runtime.delivery.routes import preparer_of
from orchestrator.runtime.serving.intake import Intake, StoreOutbox, open_store
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.turns import Turns
from orchestrator.runtime.wall_clock import WallClock
from orchestrator.storage import Batch, Pending

CONCURRENCY = 20
# So many actions are put into the outbox at a time: what waits there is on disk, and costs no memory.
PORTION = 2_000
# The process's memory is looked at after each of so many equal parts.
PARTS = 10
SECRET = "the benchmark's links are signed for nobody"  # noqa: S105 - no secret
SOURCES = {
    "orchestrator.yaml": """
project: shop
brand: {name: Tienda, address: "Calle del Pez 14, Madrid"}
channels: {email: {address: profile.email}, push: {address: profile.token}}
purposes: {marketing: {consent: opt_in}}
""",
    "messages/cart-reminder.message.yaml": """
message: cart-reminder
email:
  subject: "{{ profile.first_name | default: 'Hola' }}, tu cesta te espera"
  text: "Hola {{ profile.first_name }}: tu cesta de {{ entry.total }} € sigue ahí. Adiós: {{ links.unsubscribe }}"
  html: "<p>Hola <b>{{ profile.first_name }}</b>: tu <a href='https://shop.example/cesta'>cesta</a> de
    {{ entry.total }} € sigue ahí.</p><p><a href='{{ links.unsubscribe }}'>Adiós</a></p>"
push: {title: "{{ brand.name }}", body: "{{ profile.first_name }}, tu cesta te espera"}
""",
}


def _setup(kind: str, port: int) -> Any:
    allowed = frozenset({"127.0.0.1"})
    if kind.startswith("smtp"):
        return Setup("email", f"smtp://127.0.0.1:{port}?tls=off&from=Tienda <hola@shop.example>", None, allowed)
    return Setup("push", f"http://127.0.0.1:{port}/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", allowed)


def _actions(kind: str, first: int, count: int) -> list[Any]:
    at = instants.to_text(time.time_ns() // 1_000_000)
    channel = "email" if kind.startswith("smtp") else "push"
    return [
        Action(
            ids.derive("bench", str(number)), "message", ids.profile_id_of("customer_id", f"c{number}"), f"c{number}",
            "abandoned-cart", 1, "entry", "remind", at, channel, "cart-reminder", "marketing", "en",
            f"c{number}@example.com", data={"profile": {"first_name": f"Ana{number}"}, "entry": {"total": 40.5}},
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def _preparer() -> Any:
    loaded = compile_sources(SOURCES)
    return loaded.catalog, preparer_of(loaded, loaded.catalog, Links("https://shop.example", (SECRET,)))


async def _bare_smtp(port: int, count: int) -> None:
    """Send one mail again and again, by the library alone, over as many connections as a lane has."""
    [delivery] = _preparer()[1].prepare(_actions("smtp", 0, 1)[0], time.time_ns() // 1_000_000)
    mail = compose(delivery, "Tienda <hola@shop.example>")
    numbers = iter(range(count))

    async def send() -> None:
        client = SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect()
        for _ in numbers:
            await client.mail(mail.sender)
            await client.rcpt(mail.recipient)
            await client.data(mail.content)
        await client.quit()

    await asyncio.gather(*(send() for _ in range(CONCURRENCY)))


async def _bare_http(port: int, count: int) -> None:
    """Post one payload again and again, by the library alone."""
    [delivery] = _preparer()[1].prepare(_actions("http", 0, 1)[0], time.time_ns() // 1_000_000)
    payload, numbers = payload_of(delivery), iter(range(count))

    async with aiohttp.ClientSession() as client:

        async def send() -> None:
            for _ in numbers:
                async with client.post(f"http://127.0.0.1:{port}/", data=payload) as response:
                    await response.read()

        await asyncio.gather(*(send() for _ in range(CONCURRENCY)))


@asynccontextmanager
async def _delivery(kind: str, port: int, folder: Path) -> AsyncIterator[Any]:
    """Run one lane over an outbox on disk; give its intake."""
    catalog, preparer = _preparer()
    metrics, clock = Metrics(), WallClock()
    intake = Intake(clock, lambda lanes, cancelled: None)
    await intake.start(lambda: open_store(folder / f"{kind}.db"), lambda store: Turns(catalog, store, metrics, 0))
    setup = _setup(kind, port)
    handed = [0]

    def observe(lane: str, outcome: str, seconds: float) -> None:
        handed[0] += outcome == "sent"
        metrics.delivered(lane, outcome, seconds)

    broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    delivery = Lanes(
        {setup.name: Route(MessageRoad(open_channel(setup), lambda: preparer), Manners(CONCURRENCY))},
        StoreOutbox(intake),
        clock,
        dice=random.Random(1),  # noqa: S311 - spreads retries
        observe=observe,
        fail=broken.set_exception,
    )
    await delivery.start()
    try:
        yield intake, delivery, setup.name, broken, handed
    finally:
        await delivery.stop()
        await intake.stop()


async def _deliver(kind: str, port: int, count: int, folder: Path, resident: list[int]) -> None:
    """Hand over so many actions, put into the outbox a portion at a time; note the memory after each part."""
    encode = msgspec.json.Encoder().encode
    async with _delivery(kind, port, folder) as (intake, delivery, lane, broken, handed):
        put = 0
        while handed[0] < count:
            if put < count and put - handed[0] < PORTION:
                rows = [
                    Pending(each.id, lane, 0, each.profile_id, encode(each))
                    for each in _actions(kind, put, min(PORTION, count - put))
                ]
                await intake.run(lambda rows=rows: intake.store.commit(Batch(pending=rows)))
                put += len(rows)
                delivery.wake([lane])
            if broken.done():
                broken.result()
            await asyncio.sleep(0.005)
            while handed[0] >= (len(resident) + 1) * count / PARTS and len(resident) < PARTS:
                resident.append(_resident_bytes())


def _resident_bytes() -> int:
    """Give the process's size now; where the system does not say, its greatest so far."""
    told = Path("/proc/self/statm")
    if not told.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(told.read_text().split()[1]) * resource.getpagesize()


async def _timed(work: Coroutine[Any, Any, None]) -> tuple[float, float]:
    """Give the wall and CPU seconds of some work, imports left out."""
    cpu, wall = time.process_time(), time.perf_counter()
    await work
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure what the arguments name."""
    kind, port, count, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    works = {"smtp-bare": _bare_smtp, "http-bare": _bare_http}
    resident: list[int] = []
    work = works[kind](port, count) if kind in works else _deliver(kind, port, count, folder, resident)
    interpreter.settle_down()  # as `serve` does
    seconds, cpu_seconds = uvloop.run(_timed(work))
    measured = Measured(
        kind=kind,
        events=count,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        resident_bytes=resident if kind.endswith("-memory") else [],
    )
    sys.stdout.write(json.dumps(msgspec.to_builtins(measured)) + "\n")


if __name__ == "__main__":
    main()
