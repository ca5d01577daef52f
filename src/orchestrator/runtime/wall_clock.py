"""The wall clock: the clock of whatever runs on real time.

Owns reading the time and waiting for it, so that tests can hand in another. Must never be read by the engine.
"""

import asyncio
import time
from typing import Protocol


def wall_clock_ms() -> int:
    """Tell the instant by the machine's own clock, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def steady_clock_ms() -> int:
    """Tell the time since some instant, by a clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


class Clock(Protocol):
    """Tells the time and waits."""

    def now_ms(self) -> int:
        """Tell the instant, in epoch milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so long."""
        ...


class WallClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Tell the instant, in epoch milliseconds."""
        return wall_clock_ms()

    async def sleep(self, seconds: float) -> None:
        """Wait so long."""
        await asyncio.sleep(seconds)
