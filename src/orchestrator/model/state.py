"""The state of one profile: the customer, where they stand in each journey, and what we said to them.

Owns the shapes that are stored. A field may be added at the end of a struct, with a default; anything
else is a new state format with an upgrade in `codec`. Steps are named by id, never by position.
Lists are in order of age. Nothing here knows how a journey works.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

import msgspec

from orchestrator.errors import StorageError
from orchestrator.model.event import KeptEvent
from orchestrator.model.profile import Profile

# How many ids of events a profile remembers, and the bytes each takes (CONTRACTS.md: the last 128).
REMEMBERED_EVENTS = 128
DIGEST_BYTES = 8


class Result(msgspec.Struct, array_like=True, gc=False):
    """What a step left behind, as far as anybody reads it: `steps.<id>.<field>`.

    `event` is the latest event that the step took, `events` all of them (newest 100). `values` holds
    what only some verbs leave, by field name.
    """

    status: str | None = None
    channel: str | None = None
    action_id: str | None = None
    name: str | None = None
    event: KeptEvent | None = None
    events: list[KeptEvent] = []
    values: dict[str, Any] = {}

    def value(self, name: str) -> Any:
        """Look up `steps.<id>.<name>`, None when the step left no such thing."""
        # What the verb left by itself comes first: a call's `status` is the answer's, not how a message fared.
        if name in self.values or name not in ("status", "channel", "action_id", "name"):
            return self.values.get(name)
        return getattr(self, name)


class Entry(msgspec.Struct, array_like=True, gc=False):
    """One passage of a profile through a journey.

    `step` is where it stands, "" once it has ended. `due_ms` is when it wakes by itself, 0 when it only
    waits for an event. `properties` are the opening event's, as far as anybody reads them, `event` the
    last event it took, `channel` that event's. `results` are what steps left behind, by step id.
    `rounds` holds, by the id of a repeat step, [round, start in ms]. `sent_ms` is the instant of its
    last message, 0 for none. `held` lists the refusals on record for the message held since `held_ms`.
    `stopped_ms` is the wake-up of an entry whose journey is paused. `parked` is why it is parked. `done` names,
    as STEP:VISIT, what had been asked of the outside world when the entry moved to a newer version. `messages`
    counts those that it sent.
    """

    id: str
    journey: str
    version: int
    key: str | None
    entered_ms: int
    step: str
    due_ms: int = 0
    properties: dict[str, Any] = {}
    results: dict[str, Result] = {}
    event: KeptEvent | None = None
    channel: str | None = None
    rounds: dict[str, list[int]] = {}
    sent_ms: int = 0
    converted: bool = False
    held: list[str] = []
    held_ms: int = 0
    stopped_ms: int = 0
    parked: str | None = None
    done: list[str] = []
    messages: int = 0


class Ended(msgspec.Struct, array_like=True, gc=False):
    """An entry that has ended and whose goal can still be reached, from `from_ms` until `until_ms`.

    `results` are those of the steps that its goals read.
    """

    id: str
    journey: str
    version: int
    key: str | None
    from_ms: int
    until_ms: int
    properties: dict[str, Any] = {}
    actions: list[str] = []
    results: dict[str, Result] = {}


class Sent(msgspec.Struct, array_like=True, gc=False):
    """One message that left: what caps count and what receipts are about.

    Until `until_ms` it may still be on its way to its provider, as far as is known here; 0 when it is not.
    `version` is the journey's. `profile_id` is the customer's as it was when the message left, "" for the one it is.
    `named` is how an answer names the message: the provider's id of it, or the number of ours that a text came from; ""
    while it is not known to have left, or where no answer could. `reached` is the address as its provider was told it,
    where that is written otherwise than `address`.
    """

    action_id: str
    at_ms: int
    journey: str
    entry_id: str
    step: str
    message: str
    channel: str
    purpose: str
    address: str | None = None
    until_ms: int = 0
    version: int = 0
    profile_id: str = ""
    named: str = ""
    reached: str = ""


class Case(msgspec.Struct, array_like=True, gc=False):
    """A case that is open for a person: ours, or the contact centre's own. `pause` are the purposes it silences.

    `journey`, `version`, `entry_id` and `step` say which handoff opened it; they are empty for the contact centre's.
    """

    id: str
    opened_ms: int
    pause: list[str] = []
    journey: str = ""
    version: int = 0
    entry_id: str = ""
    step: str = ""


class History(msgspec.Struct, array_like=True, gc=False):
    """What was before, as far as it still counts, and the cases that are open.

    `exits` remembers, by journey and then by key ("" without one), the last exit in ms, for journeys
    whose `again` asks for it. `draws` are the numbers drawn for splits and holdouts, each with the instant of its first
    use, so that they outlive the profile's id. `refused` are links of identifiers that were refused and are on record.
    """

    exits: dict[str, dict[str, int]] = {}
    ended: list[Ended] = []
    sent: list[Sent] = []
    cases: list[Case] = []
    draws: dict[str, tuple[float, int]] = {}
    refused: list[str] = []


class Purchase(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """One purchase: when, the digest of the event that told of it, and what it came to (0 where that is no number)."""

    at_ms: int
    digest: bytes
    currency: str = ""
    value: float = 0.0


class Purchases(msgspec.Struct, array_like=True, gc=False):
    """What a customer bought: how often, when last, and for how much in all, by currency ("" without one).

    `lately` are the newest of them, oldest first, so that one that two lives were told of counts once.
    """

    count: int = 0
    last_ms: int = 0
    currency: str = ""
    spent: dict[str, float] = {}
    lately: list[Purchase] = []


class Past(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a customer's past because some condition, segment or rule asks for it.

    `armed` is the key of the audiences that the rest is armed for. `members` says by segment (its key) whether the
    customer is in it. `counts` holds by event type the instants of the newest events that are counted, oldest first.
    `due` and `recurring` hold by watch (a segment's or a rule's key) the next instant at which it may come true or
    false, 0 for none: in `recurring` those that armed themselves, so that what recurs for ever can be told apart.
    """

    armed: str = ""
    members: dict[str, bool] = {}
    counts: dict[str, list[int]] = {}
    due: dict[str, int] = {}
    recurring: dict[str, int] = {}
    purchases: Purchases | None = None

    def due_ms(self) -> int:
        """Find the earliest instant at which a watch is due; 0 when none is."""
        due = self.settling_ms()
        for at_ms in self.recurring.values():
            if at_ms and (not due or at_ms < due):
                due = at_ms
        return due

    def settling_ms(self) -> int:
        """Find the same, leaving out what recurs for ever."""
        due = 0
        for at_ms in self.due.values():
            if at_ms and (not due or at_ms < due):
                due = at_ms
        return due


