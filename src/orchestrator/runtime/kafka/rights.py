"""Erasing on Kafka: the request goes into the stream, and a receipt says which copies it cannot reach, and until when.

Owns the request and the receipt. What is erased, and in which order with everything else, is the partitions' own
business, as with any event. Must never write a person's value into the receipt.
"""

import asyncio
import json
import logging
import secrets
from collections import defaultdict
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from orchestrator.model import ids, instants
from orchestrator.model.rights import ERASE, Receipt, Remains
from orchestrator.runtime.kafka.closing import close, start
from orchestrator.runtime.kafka.passing import until_everywhere
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics, look
from orchestrator.runtime.wall_clock import wall_clock_ms

log = logging.getLogger(__name__)

# For the workers to carry it out, and for the brokers to look for what is to be deleted, with time to spare.
CLEANING_MS = 3600 * 1000
# What Kafka takes for no bound at all.
FOR_EVER_MS = 2**63 - 1


async def request_erasure(
    settings: KafkaSettings,
    topics: Topics,
    customer_id: str | None,
    identifiers: dict[str, str],
    now_ms: int,
    wait_s: float = 0.0,
) -> Receipt:
    """Ask for the erasure of whoever is known so; on return the request is in the log, and will be carried out.

    With `wait_s`, wait so long for that. Where the receipt says since when it is in force, it was carried out, and
    every partition refuses whoever comes back under an address with a no. Until then, some commits of each hop, a
    partition that has not heard of it takes who comes back for somebody new. To close that too, everybody's events
    would have to wait for every erasure, or the noes lie in one place that each event asks.
    """
    receipt_id = ids.derive("erased", secrets.token_hex(16))
    named = {"customer_id": customer_id} if customer_id is not None else {"identifiers": identifiers}
    event = {"id": receipt_id, "type": ERASE, "time": now_ms, **named}
    key = customer_id if customer_id is not None else next(iter(identifiers.values()))
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **settings.connection())
    await start(producer.start(), producer.stop)
    try:
        # Keyed as the customer's own events are, for applications without resolve.
        sent = await producer.send_and_wait(
            topics.events[0], json.dumps(event).encode(), key.encode(), timestamp_ms=now_ms
        )
    finally:
        await close(producer.stop())
    in_force_at = None
    if wait_s:
        try:
            async with asyncio.timeout(wait_s):
                await until_everywhere(settings, topics, TopicPartition(sent.topic, sent.partition), sent.offset)
                in_force_at = instants.to_text(wall_clock_ms())
        except (TimeoutError, KafkaError) as error:
            # The request stands in the log, whatever becomes of the waiting.
            log.warning("the erasure is not seen to be carried out yet: %r", error)
    remains = remaining(settings, topics, (await look(settings, topics)).config, now_ms)
    return Receipt(receipt_id, instants.to_text(now_ms), {"requested": 1}, remains=remains, in_force_at=in_force_at)


def remaining(
    settings: KafkaSettings, topics: Topics, config: Mapping[str, Mapping[str, str]], now_ms: int
) -> list[Remains]:
    """Say where copies remain that were written before, and when the last of them is gone, by the topics' settings."""
    names = [topics.actions, topics.decisions, topics.dead_letters, topics.receipts, topics.messages]
    between = [topics.resolved, topics.links] if settings.resolve else []
    expiring = defaultdict(list)
    for name in (*names, *between):
        expiring[_expired_ms(config.get(name, {}), now_ms)].append(name)
    compacted = defaultdict(list)
    for name in (topics.changelog, topics.delivery_changelog, *([topics.links_changelog] if settings.resolve else [])):
        compacted[_compacted_ms(config.get(name, {}), now_ms)].append(name)
    cleaned = "older copies in compacted logs, which go when those are cleaned"
    found = [Remains("written before, gone by age", where, _text(at)) for at, where in sorted(expiring.items())]
    found += [Remains(cleaned, where, _text(at)) for at, where in sorted(compacted.items())]
    if settings.objection_keys:
        found.append(Remains("keyed hashes of addresses with an explicit no, which stay", [topics.changelog]))
    found.append(Remains("which codes were given, to entries by a digest of their ids, for good", [topics.coupons]))
    return [*found, Remains("events, which are the company's own", list(topics.events))]


def _expired_ms(config: Mapping[str, str], now_ms: int) -> int:
    """Reckon when the last segment that holds a record of now is deleted; 0 where nothing says that it ever is."""
    retention_ms, roll_ms = int(config.get("retention.ms", -1)), int(config.get("segment.ms", -1))
    return 0 if min(retention_ms, roll_ms) < 0 else now_ms + roll_ms + retention_ms + CLEANING_MS


def _compacted_ms(config: Mapping[str, str], now_ms: int) -> int:
    """Reckon when what was overwritten now must have been compacted away; 0 where nothing says when."""
    lag_ms = int(config.get("max.compaction.lag.ms", FOR_EVER_MS))
    return 0 if lag_ms >= FOR_EVER_MS else now_ms + lag_ms + CLEANING_MS


def _text(at_ms: int) -> str | None:
    return instants.to_text(at_ms) if at_ms else None
