"""What an expression may name, by the place it stands in.

Owns the tables: which verb leaves which result, which fields an event has. Must never read an expression.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.language.definitions.fields import nearest
from orchestrator.language.nodes import Path

# What a verb leaves behind for `steps.<id>.`.
RESULTS: dict[str, tuple[str, ...]] = {
    "wait": ("event", "events"),
    "wait_until": (),
    "wait_for": ("event", "name"),
    "send": ("status", "channel"),
    "choose": (),
    "split": ("name",),
    "ask": ("score", "comment", "group", "status", "channel"),
    "handoff": ("case_id", "outcome", "agent", "status"),
    "score": ("value", "label", "items", "why"),
    "set": (),
    "emit": (),
    "call": ("status", "response"),
    "repeat": (),
    "exit": (),
}
EVENT_FIELDS = ("type", "channel", "time", "id", "properties")
NAMESPACES = ("event", "entry", "profile", "steps", "now")
# The verb of a step that was too broken to keep: what it leaves is not asked about.
LOST = "lost"
# Results that hold an event, or several.
HOLDING = ("event", "events")


@dataclass(frozen=True)
class Values:
    """What is known of a value beforehand: its kind, in words, and the texts that it may be, None where it may be any.

    A number with texts is one of them where it is no number. `is_open` tells that others may say more than we know of:
    then only what is nearly one of the texts is a slip.
    """

    kind: str
    texts: tuple[str, ...] | None = None
    is_open: bool = False

    def allow(self, literal: str | float | bool) -> bool:
        """Tell whether a value may ever equal a literal, or be compared with it."""
        if isinstance(literal, bool):
            return self.kind == TRUTH.kind
        if not isinstance(literal, str):
            return self.kind == NUMBER.kind
        if self.texts is not None:
            return literal in self.texts or (self.is_open and nearest(literal, self.texts) is None)
        return self.kind == LOWER.kind and literal == literal.lower()


NUMBER, TRUTH, LOWER = Values("a number"), Values("true or false"), Values("a text in lower case")


def one_of(*texts: str, is_open: bool = False) -> Values:
    """Say that a value is one of these texts; of none, that it is always missing."""
    return Values("a text", texts, is_open)


@dataclass(frozen=True)
class Surroundings:
    """What may be named.

    `namespaces` are those that mean something here. `has_event` tells that an event is at hand, whole; `is_where`
    that bare names are its properties. `steps` maps the journey's step ids to their verbs. `channels` and
    `purposes` are the project's, and so are `segments` (None where they could not be read: nothing is said of
    them). `is_watched` tells that time alone may change what is asked, so that it must say at which moment.
    `has_purchases` tells that the profile has recency, frequency and monetary. `values` is what is known of some
    names' values. `hidden` are the names that no decision may show: identifiers and addresses.
    """

    namespaces: frozenset[str] = frozenset(NAMESPACES)
    has_event: bool = False
    is_where: bool = False
    steps: Mapping[str, str] = field(default_factory=dict)
    channels: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    segments: frozenset[str] | None = frozenset()
    is_watched: bool = False
    has_purchases: bool = False
    values: Mapping[str, Values] = field(default_factory=dict)
    order: Mapping[str, tuple[int, Path | None]] = field(default_factory=dict)
    at: str | None = None

    def comes_later(self, step_id: str) -> bool:
        """Tell whether nobody can have passed a step at the one that asks; what a repeat holds comes round again."""
        here, there = self.order.get(self.at or ""), self.order.get(step_id)
        if here is None or there is None:
            return False
        return there[0] >= here[0] and (there[1] is None or there[1] != here[1])

    def limited_to(self, *namespaces: str) -> "Surroundings":
        """Leave only these namespaces."""
        return replace(self, namespaces=frozenset(namespaces))

    def watched(self) -> "Surroundings":
        """Ask at every moment, so that time alone may change the answer."""
        return replace(self, is_watched=True)

    def at_event(self) -> "Surroundings":
        """Put an event at hand, as when a goal is reached."""
        return replace(self, has_event=True)

    def where(self, values: Mapping[str, Values] | None = None) -> "Surroundings":
        """Put an event at hand, whose properties bare names are; `values` is what is known of them."""
        return replace(self, has_event=True, is_where=True, values={**self.values, **(values or {})})