class Stored(msgspec.Struct, array_like=True, gc=False):
    """A state as it is stored. The profile's id stands once, in front, and not in `profile`."""

    profile_id: str
    entries: list[Entry]
    seen: bytes
    profile: msgspec.Raw
    history: msgspec.Raw


class StoredWithPast(Stored, array_like=True, gc=False):
    """The same of a customer whose past somebody asks for; `watch_ms` is `past.due_ms()`, so that few decode it."""

    watch_ms: int = 0
    past: msgspec.Raw = msgspec.Raw()


_Part = TypeVar("_Part")
_encode = msgspec.msgpack.Encoder().encode
_profile_in = msgspec.msgpack.Decoder(Profile)
_history_in = msgspec.msgpack.Decoder(History)
_past_in = msgspec.msgpack.Decoder(Past)


def _glimpse_of(shape: type[msgspec.Struct], last: str, **read: Any) -> type[Any]:
    """Make the shape that reads some fields of another and passes over the others, up to the last that is asked for."""
    fields = shape.__struct_fields__[: shape.__struct_fields__.index(last) + 1]
    defaults = [(name, *read.get(name, (msgspec.Raw, msgspec.Raw()))) for name in fields]
    return msgspec.defstruct(f"{shape.__name__}Glimpse", defaults, array_like=True, gc=False)


# As much of a state as tells that an event comes to nothing (measured: half of what reading all of it takes).
_EntryGlimpse: Any = _glimpse_of(Entry, "stopped_ms", stopped_ms=(int, 0))
_PastGlimpse: Any = _glimpse_of(Past, "recurring", armed=(str, ""), recurring=(dict[str, int], {}))
Glimpse = _glimpse_of(
    StoredWithPast, "past", seen=(bytes, b""), entries=(list[_EntryGlimpse], []), past=(_PastGlimpse | None, None)
)


