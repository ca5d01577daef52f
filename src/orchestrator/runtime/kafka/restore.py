"""The restore: a partition's state, read from its changelog.

Owns the reading: committed records only, from the checkpoint or the beginning, until the reader's *position* is at the
end that was asked for before (not the last record's offset: the markers of transactions take offsets too, and
compaction takes records away). It gives way to the event loop often, because heartbeats are sent there.
Must never run before the partition's producer is open: what a dead owner left open would be missed.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from orchestrator.errors import StorageError
from orchestrator.model import codec
from orchestrator.runtime import faults
from orchestrator.runtime.kafka.header import HEADER_KEY, Header, decode_header
from orchestrator.runtime.kafka.reading import FETCH_BYTES, reader
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import Change, Checkpoint, PartitionState

log = logging.getLogger(__name__)

# So many records are applied between two looks at the event loop: about 20 ms.
AT_ONCE = 10_000
POLL_MS = 200
LONGEST_SILENCE_S = 60.0

# After this, compaction may have removed the tombstones of erased profiles (delete.retention.ms is a day by default),
# and a checkpoint from before would bring them back.
OLDEST_CHECKPOINT_S = 12 * 3600

_HEADER_KEY = HEADER_KEY.encode()


@dataclass(frozen=True)
class Restored:
    """What a restore found: the partition's header, the changelog's end, and how much it read in what time."""

    header: Header
    end: int
    records: int
    seconds: float


async def restore(
    settings: KafkaSettings, changelog: TopicPartition, state: PartitionState, *, reads_states: bool = True
) -> Restored:
    """Bring `state` to the changelog's end as it is now.

    Raises StorageError for a state record of a newer format; without `reads_states`, it holds something else.
    """
    began = time.monotonic()
    faults.reach("restore.begin")
    options = {"auto_offset_reset": "none", "max_partition_fetch_bytes": FETCH_BYTES, "fetch_max_wait_ms": POLL_MS}
    async with reader(settings, **options) as consumer:
        return await _follow(consumer, changelog, state, began, reads_states=reads_states)


async def _follow(
    consumer: AIOKafkaConsumer, changelog: TopicPartition, state: PartitionState, began: float, *, reads_states: bool
) -> Restored:
    consumer.assign([changelog])
    first = (await consumer.beginning_offsets([changelog]))[changelog]
    end = (await consumer.end_offsets([changelog]))[changelog]
    checkpoint = _usable(state, first, end)
    begin = checkpoint or Checkpoint(first, 0.0)
    raw_header, count = await _read(consumer, changelog, state, begin, end, reads_states=reads_states)
    if checkpoint is not None and _is_of_another(checkpoint.header, raw_header):
        # Made anew, or another application's: by its offsets alone it would have fitted.
        log.warning(
            "what lies on disk is not of this %s; partition %d is read anew", changelog.topic, changelog.partition
        )
        state.wipe()
        begin = Checkpoint(first, 0.0)
        raw_header, count = await _read(consumer, changelog, state, begin, end, reads_states=reads_states)
    faults.reach("restore.end")
    header = Header() if raw_header is None else decode_header(raw_header)
    return Restored(header, end, count, time.monotonic() - began)


async def _read(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    state: PartitionState,
    checkpoint: Checkpoint,
    end: int,
    *,
    reads_states: bool,
) -> tuple[bytes | None, int]:
    """Apply what the changelog holds from a checkpoint on; return the last header, and how many records those were."""
    raw_header, position = checkpoint.header, checkpoint.offset
    consumer.seek(changelog, position)
    count, heard = 0, time.monotonic()
    while position < end:
        try:
            fetched = await consumer.getmany(changelog, timeout_ms=POLL_MS, max_records=AT_ONCE)
        except OffsetOutOfRangeError as error:
            raise StorageError(
                f"{changelog.topic} was cut while it was read; it must be compacted, not deleted"
            ) from error
        records = fetched.get(changelog, [])
        reached = await consumer.position(changelog)
        if reached == position and time.monotonic() - heard > LONGEST_SILENCE_S:
            raise TimeoutError(f"{changelog.topic} gives nothing from {position} although it reaches to {end}")
        if reached > position:
            position, heard = reached, time.monotonic()
            changes, found = _changes(records, reads_states=reads_states)
            raw_header = found or raw_header
            state.load(changes, Checkpoint(position, time.time(), raw_header))
            count += len(records)
            await faults.pause_at("restore.records")
        await asyncio.sleep(0)
    return raw_header, count


def _is_of_another(raw_header: bytes | None, newest: bytes | None) -> bool:
    """Tell whether a header on disk is known to be of another changelog than the newest of this one."""
    if raw_header is None or newest is None:
        return False
    names = decode_header(raw_header).log, decode_header(newest).log
    return all(names) and names[0] != names[1]


def _usable(state: PartitionState, first: int, end: int) -> Checkpoint | None:
    """Return the state's checkpoint if the changelog still leads on from it; wipe the state otherwise."""
    checkpoint = state.checkpoint()
    if checkpoint is None:
        state.wipe()
        return None
    is_young = time.time() - checkpoint.at < OLDEST_CHECKPOINT_S
    if is_young and first <= checkpoint.offset <= end:
        return checkpoint
    state.wipe()
    return None


def _changes(records: Sequence[ConsumerRecord], *, reads_states: bool) -> tuple[list[Change], bytes | None]:
    """Split records into changes of profiles and the last header among them."""
    changes: list[Change] = []
    header = None
    for record in records:
        key, value = record.key, record.value
        if key == _HEADER_KEY:
            header = value
            continue
        if value is not None and reads_states:
            codec.check_format(value[8], record.topic)
        changes.append((key.decode(), value))
    return changes, header
