"""What nobody on aiokafka can be faster than: fetch, `orjson.loads`, and a batch to an output topic.

A program of its own: `python -m orchestrator.bench.kafka.raw SERVERS GROUP INPUT OUTPUT`. Owns no state and promises
nothing: no transactions, no order between output and offsets.
"""

import sys
import time

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

COMMIT_S = 0.1


async def pass_through(servers: str, group: str, source: str, output: str) -> None:
    """Answer each order, one event in ten, with a line; for ever."""
    consumer = AIOKafkaConsumer(
        source,
        bootstrap_servers=servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=2 << 20,
    )
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=256 << 10)
    await consumer.start()
    await producer.start()
    await producer.client.add_topic(output)
    committed = time.monotonic()
    while True:
        sent = []
        for tp, records in (await consumer.getmany(timeout_ms=100, max_records=5000)).items():
            batch = producer.create_batch()
            for record in records:
                event = orjson.loads(record.value)
                if event["type"] == "order_placed":
                    line = orjson.dumps({"id": event["id"], "customer_id": event["customer_id"], "at": event["time"]})
                    if batch.append(key=record.key, value=line, timestamp=None) is None:
                        sent.append(await producer.send_batch(batch, output, partition=tp.partition))
                        batch = producer.create_batch()
                        batch.append(key=record.key, value=line, timestamp=None)
            if batch.record_count():
                sent.append(await producer.send_batch(batch, output, partition=tp.partition))
        for future in sent:
            await future
        if time.monotonic() - committed > COMMIT_S:
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    uvloop.run(pass_through(*sys.argv[1:]))
