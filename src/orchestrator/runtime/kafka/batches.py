"""Batches of records on their way to a log: aiokafka's own builder, and one that is compiled where a compiler was.

Owns how a batch is filled. Each record's offset is the one behind the last; a record that finds no room closes the
batch, but the first always finds some, so that a very large one goes alone. aiokafka's producer takes either kind for
a builder of its own, and their bytes are the same. Must never send anything, nor compress.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from aiokafka.producer.message_accumulator import BatchBuilder

from orchestrator.runtime.kafka.outgoing import Forward

# A line with its key: as bytes, or as text, which a profile's id is.
Keyed: TypeAlias = tuple[str | bytes | None, bytes | None]


class PlainRecordBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka ships no types
    """A batch of at most so many bytes, or of one record."""

    _relative_offset: int

    def __init__(self, most_bytes: int, is_transactional: bool) -> None:
        super().__init__(most_bytes, 0, is_transactional=is_transactional)

    def add(
        self, key: str | bytes | None, value: bytes | None, timestamp_ms: int, headers: list[tuple[str, bytes]]
    ) -> bool:
        """Add a record; false where it finds no room."""
        added = self.append(timestamp=timestamp_ms, key=_as_bytes(key), value=value, headers=headers)
        return added is not None

    def add_lines(self, lines: Iterator[Keyed], timestamp_ms: int) -> Keyed | None:
        """Add what an iterator gives, at one instant; return the first that finds no room, None where all do."""
        # Past aiokafka's own `append`, which costs as much again for serializers that we have none of.
        append, count, no_headers = self._builder.append, self._relative_offset, list[Any]()
        for key, value in lines:
            if append(count, timestamp_ms, _as_bytes(key), value, no_headers) is None:
                self._relative_offset = count
                self.close()
                return key, value
            count += 1
        self._relative_offset = count
        return None

    def add_forwards(self, forwards: Iterator[Forward]) -> Forward | None:
        """Add what an iterator gives, as it came; return the first that finds no room, None where all do."""
        append, count = self._builder.append, self._relative_offset
        for key, value, timestamp_ms, headers in forwards:
            if append(count, timestamp_ms, key, value, headers) is None:
                self._relative_offset = count
                self.close()
                return key, value, timestamp_ms, headers
            count += 1
        self._relative_offset = count
        return None


def _as_bytes(key: str | bytes | None) -> bytes | None:
    return key.encode() if isinstance(key, str) else key


if TYPE_CHECKING:
    RecordBatch = PlainRecordBatch
else:
    try:
        # The same, compiled: `tests/unit/runtime/kafka/test_batches.py` holds both to one law.
        from orchestrator.compiled.native import RecordBatch
    except ImportError:  # no compiler where this was installed
        RecordBatch = PlainRecordBatch
