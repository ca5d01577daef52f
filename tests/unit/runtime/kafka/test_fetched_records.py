"""What a member's consumer makes of a fetch: records of ours, with all that a unit asks for."""

import pytest
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from orchestrator.runtime.kafka.fetching import Record, _Fetched

EVENTS = TopicPartition("events", 3)


def fetched(*records) -> FetchResult:
    batch = BatchBuilder(1_000_000, 0)
    for timestamp, key, value, headers in records:
        batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
    log = MemoryRecords(bytes(batch._build()))
    read = PartitionRecords(EVENTS, log, [], 0, None, None, check_crcs=True, isolation_level=1)
    return FetchResult(EVENTS, assignment=None, partition_records=read, backoff=0)


def test_a_record_is_what_lies_in_the_log():
    buffer = _Fetched()
    buffer[EVENTS] = fetched((70, b"ana", b"{}", [("h", b"1")]), (80, None, None, []))
    assert list(buffer[EVENTS]._partition_records) == [
        Record("events", 3, 0, 70, b"ana", b"{}", (("h", b"1"),)),
        Record("events", 3, 1, 80, None, None, ()),
    ]


async def test_an_error_stays_what_it_is():
    buffer = _Fetched()
    buffer[EVENTS] = FetchError(error=KeyError("x"), backoff=0)
    with pytest.raises(KeyError):
        buffer[EVENTS].check_raise()
