"""Delivery: what is committed is sent, what is aborted is not, and an outcome is known to the next process."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from orchestrator.model import codec, instants
from orchestrator.model.effects import Action
from orchestrator.runtime.kafka.catalogs import keyed, publish
from orchestrator.runtime.kafka.pendings import decode_row
from orchestrator.runtime.kafka.topics import ensure
from orchestrator.runtime.kafka.writer import Writer
from orchestrator.testing.streams import Loaded, committed, latest_by_key, load
from providers import MailServer, WebServer

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
async def test_what_a_companys_own_app_reads_is_in_a_topic_of_its_own(shop):
    await ensure(shop.settings(), shop.topics)
    await decide(shop, reminder("for-the-app"))
    deliverer = shop.start_worker("deliver", CHANNEL_EMAIL="stream:", LINK_SECRET="s" * 48)

    async def is_there() -> bool:
        return bool(await committed(shop.servers, shop.topics.messages, PARTITIONS))

    await shop.until(is_there, 90)
    assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()
    [record] = await committed(shop.servers, shop.topics.messages, PARTITIONS)
    message = json.loads(record.value)
    assert (record.key, message["id"], message["to"]) == (b"0" * 32, "for-the-app", "ana@example.com")
    assert set(message["content"]) >= {"subject"}
    receipts = [
        json.loads(each.value)["type"] for each in await committed(shop.servers, shop.topics.receipts, PARTITIONS)
    ]
    assert receipts == ["message_sent"]


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_what_is_taken_back_while_it_waits_is_not_sent(shop, tmp_path):
    await ensure(shop.settings(), shop.topics)
    now = datetime.now(UTC)
    night = {"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=3):%H:%M}"}
    held = reminder("held", quiet={"zone": "UTC", "windows": [night]})
    kept = reminder("kept", quiet={"zone": "UTC", "windows": [night]})
    outbox = tmp_path / "outbox.jsonl"
    deliverer = shop.start_worker("deliver", CHANNEL_DEFAULT=f"file:{outbox}", LINK_SECRET="s" * 48)
    await decide(shop, held, kept)

    async def both_wait() -> bool:
        found = await rows(shop)
        return all(name in found and found[name].due_ms > time.time() * 1000 for name in ("held", "kept"))

    await shop.until(both_wait, 90)
    # One together with what it cancels, in one transaction: it must not overtake it.
    at_once = reminder("at once", quiet={"zone": "UTC", "windows": [night]})
    cancels = [reminder(f"c{n}", kind="cancel", data={"action_id": n}) for n in ("held", "at once", "unknown")]
    await decide(shop, at_once, *cancels)

    async def both_told() -> bool:
        return len(await committed(shop.servers, shop.topics.receipts, PARTITIONS)) == 2

    await shop.until(both_told, 90)
    assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()
    told = [json.loads(each.value) for each in await committed(shop.servers, shop.topics.receipts, PARTITIONS)]
    failed = {each["properties"]["action_id"]: (each["type"], each["properties"]["reason"]) for each in told}
    assert failed == dict.fromkeys(("held", "at once"), ("message_failed", "cancelled"))
    assert outbox.read_bytes() == b""
    assert [name for name, row in (await rows(shop)).items() if row.waits] == ["kept"]


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
    [action] = [json.loads(line) for line in await shop.lines(shop.topics.actions)]
    [receipt] = await committed(shop.servers, shop.topics.receipts, PARTITIONS)
    assert json.loads(receipt.value)["properties"]["action_id"] == action["id"]
    assert receipt.key.decode() == action["profile_id"]
    # What another system reports of the message names the action, and nobody: its key says whose it is.
    bounced = json.dumps({"type": "message_bounced", "properties": {"action_id": action["id"]}}).encode()
    await load(shop.servers, shop.topics.receipts, [Loaded(receipt.partition, now, receipt.key, bounced)])
    await shop.drained(topic=shop.topics.receipts)
    assert [await asyncio.to_thread(each.stop) for each in (deliverer, worker)] == [0, 0], shop.said()
    states = latest_by_key(await committed(shop.servers, shop.topics.changelog, PARTITIONS))
    assert list(codec.decode(states[action["profile_id"]]).profile.unreachable) == ["email"]
    assert await shop.lines(shop.topics.dead_letters) == []


def sent_to(outbox: Path) -> list[dict]:
    return [json.loads(line) for line in outbox.read_text().splitlines()] if outbox.exists() else []


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_release_changes_what_is_sent_without_a_restart(shop, tmp_path):
    await ensure(shop.settings(), shop.topics)
    await publish(shop.settings(), shop.topics, keyed(shop.loaded))
    outbox = tmp_path / "outbox.jsonl"
    deliverer = shop.start_worker("deliver", CHANNEL_DEFAULT=f"file:{outbox}", LINK_SECRET="s" * 48)
    await decide(shop, reminder("first"))
    await shop.until(lambda: _reached(lambda: len(sent_to(outbox)) == 1), 90)
    message = shop.project / "messages/cart-reminder.message.yaml"
    message.write_text(message.read_text().replace("Your cart is waiting", "We kept your cart"))
    await publish(shop.settings(), shop.topics, keyed(shop.loaded))
    await shop.until(lambda: _reached(lambda: "release 2 is in force" in deliverer.said()))
    await decide(shop, reminder("second"))
    await shop.until(lambda: _reached(lambda: len(sent_to(outbox)) == 2))
    assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()
    assert [each["data"]["content"]["subject"] for each in sent_to(outbox)] == [
        "Your cart is waiting",
        "We kept your cart",
    ]


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_what_is_published_says_where_calls_go_and_no_folder_does(shop):
    await ensure(shop.settings(), shop.topics)
    text = (shop.project / "orchestrator.yaml").read_text()
    async with WebServer() as old, WebServer() as new, WebServer() as newest:

        async def publish_one(server: WebServer) -> None:
            (shop.project / "orchestrator.yaml").write_text(f"{text}\nwebhooks: {{crm: {{url: '{server.url}'}}}}\n")
            await publish(shop.settings(), shop.topics, keyed(shop.loaded))

        await publish_one(new)
        (shop.project / "orchestrator.yaml").write_text(f"{text}\nwebhooks: {{crm: {{url: '{old.url}'}}}}\n")
        deliverer = shop.start_worker("deliver", ALLOWED_HOSTS="127.0.0.1", LINK_SECRET="s" * 48)
        called = {"kind": "call", "channel": None, "message": None, "to": "crm"}
        await decide(shop, reminder("first", **called, data={"n": 1}))
        await shop.until(lambda: _reached(lambda: new.bodies), 90)
        await publish_one(newest)
        await shop.until(lambda: _reached(lambda: "release 2 is in force" in deliverer.said()))
        await decide(shop, reminder("second", **called, data={"n": 2}))
        await shop.until(lambda: _reached(lambda: newest.bodies))
        assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()
        assert [[body["data"]["n"] for body in each.bodies] for each in (old, new, newest)] == [[], [1], [2]]


def redelivered(shop, *words: str) -> dict:
    """Call `orchestrator redeliver` as an operator does."""
    variables = {f"ORCHESTRATOR_{name}": value for name, value in shop.variables.items()}
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "redeliver", str(shop.project), "--json", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_what_was_given_up_on_is_sent_once_it_is_asked_for_again(shop):
    await ensure(shop.settings(), shop.topics)
    settings = {"LINK_SECRET": "s" * 48, "ALLOWED_HOSTS": "127.0.0.1"}
    async with MailServer() as server:
        server.refuse["ana@example.com"] = "554 5.7.1 not today"
        deliverer = shop.start_worker("deliver", CHANNEL_EMAIL=server.url, **settings)
        await decide(shop, reminder("refused"), reminder("sent", to="ben@example.com"))

        async def settled() -> bool:
            found = await rows(shop)
            return set(found) == {"refused", "sent"} and not any(row.waits for row in found.values())

        await shop.until(settled, 90)
        reason = (await rows(shop))["refused"].reason
        shown = await asyncio.to_thread(redelivered, shop, "--dry-run")
        assert [(row["action_id"], row["reason"]) for row in shown["given_up"]] == [("refused", reason)]
        assert (await asyncio.to_thread(redelivered, shop, "--reason", "stale"))["sent_again"] == 0
        del server.refuse["ana@example.com"]
        assert (await asyncio.to_thread(redelivered, shop))["sent_again"] == 1
        await shop.until(settled_and_sent(shop), 90)
        assert (await asyncio.to_thread(redelivered, shop))["given_up"] == []
        assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()
        assert sorted(to for _, to in server.envelopes) == ["ana@example.com", "ben@example.com"]
        receipts = [json.loads(each.value) for each in await committed(shop.servers, shop.topics.receipts, PARTITIONS)]
    sent = [each["properties"]["action_id"] for each in receipts if each["type"] == "message_sent"]
    assert sorted(sent) == ["refused", "sent"]


def settled_and_sent(shop):
    async def done() -> bool:
        return all(row.is_done for row in (await rows(shop)).values())

    return done


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_what_a_dying_worker_left_open_is_not_sent(shop, a_day, tmp_path):
    records = a_day(3000, seed=31)
    await shop.receive(records)
    outbox = tmp_path / "outbox.jsonl"
    deliverer = shop.start_worker("deliver", CHANNEL_DEFAULT=f"file:{outbox}", LINK_SECRET="s" * 48)
    # Its last transaction is complete but for its end: actions of it lie in the topic.
    worker = shop.start_worker(FAULT="commit.end:9", TRANSACTION_FACTS="200")
    assert await asyncio.to_thread(worker.wait, 60) == -signal.SIGKILL, shop.said()
    decided = map(json.loads, await shop.lines(shop.topics.actions))
    allowed = {action["id"] for action in decided if action["kind"] == "message"}
    assert len(allowed) > 10

    async def all_settled() -> bool:
        found = await rows(shop)
        # Old ones are reported as stale, not sent; either way they are taken in.
        return len(found) >= len(allowed) and not any(row.waits for row in found.values())

    await shop.until(all_settled, 90)
    assert set(await rows(shop)) == allowed
    assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_killed_again_and_again_deliver_repeats_only_under_the_same_key(shop, rounds, tmp_path, capsys):
    """Twenty rounds are 10,000 messages and twenty kills."""
    messages, kills, dice = 500 * rounds, max(3, rounds), random.Random(rounds)
    await ensure(shop.settings(), shop.topics)
    now = int(time.time() * 1000)
    actions = [Loaded(number % PARTITIONS, now, b"ana", reminder(f"action-{number}")) for number in range(messages)]
    await load(shop.servers, shop.topics.actions, actions)
    outbox = tmp_path / "outbox.jsonl"
    settings = {"CHANNEL_DEFAULT": f"file:{outbox}", "LINK_SECRET": "s" * 48, "TRANSACTION_FACTS": "50"}
    for number in range(kills):
        deliverer = shop.start_worker("deliver", **settings)
        # Somewhere in the next share of the messages.
        goal = (number + dice.random()) * messages / kills
        await shop.until(lambda goal=goal: _reached(lambda: _lines_of(outbox) > goal), 120)
        deliverer.kill()
    deliverer = shop.start_worker("deliver", **settings)

    async def all_told() -> bool:
        return len(await receipts(shop)) >= messages

    await shop.until(all_told, 300)
    # The one that was killed last may have told all of it; whoever is to stop in order must be at work.
    await shop.until(lambda: _reached(lambda: "begins with" in deliverer.said()))
    assert await asyncio.to_thread(deliverer.stop) == 0, shop.said()
    keys = Counter(each["data"]["id"] for each in sent_to(outbox))
    again = keys.total() - len(keys)
    with capsys.disabled():
        print(f"\ndelivery: {messages} messages, {kills} kills, {again} sent again under the same key, 0 lost")  # noqa: T201
    assert set(keys) == {f"action-{number}" for number in range(messages)}
    told = await receipts(shop)
    assert Counter(told) == Counter(dict.fromkeys(keys, 1)), "an outcome is told twice"


async def receipts(shop) -> list[str]:
    """List the actions whose sending was reported, as often as it was."""
    found = await committed(shop.servers, shop.topics.receipts, PARTITIONS)
    return [json.loads(record.value)["properties"]["action_id"] for record in found]


def _lines_of(outbox: Path) -> int:
    return outbox.read_bytes().count(b"\n") if outbox.exists() else 0


async def _reached(condition) -> bool:
    return condition()
