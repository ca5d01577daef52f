"""What producers compress can be read, whatever they compress it with: it is theirs to choose."""

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

BYTES = 1 << 20


@pytest.mark.parametrize(("name", "codec"), [("none", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)])
def test_a_batch_is_read_whatever_its_producer_compressed_it_with(name, codec):
    batch = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, BYTES)
    values = [b'{"type": "page_viewed", "customer_id": "c%d"}' % number for number in range(100)]
    for offset, value in enumerate(values):
        batch.append(offset, 1_700_000_000_000, b"key", value, [])
    [read] = [MemoryRecords(bytes(batch.build())).next_batch()]
    assert [record.value for record in read] == values
