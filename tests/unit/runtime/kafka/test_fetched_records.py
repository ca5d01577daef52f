"""What a member's consumer makes of a fetch: records of ours, with all that a unit asks for, however they are read."""

import sys
from random import Random
from types import SimpleNamespace

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from orchestrator.compiled.turns import IS_THERE
from orchestrator.runtime.kafka.fetched import Fetches, PlainRecord, Record

EVENTS = TopicPartition("events", 3)
MARKERS = {"abort": b"\0\0\0\0", "commit": b"\0\0\0\1"}

compiled = pytest.mark.skipif(not IS_THERE, reason="no compiler where this was installed")


def batch(
    *records, first=0, codec=0, producer=-1, transactional=False, control=False, last=None, stamped=None
) -> bytes:
    """Write a batch; records are (timestamp, key, value, headers), or None for one that was compacted away."""
    builder = DefaultRecordBatchBuilder(2, codec, int(transactional), producer, 0, 0, 1 << 20)
    if last is not None and not any(records):
        builder.append(last, 1, b"", b"", [])
    for number, record in enumerate(records):
        if record is not None:
            timestamp, key, value, headers = record
            builder.append(number, timestamp, key, value, headers)
    made = bytearray(builder.build())
    made[0:8] = first.to_bytes(8, "big")
    if last is not None:
        made[23:27] = last.to_bytes(4, "big")
    if control:
        made[22] |= 0x20
    if stamped is not None:
        made[22] |= 0x08
        made[35:43] = stamped.to_bytes(8, "big")
    return checked(made)


def checked(made: bytearray) -> bytes:
    made[17:21] = crc32c(made[21:]).to_bytes(4, "big")
    return bytes(made)


def crc32c(data: bytes) -> int:
    from aiokafka.record.util import calc_crc32c_py

    return calc_crc32c_py(data)


def fetch(data: bytes, *, aborted=(), offset=0, reads_all=False, is_compiled=True) -> FetchResult:
    """Give what was fetched as a member's consumer has it."""
    state = SimpleNamespace(position=offset, paused=False)
    state.consumed_to = lambda position: setattr(state, "position", position)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    log = (fetcher.MemoryRecords if is_compiled else MemoryRecords)(data)
    level = fetcher.READ_UNCOMMITTED if reads_all else fetcher.READ_COMMITTED
    read = PartitionRecords(EVENTS, log, list(aborted), offset, None, None, True, level)
    fetches = Fetches()
    fetches[EVENTS] = FetchResult(EVENTS, assignment=assignment, partition_records=read, backoff=0)
    return fetches[EVENTS]


def drained(result: FetchResult, limit: int | None) -> tuple[list[tuple], int]:
    """Take all that there is, and tell where the next fetch begins."""
    taken = []
    while result.has_more():
        taken += result.getall(limit)
    return [as_tuple(each) for each in taken], result._assignment.state_value(EVENTS).position


def as_tuple(record) -> tuple:
    names = ("topic", "partition", "offset", "timestamp", "key", "value", "headers")
    return tuple(getattr(record, name) for name in names)


@pytest.mark.parametrize("is_compiled", [pytest.param(True, marks=compiled), False])
def test_a_record_is_what_lies_in_the_log(is_compiled):
    data = batch((70, b"ana", b"{}", [("h", b"1"), ("none", None)]), (80, None, None, []))
    assert drained(fetch(data, is_compiled=is_compiled), None) == (
        [
            ("events", 3, 0, 70, b"ana", b"{}", (("h", b"1"), ("none", None))),
            ("events", 3, 1, 80, None, None, ()),
        ],
        2,
    )


def random_log(dice: Random) -> tuple[bytes, list[tuple[int, int]], int]:
    """Write batches as brokers may send them: with gaps, markers, aborted transactions and half a batch at the end."""
    data, aborted, offset = b"", [], dice.randrange(5)
    begin = offset + dice.randrange(3)
    for _ in range(dice.randrange(1, 8)):
        offset += dice.choice([0, 0, 1, 7])
        producer, kind = dice.randrange(3), dice.random()
        if kind < 0.25:
            record = (5, MARKERS[dice.choice(["abort", "commit"])], b"\0\0\0\0\0\0", [])
            data += batch(record, first=offset, producer=producer, transactional=True, control=True)
            offset += 1
            continue
        if kind < 0.5:
            aborted.append((producer, offset - dice.randrange(2)))
        about = [None if dice.random() < 0.2 else random_record(dice) for _ in range(dice.randrange(1, 6))]
        last = len(about) - 1 + dice.choice([0, 0, 2])
        data += batch(
            *about, first=offset, producer=dice.choice([producer, -1]), transactional=dice.random() < 0.6,
            codec=dice.choice([0, 0, 0, 1]), last=last, stamped=dice.choice([None, None, 99]),
        )  # fmt: skip
        offset += last + 1
    return data + batch(random_record(dice), first=offset)[: dice.randrange(80)], aborted, begin


