"""The project: what marketers own for all journeys together, compiled from orchestrator.yaml.

Owns channels, purposes, caps, quiet hours, consent rules and messages as values. Minutes are counted
from local midnight, lengths are milliseconds.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from orchestrator.model import instants
from orchestrator.model.audience import NOTHING_ASKED, AskedPast, Segment
from orchestrator.model.expression import Expression, Scope
from orchestrator.model.identity import Identity
from orchestrator.model.instants import DAY_MS
from orchestrator.model.profile import Consent

# How long after what a customer wrote a channel takes texts of our own wording, and not only approved templates.
WINDOWS_MS: Mapping[str, int] = {"whatsapp": DAY_MS}

# What names a profile by itself, among the fields that an expression may ask of it.
_IDS = ("customer_id", "id")
_PATH = re.compile(r"\bprofile((?:\.\w+)+)")

ConsentRule = Literal["opt_in", "double_opt_in", "opt_out", "none"]


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `at_most` messages in any window of `per_ms`; on one channel, or on all of them.

    A purpose's own cap counts its messages. The project's (`is_shared`) counts those of all purposes
    that have policies together: customers do not care which purpose tires them.
    """

    at_most: int
    per_ms: int
    channel: str | None = None
    is_shared: bool = False

    def __str__(self) -> str:
        """Say it as people do: `1 per 1d by email`."""
        by = "" if self.channel is None else f" by {self.channel}"
        return f"{self.at_most} per {instants.length(self.per_ms)}{by}{' for all purposes' if self.is_shared else ''}"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The local window [from, to), in minutes of the day; over midnight when `to` is not after `from`.

    `days` are the weekdays (Monday is 0) on which the window begins; all where it is empty.
    """

    from_minute: int
    to_minute: int
    days: frozenset[int] = frozenset()
    channel: str | None = None


@lru_cache(maxsize=1024)
def is_always_quiet(windows: tuple[QuietHours, ...]) -> bool:
    """Tell whether quiet hours cover each minute of a week."""
    day, week = 24 * 60, 7 * 24 * 60
    quiet = bytearray(week + day)  # the night of the last day goes on into the first one's
    for window in windows:
        for weekday in window.days or range(7):
            begins = weekday * day + window.from_minute
            lasts = (window.to_minute - window.from_minute) % day or day
            quiet[begins : begins + lasts] = b"\1" * lasts
    return all(quiet[day:week]) and all(one or other for one, other in zip(quiet[:day], quiet[week:], strict=True))


def profile_paths(source: str) -> list[list[str]]:
    """List the fields of the profile that an expression names, each as its path: profile.contact.email is two."""
    return [found.split(".")[1:] for found in _PATH.findall(source)]


@dataclass(frozen=True, slots=True)
class Channel:
    """A road to the customer: where the address is found and its place in the project's order."""

    name: str
    address: Expression
    preferred_order: int | None = None
    track: tuple[str, ...] = ("clicks",)


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why we speak: which consent it needs, and its policies.

    The project's own caps and quiet hours are merged in, unless it says `policies: none`
    (`has_policies` is false then).
    """

    name: str
    consent: ConsentRule
    caps: tuple[Cap, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    only_if: Expression | None = None
    pauses_during_case: bool = False
    has_policies: bool = True

    def is_consented(self, said: Consent | None) -> bool:
        """Whether the latest statement that covers this purpose, if there is one, lets us speak."""
        if self.consent == "none":
            return True
        if self.consent == "opt_out":
            return said is None or said.granted
        if said is None or not said.granted:
            return False
        return said.confirmed if self.consent == "double_opt_in" else True


@dataclass(frozen=True, slots=True)
class Table:
    """A catalog: its rows by the value in the column `key`."""

    key: str
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a scorer says: a number, a label or items, and why (the words or features that count)."""

    value: float | None = None
    label: str | None = None
    items: list[Any] | None = None
    why: list[Any] | None = None


# Judges its input, a text or whatever the step gives, seen from the entry; None when it cannot. Pure and deterministic.
Scorer = Callable[[Any, Scope], Judgement | None]


# The kinds of markup that an e-mail may be written in; it has one of them.
MARKUPS = ("html", "mjml", "markdown")


