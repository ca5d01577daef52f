"""Times of day, weekdays, local dates, zones and language tags as authors write them.

Owns their grammar. Must never read a clock or turn a local time into an instant: that needs a customer.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from orchestrator.language import durations
from orchestrator.model import instants

_PLACE = "a place whose clock it is, such as Europe/Madrid; or UTC"
TIME_PATTERN = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
LOCAL_PATTERN = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"
LANGUAGE_PATTERN = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"

# How weekdays begin in English, Spanish and German.
_WEEKDAY_OF = {
    "mon": "mon", "lun": "mon", "tue": "tue", "mar": "tue", "die": "tue", "wed": "wed", "mié": "wed", "mie": "wed",
    "mit": "wed", "thu": "thu", "jue": "thu", "don": "thu", "fri": "fri", "vie": "fri", "fre": "fri", "sat": "sat",
    "sáb": "sat", "sab": "sat", "sam": "sat", "sun": "sun", "dom": "sun", "son": "sun",
}  # fmt: skip
_WEEKDAYS = (
    *instants.WEEKDAYS,
    *["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    *["lunes", "martes", "miércoles", "miercoles", "jueves", "viernes", "sábado", "sabado", "domingo"],
    *["montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag"],
)
_LANGUAGE_OF = {
    "english": "en", "inglés": "en", "spanish": "es", "español": "es", "castellano": "es", "german": "de",
    "deutsch": "de", "french": "fr", "français": "fr", "portuguese": "pt", "italian": "it", "catalan": "ca",
}  # fmt: skip
_TIME = re.compile(TIME_PATTERN)
_LOCAL = re.compile(LOCAL_PATTERN)
_LOOSE_TIME = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?(?::\d{2})?\s*(?:([ap])\.?m\.?|uhr|h)?")
# A distance from UTC, as in UTC+1: no place, and no summer time.
_DISTANCE = re.compile(r"[+-]\s*\d")


def minute_of_day(text: str) -> int | None:
    """Read `HH:MM` as minutes since midnight; None when the text is no time of day."""
    if not _TIME.fullmatch(text) or not text.isascii():
        return None
    return int(text[:2]) * 60 + int(text[3:])


def suggest_time(text: str) -> str:
    """Guess the time that somebody meant who wrote `9:00` or `9 pm`, for the fix of an error message."""
    found = _LOOSE_TIME.fullmatch(text.lower().strip())
    if found:
        hour = int(found[1]) % 12 + 12 * (found[3] == "p") if found[3] else int(found[1])
        guess = f"{0 if hour == 24 else hour:02d}:{found[2] or '00'}"
        if minute_of_day(guess) is not None:
            return f'"{guess}"'
    return 'a time such as "09:00"'


def local_time(text: str) -> datetime | None:
    """Read a local time such as `2026-03-02T20:45`, without a zone; None when the text is none.

    Before 1971 and from the year 9000 on nothing happens: as events, such times would be refused.
    """
    if not _LOCAL.fullmatch(text) or not text.isascii():
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if 1970 < at.year < 9000 else None


def suggest_local(text: str) -> str:
    """Guess the local time that somebody meant who wrote a space for the `T`, or a date alone."""
    day, _, time = text.strip().replace(" ", "T", 1).partition("T")
    for guess in (f"{day}T{time}", f"{day}T{time.zfill(5)}", f"{day}T09:00"):
        if local_time(guess) is not None:
            return f'"{guess}"'
    return 'one such as "2026-03-02T20:45"'


def suggest_weekday(text: str) -> str:
    """Guess the weekday that somebody meant who wrote `Monday`, `lunes` or `Montag`."""
    guess = _WEEKDAY_OF.get(text.lower()[:3])
    return guess or "one of " + "mon, tue, wed, thu, fri, sat, sun"


def weekday_meant(text: str, others: Iterable[str]) -> str | None:
    """Give the weekday that somebody names who was to write one of `others`; None where one of those is nearer."""
    names = frozenset(_WEEKDAYS)
    found = get_close_matches(text.lower(), [*others, *sorted(names)], n=1)
    return _WEEKDAY_OF[found[0][:3]] if found and found[0] in names else None


def suggest_language(text: str) -> str:
    """Guess the tag that somebody meant who wrote `ES`, `es_MX` or `Spanish`."""
    tag = text.replace("_", "-")
    language, dash, region = tag.partition("-")
    for guess in (language.lower() + dash + region, _LANGUAGE_OF.get(text.lower(), "")):
        if re.fullmatch(LANGUAGE_PATTERN, guess):
            return guess
    return "a tag such as es, en or es-MX"


def suggest_moment(text: str) -> str:
    """Guess the moment that somebody meant: a length of time that is written out, or a date with a space."""
    length, local = durations.suggest(text), suggest_local(text)
    if text.lower() == "now":
        return "0m"
    if durations.milliseconds(length) is not None and text[:1] != "-":
        return length
    return local if local.startswith('"') else 'one such as 20m or "2026-03-02T20:45"'


@cache
def is_zone(name: str) -> bool:
    """Tell whether this names a time zone, such as Europe/Madrid."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ModuleNotFoundError):
        # ZoneInfoNotFoundError is a KeyError on some platforms and wraps all of these on others.
        return False
    except KeyError:
        return False
    return True


def suggest_zone(name: str) -> str:
    """Name the time zone that is written most like this one, if any is."""
    if _DISTANCE.search(name):
        return _PLACE
    zones = {zone.lower(): zone for zone in available_timezones()}
    by_city = {zone.rpartition("/")[2].lower(): zone for zone in sorted(available_timezones()) if "/" in zone}
    wanted = name.lower().replace(" ", "_")
    if wanted in zones or wanted in by_city:
        return zones.get(wanted) or by_city[wanted]
    # Short names are all alike: PST would be MST, and CEST would be EST.
    close = get_close_matches(wanted, [zone for zone in zones if "/" in zone], n=1, cutoff=0.8)
    return zones[close[0]] if close else "a zone such as Europe/Madrid, America/Mexico_City or UTC"
