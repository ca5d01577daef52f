"""The catalog: every journey that is in force, indexed by what an event asks of it.

Owns the order in which journeys go (priority, highest first, then id) and the answer to "does anybody
ask for this event?", which keeps an event that nobody waits for as cheap as reading it. Immutable: a
new version makes a new catalog.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from orchestrator.model.audience import AskedPast, Audiences, Everything, asked_for, watches_of
from orchestrator.model.decision import Decision
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.journey import Journey
from orchestrator.model.project import WINDOWS_MS, Project
from orchestrator.model.rights import ERASE, Objection
from orchestrator.model.state import Entry, State

# Event types that the engine itself understands, whatever the journeys are (CONTRACTS.md).
# Some of a customer's addresses take nothing any more, while the message reached the others.
UNREACHABLE = "address_unreachable"
# What a customer wrote to us.
WRITTEN = "message_received"
# A message left by a channel on which it can be answered, and this is how an answer names it.
ANSWERABLE = "message_answerable"
# What happens in a case, ours or the contact centre's own.
CASE_EVENTS = frozenset({"case_opened", "case_answered", "case_closed"})
PROFILE_EVENTS = CASE_EVENTS | {"profile_updated", "consent_changed", "preference_changed", UNREACHABLE, ANSWERABLE}
RECEIPTS = frozenset(
    f"message_{what}"
    for what in ("sent", "delivered", "opened", "clicked", "bounced", "complained", "failed", "unsubscribed")
)
# Receipts that change a profile even when no journey asks for them.
TELLING_RECEIPTS = frozenset({"message_bounced", "message_complained", "message_failed", "message_unsubscribed"})


@dataclass(frozen=True, slots=True)
class Interest:
    """What one type of event means to a catalog, worked out once: every event of a stream asks.

    `is_profiles` and `is_receipt` tell whose business it is besides the journeys', `is_about_them` that it may change
    what is known of the customer by its type alone, `converts` that it can reach a goal after the end. `reacting` are
    the versions that ever react to it, `entering` the current journeys that it may open.
    """

    is_profiles: bool = False
    is_receipt: bool = False
    is_about_them: bool = False
    converts: bool = False
    reacting: Mapping[tuple[str, int], Journey] = field(default_factory=dict)
    entering: tuple[Journey, ...] = ()


NO_INTEREST = Interest()


class Admissions(Protocol):
    """What a runtime knows of all customers together: how many a journey has taken lately."""

    def has_room(self, journey: Journey, now_ms: int, besides: int) -> bool:
        """Tell whether a journey may take one more now, when `besides` were taken by the turn that asks."""


# Gives the noes that are remembered of an address, of people who were erased since.
Recall = Callable[[str], Iterable[Objection]]


class Planned(msgspec.Struct, gc=False):
    """What a planned turn came to: whether it changed the state (in place), what it decided and asks for."""

    changed: bool
    decisions: list[Decision]
    actions: list[Action] = []


# Takes one event at one instant; None leaves it, and the state as it was, to the funnel that every fact may pass.
Plan = Callable[[State, Event, int], Planned | None]


@dataclass(frozen=True, slots=True)
class Plans:
    """The turns of a catalog that are worked out beforehand: by type of event, and what timers wake."""

    by_event: Mapping[str, Plan]
    wake: Callable[[State, int], Planned | None]
    # Tells of an event, by its digest too, that it comes to nothing, by a look at the record; None where none that is
    # heard of does.
    passes: Callable[[Event, bytes, bytes, int], bool] | None = None


class Catalog:
    """The project with its journeys: `current` versions in order, and any older ones that entries are pinned to."""

    def __init__(self, project: Project, current: Iterable[Journey], older: Iterable[Journey] = ()) -> None:
        self.project = project
        self.current = tuple(sorted(current, key=lambda journey: (-journey.priority, journey.id)))
        self.versions = {(journey.id, journey.version): journey for journey in (*older, *self.current)}
        self._paused = frozenset(journey.id for journey in self.current if journey.status == "paused")
        # The versions that whoever is inside an older one moves to. A journey that stands still moves nobody either.
        self.migrating = {
            journey.id: journey
            for journey in self.current
            if journey.moves is not None and journey.status in ("live", "draining")
        }
        asked = frozenset().union(*(journey.asks for journey in self.versions.values()))
        read = RECEIPTS if any(journey.reads_receipts for journey in self.versions.values()) else TELLING_RECEIPTS
        # What a customer writes opens a channel's window, and belongs to their open case, whoever else asks for it.
        is_read = bool(project.teams) or not WINDOWS_MS.keys().isdisjoint(project.channels)
        self._of_profiles = PROFILE_EVENTS | ({WRITTEN} if is_read else frozenset())
        # Which message was answered is nobody's question where nobody hears of answers.
        self.hears_answers = WRITTEN in asked
        self.wanted = asked | self._of_profiles | read | {ERASE}
        known = asked | self._of_profiles | RECEIPTS
        self.interests = {event_type: self._interest_in(event_type) for event_type in known}
        # What can begin anything for a customer of whom nothing is known.
        entering = frozenset(event_type for event_type, interest in self.interests.items() if interest.entering)
        self.beginning = entering | self._of_profiles | RECEIPTS
        # The journeys with a limit, and who counts for them: a runtime puts in its own; None where nobody does.
        self.limited = {journey.id: journey for journey in self.current if journey.limit is not None}
        self.admissions: Admissions | None = None
        # Who remembers noes beyond erasures: a runtime puts in its own; None where nobody does.
        self.recall: Recall | None = None
        # Who asks for a customer's past; None when nobody does, and then nothing of it costs anything.
        self.audiences: Audiences | None = None
        # What `engine.plans` has worked out; None until it has.
        self.plans: Plans | None = None
        # What is heard of customers who are known, where more than that is wanted to get to know them at all.
        self.heard = self.wanted
        # The types that somebody asks for by name: what a metric's label may be, though every type is wanted.
        self.named = self.wanted
        self._listen()

    def _interest_in(self, event_type: str) -> Interest:
        versions = self.versions.items()
        return Interest(
            is_profiles=event_type in self._of_profiles,
            is_receipt=event_type in RECEIPTS,
            is_about_them=event_type in self._of_profiles or event_type in TELLING_RECEIPTS,
            converts=any(event_type in journey.goals_by_event for _, journey in versions),
            reacting={version: journey for version, journey in versions if event_type in journey.asks},
            # A draft does nothing but its examples: not even a word that it lets nobody in.
            entering=tuple(
                journey
                for journey in self.current
                if journey.status != "draft" and event_type in journey.enters_by_event
            ),
        )

    def _listen(self) -> None:
        past = AskedPast.together([self.project.asked, *(journey.asked for journey in self.versions.values())])
        hears_any = any(journey.hears_any_segment for journey in self.versions.values())
        segments = asked_for(self.project.segments.values(), None if hears_any else past.segments)
        past = AskedPast.together([past, *(segment.asked for segment in segments)])
        purchase = self.project.purchase.event if self.project.purchase is not None else None
        audiences = Audiences(segments, watches_of(self.current), past, purchase, self.project.retention.inactive_ms)
        if audiences.is_nothing:
            return
        self.audiences = audiences
        self.named = self.wanted | audiences.hears
        self.heard = Everything() if audiences.hears_all else self.wanted | audiences.hears
        # The same one where it says the same, so that nobody asks twice.
        self.wanted = Everything() if audiences.begins_all and not audiences.hears_all else self.heard
        self.beginning = Everything() if audiences.begins_all else self.beginning | audiences.hears

    def journey(self, journey_id: str, version: int) -> Journey | None:
        """Find the version that an entry is pinned to; None when it is gone."""
        return self.versions.get((journey_id, version))

    def successor(self, entry: Entry) -> Journey | None:
        """Find the version that an entry is to move to; None when it stays, or stands where no way leads from."""
        journey = self.migrating.get(entry.journey)
        if journey is None or journey.moves is None or entry.version >= journey.version or entry.parked is not None:
            return None
        return journey if journey.moves.get(entry.step, entry.step) in journey.steps else None

    def is_paused(self, journey_id: str) -> bool:
        """Tell whether entries of this journey, of whatever version, stand still."""
        return journey_id in self._paused
