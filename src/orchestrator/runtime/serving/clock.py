"""The wall clock as turns see it.

Owns what happens when the machine's clock is set: a small step back, as time servers make, is held until the clock
has caught up, so that instants do not go back within a conversation; a larger one is followed, because somebody
mended a wrong clock, and waiting for the wrong instant to come again would stop every timer.
"""

from orchestrator.runtime.wall_clock import Clock

HELD_MS = 5_000


class SteadyClock:
    """Tells the instant of the next batch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_ms = 0

    def now_ms(self) -> int:
        """Tell the instant, never a little before the one told last."""
        now_ms = self._clock.now_ms()
        if not self._last_ms - HELD_MS <= now_ms < self._last_ms:
            self._last_ms = now_ms
        return self._last_ms
