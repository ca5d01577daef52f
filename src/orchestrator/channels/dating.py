"""Dates in messages: the filter `date`, on the customer's own clock.

Other systems write instants in UTC, and as numbers; who reads "at 17:00" in a message lives by the clock on their wall.
Owns what is read as an instant, and on which clock it is written. A time without a zone, or in a zone of its own, is
somebody's wall clock already and stays as it is. Must never read a clock but the one that it is handed, where it is
handed one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from liquid import RenderContext
from liquid.builtin.filters.misc import date as liquids_own
from liquid.filter import with_context

from orchestrator.model.zones import zone_named

# Where the filter finds the clock; no template can name it.
CLOCK = "clock:"
_NOW = ("now", "today")
# Seconds since 1970 reach the year 5138 here, milliseconds begin in 1973.
_MILLISECONDS_FROM = 10**11
# As text: so many seconds, or milliseconds, since 1970. Eight digits are a date.
_INSTANT_DIGITS = (10, 13)


@dataclass(frozen=True, slots=True)
class Clock:
    """The customer's clock: by the first of these zones that there is.

    `at` is the instant at which the message leaves, as text; without it now is when it is rendered.
    """

    zones: tuple[str, ...] = ()
    at: str | None = None

    @property
    def now(self) -> datetime:
        """What it shows."""
        return self.shows(datetime.now(UTC) if self.at is None else datetime.fromisoformat(self.at))

    def shows(self, instant: datetime) -> datetime:
        """Write an instant as it shows it."""
        return instant.astimezone(zone_named(*self.zones))


@with_context
def date(value: Any, form: Any, *, context: RenderContext) -> Any:
    """Write a date or time in a form such as '%d/%m/%Y'; what cannot be read stays as it is."""
    clock = context.resolve(CLOCK)
    at = _read(value, clock if isinstance(clock, Clock) else Clock())
    if at is not None and isinstance(form, str):
        # Not by Liquid, which takes one instant on two clocks for the same. HTML in the form stays HTML.
        return form.__class__(at.strftime(form))
    if isinstance(value, str) and not value.isdecimal():
        return liquids_own(value, form, environment=context.env)
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _read(value: Any, clock: Clock) -> datetime | None:
    """Give a time on the customer's clock; None for what is none, or is written as only Liquid reads it."""
    if isinstance(value, str):
        if value in _NOW:
            return clock.now
        if value.isdecimal() and len(value) in _INSTANT_DIGITS:
            value = int(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return clock.shows(datetime.fromtimestamp(seconds, UTC))
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return clock.shows(at) if at.utcoffset() == timedelta(0) else at
    except (ValueError, OverflowError, OSError):
        return None
    return None
