"""What compiled expressions call: comparing, reckoning and asking, over values of any kind.

Owns the meaning of every operator and function (the language's "Conditions"): what is missing or of another kind makes
a comparison false and a sum missing. Must never raise, whatever the values; must never change anything.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from typing import Any

from orchestrator.model import instants
from orchestrator.model.event import KeptEvent, event_as_data
from orchestrator.model.expression import Scope
from orchestrator.model.values import LARGEST_INTEGER
from orchestrator.model.zones import zone_of

# bool is not among them: true is no number here.
NUMBERS = frozenset({int, float})
LONGEST_TEXT = 10_000
# Lists and maps inside one another are compared so deep; beyond it they count as different.
DEEPEST = 50


def eq(left: Any, right: Any) -> bool:
    """Tell whether two values of one kind are the same; what is missing is the same as nothing."""
    return _are_same(left, right, DEEPEST)


def _are_same(left: Any, right: Any, depth: int) -> bool:
    kind = left.__class__
    if kind in NUMBERS:
        return right.__class__ in NUMBERS and bool(left == right)
    if left is None or kind is not right.__class__ or not depth:
        return False
    if kind is list:
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(_are_alike(one, other, depth - 1) for one, other in pairs)
    if kind is dict:
        return left.keys() == right.keys() and all(_are_alike(left[key], right[key], depth - 1) for key in left)
    return bool(left == right)


def _are_alike(left: Any, right: Any, depth: int) -> bool:
    # Inside a list, null is a value like any other.
    return (left is None and right is None) or _are_same(left, right, depth)


def ne(left: Any, right: Any) -> bool:
    """Tell whether two values of one kind differ; false where one is missing or the kinds differ."""
    kind, other = left.__class__, right.__class__
    comparable = (kind in NUMBERS and other in NUMBERS) or (left is not None and kind is other)
    return comparable and not eq(left, right)


def lt(left: Any, right: Any) -> bool:
    """Tell whether one number or text comes before another."""
    kind, other = left.__class__, right.__class__
    return ((kind is str and other is str) or (kind in NUMBERS and other in NUMBERS)) and bool(left < right)


def le(left: Any, right: Any) -> bool:
    """Tell whether one number or text comes before another or is the same."""
    kind, other = left.__class__, right.__class__
    return ((kind is str and other is str) or (kind in NUMBERS and other in NUMBERS)) and bool(left <= right)


def gt(left: Any, right: Any) -> bool:
    """Tell whether one number or text comes after another."""
    return lt(right, left)


def ge(left: Any, right: Any) -> bool:
    """Tell whether one number or text comes after another or is the same."""
    return le(right, left)


def among(item: Any, container: Any) -> bool:
    """Tell whether a list has an item, or a text a part."""
    if container.__class__ is str:
        return item.__class__ is str and item in container
    return container.__class__ is list and item is not None and any(eq(item, other) for other in container)


def not_among(item: Any, container: Any) -> bool:
    """Tell whether a list lacks an item, or a text a part; false where either is missing or the kinds differ."""
    if container.__class__ is str:
        return item.__class__ is str and item not in container
    return container.__class__ is list and item is not None and not any(eq(item, other) for other in container)


def contains(container: Any, item: Any) -> bool:
    """Tell whether a list has an item, or a text a part."""
    return among(item, container)


def add(left: Any, right: Any) -> Any:
    """Add two numbers, or join two texts; missing where that cannot be."""
    if left.__class__ is str and right.__class__ is str:
        return left + right if len(left) + len(right) <= LONGEST_TEXT else None
    return _reckon(left, right, _sum)


def sub(left: Any, right: Any) -> Any:
    """Subtract; missing where that cannot be."""
    return _reckon(left, right, _difference)


def mul(left: Any, right: Any) -> Any:
    """Multiply numbers, and nothing else; missing where that cannot be."""
    return _reckon(left, right, _product)


def div(left: Any, right: Any) -> Any:
    """Divide; missing where that cannot be, and by zero."""
    return _reckon(left, right, _quotient)


def neg(value: Any) -> Any:
    """Turn a number's sign; missing where that cannot be."""
    return _reckon(0, value, _difference)


def pos(value: Any) -> Any:
    """Take a number as it is; missing where it is none."""
    return value if value.__class__ in NUMBERS else None


def _sum(left: Any, right: Any) -> Any:
    return left + right


def _difference(left: Any, right: Any) -> Any:
    return left - right


def _product(left: Any, right: Any) -> Any:
    return left * right


def _quotient(left: Any, right: Any) -> Any:
    return left / right


