"""Wakes: what the commonest timers do, worked out once for each step that entries wait at.

The other half of `plans`, with the same promise: a wait that is over leads to a message and to the next wait, or to the
end. Owns which timers those are, and those turns; whatever needs more (another entry beside it, a step that acts on the
profile) is the funnel's. Must never come to anything else than the funnel would.
"""

from collections.abc import Mapping

from orchestrator.engine import endings, walking
from orchestrator.engine.offers import Offer, Told
from orchestrator.engine.steps import sends
from orchestrator.engine.steps.going import STAY
from orchestrator.engine.stillness import stillness_of
from orchestrator.engine.turn import Turn
from orchestrator.model import ids, instants
from orchestrator.model.catalog import Catalog, Planned
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Choose, Exit, Journey, Send, Split, Step, Wait, WaitFor, WaitUntil
from orchestrator.model.state import Entry, State

# Bound once, as everywhere on the hot path.
_RESUMED, _TIME_PASSED, _TIMED_OUT = Verdict.RESUMED.value, Reason.TIME_PASSED.value, Reason.TIMED_OUT.value
_WAITED, _TIME, _FOR_EVENT = Verdict.WAITED.value, Reason.TIME.value, Reason.FOR_EVENT.value
_COMPLETED = Reason.COMPLETED.value


class Wakes:
    """The timers of a catalog that go by plan, by journey, version and step."""

    def __init__(self, catalog: Catalog) -> None:
        self.steps: dict[tuple[str, int, str], _Walk] = {}
        self._is_still = stillness_of(catalog)
        if catalog.migrating:
            return
        for journey in catalog.versions.values():
            if catalog.is_paused(journey.id):
                continue
            sends_of = (step for step in journey.steps.values() if type(step) is Send)
            # A send in a repeat is another one in each round: its own to say.
            offers = {step.id: Offer(catalog.project, journey, step) for step in sends_of if not step.inside}
            for step in journey.steps.values():
                wake = _wake_of(catalog, journey, step, offers)
                if wake is not None:
                    self.steps[journey.id, journey.version, step.id] = wake

    def take(self, state: State, now_ms: int) -> Planned | None:
        """Wake the only entry of a state, if that is all that is due; None leaves it to the funnel."""
        entries = state.entries
        if len(entries) != 1:
            return None
        entry = entries[0]
        wake = self.steps.get((entry.journey, entry.version, entry.step))
        if (
            wake is None
            or not 0 < entry.due_ms <= now_ms
            or entry.parked is not None
            or entry.stopped_ms
            or entry.done
            or (wake.is_held and not entry.held_ms)
            or not self._is_still(state, now_ms)
        ):
            return None
        return wake.take(state, entry, now_ms)


class _Walk:
    """The end of one wait, or of the quiet hours that held a message, where the steps that follow say what follows.

    Messages on the way are offered as worked out, where they can be.
    """

    def __init__(self, catalog: Catalog, journey: Journey, step: Step, offers: Mapping[str, Offer]) -> None:
        self.is_held = type(step) is Send
        self._offers = offers
        self._catalog = catalog
        self._journey = journey
        self._step_id = step.id
        self._reason = _TIMED_OUT if isinstance(step, WaitFor) else _TIME_PASSED
        self._following = _following(step)

    def take(self, state: State, entry: Entry, now_ms: int) -> Planned:
        """Wake the entry."""
        told = self._begin(state, entry, now_ms)
        return self._walk(state, entry, now_ms, told)

    def _begin(self, state: State, entry: Entry, now_ms: int) -> Told:
        told = Told(ids.derive(entry.id, self._step_id, str(entry.due_ms)), instants.to_text(now_ms))
        if not self.is_held:
            told.tell(self._journey, state, entry, entry.step, _RESUMED, self._reason, {})
        return told

    def _walk(self, state: State, entry: Entry, now_ms: int, told: Told) -> Planned:
        entry.due_ms = 0
        turn, journey, step_id = self._turn(state, now_ms, told), self._journey, self._following
        while step_id is not None:
            step, offer = journey.steps[step_id], self._offers.get(step_id)
            became = None if offer is None else offer.make(state, entry, now_ms, told)
            if became is None:  # whether it may leave, and what then, is the step's own to say
                step_id = walking.HANDLERS[type(step)](turn, journey, entry, step)
            else:
                step_id = STAY if became is sends.HELD else step.next
            if step_id is STAY:
                return Planned(True, told.decisions, told.actions)
        endings.end(turn, journey, entry, _COMPLETED, None)
        return Planned(True, told.decisions, told.actions)

    def _turn(self, state: State, now_ms: int, told: Told) -> Turn:
        return Turn(self._catalog, state, now_ms, {}, told.actions, told.decisions, _id=told.turn_id, _at=told.at)


