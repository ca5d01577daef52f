"""Redelivering on Kafka: what delivery gave up on, read from its changelog, and asked for again through the actions.

Delivery alone writes its rows, so it is asked as it is told to cancel: by an action of kind `redeliver` that names
another one, in the partition where that one is. It is taken up once, however often it is read; what was sent or taken
back meanwhile stays as it is. Each goes under the key that it had.
Owns the asking. Must never send, nor touch a row.
"""

from collections.abc import Sequence

import msgspec
from aiokafka.structs import TopicPartition

from orchestrator.model import ids, instants
from orchestrator.model.effects import Action
from orchestrator.runtime.kafka.pendings import NOTE, Row, decode_row
from orchestrator.runtime.kafka.restore import restore
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.kafka.topics import Topics, ensure
from orchestrator.runtime.kafka.writer import Writer

_decode = msgspec.json.Decoder(Action).decode
_encode = msgspec.json.Encoder().encode


async def given_up(settings: KafkaSettings, topics: Topics) -> list[Row]:
    """Read what delivery gave up on, by partition and place in it."""
    counts = await ensure(settings, topics)
    found: list[Row] = []
    for number in range(counts[topics.delivery_changelog]):
        state = MemoryState()
        await restore(settings, TopicPartition(topics.delivery_changelog, number), state, reads_states=False)
        rows = [decode_row(value) for key, value in state if not key.startswith(NOTE)]
        found += sorted((row for row in rows if row.reason is not None), key=lambda row: row.offset)
    return found


async def redeliver(settings: KafkaSettings, topics: Topics, rows: Sequence[Row], now_ms: int) -> None:
    """Ask delivery to try these again; on return it will, now or when it runs again."""
    writer = Writer(settings, None)
    await writer.open()
    try:
        for row in rows:
            for future, _ in await writer.send(topics.actions, row.partition, [_request(row, now_ms)]):
                await future
    except BaseException:
        await writer.discard()
        raise
    await writer.close()


def _request(row: Row, now_ms: int) -> tuple[bytes, bytes]:
    of = _decode(bytes(row.action))
    asked = Action(
        ids.derive("redeliver", row.id, str(now_ms)),
        "redeliver",
        of.profile_id,
        of.customer_id,
        of.journey,
        of.version,
        of.entry_id,
        of.step,
        instants.to_text(now_ms),
        data={"action_id": row.id},
    )
    return row.profile_id.encode(), _encode(asked)