def put_over(fields: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Let what one language gives replace what there is, field by field; markup of one kind replaces every other."""
    if any(name in given for name in MARKUPS):
        for name in MARKUPS:
            fields.pop(name, None)
    fields.update(given)


@dataclass(frozen=True, slots=True)
class Message:
    """Content to one person: what the engine must know of it to decide and to fill `data`.

    `channels` are those it has content for, in the project's order. `reads` maps a channel to the paths
    that its templates name, such as ("profile", "first_name") or ("steps", "settle", "event",
    "properties", "items"). `languages` are those it is written in, the project's first one first. `only_text` maps a
    channel with a window to the languages in which there is no template for when it is shut.
    """

    id: str
    channels: tuple[str, ...]
    purpose: str | None = None
    reads: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    only_text: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Team:
    """People who take cases. `to` is where they are told of one, besides the inbox.

    `template` is what their webhook gets: JSON whose texts are Liquid, or the name of one that comes with the product.
    `outcomes` are how a case of theirs may end.
    """

    name: str
    skills: tuple[str, ...] = ()
    to: str | None = None
    template: str | Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    outcomes: tuple[str, ...] = ("solved", "not_solved", "duplicate")


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a purchase is: the event, what it is worth, and in which currency."""

    event: str
    value: Expression
    currency: Expression | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in ms; 0 for as long as they are of use.

    That is: profiles without a sign of life, decisions, and the keys that a customer went through a journey with.
    """

    inactive_ms: int = 0
    decisions_ms: int = 0
    keys_ms: int = 0


NO_RETENTION = Retention()


@dataclass(frozen=True, slots=True)
class Project:
    """The whole of orchestrator.yaml, and the messages, as the engine reads them.

    `identifiers` are the kinds of identifier, strongest first; `identity` says how they make one customer. `channels`
    are in project order. `segments` are in the order in which they can be worked out. `asked` is what the project's
    own conditions, its segments' among them, read of a customer's past. `stop_words` and `start_words` are its own
    words by which customers leave a channel and come back, beside those that every project has. `coupons`
    are the codes of each, in the order in which they are given.
    """

    name: str
    timezone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    brand: dict[str, Any] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    purposes: dict[str, Purpose] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    identifiers: tuple[str, ...] = ("customer_id",)
    identity: Identity = field(default_factory=Identity)
    holdout_percent: float = 0.0
    scorers: Mapping[str, Scorer] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    coupons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    purchase: Purchase | None = None
    retention: Retention = NO_RETENTION
    asked: AskedPast = NOTHING_ASKED
    stop_words: tuple[str, ...] = ()
    start_words: tuple[str, ...] = ()
    teams: Mapping[str, Team] = field(default_factory=dict)

    # How far back any cap looks, the quiet hours of (purpose, channel), and the channels that take part in
    # `preferred`, in order: asked for at every message, so worked out once.
    longest_cap_ms: int = field(init=False)
    quiet_hours: dict[tuple[str, str], tuple[QuietHours, ...]] = field(init=False)
    preferred_channels: tuple[str, ...] = field(init=False)
    # Which fields of a profile addresses are made of, and whether by an id alone somebody is reached.
    addressed_by: frozenset[str] = field(init=False)
    is_addressed_by_id: bool = field(init=False)

    def __post_init__(self) -> None:
        longest = max((cap.per_ms for purpose in self.purposes.values() for cap in purpose.caps), default=0)
        ranked = [channel for channel in self.channels.values() if channel.preferred_order is not None]
        ranked.sort(key=lambda channel: channel.preferred_order or 0)
        quiet = {
            (purpose.name, channel): tuple(
                window for window in purpose.quiet_hours if window.channel is None or window.channel == channel
            )
            for purpose in self.purposes.values()
            for channel in self.channels
        }
        fields = {path[0] for channel in self.channels.values() for path in profile_paths(channel.address.source)}
        object.__setattr__(self, "addressed_by", frozenset(fields))
        object.__setattr__(self, "is_addressed_by_id", not fields.isdisjoint(_IDS))
        object.__setattr__(self, "longest_cap_ms", longest)
        object.__setattr__(self, "quiet_hours", quiet)
        object.__setattr__(self, "preferred_channels", tuple(channel.name for channel in ranked))
