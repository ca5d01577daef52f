"""A customer of the shop, on a clock of their own: events go in by log time, decisions are read back as a story.

Owns what every runtime does around the turn: it keeps the record, fires what is due strictly before an event with the
instant at which it was due, and writes each event as a producer would. Only what nobody asks for comes to a turn too,
where a runtime ends it before, so that tests see what the turn does with it. Must never look inside a record: what it
knows of a customer is what the turn answered.
"""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.model import codec, envelopes, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Decision
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.journey import Journey
from orchestrator.model.project import Project
from orchestrator.model.state import State
from orchestrator.runtime.turn import Failure, Turned, on_event, on_timers
from shop.lengths import ms, text_of
from shop.projects import project as the_project

EVERYWHERE = {"email": "ana@shop.example", "device_token": "token-1", "phone": "+34600000001"}


def shift_of(at: str | int | None, start_ms: int, zone: str = "UTC") -> int:
    """Read an instant: "20m" after the start, or a local time such as "2026-03-29T01:59"."""
    if isinstance(at, int):
        return at
    if at is None:
        return start_ms
    if not at[:4].isdigit() or "-" not in at:
        return start_ms + ms(at)
    wall = datetime.fromisoformat(at)
    return instants.from_datetime(wall if wall.tzinfo else wall.replace(tzinfo=ZoneInfo(zone)))


class Customer:
    """One customer. Reachable on every channel and opted in to marketing, unless `profile` or `consents` say else.

    `at` of what is told is the length of time since the start; with `zone`, local time to the minute.
    """

    def __init__(
        self,
        *journeys: Journey,
        project: Project | None = None,
        older: tuple[Journey, ...] = (),
        name: str = "ana",
        start: str = "2026-01-05T10:00",
        zone: str | None = None,
        profile: dict[str, Any] | None = None,
        consents: tuple[dict[str, Any], ...] = ({"granted": True, "confirmed": True},),
    ) -> None:
        self.catalog = Catalog(project or the_project(), journeys, older)
        self.name = name
        self.zone = zone
        self.start_ms = shift_of(start, 0, zone or "UTC")
        self.record: bytes | None = None
        self.decisions: list[Decision] = []
        self.actions: list[Action] = []
        self.failures: list[Failure] = []
        # Every event as it was written, with its instant: to be given to others.
        self.wrote: list[tuple[int, bytes]] = []
        self._count = 0
        traits = {"timezone": zone} if zone else {}
        self.does("profile_updated", self.start_ms - 2, **traits, **(EVERYWHERE if profile is None else profile))
        for consent in consents:
            self.consents_to(self.start_ms - 1, **consent)

    def under(self, *journeys: Journey, older: tuple[Journey, ...] = (), project: Project | None = None) -> None:
        """Publish other journeys; who is inside stays where they are."""
        self.catalog = Catalog(project or self.catalog.project, journeys, older)

    def event(self, type: str, at: str | int | None = None, *, event_id: str | None = None, **fields: Any) -> Event:
        """Read the event of this customer out of its JSON, as a runtime does."""
        self._count += 1
        at_ms = shift_of(at, self.start_ms, self.zone or "UTC")
        named = {"customer_id": self.name, "id": event_id or f"{self.name}-{self._count}"}
        raw = json.dumps({"type": type, "time": at_ms, **named, **fields}).encode()
        self.wrote.append((at_ms, raw))
        return envelopes.read(raw, at_ms)

    def does(
        self,
        type: str,
        at: str | int | None = None,
        *,
        event_id: str | None = None,
        channel: str | None = None,
        identifiers: dict[str, str] | None = None,
        **properties: Any,
    ) -> Turned:
        """Let the customer do something, after all that was due strictly before."""
        fields = {"channel": channel, "identifiers": identifiers, "properties": properties}
        return self.take_in_time(self.event(type, at, event_id=event_id, **fields))

    def consents_to(self, at: str | int | None = None, **statement: Any) -> Turned:
        """Let the customer state a consent; unlike elsewhere, `channel` is what the statement is about."""
        return self.take_in_time(self.event("consent_changed", at, properties=statement))

    def take_in_time(self, event: Event) -> Turned:
        """Apply an event at its own time, after all that was due strictly before."""
        self.wake_until(event.time_ms - 1)
        return self.take(event)

    def take(self, event: Event) -> Turned:
        """Apply an event as it is, at its own time."""
        return self._keep(on_event(self.catalog, event, self.record, event.time_ms))

    def until(self, at: str | int) -> None:
        """Let time pass: whatever is due up to then, that instant included, fires at the instant it was due."""
        self.wake_until(shift_of(at, self.start_ms, self.zone or "UTC"))

    def wake_until(self, until_ms: int) -> None:
        while self.record is not None and 0 < (due_ms := codec.due_of(self.record)) <= until_ms:
            self.wake_at(due_ms)

    def wake_at(self, at: str | int) -> Turned:
        """Wake the customer at an instant, whether or not anything is due."""
        assert self.record is not None
        return self._keep(on_timers(self.catalog, self.record, shift_of(at, self.start_ms, self.zone or "UTC")))

    def _keep(self, turned: Turned) -> Turned:
        self.record = turned.record or self.record
        self.decisions += turned.decisions
        self.actions += turned.actions
        self.failures += turned.failures
        return turned

    @property
    def state(self) -> State:
        assert self.record is not None
        return codec.decode(self.record)

    @property
    def told(self) -> list[tuple[str, str, str | None, str]]:
        """Tell what was decided: (verdict, reason, step, at)."""
        return [(str(one.verdict), str(one.reason), one.step, self.clock(one.at)) for one in self.decisions]

    @property
    def told_by_journey(self) -> list[tuple[str, str, str, str | None, str]]:
        """Tell what was decided: (journey, verdict, reason, step, at)."""
        return [(one.journey, *told) for one, told in zip(self.decisions, self.told, strict=True)]

    @property
    def messages(self) -> list[tuple[str | None, str | None, str]]:
        """List what left: (message, channel, at)."""
        return [(one.message, one.channel, self.clock(one.at)) for one in self.actions if one.kind == "message"]

    @property
    def withheld(self) -> list[tuple[str | None, str | None, str]]:
        """List what did not leave: (step, channel, reason)."""
        verdicts = ("suppressed", "held")
        return [
            (one.step, one.saw.get("channel"), str(one.reason)) for one in self.decisions if one.verdict in verdicts
        ]

    @property
    def saw(self) -> list[dict[str, Any]]:
        """List what each decision looked at."""
        return [one.saw for one in self.decisions]

    def forget(self) -> None:
        """Forget what was told so far, so that the rest of a story can be told by itself."""
        self.decisions, self.actions, self.failures = [], [], []

    def clock(self, at: str) -> str:
        instant = datetime.fromisoformat(at)
        if self.zone is None:
            return text_of(instants.from_datetime(instant) - self.start_ms)
        return instant.astimezone(UTC).astimezone(ZoneInfo(self.zone)).strftime("%Y-%m-%dT%H:%M")
