"""Wakes: what the commonest timers do, worked out once for each step that entries wait at.

The other half of `plans`, with the same promise: a wait that is over leads to a message and to the next wait, or to the
end. Owns which timers those are, and those turns; whatever needs more (another entry beside it, a step that acts on the
profile) is the funnel's. Must never come to anything else than the funnel would.
"""

from typing import Any

from orchestrator.engine import endings, guards, payload, walking
from orchestrator.engine.steps import sends
from orchestrator.engine.turn import TIMER, Turn
from orchestrator.model import ids, instants
from orchestrator.model.catalog import Catalog, Planned
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.expression import Scope
from orchestrator.model.journey import Choose, Exit, Journey, Send, Split, Step, Wait, WaitFor, WaitUntil
from orchestrator.model.project import WINDOWS_MS, Project
from orchestrator.model.state import Entry, Result, Sent, State

# Bound once, as everywhere on the hot path.
_RESUMED, _TIME_PASSED, _TIMED_OUT = Verdict.RESUMED.value, Reason.TIME_PASSED.value, Reason.TIMED_OUT.value
_WAITED, _TIME, _FOR_EVENT = Verdict.WAITED.value, Reason.TIME.value, Reason.FOR_EVENT.value
_SENT, _ALLOWED, _COMPLETED = Verdict.SENT.value, Reason.ALLOWED.value, Reason.COMPLETED.value


class Wakes:
    """The timers of a catalog that go by plan, by journey, version and step."""

    def __init__(self, catalog: Catalog) -> None:
        self._steps: dict[tuple[str, int, str], _Wake | _Walk] = {}
        if catalog.audiences is not None or catalog.migrating:
            return
        for journey in catalog.versions.values():
            for step in journey.steps.values():
                wake = None if catalog.is_paused(journey.id) else _wake_of(catalog, journey, step)
                if wake is not None:
                    self._steps[journey.id, journey.version, step.id] = wake

    def take(self, state: State, now_ms: int) -> Planned | None:
        """Wake the only entry of a state, if that is all that is due; None leaves it to the funnel."""
        entries = state.entries
        if len(entries) != 1 or state.has_past:
            return None
        entry = entries[0]
        wake = self._steps.get((entry.journey, entry.version, entry.step))
        if (
            wake is None
            or not 0 < entry.due_ms <= now_ms
            or entry.parked is not None
            or entry.stopped_ms
            or entry.done
            or (not entry.held_ms if wake.is_held else entry.held)
        ):
            return None
        return wake.take(state, entry, now_ms)


class _Walk:
    """The end of one wait, or of the quiet hours that held a message, where the steps that follow say what follows."""

    def __init__(self, catalog: Catalog, journey: Journey, step: Step) -> None:
        self.is_held = type(step) is Send
        self._catalog = catalog
        self._journey = journey
        self._step_id = step.id
        self._reason = _TIMED_OUT if isinstance(step, WaitFor) else _TIME_PASSED
        self._following = step.id if self.is_held else _following(step)

    def take(self, state: State, entry: Entry, now_ms: int) -> Planned:
        """Wake the entry."""
        turn_id, at = ids.derive(entry.id, self._step_id, str(entry.due_ms)), instants.to_text(now_ms)
        actions: list[Action] = []
        told: list[Decision] = []
        journey, entry.due_ms = self._journey, 0
        if not self.is_held:
            told.append(
                Decision(
                    f"{turn_id}-0", at, state.profile_id, journey.id, journey.version, entry.id, self._step_id,
                    _RESUMED, self._reason, TIMER, {},
                )
            )  # fmt: skip
        turn = Turn(self._catalog, state, now_ms, {}, actions, told, _id=turn_id, _at=at)
        walking.walk(turn, journey, entry, self._following)
        return Planned(True, told, actions)


class _Wake:
    """The end of one wait, and all that follows until the next one or the end."""

    is_held = False

    def __init__(self, catalog: Catalog, journey: Journey, step: Step, send: Send | None, last: Step | None) -> None:
        self._send_id = None if send is None else send.id
        self._sending = None if send is None else _sending_of(catalog, journey, send)
        self._catalog = catalog
        self._journey = journey
        self._step_id = step.id
        self._reason = _TIMED_OUT if isinstance(step, WaitFor) else _TIME_PASSED
        self._exit = last if isinstance(last, Exit) else None
        self._next = last if isinstance(last, (Wait, WaitFor)) else None
        self._for_ms = last.after_ms if isinstance(last, Wait) else last.within_ms if isinstance(last, WaitFor) else 0
        self._waits = _FOR_EVENT if isinstance(last, WaitFor) else _TIME

    def take(self, state: State, entry: Entry, now_ms: int) -> Planned:
        """Wake the entry."""
        journey, profile_id, entry_id = self._journey, state.profile_id, entry.id
        turn_id, at = ids.derive(entry_id, self._step_id, str(entry.due_ms)), instants.to_text(now_ms)
        told = [
            Decision(
                f"{turn_id}-0", at, profile_id, journey.id, journey.version, entry_id, self._step_id,
                _RESUMED, self._reason, TIMER, {},
            )
        ]  # fmt: skip
        actions: list[Action] = []
        if self._send_id is not None:
            action = None if self._sending is None else self._sending.leave(state, entry, now_ms, at)
            if action is None or self._sending is None:  # whether it may leave, and what then, is the step's own to say
                turn = Turn(self._catalog, state, now_ms, {}, actions, told, _id=turn_id, _at=at)
                entry.due_ms = 0
                walking.walk(turn, journey, entry, self._send_id)
                return Planned(True, told, actions)
            actions.append(action)
            told.append(
                Decision(
                    f"{turn_id}-1", at, profile_id, journey.id, journey.version, entry_id, action.step,
                    _SENT, _ALLOWED, TIMER, self._sending.about(), action.id,
                )
            )  # fmt: skip
        step = self._next
        if step is None:
            turn = Turn(self._catalog, state, now_ms, {}, actions, told, _id=turn_id, _at=at)
            left = self._exit
            endings.end(turn, journey, entry, *((left.reason, left.id) if left is not None else (_COMPLETED, None)))
            return Planned(True, told, actions)
        if self._waits is _FOR_EVENT:
            entry.results.pop(step.id, None)
        entry.step, entry.due_ms = step.id, now_ms + self._for_ms
        told.append(
            Decision(
                f"{turn_id}-{len(told)}", at, profile_id, journey.id, journey.version, entry_id, step.id,
                _WAITED, self._waits, TIMER, {"until": instants.to_text(entry.due_ms)},
            )
        )  # fmt: skip
        return Planned(True, told, actions)


