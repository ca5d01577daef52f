"""Instants: epoch milliseconds inside, RFC 3339 text at the edges.

Owns the two conversions, how a length of time is written, and what weekdays are called. Inside the engine, in state and
in timers an instant is an `int` of epoch milliseconds whose name ends in `_ms`: measured, datetimes cost the hot path a
third of its time. Never reads a clock.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_UNITS = (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS))

# As authors write them, by Python's number of each.
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# The instants that RFC 3339 text can hold (years 1 to 9999); what lies outside is not a time of ours.
EARLIEST_MS = -62_135_596_800_000
LATEST_MS = 253_402_300_799_999

_SECONDS = tuple(f":{number:02d}." for number in range(60))
_MILLISECONDS = tuple(f"{number:03d}Z" for number in range(1000))


@lru_cache(maxsize=8192)
def _minute_as_text(minute: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(minutes=minute)).isoformat(timespec="minutes")  # noqa: DTZ001 - only text


def length(length_ms: int) -> str:
    """Write a length as authors do: `1h`, `1d12h`; weeks are days here, because `7d` is what people count."""
    if length_ms < SECOND_MS:
        return f"{length_ms}ms"
    parts = []
    for unit, size_ms in _UNITS:
        count, length_ms = divmod(length_ms, size_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def to_text(instant_ms: int) -> str:
    """Write an instant as RFC 3339 in UTC with milliseconds: `2026-01-01T10:00:00.000Z`."""
    # By hand and from tables: strftime, and even format specs, cost more than the rest of a decision.
    minute, rest = divmod(instant_ms, MINUTE_MS)
    return f"{_minute_as_text(minute)}{_SECONDS[rest // SECOND_MS]}{_MILLISECONDS[rest % SECOND_MS]}"


def from_datetime(at: datetime) -> int:
    """Turn a datetime into epoch milliseconds; one without a zone is read as UTC."""
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def to_datetime(instant_ms: int) -> datetime:
    """Turn epoch milliseconds into an aware datetime in UTC."""
    return datetime.fromtimestamp(instant_ms / 1000, UTC)


def parse(value: object) -> int | None:
    """Read RFC 3339 text or a number of epoch milliseconds; None when it is neither.

    Text without a zone is read as UTC. Instants outside the years 1 to 9999 are refused.
    """
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not EARLIEST_MS <= value <= LATEST_MS:  # also refuses NaN and the infinities
        return None
    return int(value)


def _parse_text(text: str) -> int | None:
    instant_ms = _read_text(text)
    if instant_ms is None:
        instant_ms = _read_rarely_written(text)
    # Its offset may carry it out of the calendar.
    return instant_ms if instant_ms is not None and EARLIEST_MS <= instant_ms <= LATEST_MS else None


def _read_text(text: str) -> int | None:
    try:
        return from_datetime(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _read_rarely_written(text: str) -> int | None:
    """Read what RFC 3339 allows and Python does not: `t` and `z`, and a leap second, the last of a day in UTC."""
    text = text.upper()
    if text[16:19] != ":60":
        return _read_text(text)
    before_ms = _read_text(f"{text[:16]}:59{text[19:]}")
    # As clocks have it that know no 61st second: what happened in it happened in the next.
    after_ms = None if before_ms is None else before_ms + SECOND_MS
    return None if after_ms is None or after_ms % DAY_MS >= SECOND_MS else after_ms
