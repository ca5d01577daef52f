"""The state of one profile: the customer, where they stand in each journey, and what we said to them.

Owns the shapes that are stored. A field may be added at the end of a struct, with a default; anything
else is a new state format with an upgrade in `codec`. Steps are named by id, never by position.
Lists are in order of age. Nothing here knows how a journey works.
"""

from typing import Any

import msgspec

from orchestrator.model.event import KeptEvent
from orchestrator.model.profile import Profile

# How many ids of events a profile remembers, and the bytes each takes (CONTRACTS.md: the last 128).
REMEMBERED_EVENTS = 128
DIGEST_BYTES = 8


class Result(msgspec.Struct, array_like=True):
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
        if name in ("status", "channel", "action_id", "name"):
            return getattr(self, name)
        return self.values.get(name)


class Entry(msgspec.Struct, array_like=True):
    """One passage of a profile through a journey.

    `step` is where it stands, "" once it has ended. `due_ms` is when it wakes by itself, 0 when it only
    waits for an event. `properties` are the opening event's, as far as anybody reads them, `event` the
    last event it took, `channel` that event's. `results` are what steps left behind, by step id.
    `rounds` holds, by the id of a repeat step, [round, start in ms]. `sent_ms` is the instant of its
    last message, 0 for none. `held` lists the refusals on record for the message held since `held_ms`.
    `stopped_ms` is the wake-up of an entry whose journey is paused. `parked` is why it is parked.
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


class Ended(msgspec.Struct, array_like=True):
    """An entry that has ended and whose goal can still be reached, from `from_ms` until `until_ms`."""

    id: str
    journey: str
    version: int
    key: str | None
    from_ms: int
    until_ms: int
    properties: dict[str, Any] = {}
    actions: list[str] = []


class Sent(msgspec.Struct, array_like=True):
    """One message that left: what caps count and what receipts are about."""

    action_id: str
    at_ms: int
    journey: str
    entry_id: str
    step: str
    message: str
    channel: str
    purpose: str
    address: str | None = None


class Case(msgspec.Struct, array_like=True):
    """A case that is open for a person: ours, or the contact centre's own. `pause` are the purposes it silences."""

    id: str
    opened_ms: int
    pause: list[str] = []


class State(msgspec.Struct, array_like=True):
    """Everything kept for one profile, written and read as a whole.

    `exits` remembers, by journey and then by key ("" without one), the last exit in ms, for journeys
    whose `again` asks for it. `seen` holds the digests of the last events that changed this state.
    """

    profile: Profile
    entries: list[Entry] = []
    exits: dict[str, dict[str, int]] = {}
    ended: list[Ended] = []
    sent: list[Sent] = []
    seen: bytes = b""
    cases: list[Case] = []

    def has_seen(self, digest: bytes) -> bool:
        """Whether an event with this digest has changed this state before (among the last 128)."""
        at = self.seen.find(digest)
        while at != -1 and at % DIGEST_BYTES:
            at = self.seen.find(digest, at + 1)
        return at != -1

    def remember(self, digest: bytes) -> None:
        """Remember the event that changes this state, and forget the oldest beyond 128."""
        self.seen = (self.seen + digest)[-REMEMBERED_EVENTS * DIGEST_BYTES :]

    def due_ms(self) -> int:
        """Find the earliest instant at which anything here wakes by itself; 0 when nothing does."""
        due = 0
        for entry in self.entries:
            if entry.due_ms and (not due or entry.due_ms < due):
                due = entry.due_ms
        return due