class _Sending:
    """A message that only a missing address or an open case keeps from leaving by the first of its channels."""

    def __init__(self, project: Project, journey: Journey, step: Send, channel: str) -> None:
        self._project, self._journey, self._step = project, journey, step
        self._version = str(journey.version)
        self._message = project.messages[step.message]
        self._channel = project.channels[channel]
        self._readers = payload.readers_of(self._message.reads.get(channel, ()))
        # With one language, or none, whatever the customer speaks comes to the same.
        languages = self._message.languages or project.languages[:1]
        self._language = languages[0] if len(languages) == 1 else None
        self._track = None if guards.TRACKING_PURPOSE in project.purposes else self._channel.track

    def about(self) -> dict[str, Any]:
        """Say what a decision shows of it."""
        step = self._step
        return {"channel": self._channel.name, "message": step.message, "purpose": step.purpose}

    def leave(self, state: State, entry: Entry, now_ms: int, at: str) -> Action | None:
        """Let the message leave, and keep what is kept of it; None, with nothing changed, where it may not."""
        profile, sent, step, journey = state.profile, state.sent, self._step, self._journey
        channel = self._channel.name
        scope = Scope(self._project, state, now_ms)
        address = self._channel.address.evaluate(scope)
        if address.__class__ is not str or state.cases or profile.unreachable or len(sent) >= sends.KEPT_SENT:
            return None
        address = address.strip()
        if not address:
            return None
        scope.see(entry.event, entry)
        data = payload.read_by(self._readers, scope)
        if step.data:
            data["data"] = {name: expression.evaluate(scope) for name, expression in step.data}
        expires_ms, profile_id, entry_id = step.expires_ms, state.profile_id, entry.id
        until_ms = now_ms + (sends.STALE_AFTER_MS if expires_ms is None else expires_ms)
        action_id = ids.derive(journey.id, self._version, profile_id, entry_id, step.id, "1")
        entry.results[step.id] = Result("sent", channel, action_id)
        entry.sent_ms = now_ms
        entry.messages += 1
        sent.append(
            Sent(
                action_id, now_ms, journey.id, entry_id, step.id, step.message, channel, step.purpose,
                address, until_ms, journey.version,
            )
        )  # fmt: skip
        return Action(
            action_id, "message", profile_id, profile.customer_id, journey.id, journey.version, entry_id, step.id, at,
            channel, step.message, step.purpose,
            self._language or payload.language_of(scope, self._project, self._message),
            address,
            None if expires_ms is None else instants.to_text(until_ms),
            sends.STALE_AFTER if expires_ms is None else None,
            None,
            data,
            list(self._track) if self._track is not None else guards.tracked(profile, self._project, channel),
        )  # fmt: skip


def _is_unguarded(project: Project, journey: Journey, step: Send, channel: str) -> bool:
    """Whether nothing but a missing address, or an open case, can stand in the way of a message."""
    purpose = project.purposes[step.purpose]
    return (
        purpose.consent == "none"
        and purpose.only_if is None
        and not purpose.caps
        and not project.quiet_hours[purpose.name, channel]
        and not journey.holdout_percent
        and channel not in WINDOWS_MS
    )


def _following(step: Step) -> str | None:
    """Name the step that the end of a wait leads to."""
    return step.on_timeout if isinstance(step, WaitFor) else step.next


def _wake_of(catalog: Catalog, journey: Journey, step: Step) -> _Wake | _Walk | None:
    if type(step) is Send:
        return _Walk(catalog, journey, step) if _is_walked_alone(journey, step.id) else None
    if not isinstance(step, (Wait, WaitFor, WaitUntil)):
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
        return _Wake(catalog, journey, step, send, last)
    return _Walk(catalog, journey, step) if _is_walked_alone(journey, following) else None


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


def _sending_of(catalog: Catalog, journey: Journey, step: Send) -> _Sending | None:
    """Plan a message that is in no round of a repeat, and whose first channel is named and asks for nothing."""
    project = catalog.project
    content = project.messages[step.message].channels
    named = [name for name in step.channels if name in ("same", "preferred") or name in content]
    if step.inside or not named or named[0] not in content or named[0] not in project.channels:
        return None
    return _Sending(project, journey, step, named[0]) if _is_unguarded(project, journey, step, named[0]) else None
