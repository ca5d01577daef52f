"""`serve`, killed under load again and again: what was answered is there, once, and every timer fires."""

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from orchestrator.model import ids
from orchestrator.runtime.delivery.lane import UNSETTLED_PER_SENDER
from orchestrator.runtime.delivery.pace import CONCURRENCY
from orchestrator.storage import SqliteStore
from providers import WebServer
from providers.live import WRITE, until, write_project
from providers.serving import Serving

WELCOME = """
journey: welcome
version: 1
purpose: service
status: live
enter: {event: signed_up}
steps:
  - {id: settle, wait: 1s}
  - {id: greet, send: {message: cart-reminder, channels: [push]}}
"""
CLIENTS = 8


class Crowd:
    """Customers who sign up one after the other; each is sent again, as clients do, until it is answered."""

    def __init__(self, url: str) -> None:
        self.accepted: list[str] = []
        self.again = 0
        self._url = url
        self._next = 0
        self._enough = False

    async def run(self) -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {WRITE}"}) as client:
            await asyncio.gather(*(self._sign_up(client) for _ in range(CLIENTS)))

    async def _sign_up(self, client: aiohttp.ClientSession) -> None:
        while not self._enough:
            self._next += 1
            name = f"c{self._next}"
            event = {"id": f"sign-up {name}", "type": "signed_up", "customer_id": name}
            traits = {"id": f"traits {name}", "type": "profile_updated", "customer_id": name}
            await self._send(client, [{**traits, "properties": {"device_token": f"token-{name}"}}, event])
            self.accepted.append(name)

    async def _send(self, client: aiohttp.ClientSession, events: list[dict]) -> None:
        while True:
            try:
                async with client.post(f"{self._url}/v1/events", json=events) as response:
                    if response.status == 202:
                        return
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.05)
            self.again += 1

    def stop(self) -> None:
        self._enough = True


def decided(store: SqliteStore, name: str) -> Counter[str]:
    lines = store.decisions_of(ids.profile_id_of("customer_id", name))
    return Counter(json.loads(line)["verdict"] for line in lines)


async def all_greeted(sink: WebServer, names: list[str]) -> None:
    """Wait until the sink has a message for each customer."""
    wanted, read = {f"token-{name}" for name in names}, 0

    def have_come() -> bool:
        nonlocal read
        new = sink.requests[read:]
        read += len(new)
        wanted.difference_update(json.loads(body)["data"]["to"] for _, _, body in new)
        return not wanted

    await until(have_come, 90)


def check(sink: WebServer, state: Path, names: list[str]) -> int:
    """Hold what the sink got and what is on record to the promise; give how many messages came again."""
    keys_by_customer: dict[str, set[str]] = {}
    for body in sink.bodies:
        keys_by_customer.setdefault(body["data"]["to"], set()).add(body["data"]["id"])
    assert [to for to, keys in keys_by_customer.items() if len(keys) > 1] == []
    once = {"entered": 1, "waited": 1, "resumed": 1, "sent": 1, "exited": 1}
    with SqliteStore(state, writes=False) as store:
        assert [name for name in names if decided(store, name) != once] == []
    return len(sink.requests) - len(keys_by_customer)


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_killed_under_load_nothing_that_was_answered_is_lost_or_doubled(tmp_path, rounds, capsys):
    kills = max(2, rounds)
    dice = random.Random(kills)
    write_project(tmp_path / "shop", WELCOME)
    async with WebServer() as sink:
        serving = Serving(tmp_path, sink.url)
        await serving.start()
        crowd = Crowd(serving.url)
        running = asyncio.create_task(crowd.run())
        for _ in range(kills):
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            await serving.kill()
            await serving.start()
        crowd.stop()
        await running
        await all_greeted(sink, crowd.accepted)
        assert await serving.stop() == 0
        repeats = check(sink, tmp_path / "state.db", crowd.accepted)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{kills} x kill -9: {len(crowd.accepted)} customers, {crowd.again} sent again by clients,"
            f" {len(sink.requests)} messages, {repeats} of them again under the same key\n"
        )
    assert len(crowd.accepted) > 20


@pytest.mark.slow
@pytest.mark.parametrize("point", ["serve.before_commit:4", "serve.after_commit:4", "delivery.before_settle:3"])
async def test_dying_at_the_worst_moments_changes_nothing(tmp_path, point):
    write_project(tmp_path / "shop", WELCOME)
    async with WebServer() as sink:
        serving = Serving(tmp_path, sink.url)
        await serving.start(point)
        crowd = Crowd(serving.url)
        running = asyncio.create_task(crowd.run())
        await serving.gone()
        await serving.start()
        await until(lambda: len(crowd.accepted) > 15)
        crowd.stop()
        await running
        await all_greeted(sink, crowd.accepted)
        assert await serving.stop() == 0
        repeats = check(sink, tmp_path / "state.db", crowd.accepted)
    assert repeats <= CONCURRENCY * UNSETTLED_PER_SENDER  # no more than were on their way at once
