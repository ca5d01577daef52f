"""One partition's incarnations: what begins, what ends, and what a failure leaves.

Members run in this process here, so that faults can be armed and awaited.
"""

import asyncio
import json
import struct
import time
from collections import Counter

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record.util import calc_crc32c

from orchestrator.runtime import faults
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.testing.streams import Loaded

HOUR = 3_600_000


async def test_a_restore_three_times_the_session_long_finishes_once_and_without_a_rebalance(shop, a_day):
    records = a_day(400, seed=11)
    await shop.receive(records[:-4])
    async with shop.member():
        await shop.drained()
    waited: list[float] = []

    async def linger() -> None:
        waited.append(asyncio.get_running_loop().time())
        await asyncio.sleep(6.3)

    metrics = Metrics()
    with faults.armed("restore.records", linger, passage=None):
        await shop.receive(records[-4:])
        # A short session, and no shorter than a busy machine may stand still; four partitions restore at the same time.
        async with shop.member(metrics, SESSION_TIMEOUT_MS="2000"):
            await shop.drained()
    assert len(waited) == 4
    assert metrics.registry.get_sample_value("orchestrator_restore_seconds_count") == 4


async def test_a_restore_that_raises_processes_nothing(shop, a_day):
    records = a_day(400, seed=12)
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise ConnectionError("the changelog cannot be read")

    await shop.receive(records)
    with faults.armed("restore.begin", fail, passage=None):
        async with shop.member(SESSION_TIMEOUT_MS="1000") as member:
            await shop.until(lambda: _reached(lambda: len(tries) >= 9))
            assert not member.is_ready
    assert await shop.lines(shop.topics.decisions) == []
    async with shop.member():
        await shop.drained()
    await shop.check(records)


async def test_a_refused_batch_is_never_committed(shop, a_day):
    records = a_day(400, seed=13)
    async with shop.member():
        pass  # creates the topics
    await _alter(shop, shop.topics.decisions, {"max.message.bytes": "600", "cleanup.policy": "delete"})
    await shop.receive(records)
    metrics = Metrics()

    async def refused() -> bool:
        name, labels = "orchestrator_incarnations_ended_total", {"reason": "MessageSizeTooLargeError"}
        return (metrics.registry.get_sample_value(name, labels) or 0) >= 2

    async with shop.member(metrics, SESSION_TIMEOUT_MS="1000"):
        await shop.until(refused)
        assert await shop.lines(shop.topics.actions) == []
        await _alter(shop, shop.topics.decisions, {"max.message.bytes": str(2 << 20), "cleanup.policy": "delete"})
        await shop.drained()
    await shop.check(records)


async def test_poison_lands_in_dead_letters_and_the_next_record_is_processed(shop, one_event):
    good = one_event(1_700_000_000_000, "e1", "cart_updated", "ana", 50)
    poison = [
        Loaded(good.partition, good.timestamp, b"ana", value)
        for value in (b"no json", b'{"customer_id": "ana"}', b'{"type": "' + b"x" * (5 << 20) + b'"}')
    ]
    await shop.receive([*poison, good])
    async with shop.member():
        await shop.drained()
    letters = [json.loads(line) for line in await shop.lines(shop.topics.dead_letters)]
    source = f"{shop.events}/{good.partition}"
    assert [(letter["reason"], letter["source"], letter["offset"]) for letter in letters] == [
        ("not_json", source, 0),
        ("no_type", source, 1),
        ("too_large", source, 2),
    ]
    verdicts = [json.loads(line)["verdict"] for line in await shop.lines(shop.topics.decisions)]
    assert verdicts[0] == "entered"


