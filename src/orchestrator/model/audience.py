"""Audiences, compiled: segments, what time opens, and what of a customer's past anybody asks for.

Owns the shapes that `language` compiles segments, schedules, dates and silences into, and the union of all of them
that a catalog puts in force (`Audiences`). Values only: who is in a segment, and what is due when, is the engine's.

Where it lives. What is kept of a customer's past (`state.Past`) is part of their own record, written in the same
turn as everything else, and a project that asks for nothing of it keeps nothing of it:

- A count keeps the instants of the newest 1,000 events of each type that some condition counts, no older than the
  longest window that any version in force names for that type: exact, and bounded at compile time by what is asked.
- Each segment whose truth may change because time passes, and each enter rule that time opens, is a watch: the next
  instant at which it may come true or false for this customer. A record's due time is the earliest of its entries'
  and its watches', so the timers that every runtime has wake it at that very instant, and nothing ever polls.
- A watch is armed when its customer is first seen, and moved by what they do. A project that is published with other
  segments or rules has another `key`; a record that was armed for another key is armed anew at its next turn, and
  whoever has no turn by themselves is given one by the runtime, which goes once over the profiles that it holds
  (`runtime.settling`): so a broadcast reaches a customer whom nobody has seen for a year.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from orchestrator.model import ids
from orchestrator.model.expression import Expression

if TYPE_CHECKING:
    from orchestrator.model.journey import Journey

# What is reckoned of purchases, as fields of the profile.
BOUGHT = ("recency", "frequency", "monetary")
# What a change of membership is called; `segment` among its properties says which.
SEGMENT_ENTERED, SEGMENT_LEFT = "segment_entered", "segment_left"


@dataclass(frozen=True, slots=True)
class AskedPast:
    """What of a customer's past conditions and templates read.

    `counts` holds the longest window in ms by event type. `last_seen` and `purchases` tell that anybody reads
    `profile.last_seen`, or recency, frequency or monetary. `segments` are those that are asked for, by name.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    last_seen: bool = False
    purchases: bool = False
    segments: frozenset[str] = frozenset()

    @property
    def is_nothing(self) -> bool:
        """Whether nothing of the past is read."""
        return not (self.counts or self.last_seen or self.purchases)

    @staticmethod
    def together(several: "Iterable[AskedPast]") -> "AskedPast":
        """Ask for what any of several asks for."""
        several = list(several)
        counts: dict[str, int] = {}
        for one in several:
            for event, within_ms in one.counts.items():
                counts[event] = max(within_ms, counts.get(event, 0))
        return AskedPast(
            counts,
            any(one.last_seen for one in several),
            any(one.purchases for one in several),
            frozenset().union(*(one.segments for one in several)),
        )


NOTHING_ASKED = AskedPast()


@dataclass(frozen=True, slots=True)
class Segment:
    """A named audience. `key` stands for its name and condition: under another condition it is another segment.

    `asked` is what its condition reads, the segments that it asks for among them.
    """

    name: str
    condition: Expression
    asked: AskedPast = NOTHING_ASKED
    key: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.name}:{ids.derive(self.condition.source)[:8]}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Opens entries by the customer's own clock: every day, week or month at `minute`, or `once`, a local time.

    `weekday` counts from Monday, 0; `day` is of the month, the last where the month is shorter. Only who is in
    `segment` at that moment enters.
    """

    minute: int = 0
    every: Literal["day", "week", "month"] | None = None
    weekday: int | None = None
    day: int | None = None
    once: datetime | None = None
    segment: str | None = None

    @property
    def key(self) -> str:
        """The text that this rule is known by, in whatever version."""
        return f"schedule {self.every} {self.weekday} {self.day} {self.once} {self.minute} {self.segment}"


@dataclass(frozen=True, slots=True)
class OnDate:
    """Opens an entry on a date of the customer's, `offset_days` from it at `minute`, every year when `yearly`."""

    date: Expression
    minute: int | None = None
    offset_days: int = 0
    yearly: bool = False

    @property
    def key(self) -> str:
        """The text that this rule is known by, in whatever version."""
        return f"date {self.minute} {self.offset_days} {self.yearly} {self.date.source}"


