"""Lengths of time as authors write them: `30s 10m 1h 2d 1w`, and combined `1d12h`.

Owns the grammar and its one meaning, milliseconds. Must never know about calendars: a day here is 24 hours.
"""

import re

UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
# A hundred years: far beyond any journey, and every instant it leads to can still be written.
LONGEST_MS = 36_525 * UNITS_MS["d"]

PATTERN = "^(?=[0-9])([0-9]{1,9}w)?([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"
POSITIVE_PATTERN = PATTERN.replace("(?=[0-9])", "(?=[0-9])(?=.*[1-9])")  # longer than nothing
OFFSET_PATTERN = "^[-+]?[0-9]{1,5}[dw]$"

_DURATION = re.compile(PATTERN)
_OFFSET = re.compile(OFFSET_PATTERN)
_LOOSE = re.compile(r"(\d+(?:[.,]\d+)?)\s*([^\W\d_]+)")
# ISO 8601 writes months as it writes minutes.
_ISO_MONTHS = re.compile(r"p[^t]*\dm")
_LONG_UNITS = {
    "w": ("week", "weeks", "wk", "wks", "semana", "semanas", "woche", "wochen"),
    "d": ("day", "days", "día", "días", "dia", "dias", "tag", "tage", "tagen"),
    "h": ("hour", "hours", "hr", "hrs", "hora", "horas", "stunde", "stunden", "std"),
    "m": ("minute", "minutes", "min", "mins", "minuto", "minutos", "minuten"),
    "s": ("second", "seconds", "sec", "secs", "segundo", "segundos", "sekunde", "sekunden"),
}
_UNIT_OF = {name: unit for unit, names in _LONG_UNITS.items() for name in (unit, *names)}
_MONTHS = "a number of days, such as 30d: months differ"
_SOME_LENGTH = "a length such as 30m, 1h or 1d12h"


def milliseconds(text: str) -> int | None:
    """Read a length of time; None when the text is none, or longer than a hundred years."""
    found = _DURATION.fullmatch(text)
    if not found or not text.isascii():
        return None
    total = sum(int(part[:-1]) * UNITS_MS[part[-1]] for part in found.groups() if part)
    return total if total <= LONGEST_MS else None


def days(text: str) -> int | None:
    """Read an offset in calendar days, such as `-3d` or `2w`; None when the text is none."""
    if not _OFFSET.fullmatch(text) or not text.isascii():
        return None
    return int(text[:-1]) * (7 if text[-1] == "w" else 1)


def write(length_ms: int) -> str:
    """Write a length in the fewest units: 129,600,000 is `1d12h`; fractions of a second are left out."""
    parts = []
    for unit, size in UNITS_MS.items():
        count, length_ms = divmod(length_ms, size)
        if count and (unit != "w" or not length_ms):
            parts.append(f"{count}{unit}")
        elif count:
            length_ms += count * size
    return "".join(parts) or "0s"


def suggest(text: str) -> str:
    """Guess what somebody meant who wrote `2 hours` or `1,5h`, for the fix of an error message."""
    total = 0.0
    text = text.lower()[:80]
    for number, name in () if _ISO_MONTHS.match(text) else _LOOSE.findall(text):
        unit = _UNIT_OF.get(name)
        if unit is None:
            return _MONTHS if name.startswith(("month", "mes", "monat")) else _SOME_LENGTH
        total += float(number.replace(",", ".")) * UNITS_MS[unit]
    if total > LONGEST_MS:
        return f"at most {write(LONGEST_MS)}, a hundred years"
    return write(round(total)) if total > 0 else _SOME_LENGTH
