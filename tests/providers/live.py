"""A live shop: the whole service in the test's own loop, behind a socket, with a clock that can be set.

Owns the shop's files and what it takes to begin and end it. Must never reach outside of this machine.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import aiohttp

from orchestrator.runtime.live_settings import ServeSettings
from orchestrator.runtime.serving import Service
from orchestrator.web.server import listen, serve
from providers.deliveries import SECRET

WRITE, READ = "a-write-key", "a-read-key"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
HOUR = 3600.0

PROJECT = """
project: shop
timezone: Europe/Madrid
languages: [es, en]
brand: {name: Tienda, address: "Calle del Pez 14, Madrid"}
channels:
  email: {address: profile.email, preferred_order: 1, track: [clicks, opens]}
  push: {address: profile.device_token, preferred_order: 2}
purposes:
  marketing: {consent: opt_in}
  news: {consent: double_opt_in}
  service: {consent: none}
"""
JOURNEY = """
journey: abandoned-cart
version: 1
purpose: marketing
status: live
enter: {event: cart_updated, where: total >= 30, key: cart_id, again: after_exit}
exit:
  - {event: order_placed, reason: bought}
steps:
  - {id: settle, wait: {for: 1h, restart_on: cart_updated}}
  - {id: remind, send: {message: cart-reminder, channels: [email, push]}}
  - id: answer
    wait_for: {event: message_clicked, within: 1d}
    then:
      - {id: thank, send: {message: thanks, channels: [email], purpose: service}}
"""
MESSAGES = {
    "cart-reminder": """
message: cart-reminder
email:
  subject: "{{ profile.first_name | default: 'Hola' }}, tu cesta te espera"
  markdown: "Hola **{{ profile.first_name }}**: [vuelve](https://casaolmo.example/cesta?a=1&b=2)"
push: {title: "{{ brand.name }}", body: Tu cesta te espera}
""",
    "thanks": """
message: thanks
email: {subject: Gracias, text: "¡Gracias!"}
""",
}
CART = {"type": "cart_updated", "properties": {"cart_id": "c1", "total": 40}}


def write_project(folder: Path, *journeys: str, project: str = PROJECT) -> Path:
    """Write the shop's files."""
    (folder / "messages").mkdir(parents=True, exist_ok=True)
    (folder / "orchestrator.yaml").write_text(project)
    for text in journeys or (JOURNEY,):
        name = text.split("journey:")[1].split()[0]
        (folder / f"{name}.journey.yaml").write_text(text)
    for name, text in MESSAGES.items():
        (folder / "messages" / f"{name}.message.yaml").write_text(text)
    return folder


class SetClock:
    """The machine's clock, set by `shift_ms`."""

    def __init__(self) -> None:
        self.shift_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.shift_ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))


class LiveShop:
    """One live process in this loop. `channels` are URLs by channel."""

    def __init__(self, folder: Path, clock: SetClock | None = None, **channels: str) -> None:
        self.project = folder / "shop"
        if not self.project.exists():
            write_project(self.project)
        self.state = folder / "state.db"
        self.clock = clock or SetClock()
        self.settings = {
            "http": "127.0.0.1:0",
            "public_url": "https://shop.example",
            "write_keys": WRITE,
            "read_keys": READ,
            "link_secret": SECRET,
            "allowed_hosts": "127.0.0.1",
            **{f"channel_{name}": url for name, url in channels.items()},
        }
        self.ended: BaseException | None = None

    async def __aenter__(self) -> Self:
        settings = ServeSettings.read(self.settings.get)
        self.service = Service(self.project, self.state, settings, self.settings.get, self.clock)
        bound = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        ready = asyncio.Event()
        self._stop = asyncio.Event()

        async def run() -> None:
            with closing(bound):
                await serve(self.service, bound, ready.set, self._stop)

        self._running = asyncio.create_task(run())
        starting = asyncio.create_task(ready.wait())
        await asyncio.wait({starting, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            starting.cancel()
            self._running.result()
        self.client = aiohttp.ClientSession(self.url, headers={"Authorization": f"Bearer {WRITE}"})
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()
        self._stop.set()
        await self._running

    async def post(self, *events: dict[str, Any], path: str = "/v1/events", **options: Any) -> tuple[int, Any]:
        """Send events; one is sent alone, several as an array."""
        body = events[0] if len(events) == 1 else list(events)
        async with self.client.post(path, json=body, **options) as response:
            return response.status, await response.json()

    async def known(self, name: str = "ana") -> Any:
        """Look a customer up."""
        headers = {"Authorization": f"Bearer {READ}"}
        async with (
            aiohttp.ClientSession(self.url, headers=headers) as client,
            client.get(f"/v1/customers/{name}") as got,
        ):
            return await got.json() if got.status == 200 else None

    async def verdicts(self, name: str = "ana") -> list[tuple[str, str]]:
        """Tell what was decided about a customer, oldest first, as (verdict, reason)."""
        known = await self.known(name)
        return [(each["verdict"], each["reason"]) for each in reversed(known["timeline"])]

    async def greet(self, name: str = "ana") -> None:
        """Make a customer known, with an address and a yes."""
        traits = {"email": f"{name}@example.com", "first_name": name.capitalize(), "device_token": f"token-{name}"}
        await self.post(
            {"type": "profile_updated", "customer_id": name, "properties": traits},
            {"type": "consent_changed", "customer_id": name, "properties": {"purpose": "marketing", "granted": True}},
        )

    def later(self, seconds: float) -> None:
        """Set the clock on."""
        self.clock.shift_ms += int(seconds * 1000)


async def until(happened: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait for something to be so; an AssertionError when it is not after so long."""
    deadline = time.monotonic() + seconds
    while True:
        found = happened()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)
