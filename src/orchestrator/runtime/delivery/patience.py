"""Patience: how long to wait before the next try, and when to leave a provider alone.

Owns backoff and the circuit breaker. Clock and dice are handed in. Must never count tries of different messages
together but where the provider as a whole is in trouble.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.model.instants import MINUTE_MS, SECOND_MS

# A provider that was in trouble for hours is tried again this often.
LONGEST_OPEN_MS = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles the wait after every try, from `first_ms` to `longest_ms`, and draws the real one from its upper half."""

    first_ms: int = SECOND_MS
    longest_ms: int = 15 * MINUTE_MS

    def delay_ms(self, attempts: int, asked: timedelta | None, dice: random.Random) -> int:
        """Say how long to wait after so many tries; a provider that asked for longer gets it, and jitter on top."""
        doubled = min(self.first_ms << min(attempts - 1, 30), self.longest_ms)
        drawn = doubled / 2 + dice.random() * doubled / 2
        if asked is not None:
            # Never before the provider's wish, and not all at that one instant.
            drawn = max(drawn, asked.total_seconds() * 1000 + dice.random() * min(doubled, 10 * SECOND_MS))
        return int(drawn)


class Breaker:
    """Leaves a provider alone that fails as a whole.

    Closed, it lets everything through. After `threshold` troubles in a row it opens for `first_ms`, then for a while
    that doubles up to `LONGEST_OPEN_MS`; then one try goes through, and its outcome closes it or opens it again.
    """

    def __init__(self, threshold: int = 5, first_ms: int = 5 * SECOND_MS) -> None:
        self._threshold = threshold
        self._backoff = Backoff(first_ms, LONGEST_OPEN_MS)
        self._troubles = 0
        self._openings = 0
        self._until_ms = 0
        self._seen_ms = 0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the provider is being left alone, or tried once."""
        return self._openings > 0

    def wait_ms(self, now_ms: int) -> int:
        """Say how long to wait before asking again; 0 when a try may go, which must then be answered for."""
        self._see(now_ms)
        if now_ms < self._until_ms:
            return self._until_ms - now_ms
        if self._openings and self._trying:
            return SECOND_MS  # somebody is trying; what comes of that is known soon
        self._trying = bool(self._openings)
        return 0

    def succeeded(self) -> None:
        """Take note that the provider answered a try, whatever it said about the message."""
        self._troubles = self._openings = self._until_ms = 0
        self._trying = False

    def failed(self, now_ms: int, asked: timedelta | None, dice: random.Random) -> None:
        """Take note that the provider is in trouble; its own wish to be left alone for so long is always granted."""
        self._troubles += 1
        self._see(now_ms)
        was_trying, self._trying = self._trying, False
        if asked is not None:
            self._until_ms = max(self._until_ms, now_ms + int(asked.total_seconds() * 1000))
        if was_trying or (self._troubles >= self._threshold and not self._openings):
            self._openings += 1
            self._until_ms = max(self._until_ms, now_ms + self._backoff.delay_ms(self._openings, None, dice))

    def abandoned(self) -> None:
        """Take note that a try that was let through was never made."""
        self._trying = False

    def _see(self, now_ms: int) -> None:
        """Follow the clock: one that was set back must not leave the provider alone for so much longer."""
        self._until_ms -= max(self._seen_ms - now_ms, 0)
        self._seen_ms = now_ms
