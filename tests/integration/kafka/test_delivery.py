"""Delivery: what is committed is sent, what is aborted is not, and an outcome is known to the next process."""

import asyncio
import json
import time

import msgspec
import pytest

from orchestrator.model import instants
from orchestrator.model.effects import Action
from orchestrator.runtime.kafka.pendings import decode_row
from orchestrator.runtime.kafka.topics import ensure
from orchestrator.runtime.kafka.writer import Writer
from orchestrator.testing.streams import committed, latest_by_key

HOUR = 3_600_000
PARTITIONS = 4


def reminder(action_id: str, **more) -> bytes:
    now = instants.to_text(int(time.time() * 1000))
    about = {"journey": "abandoned-cart", "version": 1, "entry_id": "e", "step": "remind", "purpose": "service"}
    action = Action(
        id=action_id,
        kind="message",
        profile_id="0" * 32,
        customer_id="ana",
        at=now,
        channel="email",
        message="cart-reminder",
        to="ana@example.com",
        **about,
    )
    return msgspec.json.encode(msgspec.structs.replace(action, **more))


async def decide(shop, *actions: bytes, commits: bool = True) -> None:
    """Write actions as a worker would; without `commits`, as one that died."""
    writer = Writer(shop.settings(), f"{shop.variables['APP_ID']}-test")
    await writer.open()
    await writer.begin()
    for future, _ in await writer.send(shop.topics.actions, 0, [(b"ana", action) for action in actions]):
        await future
    if commits:
        await writer.end()
        await writer.close()
    else:
        await writer.discard()
        # The next opener's epoch aborts what was left open.
        successor = Writer(shop.settings(), f"{shop.variables['APP_ID']}-test")
        await successor.open()
        await successor.close()


async def rows(shop) -> dict:
    found = latest_by_key(await committed(shop.servers, shop.topics.delivery_changelog, PARTITIONS))
    return {key: decode_row(value) for key, value in found.items() if not key.startswith("@")}


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_only_committed_actions_are_sent_and_only_once(shop, tmp_path):
    await ensure(shop.settings(), shop.topics)
    await decide(shop, reminder("aborted"), commits=False)
    await decide(shop, reminder("first"), reminder("cancelled"), reminder("c", kind="cancel", data={"action_id": "x"}))
    outbox = tmp_path / "outbox.jsonl"
    settings = {"CHANNEL_DEFAULT": f"file:{outbox}", "LINK_SECRET": "s" * 48}

    def sent() -> list[str]:
        lines = outbox.read_text().splitlines() if outbox.exists() else []
        return sorted(json.dumps(json.loads(line)) for line in lines)

    async def done() -> bool:
        found = await rows(shop)
        return {"first", "cancelled"} <= set(found) and not any(row.waits for row in found.values())

    deliverer = shop.start_worker("deliver", **settings)
    await shop.until(done, 90)
    assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()
    assert len(sent()) == 2
    assert "aborted" not in outbox.read_text()
    # A new one reads what is done, and what comes next.
    again = shop.start_worker("deliver", **settings)
    await decide(shop, reminder("second"), reminder("first"))

    async def second_done() -> bool:
        found = await rows(shop)
        return "second" in found and not found["second"].waits

    await shop.until(second_done, 90)
    assert await asyncio.to_thread(again.stop) == 0, shop.said()
    assert len(sent()) == 3


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_an_outcome_comes_back_to_the_customers_journey(shop, one_event, tmp_path):
    now = int(time.time() * 1000)
    await shop.receive([one_event(now - 2 * HOUR, "e1", "cart_updated", "ana", 50)])
    worker = shop.start_worker()
    outbox = tmp_path / "outbox.jsonl"
    deliverer = shop.start_worker("deliver", CHANNEL_DEFAULT=f"file:{outbox}", LINK_SECRET="s" * 48)

    async def told() -> bool:
        receipts = await committed(shop.servers, shop.topics.receipts, PARTITIONS)
        return [json.loads(record.value)["type"] for record in receipts] == ["message_sent"]

    await shop.until(told, 120)
    await shop.drained(topic=shop.topics.receipts)
    assert [await asyncio.to_thread(each.stop) for each in (deliverer, worker)] == [0, 0], shop.said()
    [action] = [json.loads(line) for line in await shop.lines(shop.topics.actions)]
    [receipt] = await committed(shop.servers, shop.topics.receipts, PARTITIONS)
    assert json.loads(receipt.value)["properties"]["action_id"] == action["id"]
    assert receipt.key.decode() == action["profile_id"]
    assert await shop.lines(shop.topics.dead_letters) == []