class State:
    """Everything kept for one profile, written and read as a whole.

    The profile and the history stay bytes until somebody asks for them, and go out as they came in:
    most turns ask for neither (measured: they are half of what decoding all of it costs). `seen` holds
    the digests of the last events that changed this state.
    """

    __slots__ = (
        "_history",
        "_history_bytes",
        "_past",
        "_past_bytes",
        "_profile",
        "_profile_bytes",
        "_watch_ms",
        "entries",
        "profile_id",
        "seen",
    )

    def __init__(
        self,
        profile: Profile,
        entries: Iterable[Entry] = (),
        exits: Mapping[str, dict[str, int]] | None = None,
        ended: Iterable[Ended] = (),
        sent: Iterable[Sent] = (),
        seen: bytes = b"",
        cases: Iterable[Case] = (),
        past: Past | None = None,
    ) -> None:
        self.profile_id = profile.id
        self.entries = list(entries)
        self.seen = seen
        self._profile: Profile | None = profile
        self._history: History | None = History(dict(exits or {}), list(ended), list(sent), list(cases))
        self._profile_bytes = self._history_bytes = self._past_bytes = msgspec.Raw()
        self._past = past
        self._watch_ms = 0

    @classmethod
    def of(cls, stored: StoredWithPast) -> Self:
        """Take up a state as it was stored."""
        state = cls.__new__(cls)
        state.profile_id = stored.profile_id
        state.entries = stored.entries
        state.seen = stored.seen
        state._profile = state._history = state._past = None
        state._profile_bytes = stored.profile
        state._history_bytes = stored.history
        state._past_bytes = stored.past
        state._watch_ms = stored.watch_ms
        return state

    def at_rest(self) -> tuple[int, bytes]:
        """Write the state as it is to be stored, with when it wakes; what nobody has asked for keeps its bytes."""
        watch_ms = self._watch_ms if self._past is None else self._past.due_ms()
        return self._due_ms(watch_ms), self._encoded(watch_ms)

    def _encoded(self, watch_ms: int) -> bytes:
        profile = self._profile
        # A part that was read is written from its struct in the same pass: Raw only says how it comes in.
        written: Any = self._profile_bytes if profile is None else profile
        history: Any = self._history_bytes if self._history is None else self._history
        stored: Stored
        if self._past is not None or self._past_bytes:
            past: Any = self._past_bytes if self._past is None else self._past
            stored = StoredWithPast(self.profile_id, self.entries, self.seen, written, history, watch_ms, past)
        else:
            stored = Stored(self.profile_id, self.entries, self.seen, written, history)
        if profile is None:
            return _encode(stored)
        profile.id = ""
        try:
            return _encode(stored)
        finally:
            profile.id = self.profile_id

    def __eq__(self, other: object) -> bool:
        """Whether both say the same of the same customer."""
        if not isinstance(other, State):
            return NotImplemented
        return _all_of(self) == _all_of(other)

    __hash__ = None  # type: ignore[assignment]  # changes

    def __repr__(self) -> str:
        """Show everything, as tests print it."""
        past = f", {self.past!r}" if self.has_past else ""
        return f"State({self.profile!r}, {self.entries!r}, {self.history!r}, {self.seen!r}{past})"

    @property
    def profile(self) -> Profile:
        """The customer as we know them."""
        if self._profile is None:
            self._profile = _read(_profile_in, self._profile_bytes)
            self._profile.id = self.profile_id
        return self._profile

    @property
    def history(self) -> History:
        """What was before, as far as it still counts, and the cases that are open."""
        if self._history is None:
            self._history = _read(_history_in, self._history_bytes)
        return self._history

    @property
    def past(self) -> Past:
        """What is kept of the customer's past because somebody asks for it; asked for, it is part of the state."""
        if self._past is None:
            self._past = _read(_past_in, self._past_bytes) if self._past_bytes else Past()
        return self._past

    @property
    def has_past(self) -> bool:
        """Whether anything is kept of the customer's past."""
        return self._past is not None or bool(self._past_bytes)

    @property
    def watch_ms(self) -> int:
        """The earliest instant at which a watch is due, 0 when none is; known without the past being read."""
        return self._watch_ms if self._past is None else self._past.due_ms()

    @property
    def exits(self) -> dict[str, dict[str, int]]:
        """The last exits, by journey and key."""
        return (self._history or self.history).exits

    @property
    def ended(self) -> list[Ended]:
        """The entries that have ended and whose goal can still be reached."""
        return (self._history or self.history).ended

    @property
    def sent(self) -> list[Sent]:
        """The messages that left."""
        return (self._history or self.history).sent

    @property
    def cases(self) -> list[Case]:
        """The cases that are open."""
        return (self._history or self.history).cases

    def has_seen(self, digest: bytes) -> bool:
        """Whether an event with this digest has changed this state before (among the last 128)."""
        at = self.seen.find(digest)
        while at != -1 and at % DIGEST_BYTES:
            at = self.seen.find(digest, at + 1)
        return at != -1

    def remember(self, digest: bytes) -> None:
        """Remember the event that changes this state, and forget the oldest beyond 128."""
        self.seen = (self.seen + digest)[-REMEMBERED_EVENTS * DIGEST_BYTES :]

    def settling_ms(self) -> int:
        """Find the earliest instant at which anything here wakes that does not recur for ever; 0 when nothing does."""
        entries = min((entry.due_ms for entry in self.entries if entry.due_ms), default=0)
        watch_ms = self.past.settling_ms() if self.has_past else 0
        return watch_ms if watch_ms and (not entries or watch_ms < entries) else entries

    def due_ms(self) -> int:
        """Find the earliest instant at which anything here wakes by itself; 0 when nothing does."""
        return self._due_ms(self.watch_ms)

    def _due_ms(self, watch_ms: int) -> int:
        due = 0
        for entry in self.entries:
            if entry.due_ms and (not due or entry.due_ms < due):
                due = entry.due_ms
        return watch_ms if watch_ms and (not due or watch_ms < due) else due


def _all_of(state: State) -> tuple[Profile, list[Entry], History, bytes, Past | None]:
    return state.profile, state.entries, state.history, state.seen, state.past if state.has_past else None


def _read(decoder: msgspec.msgpack.Decoder[_Part], raw: msgspec.Raw) -> _Part:
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise StorageError(f"a state record cannot be read: {error}; restore it from a backup") from error
