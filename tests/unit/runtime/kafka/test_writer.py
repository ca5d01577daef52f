"""What a writer sends: batches as full as may be, each record in one of them, in order."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.record.memory_records import MemoryRecords

from orchestrator.runtime.kafka import writer as module
from orchestrator.runtime.kafka.batches import PlainRecordBatch, RecordBatch
from orchestrator.runtime.kafka.resolved import CLOCK_KEY, STAMP
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.writer import LONG_AGO_MS, Writer

NOW_MS = 1_700_000_000_000
LONG_AGO = NOW_MS - LONG_AGO_MS - 1
BATCH_BYTES = 1_000


class Producer:
    """A producer that reads what it is given to send."""

    def __init__(self, **_):
        self._message_accumulator = SimpleNamespace(_batches={}, _exception=None)
        self.sent = []

    async def send_batch(self, batch, topic, *, partition):
        assert batch.closed()
        self.sent.append((topic, partition, MemoryRecords(bytes(batch._build())).next_batch()))
        return asyncio.get_running_loop().create_future()


@pytest.fixture(params=[RecordBatch, PlainRecordBatch])
def opened(request, monkeypatch):
    def open_one(transactional_id: str | None = None) -> Writer:
        return Writer(KafkaSettings.of({"app_id": "shop"}), transactional_id, batch_bytes=BATCH_BYTES)

    monkeypatch.setattr(module, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(module, "RecordBatch", request.param)
    monkeypatch.setattr(module, "wall_clock_ms", lambda: NOW_MS)
    return open_one


def _read(writer: Writer) -> list[list[tuple]]:
    batches = [batch for _, _, batch in writer._producer.sent]
    return [[(record.key, record.value, record.timestamp, record.headers) for record in batch] for batch in batches]


async def test_lines_go_in_batches_of_at_most_so_many_bytes(opened):
    writer = opened()
    lines = [
        ("ana", b"x" * 300),
        (b"bo", None),
        (None, b"x" * 300),
        ("ana", b"x" * 600),
        ("c", b"y" * 5_000),
        ("d", b""),
    ]
    sent = await writer.send("actions", 3, (line for line in lines))
    at = NOW_MS, []
    assert _read(writer) == [
        [(b"ana", b"x" * 300, *at), (b"bo", None, *at), (None, b"x" * 300, *at)],
        [(b"ana", b"x" * 600, *at)],
        [(b"c", b"y" * 5_000, *at)],
        [(b"d", b"", *at)],
    ]
    assert [count for _, count in sent] == [3, 1, 1, 1]
    assert {(topic, partition) for topic, partition, _ in writer._producer.sent} == {("actions", 3)}


async def test_nothing_is_sent_where_there_is_nothing(opened):
    writer = opened()
    assert await writer.send("actions", 3, []) == []
    assert await writer.forward("resolved", 3, []) == []
    assert _read(writer) == []


@pytest.mark.parametrize("transactional_id", ["shop-3", None])
async def test_batches_are_part_of_a_transaction_where_there_is_one(opened, transactional_id):
    writer = opened(transactional_id)
    await writer.send("actions", 3, [(b"ana", b"1")])
    await writer.forward("resolved", 3, [(b"ana", b"1", NOW_MS, [])])
    is_transactional = transactional_id is not None
    assert [batch.is_transactional for _, _, batch in writer._producer.sent] == [is_transactional] * 2


async def test_what_is_passed_on_keeps_its_time_and_a_batch_of_long_ago_is_stamped(opened):
    writer = opened()
    late, lately = (b"ana", b"x" * 400, LONG_AGO, [("origin", b"events/0/7")]), (b"bo", b"x" * 500, NOW_MS - 5, [])
    sent = await writer.forward("resolved", 3, [late, late, lately, lately])
    stamp = (CLOCK_KEY, STAMP, NOW_MS, [])
    assert _read(writer) == [[stamp, late, late], [lately], [lately]]
    assert [count for _, count in sent] == [3, 1, 1]


async def test_a_very_large_record_of_long_ago_goes_alone(opened):
    writer, large = opened(), (b"ana", b"x" * 600_000, LONG_AGO, [])
    await writer.forward("resolved", 3, [large, large])
    assert _read(writer) == [[large], [large]]


@pytest.mark.parametrize("part", ["key", "header"])
async def test_a_record_of_long_ago_is_sent_however_little_of_it_is_its_value(opened, part):
    writer, much = opened(), b"x" * 2 * BATCH_BYTES
    headers = [("origin", much if part == "header" else b"events/0/7")]
    large = (much if part == "key" else b"ana", b"{}", LONG_AGO, headers)
    small = (b"bo", b"{}", LONG_AGO, [])
    sent = await writer.forward("resolved", 3, [large, small, large])
    assert _read(writer) == [[large], [(CLOCK_KEY, STAMP, NOW_MS, []), small], [large]]
    assert [count for _, count in sent] == [1, 2, 1]
