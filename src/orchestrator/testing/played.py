"""An example after it was played: what came of it, in the words of `expect`.

Owns the reading of decisions and state as an author sees them: path, exits, what was withheld. Must never compare.
"""

from dataclasses import dataclass
from functools import cached_property

from orchestrator.channels.rendering import Renderer
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.journey import Journey, Repeat
from orchestrator.model.state import Entry, State
from orchestrator.testing.clock import VirtualClock
from orchestrator.testing.timeline import Timeline

# What is no step that an entry comes to, and where it stands still.
_NO_STEPS = (Verdict.EXITED, Verdict.CONVERTED)
_STANDS = (Verdict.WAITED, Verdict.HELD)
_ROUNDS_OVER = {Reason.AT_MOST, Reason.UNTIL_TRUE, Reason.UNTIL_EVENT}


@dataclass(frozen=True)
class Played:
    """One example's outcome: `decisions` and `actions` of all journeys, `state` of the customer at the end.

    `renderer` puts the project's texts into words. `refused` tells of given events that nobody can take, and why.
    """

    journey: Journey
    clock: VirtualClock
    timeline: Timeline
    decisions: tuple[Decision, ...]
    actions: tuple[Action, ...]
    state: State
    renderer: Renderer
    refused: tuple[str, ...] = ()

    @cached_property
    def own(self) -> tuple[Decision, ...]:
        """The decisions of the journey under test."""
        return tuple(decision for decision in self.decisions if decision.journey == self.journey.id)

    def with_verdict(self, *verdicts: Verdict) -> list[Decision]:
        """List the journey's decisions of these verdicts."""
        return [decision for decision in self.own if decision.verdict in verdicts]

    def last(self) -> Decision | None:
        """Give the last thing that was decided about the journey."""
        return self.own[-1] if self.own else None

    @cached_property
    def live(self) -> list[Entry]:
        """The journey's entries that are still inside, by age."""
        return [entry for entry in self.state.entries if entry.journey == self.journey.id]

    def exits(self) -> list[tuple[str | None, Decision]]:
        """Tell how each entry ended, by age: the reason, None while it lives; with the decision that says so."""
        exits = {decision.entry_id: decision for decision in self.with_verdict(Verdict.EXITED)}
        found: list[tuple[str | None, Decision]] = []
        for entered in self.with_verdict(Verdict.ENTERED):
            exited = exits.get(entered.entry_id)
            found.append((None, entered) if exited is None else (exited.reason, exited))
        return found

    def path(self) -> list[tuple[str, Decision]]:
        """List the steps that entries came to: a repeat once for all its rounds, before what is inside it."""
        walks: dict[str | None, _Walk] = {}
        found: list[tuple[str, Decision]] = []
        for decision in self.own:
            if decision.step is None or decision.entry_id is None or decision.verdict in _NO_STEPS:
                continue
            walk = walks.setdefault(decision.entry_id, _Walk())
            step = self.journey.steps.get(decision.step)
            if walk.comes_to(decision, is_repeat=isinstance(step, Repeat)):
                found.append((decision.step, decision))
        return found


class _Walk:
    """One entry's way so far: where it stands, and the repeats that it is inside of."""

    def __init__(self) -> None:
        self.at: str | None = None
        self.waits = False
        self.inside: set[str] = set()

    def comes_to(self, decision: Decision, *, is_repeat: bool) -> bool:
        """Follow a decision; tell whether it is the first about this step since the entry came there."""
        step = decision.step or ""
        if self.waits and step != self.at and decision.verdict != Verdict.MOVED and decision.reason not in _ROUNDS_OVER:
            return False  # something has come back about a step that is behind it: a bounce, a case that was closed
        self.waits = decision.verdict in _STANDS
        if is_repeat:
            is_new = step not in self.inside
            self.inside.add(step)
            if decision.reason in _ROUNDS_OVER:
                self.inside.discard(step)
        else:
            is_new = step != self.at
        self.at = step
        return is_new
