"""Timing: whether an action may go at this very moment, and when it is first looked at.

Owns the second look at the clock: quiet hours, expiry and staleness as the action itself carries them, and the spread
of what quiet hours held back. Pure: the moment is handed in. Must never ask anything of the customer's state.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.engine import calendars
from orchestrator.language import durations
from orchestrator.model import ids, instants
from orchestrator.model.effects import Action
from orchestrator.model.project import QuietHours

RELEASE_OVER_MS = 15 * instants.MINUTE_MS
# What carries no end of its own is not worth sending after so long.
STALE_AFTER_MS = instants.DAY_MS
# A case is worth more than a message; somebody has to hear of it.
CASE_STALE_AFTER_MS = 7 * instants.DAY_MS


@dataclass(frozen=True, slots=True)
class Later:
    """Not now, but then."""

    due_ms: int


@dataclass(frozen=True, slots=True)
class Never:
    """Not any more: `reason` is what the receipt says."""

    reason: str


def release_over(written: str | None) -> int:
    """Read over how long a project wants to spread what quiet hours held back, in ms."""
    found = None if written is None else durations.milliseconds(written)
    return RELEASE_OVER_MS if found is None else found


def check(action: Action, now_ms: int, release_over_ms: int = RELEASE_OVER_MS) -> Later | Never | None:
    """Say whether an action may go now; None is a yes."""
    ends_ms, reason = end_of(action)
    if now_ms >= ends_ms:
        return Never(reason)
    until_ms = _quiet_until(action, now_ms)
    if not until_ms:
        return None
    if until_ms >= ends_ms:
        return Never(reason)
    return Later(_spread(action, until_ms, ends_ms, release_over_ms))


def first_due(action: Action, release_over_ms: int = RELEASE_OVER_MS) -> int:
    """Say when an action is due: at once, but for those that the end of quiet hours let go all together."""
    at_ms = instants.parse(action.at) or 0
    if not action.quiet or not _quiet_until(action, at_ms - instants.MINUTE_MS) or _quiet_until(action, at_ms):
        return at_ms
    return _spread(action, at_ms, end_of(action)[0], release_over_ms)


def end_of(action: Action) -> tuple[int, str]:
    """Find the instant from which an action is not sent any more, and why."""
    if action.expires_at is not None:
        expires_ms = _instant(action.expires_at)
        if expires_ms is not None:
            return expires_ms, "expired"
    stale_ms = _length(action.stale_after) if action.stale_after else None
    if stale_ms is None:
        stale_ms = CASE_STALE_AFTER_MS if action.kind == "handoff" else STALE_AFTER_MS
    return (_instant(action.at) or 0) + stale_ms, "stale"


# Actions that were decided together carry the same instants, and all of a project the same few lengths.
_instant = lru_cache(maxsize=1024)(instants.parse)
_length = lru_cache(maxsize=1024)(durations.milliseconds)


def _spread(action: Action, from_ms: int, ends_ms: int, release_over_ms: int) -> int:
    """Give each action its own place after an instant, the same whenever it is asked, and before its end."""
    room_ms = max(0, min(release_over_ms, ends_ms - from_ms - instants.SECOND_MS))
    return from_ms + int(ids.share_of("release", action.id) / 100 * room_ms)


def _quiet_until(action: Action, now_ms: int) -> int:
    if not action.quiet:
        return 0
    zone, windows = _read_quiet(action.quiet)
    return calendars.quiet_until(now_ms, zone, windows)


def _read_quiet(quiet: dict[str, Any]) -> tuple[ZoneInfo, tuple[QuietHours, ...]]:
    """Read quiet hours as an action carries them; what cannot be read holds nothing up."""
    try:
        zone = ZoneInfo(str(quiet.get("zone")))
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    windows = []
    for window in quiet.get("windows") or ():
        begins, ends = calendars.read_minute(window.get("from")), calendars.read_minute(window.get("to"))
        if begins is not None and ends is not None:
            days = frozenset(instants.WEEKDAYS.index(day) for day in window.get("days") or ())
            windows.append(QuietHours(begins, ends, days))
    return zone, tuple(windows)
