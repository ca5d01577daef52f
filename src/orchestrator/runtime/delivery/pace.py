"""Pace: how many at once, how many a second, and how many on a new sender's first days.

Owns the operator's manners for a lane, read from what stands behind `#` in a channel's URL:

    smtp://…?from=…#concurrency=20&rate=14&ramp=200

`rate` is messages a second. `ramp` is how many a day a sender domain may send on its first day; every day after it
may send twice as many as on the day before, until nobody reaches the limit any more: mailbox providers distrust a
domain that begins to shout. Must never lose count over a restart.
"""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import msgspec

from orchestrator.errors import OrchestratorError
from orchestrator.model.instants import DAY_MS

CONCURRENCY = 20
# After so many doublings no limit is left that anybody could reach.
_DOUBLINGS = 30
# Places that lie further apart are remembered over a restart.
_NOTED_MS = 10_000


@dataclass(frozen=True, slots=True)
class Manners:
    """How a lane treats its provider. `rate` and `ramp` are None where there is no limit."""

    concurrency: int = CONCURRENCY
    rate: float | None = None
    ramp: int | None = None

    @classmethod
    def from_url(cls, url: str) -> "Manners":
        """Read them from a URL's fragment; raises OrchestratorError for a number that is none."""
        told = {name: values[-1] for name, values in parse_qs(urlsplit(url).fragment).items()}
        try:
            manners = cls(
                int(told.get("concurrency", CONCURRENCY)),
                float(told["rate"]) if "rate" in told else None,
                int(told["ramp"]) if "ramp" in told else None,
            )
        except ValueError as error:
            raise OrchestratorError(
                f"what stands behind # in a channel's URL is no number: {error}; write #concurrency=20&rate=14&ramp=200"
            ) from error
        limits = [manners.concurrency, manners.rate, manners.ramp]
        if any(limit is not None and limit <= 0 for limit in limits) or manners.concurrency > 1000:
            raise OrchestratorError("concurrency (at most 1000), rate and ramp in a channel's URL are more than 0")
        return manners


class Rate:
    """At most so many a second, spread evenly; without a limit, all at once.

    `is_noted` says that a restart must know of it: where the next place is further away than a restart takes.
    """

    def __init__(self, per_second: float | None) -> None:
        self._interval_ms = 0.0 if per_second is None else 1000 / per_second
        self.is_noted = self._interval_ms >= _NOTED_MS
        self._next_ms = 0.0
        self._seen_ms = 0

    def remember(self, noted: bytes) -> None:
        """Go on from what `note` gave before."""
        sent_ms = msgspec.msgpack.decode(noted, type=int)
        self._next_ms = max(self._next_ms, sent_ms + self._interval_ms)
        self._seen_ms = max(self._seen_ms, sent_ms)

    def reserve(self, now_ms: int) -> int:
        """Take the next place; say how long to wait for it."""
        if not self._interval_ms:
            return 0
        # A clock that was set back must not hold the lane up for as long as it was set back.
        self._next_ms -= max(self._seen_ms - now_ms, 0)
        self._seen_ms = now_ms
        at_ms = max(self._next_ms, float(now_ms))
        self._next_ms = at_ms + self._interval_ms
        return int(at_ms - now_ms)

    def note(self, sent_ms: int) -> bytes | None:
        """Give what to remember of one that was sent; None where that is nothing."""
        return msgspec.msgpack.encode(sent_ms) if self.is_noted else None


class _Days(msgspec.Struct, array_like=True):
    first_day: int
    day: int = 0
    sent: int = 0


class Ramp:
    """How much of today's allowance of a sender is left. `is_noted` says that there is a limit at all."""

    def __init__(self, first_day_limit: int | None) -> None:
        self._limit = first_day_limit
        self.is_noted = first_day_limit is not None
        self._days: _Days | None = None

    def remember(self, noted: bytes) -> None:
        """Go on from what `note` gave before; of several the latest counts, from the first day of any."""
        days, before = msgspec.msgpack.decode(noted, type=_Days), self._days
        if before is not None:
            days.first_day = min(days.first_day, before.first_day)
            days.day, days.sent = max((days.day, days.sent), (before.day, before.sent))
        self._days = days

    def reserve(self, now_ms: int) -> int:
        """Take one place of today's; 0, or the instant at which tomorrow begins when today's are taken."""
        if self._limit is None:
            return 0
        days = self._today(now_ms)
        if days.sent >= self._limit << min(max(days.day - days.first_day, 0), _DOUBLINGS):
            return now_ms + DAY_MS - now_ms % DAY_MS
        days.sent += 1
        return 0

    def give_back(self) -> None:
        """Give a place back: it was not used after all."""
        if self._days is not None and self._days.sent:
            self._days.sent -= 1

    def note(self) -> bytes | None:
        """Give what to remember; None where nothing is limited."""
        return None if self._days is None else msgspec.msgpack.encode(self._days)

    def _today(self, now_ms: int) -> _Days:
        today = now_ms // DAY_MS
        if self._days is None:
            self._days = _Days(today, today)
        if self._days.day != today:
            self._days.day, self._days.sent = today, 0
        return self._days
