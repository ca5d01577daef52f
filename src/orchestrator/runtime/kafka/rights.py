"""Erasing on Kafka: the request goes into the stream, and a receipt says which copies it cannot reach, and until when.

Owns the request and the receipt. What is erased, and in which order with everything else, is the partitions' own
business, as with any event. Must never write a person's value into the receipt.
"""

import json
import secrets

from aiokafka import AIOKafkaProducer

from orchestrator.model import ids, instants
from orchestrator.model.rights import ERASE, Receipt, Remains
from orchestrator.runtime.kafka.closing import close
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics


async def request_erasure(
    settings: KafkaSettings, topics: Topics, customer_id: str | None, identifiers: dict[str, str], now_ms: int
) -> Receipt:
    """Ask for the erasure of whoever is known so; on return the request is in the log, and will be carried out."""
    receipt_id = ids.derive("erased", secrets.token_hex(16))
    named = {"customer_id": customer_id} if customer_id is not None else {"identifiers": identifiers}
    event = {"id": receipt_id, "type": ERASE, "time": now_ms, **named}
    key = customer_id if customer_id is not None else next(iter(identifiers.values()))
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **settings.connection())
    await producer.start()
    try:
        # Keyed as the customer's own events are, for applications without resolve.
        await producer.send_and_wait(topics.events[0], json.dumps(event).encode(), key.encode(), timestamp_ms=now_ms)
    finally:
        await close(producer.stop())
    return Receipt(receipt_id, instants.to_text(now_ms), {"requested": 1}, remains=remaining(settings, topics, now_ms))


def remaining(settings: KafkaSettings, topics: Topics, now_ms: int) -> list[Remains]:
    """Say where copies remain that were written before, and when the last of them is gone."""
    by_time = [topics.actions, topics.decisions, topics.dead_letters, topics.receipts, topics.messages]
    found = [
        Remains("written before, gone by age", by_time, instants.to_text(now_ms + settings.retention_ms)),
        Remains("changelogs, whose tombstones take older copies with them when the log is cleaned", [topics.changelog]),
        Remains("which codes were given, to entries by a digest of their ids, for good", [topics.coupons]),
        Remains("events, which are the company's own", list(topics.events)),
    ]
    if settings.resolve:
        found.insert(1, Remains("on their way between partitions, gone by size", [topics.resolved, topics.links]))
    return found
