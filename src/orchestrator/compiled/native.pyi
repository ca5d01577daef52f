"""The compiled side, as Python sees it; `src/lib.rs` says more."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any

Lines = list[tuple[bytes, bytes]]
# Outcome, new record (None: as it was) with its due instant, decisions, actions, and the bytes of both.
Came = tuple[str, bytes | None, int, Lines, Lines, int]

class CorruptError(Exception):
    """What was fetched is not as it was sent."""

class Record:
    """What is needed of a record of Kafka; `runtime.kafka.fetched` says more."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]] = (),
    ) -> None: ...

class Fetched:
    """What was fetched of one partition; None where that is of an older form of batches."""

    @staticmethod
    def of(
        topic: str,
        partition: int,
        data: bytes,
        offset: int,
        aborted: Sequence[tuple[int, int]],
        is_committed_only: bool,
        inflate: Callable[[int, bytes], bytes],
    ) -> Fetched | None: ...
    @property
    def next_fetch_offset(self) -> int: ...
    @property
    def is_done(self) -> bool: ...
    def take(self, limit: int) -> list[Record]: ...

class Memory:
    """The records of one partition in memory; `runtime.kafka.state` says more."""

    def __init__(self) -> None: ...
    def get(self, name: str, /) -> bytes | None: ...
    def put(self, name: str, record: bytes) -> None: ...
    def drop(self, name: str) -> None: ...
    def load(self, changes: Iterable[tuple[str, bytes | None]]) -> None: ...
    def wipe(self) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[str, bytes]]: ...
    def walk(self) -> Iterator[str]: ...

class Passing:
    """What resolve passes on of events that name a customer id and nothing else."""

    def __init__(self, wanted: Set[str] | None, others: Set[str]) -> None: ...
    def run(
        self,
        records: list[Any],
        at: int,
        end: int,
        wall_ms: int,
        latest_ms: int,
        room: int,
        header: str,
        sinks: list[list[Any]],
    ) -> tuple[int, int, int, int, str | None]: ...

class RecordBatch:
    """A batch of records; `runtime.kafka.batches` says more, aiokafka's `BatchBuilder` what its producer asks of it."""

    def __init__(self, most_bytes: int, is_transactional: bool) -> None: ...
    def add(
        self, key: str | bytes | None, value: bytes | None, at_ms: int, headers: list[tuple[str, bytes]]
    ) -> bool: ...
    def add_lines(
        self, lines: Iterator[tuple[str | bytes | None, bytes | None]], at_ms: int
    ) -> tuple[str | bytes | None, bytes | None] | None: ...
    def add_forwards(
        self, forwards: Iterator[tuple[bytes, bytes, int, list[tuple[str, bytes]]]]
    ) -> tuple[bytes, bytes, int, list[tuple[str, bytes]]] | None: ...
    def close(self) -> None: ...
    def closed(self) -> bool: ...
    def record_count(self) -> int: ...
    def size(self) -> int: ...
    def _set_producer_state(self, id: int, epoch: int, base_sequence: int) -> None: ...
    def _build(self) -> bytes: ...

class Timers:
    """Who wakes next; `runtime.timers` says more."""

    def __init__(self, waiting: Iterable[tuple[int, str]] = ()) -> None: ...
    def __len__(self) -> int: ...
    @property
    def next_ms(self) -> int: ...
    def schedule(self, profile_id: str, old_due_ms: int, due_ms: int) -> None: ...
    def put_back(self, profile_id: str, due_ms: int) -> None: ...
    def take(self) -> tuple[int, str]: ...
    def take_before(self, instant_ms: int) -> Iterator[tuple[int, str]]: ...

class Turns:
    """The turns of one partition by one catalog. A turn that is not taken here comes to None, with nothing changed."""

    def __init__(self, program: str, quiet: Callable[[int, int, str], tuple[Any, bytes]]) -> None: ...
    def on_event(
        self,
        kind: str,
        id: str,
        time_ms: int,
        channel: str | None,
        customer_id: str | None,
        properties: bytes,
        record: bytes | None,
        key: bytes,
        now_ms: int,
    ) -> Came | None: ...
    def on_timers(self, record: bytes, key: bytes, now_ms: int) -> Came | None: ...
    def run(
        self,
        records: list[Any],
        at: int,
        clock_ms: int,
        pace: tuple[int, int | None],
        room: tuple[int, int, float],
        lent: Any,
    ) -> tuple[int, int, int, int, int, str | None]: ...
    def fire(
        self, before_ms: int, now_ms: int | None, wall_ms: int, room: tuple[int, int, float], lent: Any
    ) -> tuple[int, int, list[int]]: ...
    def take_counts(
        self,
    ) -> tuple[list[tuple[tuple[str, str, str], int]], dict[tuple[str, str], int], dict[tuple[str, str], int]]: ...
