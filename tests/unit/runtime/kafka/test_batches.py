"""Batches: whoever fills them, they are what aiokafka's own builder makes of the same records, and as full."""

from itertools import count

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.kafka.batches import PlainRecordBatch, RecordBatch

# The compiled one, and what stands in for it where there is no compiler; the same class twice there.
KINDS = [RecordBatch, PlainRecordBatch]
BYTES = 1_000_000
NOW_MS = 1_700_000_000_000

FIELDS = st.none() | st.binary(max_size=200)
# Never none: aiokafka's compiled builder takes the next record's for that of the batch then.
TIMES = st.integers(0, NOW_MS) | st.integers(NOW_MS, NOW_MS + 100_000) | st.integers(0, 1 << 62)
HEADERS = st.lists(st.tuples(st.text(max_size=80), FIELDS), max_size=3)
FORWARDS = st.lists(st.tuples(FIELDS, FIELDS, TIMES, HEADERS), min_size=1, max_size=40)
LINES = st.lists(st.tuples(FIELDS | st.text(max_size=80), FIELDS), max_size=40)
PRODUCERS = st.tuples(st.integers(-1, (1 << 63) - 1), st.integers(-1, (1 << 15) - 1), st.integers(0, (1 << 31) - 1))


def _known(most_bytes: int, is_transactional: bool, records) -> tuple[BatchBuilder, int]:
    """Fill a builder of aiokafka's own; tell how many records found room."""
    builder = BatchBuilder(most_bytes, 0, is_transactional=is_transactional)
    for key, value, timestamp, headers in records:
        if builder.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
            break
    return builder, builder.record_count()


def _seen(builder, producer) -> tuple:
    """Look at a batch as its producer does."""
    before = builder.size(), builder.record_count(), builder.closed()
    builder._set_producer_state(*producer)
    built = bytes(builder._build())
    assert bytes(builder._build()) == built  # as when it is sent again
    return before, built, builder.size(), builder.record_count(), builder.closed()


@given(st.sampled_from(KINDS), FORWARDS, st.integers(0, 3_000), st.booleans(), PRODUCERS)
def test_a_batch_of_forwards_is_what_aiokafka_makes_of_them(kind, forwards, most_bytes, is_transactional, producer):
    known, fitting = _known(most_bytes, is_transactional, forwards)
    batch, rest = kind(most_bytes, is_transactional), iter(forwards)
    assert batch.add_forwards(rest) == next(iter(forwards[fitting:]), None)
    assert list(rest) == forwards[fitting + 1 :]
    assert _seen(batch, producer) == _seen(known, producer)


@given(st.sampled_from(KINDS), LINES, FORWARDS, st.integers(0, 6_000), st.booleans(), PRODUCERS)
def test_a_batch_is_filled_in_several_goes(kind, lines, forwards, most_bytes, is_transactional, producer):
    first, *forwards = forwards
    as_bytes = [(key.encode() if isinstance(key, str) else key, value, NOW_MS, []) for key, value in lines]
    known, fitting = _known(most_bytes, is_transactional, [first, *as_bytes, *forwards])
    batch = kind(most_bytes, is_transactional)
    assert batch.add(*first)
    over = batch.add_lines(iter(lines), NOW_MS)
    assert over == next(iter(lines[fitting - 1 :]), None)
    if over is None:
        assert batch.add_forwards(iter(forwards)) == next(iter(forwards[fitting - 1 - len(lines) :]), None)
    assert _seen(batch, producer) == _seen(known, producer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_full_to_the_byte(kind):
    lines = [(b"ana", b"x" * length) for length in (10, 50, 51, 52, 53, 54, 60)]
    for most_bytes in range(61, 500):
        known, fitting = _known(most_bytes, True, [(*line, NOW_MS, []) for line in lines])
        batch = kind(most_bytes, True)
        assert batch.add_lines(iter(lines), NOW_MS) == next(iter(lines[fitting:]), None)
        assert batch._build() == known._build()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_many_records_is_filled_and_read_back(kind):
    # Enough of them that their offsets take one byte, two and three.
    written = ((f"c-{number}", b"%d" % number) for number in count())
    batch = kind(BYTES, True)
    over = batch.add_lines(written, NOW_MS)
    read = MemoryRecords(bytes(batch._build())).next_batch()
    assert read.validate_crc()
    assert read.is_transactional
    assert [(record.offset, record.key, record.value) for record in read] == [
        (number, b"c-%d" % number, b"%d" % number) for number in range(batch.record_count())
    ]
    assert over == (f"c-{batch.record_count()}", b"%d" % batch.record_count())
    assert batch.record_count() > 1 << 13
    assert batch.size() <= BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_a_very_large_record_goes_alone(kind):
    batch, large = kind(BYTES, False), b"x" * (5 * BYTES)
    assert batch.add(b"ana", large, NOW_MS, [])
    assert batch.add_lines(iter([(b"b", b"")]), NOW_MS) == (b"b", b"")
    [record] = MemoryRecords(bytes(batch._build())).next_batch()
    assert (record.key, record.value) == (b"ana", large)


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_batch_takes_nothing(kind):
    batch = kind(BYTES, False)
    assert batch.add(b"ana", b"1", NOW_MS, [])
    batch.close()
    assert batch.closed()
    assert not batch.add(b"ana", b"2", NOW_MS, [])
    built = bytes(batch._build())
    assert not batch.add(b"ana", b"3", NOW_MS, [])
    assert (batch.record_count(), bytes(batch._build())) == (1, built)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_batch_that_is_sent_again_is_the_same(kind):
    of, manager = TopicPartition("actions", 3), TransactionManager("shop-3", 1_000)
    manager.set_pid_and_epoch(7, 3)
    manager.begin_transaction()
    queue = MessageAccumulator(None, BYTES, 0, 1, txn_manager=manager)
    batches = [kind(BYTES, True) for _ in range(2)]
    for batch in batches:
        batch.add_lines(iter([("ana", b"1"), ("bo", None)]), NOW_MS)
        batch.close()
        queue._append_batch(batch, of)
    first = queue._pop_batch(of)
    sent = bytes(first.get_data_buffer())
    queue.reenqueue(first)
    again = [bytes(queue._pop_batch(of).get_data_buffer()) for _ in batches]
    assert again[0] == sent
    read = [MemoryRecords(each).next_batch() for each in again]
    assert [(each.producer_id, each.producer_epoch, each.base_sequence) for each in read] == [(7, 3, 0), (7, 3, 2)]
    assert [[(record.key, record.value) for record in each] for each in read] == [[(b"ana", b"1"), (b"bo", None)]] * 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("line", "error"), [((b"ana", "text"), TypeError), ((7, b""), TypeError), (("\ud800", b""), UnicodeEncodeError)]
)
def test_what_no_log_can_hold_is_refused(kind, line, error):
    batch = kind(BYTES, False)
    with pytest.raises(error):
        batch.add_lines(iter([line]), NOW_MS)
    with pytest.raises(error):
        batch.add(*line, NOW_MS, [])
    with pytest.raises(TypeError):
        batch.add(b"ana", b"", NOW_MS, [(b"name", b"")])