def random_record(dice: Random) -> tuple:
    def part():
        return dice.choice([None, b"", b"x", dice.randbytes(dice.randrange(300))])

    headers = [(dice.choice(["", "h", "ä"]), part()) for _ in range(dice.choice([0, 0, 0, 1, 3]))]
    return dice.choice([0, 1, 1_700_000_000_000, 1_700_000_000_007]), part(), part() or b"", headers


@compiled
@pytest.mark.parametrize("seed", range(300))
def test_the_compiled_side_reads_what_aiokafka_reads(seed):
    dice = Random(seed)
    data, aborted, offset = random_log(dice)
    about = {"aborted": aborted, "offset": offset, "reads_all": dice.random() < 0.2}
    limit = dice.choice([None, 1, 2, 3, 100])
    assert drained(fetch(data, **about), limit) == drained(fetch(data, **about, is_compiled=False), limit)


@compiled
@pytest.mark.parametrize("limit", [None, 1, 0])
def test_a_fetch_that_is_done_with_keeps_its_bytes_for_no_garbage_collector(limit):
    data = batch((1, b"k", b"v", []), (2, b"k", b"w", []))
    before = sys.getrefcount(data)
    result = fetch(data)
    result.getall(limit)
    del result  # after a seek, or where the partition went elsewhere, it may be half read, or not at all
    assert sys.getrefcount(data) == before


@compiled
def test_a_damaged_batch_is_told_and_then_fetched_again():
    whole, damaged = batch((1, b"k", b"v", [])), bytearray(batch((2, b"k", b"w", []), first=1))
    damaged[-1] ^= 1
    result = fetch(whole + bytes(damaged))
    with pytest.raises(CorruptRecordException, match=r"events/3: the checksum of the batch at offset 1 cannot be read"):
        result.getall()
    assert result.getall() == []
    assert not result.has_more()
    assert result._assignment.state_value(EVENTS).position <= 1


@compiled
@pytest.mark.parametrize("at", range(61, 75))
def test_a_batch_whose_records_make_no_sense_is_told(at):
    damaged = bytearray(batch((1, b"key", b"value", [("h", b"1")])))
    damaged[at] ^= 0xFF
    try:
        records = fetch(checked(damaged)).getall()
    except (CorruptRecordException, UnicodeDecodeError):
        return
    assert len(records) == 1  # within the bytes of its key or value


@compiled
def test_what_stands_before_a_header_whose_name_is_no_text_is_given_first():
    data = bytearray(batch((1, b"a", b"1", []), (2, b"b", b"2", [("name", b"")]), (3, b"c", b"3", [])))
    data[data.index(b"name")] = 0xFF
    result = fetch(checked(data))
    assert [record.key for record in result.getall()] == [b"a"]
    for _ in range(2):
        with pytest.raises(UnicodeDecodeError):
            result.getall()
    assert result._partition_records.next_fetch_offset == 1


@compiled
def test_batches_of_the_old_form_are_left_to_aiokafka():
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 16)
    builder.append(0, 7, b"k", b"v")
    assert drained(fetch(bytes(builder.build())), None) == ([("events", 3, 0, 7, b"k", b"v", ())], 1)


@compiled
def test_a_codec_that_nobody_knows_is_told():
    data = bytearray(batch((1, b"k", b"v", [])))
    data[22] |= 0x07
    with pytest.raises(UnsupportedCodecError, match="codec 7"):
        fetch(checked(data)).getall()


async def test_an_error_stays_what_it_is():
    buffer = Fetches()
    buffer[EVENTS] = FetchError(error=KeyError("x"), backoff=0)
    with pytest.raises(KeyError):
        buffer[EVENTS].check_raise()


@pytest.mark.parametrize("kind", [pytest.param(Record, marks=compiled), PlainRecord])
def test_records_are_the_same_where_all_their_parts_are(kind):
    about = ("events", 3, 1, 70, b"k", None, (("h", b"1"),))
    record = kind(*about)
    assert as_tuple(record) == about
    assert record == kind(*about)
    assert all(record != kind(*about[:at], *other, *about[at + 1 :]) for at, other in enumerate(
        [("e",), (4,), (2,), (71,), (None,), (b"",), ((),)]
    ))  # fmt: skip
