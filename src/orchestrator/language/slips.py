"""Slips of the pen in properties: names that no example of a journey gives, nearly like one that some do.

Owns which properties the examples give by event. What no example speaks of is not doubted: it may be anything. Must
never refuse.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.expressions.surroundings import NAMESPACES
from orchestrator.language.nodes import Place
from orchestrator.model.expression import Expression

# One letter off; `price` and `old_price` are two things.
_NEARLY = 0.85


class Slips:
    """What the examples of one journey call the properties of its events."""

    def __init__(self, definition: JourneyDefinition) -> None:
        self._given: dict[str, set[str]] = {}
        for example in definition.examples:
            for given in example.given:
                self._given.setdefault(given.event, set()).update(given.properties)
        enter = definition.enter
        self._opening = {name for rule in (enter, *(enter.any or ())) for name in rule.event or ()}

    def check(self, place: Place, expression: Expression, events: Iterable[str] | None = None) -> None:
        """Doubt the names in an expression; in a `where` about `events`, bare names are theirs."""
        for written, _ in expression.saw:
            path = tuple(written.split("."))
            if events is not None and path[0] not in NAMESPACES and path[0].isidentifier():
                path = ("event", "properties", *path)
            self.check_name(place, path, expression.source.find(written), events)

    def check_name(self, place: Place, path: tuple[str, ...], offset: int, events: Iterable[str] | None = None) -> None:
        """Doubt one name, such as entry.totl, that begins at `offset` of a text."""
        if path[0] == "entry" and len(path) > 1:
            name, events = path[1], self._opening
        elif path[:2] == ("event", "properties") and len(path) > 2:
            name = path[2]
        else:
            return
        known = set().union(*(self._given.get(event, set()) for event in (self._given if events is None else events)))
        close = get_close_matches(name, sorted(known), n=1, cutoff=_NEARLY)
        if name not in known and close:
            place.report(
                "W407", f"no example gives a property `{name}`, and some give `{close[0]}`", close[0], offset=offset
            )
