"""Running examples: the tests that live with a journey, by the production engine on a virtual clock.

Owns playing one example from its setting to its end. Must never carry semantics of its own: what holds here holds in
production, because it is the same turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from orchestrator.channels.coupons import samples
from orchestrator.channels.rendering import Renderer
from orchestrator.errors import EventError
from orchestrator.language import Loaded
from orchestrator.language.definitions.example import Example
from orchestrator.model import codec, instants
from orchestrator.model.catalog import RECEIPTS
from orchestrator.model.event import Event
from orchestrator.model.profile import Profile
from orchestrator.model.state import State
from orchestrator.model.zones import zone_of
from orchestrator.runtime.simulated import Happened, SimulatedRuntime
from orchestrator.runtime.timers import NEVER_MS
from orchestrator.runtime.turn import Turned
from orchestrator.testing import setting, timeline
from orchestrator.testing.clock import VirtualClock
from orchestrator.testing.expectations import Difference, differences
from orchestrator.testing.played import Played
from orchestrator.testing.timeline import Timeline

# What recurs for ever would never be over.
LONGEST_MS = 365 * instants.DAY_MS


@dataclass(frozen=True)
class ExampleResult:
    """What came of an example: it passed, or `differences` say why not, the earliest first."""

    journey: str
    example: str
    timeline: Timeline
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything that the example names is as expected."""
        return not self.differences

    def report(self) -> str:
        """Tell the differences, then the whole timeline with the first of them marked."""
        notes: dict[int, list[str]] = {}
        for difference in self.differences:
            notes.setdefault(self.timeline.place_of(difference.decision), []).append(difference.text)
        told = [f"{self.journey}: {self.example}", *(f"  {one.text}" for one in self.differences)]
        return "\n".join([*told, "", *timeline.as_text(self.timeline, notes)])


def run_example(loaded: Loaded, journey_id: str, example: Example) -> ExampleResult:
    """Play one example of a journey and compare what came of it with what it expects."""
    played = play(loaded, journey_id, example)
    found = [
        Difference("split", f"split: there is no {fixed}", None)
        for fixed in setting.unknown_splits(played.journey, example.split)
    ]
    found += [Difference("given", f"given: {refusal}", None) for refusal in played.refused]
    found += differences(example.expect, played)
    found.sort(key=lambda difference: played.timeline.place_of(difference.decision))
    return ExampleResult(journey_id, example.name, played.timeline, tuple(found))


def run_examples(loaded: Loaded, journey_id: str | None = None) -> Iterator[ExampleResult]:
    """Run the examples of one journey, or of all, in the order of the files."""
    for name, definition in loaded.definitions.items():
        if journey_id in (None, name):
            for example in definition.examples:
                yield run_example(loaded, name, example)


def play(loaded: Loaded, journey_id: str, example: Example) -> Played:
    """Play one example without comparing anything."""
    catalog = setting.catalog_of(loaded.catalog, journey_id, example)
    # The zone is a trait like any other: found in a first draft of the customer, whose birth needs an instant.
    zone = zone_of(setting.profile_of(catalog.project, example, 0), catalog.project)
    clock = VirtualClock(example.start, zone)
    profile = setting.profile_of(catalog.project, example, clock.start_ms)
    runtime = SimulatedRuntime(
        catalog,
        clock.start_ms,
        {profile.id: setting.record_of(profile)},
        world=lambda action, now_ms: setting.answer_of(action, now_ms, example),
    )
    until_ms = NEVER_MS if example.until is None else clock.instant(example.until)
    refused: list[str] = []
    events = sorted(_events(example, clock, profile.customer_id), key=lambda event: event.time_ms)
    for event in events:
        if event.time_ms <= until_ms:
            _name_message(runtime, profile.id, event)
            try:
                runtime.receive(event)
            except EventError as error:
                # As in production, where it is a dead letter, and the stream goes on.
                refused.append(f"{event.type} is refused: {error}")
                runtime.history.append(Happened(event.time_ms, event, Turned("refused", None, (), (), ())))
    runtime.run_until(until_ms if example.until is not None else _end_ms(runtime, clock))
    record = runtime.record_of(profile.id)
    renderer = renderer_of(loaded)
    turns = [happened.turned for happened in runtime.history]
    return Played(
        journey=next(journey for journey in catalog.current if journey.id == journey_id),
        clock=clock,
        timeline=timeline.timeline_of(runtime.history, clock, renderer, samples(catalog.project.coupons)),
        decisions=tuple(decision for turned in turns for decision in turned.decisions),
        actions=tuple(action for turned in turns for action in turned.actions),
        # Who was erased, as they asked or after a long silence, is nobody any more.
        state=State(Profile(profile.id)) if record is None else codec.decode(record),
        renderer=renderer,
        refused=tuple(refused),
    )


def _end_ms(runtime: SimulatedRuntime, clock: VirtualClock) -> int:
    """Find the default end: when nothing waits any more but what recurs for ever, a year at most."""
    latest_ms = max(clock.start_ms + LONGEST_MS, runtime.now_ms)
    while runtime.next_settling_ms() <= latest_ms:
        runtime.run_until(runtime.next_settling_ms())
    return runtime.now_ms


def _events(example: Example, clock: VirtualClock, customer_id: str | None) -> Iterator[Event]:
    for number, given in enumerate(example.given, start=1):
        yield Event(
            id=given.id or f"given-{number}",
            type=given.event,
            time_ms=clock.instant(given.at),
            customer_id=customer_id,
            identifiers=dict(given.identifiers),
            channel=given.channel,
            raw_properties=msgspec.Raw(msgspec.json.encode(given.properties)),
        )


def _name_message(runtime: SimulatedRuntime, profile_id: str, event: Event) -> None:
    """Let a receipt name the message that it is about, as those of delivery do."""
    if event.type not in RECEIPTS or "action_id" in event.properties:
        return
    runtime.run_until(event.time_ms - 1)
    record = runtime.record_of(profile_id)
    found = None if record is None else setting.message_of(codec.decode(record), event.properties, event.channel)
    if found is not None:
        event.decoded = {**event.properties, "action_id": found}


def renderer_of(loaded: Loaded) -> Renderer:
    """Make a renderer of a project's messages."""
    return Renderer.of(loaded.catalog.project, loaded.messages)