def _reckon(left: Any, right: Any, operation: Callable[[Any, Any], Any]) -> Any:
    if left.__class__ not in NUMBERS or right.__class__ not in NUMBERS:
        return None
    try:
        value = operation(left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    if value.__class__ is float:
        return value if math.isfinite(value) else None
    return value if -LARGEST_INTEGER <= value <= LARGEST_INTEGER else None


def inside(value: Any, *names: str) -> Any:
    """Reach into a map: `address.city`; missing where there is no map."""
    for name in names:
        if value.__class__ is not dict:
            return None
        value = value.get(name)
    return value


def lower(text: Any) -> Any:
    """Write a text in small letters; missing where it is no text."""
    return text.lower() if text.__class__ is str else None


def starts_with(text: Any, beginning: Any) -> bool:
    """Tell whether a text begins with another."""
    return text.__class__ is str and beginning.__class__ is str and text.startswith(beginning)


def length(value: Any) -> int | None:
    """Count the characters of a text, or the items of a list or map; missing where there is neither."""
    return len(value) if value.__class__ in (str, list, dict) else None


def days_since(scope: Scope, at: Any) -> float | None:
    """Count the days, with fractions, from a time or date until now; missing where it is neither."""
    return _since(scope, at, instants.DAY_MS)


def hours_since(scope: Scope, at: Any) -> float | None:
    """Count the hours, with fractions, from a time or date until now; missing where it is neither."""
    return _since(scope, at, instants.HOUR_MS)


def _since(scope: Scope, at: Any, unit_ms: int) -> float | None:
    at_ms = _instant(scope, at)
    return None if at_ms is None else (scope.now_ms - at_ms) / unit_ms


def _instant(scope: Scope, at: Any) -> int | None:
    if at.__class__ is not str:
        return instants.parse(at)
    try:
        found = datetime.fromisoformat(at)
        # Text without a zone is the customer's own clock: a birthday, a delivery date.
        return instants.from_datetime(
            found if found.tzinfo else found.replace(tzinfo=zone_of(scope.state.profile, scope.project))
        )
    except (ValueError, OverflowError, OSError):
        return None


def consents(scope: Scope, channel: Any, purpose: Any) -> bool:
    """Tell whether the customer lets us speak on a channel for a purpose, by that purpose's own rule."""
    known = scope.project.purposes.get(purpose) if purpose.__class__ is str else None
    if known is None or channel not in scope.project.channels:
        return False
    return known.is_consented(scope.state.profile.consent_for(channel, known.name))


def in_segment(scope: Scope, name: str) -> bool:
    """Tell whether the customer is in a segment; one that is not there any more holds nobody."""
    segment = scope.project.segments.get(name)
    return segment is not None and scope.state.past.members.get(segment.key, False)


def count(scope: Scope, event: str, within_ms: int) -> int:
    """Count the events of one type in the window (now - within, now]."""
    instants_ms = scope.state.past.counts.get(event)
    if not instants_ms:
        return 0
    return bisect_right(instants_ms, scope.now_ms) - bisect_right(instants_ms, scope.now_ms - within_ms)


def count_moments(scope: Scope, event: str, within_ms: int) -> list[int]:
    """List the instants at which an event leaves the window."""
    return [at_ms + within_ms for at_ms in scope.state.past.counts.get(event, ())]


def since_moments(scope: Scope, at: Any, unit_ms: int, bound: Any) -> list[int]:
    """List the instants around which the length of time since `at` passes a bound."""
    at_ms = _instant(scope, at)
    return [] if at_ms is None else _around(at_ms, unit_ms, bound)


def recency_moments(scope: Scope, bound: Any) -> list[int]:
    """List the instants around which the days since the last purchase pass a bound."""
    bought = scope.state.past.purchases
    return [] if bought is None else _around(bought.last_ms, instants.DAY_MS, bound)


def now_moments(scope: Scope, bound: Any) -> list[int]:
    """List the instants around which now passes a time."""
    at_ms = instants.parse(bound) if bound.__class__ is str else None
    return [] if at_ms is None else [at_ms, at_ms + 1]


def _around(at_ms: int, unit_ms: int, bound: Any) -> list[int]:
    length_ms = mul(bound, unit_ms)
    if length_ms is None or not -instants.LATEST_MS < length_ms < instants.LATEST_MS:
        return []
    # A quotient is rounded, so the bound is passed at one of these rather than exactly where it was reckoned.
    there_ms = at_ms + math.floor(length_ms)
    return [there_ms - 1, there_ms, there_ms + 1, there_ms + 2]


def instant_text(at_ms: Any) -> str | None:
    """Write an instant as text, which is how expressions see time."""
    return None if at_ms is None else instants.to_text(at_ms)


def last_seen(scope: Scope, channel: str) -> str | None:
    """Say when the customer was last seen on a channel."""
    return instant_text(scope.state.profile.last_seen_ms.get(channel))


def utc(value: Any) -> Any:
    """Write a time with a zone as our own are written, so that as texts they compare as instants do; else leave it."""
    try:
        at = datetime.fromisoformat(value) if value.__class__ is str else None
    except ValueError:
        return value
    at_ms = None if at is None or at.tzinfo is None else instants.parse(value)
    return value if at_ms is None else instants.to_text(at_ms)


def event_data(event: KeptEvent | None) -> dict[str, Any] | None:
    """Show an event that a step kept as the map that templates see."""
    return None if event is None else event_as_data(event)


def events_data(events: list[KeptEvent]) -> list[dict[str, Any] | None] | None:
    """Show all events that a step kept; missing where there are none."""
    return [event_data(event) for event in events] or None


# By the names that the generated code calls them.
OPERATORS: dict[str, Any] = {
    "NUMBERS": NUMBERS,
    **{
        function.__name__: function
        for function in (eq, ne, lt, le, gt, ge, among, not_among, contains, add, sub, mul, div, neg, pos, inside)
    },
    **{
        function.__name__: function
        for function in (lower, starts_with, length, days_since, hours_since, consents, instant_text, last_seen, utc)
    },
    **{function.__name__: function for function in (in_segment, count)},
    **{function.__name__: function for function in (count_moments, since_moments, recency_moments, now_moments)},
    "event_data": event_data,
    "events_data": events_data,
}