class _Wake(_Walk):
    """The same where at most one message and then a wait, or the end, follow."""

    def __init__(
        self,
        catalog: Catalog,
        journey: Journey,
        step: Step,
        offers: Mapping[str, Offer],
        send: Send | None,
        last: Step | None,
    ) -> None:
        super().__init__(catalog, journey, step, offers)
        self._sends = send is not None
        self._offer = None if send is None else offers.get(send.id)
        self._exit = last if isinstance(last, Exit) else None
        self._next = last if isinstance(last, (Wait, WaitFor)) else None
        self._for_ms = last.after_ms if isinstance(last, Wait) else last.within_ms if isinstance(last, WaitFor) else 0
        self._waits = _FOR_EVENT if isinstance(last, WaitFor) else _TIME

    def take(self, state: State, entry: Entry, now_ms: int) -> Planned:
        """Wake the entry."""
        told = self._begin(state, entry, now_ms)
        if self._sends:
            became = None if self._offer is None else self._offer.make(state, entry, now_ms, told)
            if became is None:
                return self._walk(state, entry, now_ms, told)
            if became is sends.HELD:
                return Planned(True, told.decisions, told.actions)
        step = self._next
        if step is None:
            left = self._exit
            how = (left.reason, left.id) if left is not None else (_COMPLETED, None)
            endings.end(self._turn(state, now_ms, told), self._journey, entry, *how)
            return Planned(True, told.decisions, told.actions)
        if self._waits is _FOR_EVENT:
            entry.results.pop(step.id, None)
        entry.step, entry.due_ms = step.id, now_ms + self._for_ms
        saw = {"until": instants.to_text(entry.due_ms)}
        told.tell(self._journey, state, entry, entry.step, _WAITED, self._waits, saw)
        return Planned(True, told.decisions, told.actions)


def _following(step: Step) -> str | None:
    """Name the step that the end of a wait leads to; of what holds a message that is the step itself."""
    if type(step) is Send:
        return step.id
    return step.on_timeout if isinstance(step, WaitFor) else step.next


def _wake_of(catalog: Catalog, journey: Journey, step: Step, offers: Mapping[str, Offer]) -> _Walk | None:
    if type(step) is not Send and not isinstance(step, (Wait, WaitFor, WaitUntil)):
        return None
    following = _following(step)
    last = None if following is None else journey.steps[following]
    send = None
    if type(last) is Send:
        send, last = last, None if last.next is None else journey.steps[last.next]
    is_simple = last is None or isinstance(last, (Exit, WaitFor))
    if isinstance(last, Wait):
        is_simple = not (last.kept.event or last.kept.events)
    if is_simple:
        return _Wake(catalog, journey, step, offers, send, last)
    return _Walk(catalog, journey, step, offers) if _is_walked_alone(journey, following) else None


def _is_walked_alone(journey: Journey, first: str | None) -> bool:
    """Whether whatever is walked from a step on, until the next wait or the end, concerns its own entry alone."""
    seen: set[str] = set()
    ahead = [first]
    while ahead:
        step_id = ahead.pop()
        if step_id is None or step_id in seen:
            continue
        seen.add(step_id)
        step = journey.steps[step_id]
        if isinstance(step, Choose):
            ahead += [step.next, *(first for _, first in step.branches)]
        elif isinstance(step, Split):
            ahead += [branch.first for branch in step.branches]
        elif type(step) is Send or isinstance(step, WaitUntil):  # a date that has passed leads on
            ahead.append(step.next)
        elif not isinstance(step, (Exit, Wait, WaitFor)):
            return False
    return True
