"""Slips of the pen in properties: names nearly like one that an example gives, and numbers compared as texts.

Owns what the examples of a journey give by event. What no example speaks of is not doubted: it may be anything. Must
never refuse.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.expressions.surroundings import NAMESPACES
from orchestrator.language.nodes import Place
from orchestrator.model.expression import Expression

# One letter off; `price` and `old_price` are two things.
NEARLY = 0.85
_COMPARED = r"(?:[<>=!]=|[<>])\s*('[^']*'|\"[^\"]*\"|-?[0-9]+(?:\.[0-9]+)?(?![\w.]))"
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


class Slips:
    """What the examples of one journey call the properties of its events."""

    def __init__(self, definition: JourneyDefinition) -> None:
        self._given: dict[str, dict[str, list[Any]]] = {}
        for example in definition.examples:
            for given in example.given:
                known = self._given.setdefault(given.event, {})
                for name, value in given.properties.items():
                    known.setdefault(name, []).append(value)
        enter = definition.enter
        self._opening = {name for rule in (enter, *(enter.any or ())) for name in rule.event or ()}

    def check(self, place: Place, expression: Expression, events: Iterable[str] | None = None) -> None:
        """Doubt the names in an expression; in a `where` about `events`, bare names are theirs."""
        for written, _ in expression.saw:
            path = tuple(written.split("."))
            if events is not None and path[0] not in NAMESPACES and path[0].isidentifier():
                path = ("event", "properties", *path)
            self.check_name(place, path, expression.source.find(written), events)
            self._check_kind(place, path, written, expression.source, events)

    def check_name(self, place: Place, path: tuple[str, ...], offset: int, events: Iterable[str] | None = None) -> None:
        """Doubt one name, such as entry.totl, that begins at `offset` of a text."""
        name, events = self._property(path, events)
        if name is None:
            return
        known = set().union(*(self._given.get(event, ()) for event in (self._given if events is None else events)))
        close = [each for each in sorted(known) if _bare(each) == _bare(name)]
        close = close or get_close_matches(name, sorted(known), n=1, cutoff=NEARLY)
        if name not in known and close:
            place.report(
                "W407", f"no example gives a property `{name}`, and some give `{close[0]}`", close[0], offset=offset
            )

    def _property(self, path: tuple[str, ...], events: Iterable[str] | None) -> tuple[str | None, Iterable[str] | None]:
        """Find the property that a path begins with, and whose events' it is (None: any of them)."""
        if path[0] == "entry" and len(path) > 1:
            return path[1], self._opening
        if path[0] == "steps" and path[2:4] == ("event", "properties") and len(path) > 4:
            return path[4], None
        return (path[2] if path[:2] == ("event", "properties") and len(path) > 2 else None), events

    def _check_kind(
        self, place: Place, path: tuple[str, ...], written: str, source: str, events: Iterable[str] | None
    ) -> None:
        """Doubt `total >= '30'` where every example gives a number: text and number never compare."""
        name, events = self._property(path, events)
        compared = re.search(rf"(?<![\w.]){re.escape(written)}\s*{_COMPARED}", source)
        if name is None or path[-1] != name or compared is None:
            return
        literal = compared[1]
        bare = literal.strip("'\"")
        is_text = bare != literal
        of = self._given if events is None else events
        kinds = {type(value) for event in of for value in self._given.get(event, {}).get(name, ())}
        if kinds and kinds <= ({int, float} if is_text else {str}):
            given, fix = (
                ("number", bare if _NUMBER.fullmatch(bare) else "a number") if is_text else ("text", f"'{literal}'")
            )
            why = f"the examples give `{name}` as a {given}, which {literal} never compares with"
            place.report("W409", why, fix, offset=compared.start(1))


def _bare(name: str) -> str:
    """Write a name as cartId, Cart_ID and cart-id have it in common."""
    return name.replace("_", "").replace("-", "").casefold()
