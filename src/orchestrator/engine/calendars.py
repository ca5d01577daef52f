"""Calendars: local times, dates and quiet hours, as instants.

Owns all arithmetic with the customer's time zone (LANGUAGE.md, "Time"): a local time that does not
exist moves forward by the gap, one that exists twice is the first. Both are what Python's `fold=0`
gives. Never asks what time it is.
"""

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.model import instants
from orchestrator.model.audience import OnDate
from orchestrator.model.journey import WaitUntil
from orchestrator.model.project import QuietHours

MINUTES_A_DAY = 24 * 60


def local(instant_ms: int, zone: ZoneInfo) -> datetime:
    """Read an instant on the customer's clock."""
    return datetime.fromtimestamp(instant_ms / 1000, zone)


def at_minute(day: date, minute: int, zone: ZoneInfo) -> int:
    """Find the instant of a minute of a local day; a minute of 1440 or more lies in the days after."""
    days, minute = divmod(minute, MINUTES_A_DAY)
    day += timedelta(days=days)
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    return instants.from_datetime(wall)


def next_time(now_ms: int, zone: ZoneInfo, minute: int, weekdays: frozenset[int]) -> int:
    """Find the next such local time strictly later than now, on one of the weekdays (any where empty)."""
    today = local(now_ms, zone).date()
    # Yesterday's too, which a gap may have moved into today; and a week and a day, as today's may have passed.
    for days in range(-1, 9):
        day = today + timedelta(days=days)
        if weekdays and day.weekday() not in weekdays:
            continue
        at_ms = at_minute(day, minute, zone)
        if at_ms > now_ms:
            return at_ms
    raise AssertionError("a week without any of its days")


def at_wall(wall: datetime, zone: ZoneInfo) -> int:
    """Find the instant of a local time."""
    return instants.from_datetime(wall.replace(tzinfo=zone))


def next_day_of_month(now_ms: int, zone: ZoneInfo, minute: int, day: int) -> int:
    """Find the next such local time strictly later than now on a day of the month, the last where it is shorter."""
    today = local(now_ms, zone).date()
    for months in range(3):  # this month's may have passed, and a gap may move one
        year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
        last = monthrange(year, month + 1)[1]
        at_ms = at_minute(date(year, month + 1, min(day, last)), minute, zone)
        if at_ms > now_ms:
            return at_ms
    raise AssertionError("three months without any such day")


def read_date(value: object, zone: ZoneInfo) -> date | None:
    """Read a date from a date, a time or the text of either; an instant is the local day it falls on.

    What lies beyond the calendar on the customer's clock cannot be read: other systems write "never" as the last second
    of the year 9999 in UTC, and "not set" as the first of the year 1.
    """
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            # Text without a zone is already local: its day is the day it says.
            return at.date() if at.tzinfo is None else at.astimezone(zone).date()
        instant_ms = instants.parse(value)
        return None if instant_ms is None else local(instant_ms, zone).date()
    except (ValueError, OverflowError):
        return None


def next_date(now_ms: int, zone: ZoneInfo, day: date, step: WaitUntil | OnDate) -> int | None:
    """Find the instant that a wait for a date means, strictly later than now; None when it has passed."""
    minute = step.minute or 0
    try:
        if not step.yearly:
            at_ms = at_minute(day + timedelta(days=step.offset_days), minute, zone)
            return at_ms if at_ms > now_ms else None
        this_year = local(now_ms, zone).year
        # An offset may carry an anniversary over the turn of a year, either way.
        reach = abs(step.offset_days) // 365 + 1
        for year in range(max(this_year - reach, 1), this_year + reach + 2):
            at_ms = at_minute(_anniversary(day, year) + timedelta(days=step.offset_days), minute, zone)
            if at_ms > now_ms:
                return at_ms
    except (OverflowError, ValueError):  # beyond the years of the calendar: never, which leads on
        return None
    return None


def _anniversary(day: date, year: int) -> date:
    """Find the same day in another year; 29 February is 28 February where there is none."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def quiet_until(now_ms: int, zone: ZoneInfo, windows: tuple[QuietHours, ...]) -> int:
    """Find when the quiet hours that hold now end; 0 when it is not quiet. A window is [from, to)."""
    until_ms = 0
    for start_ms, end_ms in quiet_around(now_ms // instants.HOUR_MS, zone, windows):
        if start_ms <= now_ms < end_ms:
            until_ms = max(until_ms, end_ms)
    return until_ms


# Every message of an hour asks for the same few: working them out, or only the local day, costs more than the rest of
# its guards.
@lru_cache(maxsize=4096)
def quiet_around(hour: int, zone: ZoneInfo, windows: tuple[QuietHours, ...]) -> tuple[tuple[int, int], ...]:
    """List the quiet hours that may hold within an hour since 1970, as [start, end) in ms.

    They begin on the local day of its first instant, on the day before, or on the day after, which may begin in it.
    """
    today = local(hour * instants.HOUR_MS, zone).date()
    found = []
    for window in windows:
        length = (window.to_minute - window.from_minute) % MINUTES_A_DAY or MINUTES_A_DAY
        for begins in (today - timedelta(days=1), today, today + timedelta(days=1)):
            if window.days and begins.weekday() not in window.days:
                continue
            start_ms = at_minute(begins, window.from_minute, zone)
            found.append((start_ms, at_minute(begins, window.from_minute + length, zone)))
    return tuple(found)


def read_minute(text: object) -> int | None:
    """Read "08:30" as a minute of the day; None when it is no such text."""
    if not isinstance(text, str):
        return None
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return at.hour * 60 + at.minute


def text_of_minute(minute: int) -> str:
    """Write a minute of the day as "08:30"."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


@lru_cache(maxsize=1024)
def as_data(zone: ZoneInfo, windows: tuple[QuietHours, ...]) -> dict[str, Any]:
    """Write quiet hours as authors do: from, to, and the days where they are not all. Shared: change nothing in it."""
    return {"zone": str(zone), "windows": [_window_as_data(window) for window in windows]}


def _window_as_data(window: QuietHours) -> dict[str, Any]:
    written: dict[str, Any] = {"from": text_of_minute(window.from_minute), "to": text_of_minute(window.to_minute)}
    if window.days:
        written["days"] = [instants.WEEKDAYS[day] for day in sorted(window.days)]
    return written
