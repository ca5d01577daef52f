"""The compiled side, as Python sees it; `src/lib.rs` says more."""

from collections.abc import Callable
from typing import Any

Lines = list[tuple[bytes, bytes]]
# Outcome, new record (None: as it was) with its due instant, decisions, actions, and the bytes of both.
Came = tuple[str, bytes | None, int, Lines, Lines, int]

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
        wall_ms: int,
        facts: int,
        bytes: int,
        seconds: float,
        lent: Any,
    ) -> tuple[int, int, int, int, int, str | None]: ...
    def take_counts(
        self,
    ) -> tuple[list[tuple[tuple[str, str, str], int]], dict[tuple[str, str], int], dict[tuple[str, str], int]]: ...