async def test_a_record_with_a_header_that_is_no_text_is_a_dead_letter_and_the_others_are_processed(shop, one_event):
    at = 1_700_000_000_000
    carts = [one_event(at + number, f"e{number}", "cart_updated", f"c{number}", 50) for number in range(40)]
    await shop.receive(carts[:20])
    number = carts[0].partition
    await _receive_unreadable(shop, number)
    await shop.receive(carts[20:])
    async with shop.member():
        await shop.drained()
    [letter] = [json.loads(line) for line in await shop.lines(shop.topics.dead_letters)]
    at = sum(cart.partition == number for cart in carts[:20])
    assert (letter["reason"], letter["source"], letter["offset"]) == ("not_json", f"{shop.events}/{number}", at)
    verdicts = Counter(json.loads(line)["verdict"] for line in await shop.lines(shop.topics.decisions))
    assert verdicts["entered"] == 40


async def test_a_rebalance_that_keeps_a_partition_keeps_its_memory(shop, a_day, caplog):
    records = a_day(400, seed=14)
    await shop.receive(records)
    metrics = Metrics()
    with caplog.at_level("INFO"):
        async with shop.member(metrics):
            await shop.drained()
            async with shop.member():
                await shop.until(lambda: _reached(lambda: caplog.text.count("keeps its memory") >= 2))
            await shop.until(lambda: _reached(lambda: caplog.text.count("keeps its memory") >= 4))
    # Its own four at the start, and the two that it gave away and got back.
    assert metrics.registry.get_sample_value("orchestrator_restore_seconds_count") == 6


async def test_a_timer_fires_by_the_wall_clock_once_the_log_is_read(shop, one_event):
    await shop.receive([one_event(1_700_000_000_000, "e1", "cart_updated", "ana", 50)])
    async with shop.member():

        async def sent() -> bool:
            return len(await shop.lines(shop.topics.actions)) == 1

        await shop.until(sent, 20)
    [action] = [json.loads(line) for line in await shop.lines(shop.topics.actions)]
    assert action["at"] > "2025"


async def test_a_worker_that_was_down_fires_no_timer_before_the_order_in_the_log(shop, one_event):
    now = int(time.time() * 1000)
    # The cart was left two hours ago, and ordered half an hour later, while no worker ran.
    cart = one_event(now - 2 * HOUR, "e1", "cart_updated", "ana", 50)
    await shop.receive([cart, one_event(now - 3 * HOUR // 2, "e2", "order_placed", "ana")])
    async with shop.member(TRANSACTION_FACTS="1"):
        await shop.drained()
    verdicts = [json.loads(line)["verdict"] for line in await shop.lines(shop.topics.decisions)]
    assert verdicts == ["entered", "waited", "exited"]


async def test_a_timestamp_in_the_future_fires_nothing(shop, one_event):
    now = int(time.time() * 1000)
    # The reminder is due in twenty minutes; brokers take timestamps up to an hour ahead.
    cart = one_event(now - 40 * HOUR // 60, "e1", "cart_updated", "ana", 50)
    future = Loaded(cart.partition, now + 50 * HOUR // 60, b"ben", one_event(now, "e2", "x", "ben").value)
    await shop.receive([cart, future])
    async with shop.member():
        await shop.drained()
    assert await shop.lines(shop.topics.actions) == []


async def _receive_unreadable(shop, number: int) -> None:
    """Write what producers can write that take a header's name for bytes."""
    producer = AIOKafkaProducer(bootstrap_servers=shop.servers)
    await producer.start()
    batch = producer.create_batch()
    batch.append(timestamp=1_700_000_000_000, key=b"k", value=b"{}", headers=[("\u00e9", b"x")])
    batch.close()
    raw = bytes(batch._builder.build()).replace("\u00e9".encode(), b"\xff\xfe")
    batch._buffer = raw[:17] + struct.pack(">I", calc_crc32c(raw[21:])) + raw[21:]
    await (await producer.send_batch(batch, shop.events, partition=number))
    await producer.stop()


async def _reached(condition) -> bool:
    return condition()


async def _alter(shop, topic: str, config: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=shop.servers)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
    finally:
        await admin.close()
