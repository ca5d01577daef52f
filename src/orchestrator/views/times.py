"""Instants, as people say them.

Owns how a local time (`Tue 3 Mar 2026, 08:30`) reads. Must never read a clock.
"""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestrator.model import instants

# Of days, Monday first, and of months.
_NAMES = {
    "en": (
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ),
    "es": (
        ("lun", "mar", "mié", "jue", "vie", "sáb", "dom"),
        ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"),
    ),
}


@lru_cache(maxsize=64)
def zone(name: str | None) -> ZoneInfo:
    """Find a time zone by name; UTC stands in for one that nobody knows."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a bad key, or one that names a folder
        return ZoneInfo("UTC")


def local(instant_ms: int, zone_name: str | None) -> datetime:
    """Turn an instant into the customer's local time; in UTC where that lies beyond the calendar.

    Other systems write "never" as the last second of the year 9999 in UTC, and "not set" as the first of the year 1.
    """
    at = instants.to_datetime(instant_ms)
    try:
        return at.astimezone(zone(zone_name))
    except OverflowError:
        return at


def stamp(instant_ms: int, zone_name: str | None) -> str:
    """Write an instant as a local time that sorts: `2026-03-03T08:30`, with seconds only where there are any."""
    at = local(instant_ms, zone_name)
    return at.strftime("%Y-%m-%dT%H:%M:%S" if at.second else "%Y-%m-%dT%H:%M")


def spoken(instant_ms: int, zone_name: str | None, language: str = "en") -> str:
    """Write an instant as a local time that people say: `Tue 3 Mar 2026, 08:30`."""
    days, months = _NAMES.get(language, _NAMES["en"])
    at = local(instant_ms, zone_name)
    # By hand, not by strftime: its day without a leading zero differs between systems, and names between locales.
    seconds = f":{at.second:02d}" if at.second else ""
    return f"{days[at.weekday()]} {at.day} {months[at.month - 1]} {at.year}, {at.hour:02d}:{at.minute:02d}{seconds}"


def minute_of_day(minute: int) -> str:
    """Write a minute of the day: 570 is `09:30`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
