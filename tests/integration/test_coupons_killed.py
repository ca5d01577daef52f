"""Coupons of `serve`, killed at the worst moments: every code is one customer's, and who got none is on record."""

import asyncio
import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import aiohttp
import pytest

from orchestrator.storage import SqliteStore
from providers import WebServer
from providers.live import PROJECT, WRITE, until, write_project
from providers.serving import Serving

JOURNEY = """
journey: welcome
version: 1
purpose: service
status: live
enter: {event: signed_up}
steps:
  - {id: gift, send: {message: gift, channels: [push]}}
  - {id: rest, wait: 30d}
"""
MESSAGE = 'message: gift\npush: {title: For you, body: "{{ coupon.gift }}"}\n'
POINTS = ["coupons.before_commit:3", "coupons.after_commit:3", "coupons.claimed:9", "delivery.before_settle:4"]
AT_ONCE = 100


def write_shop(folder: Path, codes: list[str]) -> None:
    write_project(folder, JOURNEY, project=PROJECT + "coupons: {gift: {codes: gift.txt}}\n")
    (folder / "gift.txt").write_text("\n".join(codes))
    (folder / "messages/gift.message.yaml").write_text(MESSAGE)


async def sign_up(url: str, names: list[str]) -> None:
    """Let customers sign up, as a client that tries again until it is answered."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {WRITE}"}) as client:
        for at in range(0, len(names), AT_ONCE):
            events = []
            for name in names[at : at + AT_ONCE]:
                traits = {"device_token": name}
                events.append({"id": f"t {name}", "type": "profile_updated", "customer_id": name, "properties": traits})
                events.append({"id": f"s {name}", "type": "signed_up", "customer_id": name})
            while True:
                try:
                    async with client.post(f"{url}/v1/events", json=events) as response:
                        if response.status == 202:
                            break
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.05)


def is_all_handed_over(state: Path) -> bool:
    with SqliteStore(state, writes=False) as store:
        return not store.lanes()


def suppressed(state: Path) -> Counter[str]:
    with SqliteStore(state, writes=False) as store:
        decisions = map(json.loads, store.decisions())
        return Counter(each["reason"] for each in decisions if each["verdict"] == "suppressed")


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(0)
async def test_killed_again_and_again_no_code_is_given_twice_and_who_got_none_is_on_record(tmp_path, rounds, capsys):
    """Ten rounds are 1,000 codes, 2,000 customers and forty kills."""
    codes = [f"GIFT-{number:04}" for number in range(100 * rounds)]
    names = [f"c{number}" for number in range(2 * len(codes))]
    write_shop(tmp_path / "shop", codes)
    dice = random.Random(rounds)
    async with WebServer() as sink:
        serving = Serving(tmp_path, sink.url)
        coming = asyncio.create_task(sign_up(serving.url, names))
        kills = 4 * rounds
        for number in range(kills):
            await serving.start(POINTS[number % len(POINTS)])
            try:
                async with asyncio.timeout(dice.uniform(1.0, 4.0)):
                    await serving.gone()
            except TimeoutError:  # it did not come there
                await serving.kill()
        await serving.start()
        await coming
        await until(lambda: is_all_handed_over(tmp_path / "state.db"), 120)
        assert await serving.stop() == 0
        shown = defaultdict(set)
        for body in sink.bodies:
            shown[body["data"]["to"]].add(body["data"]["content"]["body"])
    reasons = suppressed(tmp_path / "state.db")
    given = Counter(code for seen in shown.values() for code in seen)
    again = len(sink.requests) - len(shown)
    with capsys.disabled():
        sys.stdout.write(
            f"\ncoupons of serve: {len(codes)} codes, {len(names)} claims, {kills} x kill -9: {len(given)} different"
            f" codes given, {sum(count > 1 for count in given.values())} to two customers,"
            f" {sum(len(seen) > 1 for seen in shown.values())} customers with two, {reasons['no_coupon']} on record as"
            f" no_coupon, {again} messages again with the same code\n"
        )
    assert given == Counter(codes)
    assert all(len(seen) == 1 for seen in shown.values())
    assert reasons == Counter({"no_coupon": len(names) - len(codes)})
