"""Coupons on a real broker: several processes deliver and are killed, and still every code is one customer's."""

import asyncio
import json
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from orchestrator.cli.customers import candidates
from orchestrator.runtime.kafka.catalogs import keyed, publish
from orchestrator.runtime.kafka.exporting import export
from orchestrator.testing.streams import committed

PARTITIONS = 4
PROJECT = """
project: shop
channels: {email: {address: profile.customer_id, preferred_order: 1}}
purposes: {service: {consent: none}}
coupons: {gift: {codes: gift.txt}}
"""
MESSAGE = 'message: gift\nemail: {subject: For you, text: "{{ coupon.gift }}"}\n'
JOURNEY = """
journey: welcome
version: 1
purpose: service
status: live
enter: {event: signed_up}
steps:
  - {id: gift, send: {message: gift, channels: [email]}}
  - {id: rest, wait: 30d}
"""
# What dies here has asked for a code, has it, or has settled nothing of what it sent, and nobody else knows. Once no
# code is left, nobody asks for one.
WHILE_CODES_ARE_LEFT = ["coupons.claimed:9", "coupons.appended:5", "delivery.before_settle:2"]
AFTERWARDS = ["delivery.before_settle:2"]


@pytest.fixture
def project(tmp_path, rounds) -> Path:
    """Write a shop with fifty codes a round; as many come later."""
    folder = tmp_path / "shop"
    (folder / "messages").mkdir(parents=True)
    (folder / "orchestrator.yaml").write_text(PROJECT)
    (folder / "messages/gift.message.yaml").write_text(MESSAGE)
    (folder / "welcome.journey.yaml").write_text(JOURNEY)
    codes = codes_of(rounds)
    (folder / "gift.txt").write_text("\n".join(codes[: len(codes) // 2]))
    return folder


def codes_of(rounds: int) -> list[str]:
    return [f"GIFT-{number:04}" for number in range(100 * rounds)]


def codes_seen(folder: Path) -> dict[str, set[str]]:
    """Collect which codes each customer saw, from what every process handed to its channel."""
    seen = defaultdict(set)
    for outbox in folder.glob("outbox-*.jsonl"):
        for line in outbox.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):  # the last one may have died with its process
                sent = json.loads(line)["data"]
                seen[sent["to"]].add(sent["content"]["text"].split()[0])
    return seen


async def suppressed(shop) -> Counter[str]:
    decisions = map(json.loads, await shop.lines(shop.topics.decisions))
    return Counter(each["reason"] for each in decisions if each["verdict"] == "suppressed")


class Deliverers:
    """Processes that deliver side by side, each to a file of its own."""

    def __init__(self, shop, folder: Path) -> None:
        self._shop, self._folder, self._count = shop, folder, 0

    def start(self, **changes: str):
        self._count += 1
        outbox = self._folder / f"outbox-{self._count}.jsonl"
        return self._shop.start_worker("deliver", CHANNEL_DEFAULT=f"file:{outbox}", LINK_SECRET="s" * 48, **changes)


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(0)
async def test_killed_side_by_side_no_code_is_given_twice_and_who_got_none_is_on_record(
    shop, one_event, rounds, tmp_path, capsys
):
    """Ten rounds are 1,000 codes, 2,000 customers and fifty kills."""
    codes, deaths = codes_of(rounds), 2 if rounds == 1 else 4 * rounds
    names = [f"c{number}" for number in range(2 * len(codes))]
    worker, deliverers = shop.start_worker(), Deliverers(shop, tmp_path)
    steady = deliverers.start()
    for number in range(deaths):
        if number == max(1, deaths // 8):
            # Before the first ones are all given, or just afterwards: what is given stays in the file.
            (shop.project / "gift.txt").write_text("\n".join(codes))
            assert await publish(shop.settings(), shop.topics, keyed(shop.loaded)) == 2
        points = WHILE_CODES_ARE_LEFT if 2 * number < deaths else AFTERWARDS
        dying = deliverers.start(FAULT=points[number % len(points)])
        await shop.until(lambda dying=dying: _has_begun(dying), 300)
        share = names[number * len(names) // deaths : (number + 1) * len(names) // deaths]
        now = int(time.time() * 1000)
        await shop.receive([one_event(now, f"s {name}", "signed_up", name) for name in share])
        assert await asyncio.to_thread(dying.wait, 300) == -signal.SIGKILL, shop.said()
        if number % 4 == 0:
            steady.kill()
            steady = deliverers.start()

    async def all_told() -> bool:
        told = [json.loads(each.value) for each in await committed(shop.servers, shop.topics.receipts, PARTITIONS)]
        return len({each["properties"]["action_id"] for each in told}) == len(names)

    await shop.until(all_told, 600)
    await shop.drained(300, topic=shop.topics.receipts)
    assert [await asyncio.to_thread(each.stop) for each in (steady, worker)] == [0, 0], shop.said()
    seen, reasons = codes_seen(tmp_path), await suppressed(shop)
    given = Counter(code for each in seen.values() for code in each)
    with capsys.disabled():
        sys.stdout.write(
            f"\ncoupons on Kafka: {len(codes)} codes, {len(names)} claims, {deaths + -(-deaths // 4)} x kill -9:"
            f" {len(given)} different codes given, {sum(count > 1 for count in given.values())} to two customers,"
            f" {sum(len(each) > 1 for each in seen.values())} customers with two, {reasons['no_coupon']} on record as"
            " no_coupon\n"
        )
    assert given == Counter(codes)
    assert all(len(each) == 1 for each in seen.values())
    assert reasons == Counter({"no_coupon": len(names) - len(codes)})
    somebody, [code] = next(iter(seen.items()))
    exported = await export(shop.settings(), shop.topics, candidates(somebody), 0)
    assert (exported is not None and exported.coupons) == [{"coupon": "gift", "code": code}]


async def _has_begun(deliverer) -> bool:
    return "begins with" in deliverer.said()