@dataclass(frozen=True, slots=True)
class Inactive:
    """Opens an entry when none of `events` (any of the customer's doing, where empty) came for `for_ms`."""

    for_ms: int
    events: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The text that this rule is known by, in whatever version."""
        return f"inactive {self.for_ms} {' '.join(sorted(self.events))}"


# An enter rule that time opens.
Moment = Schedule | OnDate | Inactive


@dataclass(frozen=True, slots=True)
class Watched:
    """One enter rule in force that time opens; `key` is what a customer's record calls it."""

    journey: "Journey"
    moment: Moment
    key: str


@dataclass(frozen=True, slots=True)
class Silence(Watched):
    """One whose moment is a silence."""

    moment: Inactive


class Everything(frozenset[str]):
    """The event types of a project that asks for every event there is."""

    def __contains__(self, event_type: object) -> bool:
        """Say yes."""
        return True


class Audiences:
    """Everything in force that asks for a customer's past or for the passing of time.

    `segments` are in the order in which they can be worked out: those that others ask for first. `watched` go by
    priority, then journey, then the author's order. `key` is another one whenever either of them is. `hears` are the
    event types that count; `hears_all` tells that every event does, and `begins_all` that a customer is known from
    whatever event comes first, because time alone may have something for them.
    """

    def __init__(
        self,
        segments: Iterable[Segment],
        watched: Iterable[Watched],
        asked: AskedPast,
        purchase: str | None = None,
        retention_ms: int = 0,
    ) -> None:
        self.segments = tuple(segments)
        self.watched = tuple(watched)
        self.asked = asked
        self.inactive = tuple(
            Silence(each.journey, each.moment, each.key) for each in self.watched if isinstance(each.moment, Inactive)
        )
        # By type of event, because every event asks: the silences that it breaks, and those that any event does.
        self._broken_by_any = tuple(each for each in self.inactive if not each.moment.events)
        self._broken_by = {
            event_type: tuple(
                each for each in self.inactive if event_type in each.moment.events or not each.moment.events
            )
            for event_type in frozenset().union(*(each.moment.events for each in self.inactive))
        }
        self.begins_all = bool(self.watched) or asked.last_seen
        # Profiles without a sign of life for so long are erased; the watch of that, "" where none are.
        self.retention_ms = retention_ms
        self.retention = f"retention {retention_ms}" if retention_ms else ""
        self.hears_all = asked.last_seen or bool(retention_ms) or any(not each.moment.events for each in self.inactive)
        silences = [each.moment.events for each in self.inactive]
        bought = {purchase} if asked.purchases and purchase is not None else set()
        self.hears: frozenset[str] = frozenset(bought).union(asked.counts, *silences)
        keys = [*sorted(each.key for each in self.segments), *sorted(each.key for each in self.watched), self.retention]
        self.key = ids.derive(*keys)[:12]

    def opens(self, journey: "Journey") -> bool:
        """Whether a silence opens entries of a journey: leaving it begins that anew."""
        return any(each.journey.id == journey.id for each in self.inactive)

    def silences_of(self, event_type: str) -> tuple[Silence, ...]:
        """List the silences that events of a type break; those of no named events only where they are signs of life."""
        return self._broken_by.get(event_type, self._broken_by_any)

    @property
    def is_nothing(self) -> bool:
        """Whether nobody asks for anything, so that no customer's record holds any of it."""
        return not (self.segments or self.watched or self.retention) and self.asked.is_nothing


def asked_for(segments: "Iterable[Segment]", names: "Iterable[str] | None") -> list[Segment]:
    """Choose the segments of these names (None: all), and those that they ask for; nobody pays for the others."""
    every = list(segments)
    if names is None:
        return every
    wanted = set(names)
    for segment in reversed(every):  # those that it asks for stand before it
        if segment.name in wanted:
            wanted |= segment.asked.segments
    return [segment for segment in every if segment.name in wanted]


def watches_of(journeys: "Iterable[Journey]") -> list[Watched]:
    """List the rules in force that time opens; of a draft none: it does nothing but its examples."""
    found: dict[str, Watched] = {}  # a rule that stands twice in one journey is one rule
    for journey in journeys:
        if journey.status != "draft":
            for moment in journey.moments:
                key = f"{journey.id}:{ids.derive(moment.key)[:12]}"
                found.setdefault(key, Watched(journey, moment, key))
    return list(found.values())
