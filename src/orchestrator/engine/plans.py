"""Plans: what the commonest events do, with all that the journeys say about it worked out beforehand.

Most events of a stream that anybody asks about find a customer who stands in no journey or in one, and let them in,
start their wait again, end their entry, or come to nothing. The funnel (`advance`) asks of each of them what could be
asked of any; a plan asks only what can still differ, in the same order and with the same words. Owns which situations
those are, and those turns (`wakes` those of timers). Whatever else a state or a catalog holds is the funnel's: a plan
then gives None before it has changed anything. Must never come to anything else than the funnel would:
`tests/properties/test_plan_laws.py` compares both, byte by byte.
"""

from typing import Any

from orchestrator.engine import cancelling, guards, matching
from orchestrator.engine.entering import may_enter_again
from orchestrator.engine.matching import ABOUT_A_MESSAGE
from orchestrator.engine.stillness import heard_beside, passing_of
from orchestrator.engine.turn import Turn
from orchestrator.engine.waiting import keep_event
from orchestrator.engine.wakes import Wakes
from orchestrator.model import ids, instants
from orchestrator.model.catalog import Catalog, Plan, Planned, Plans
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.model.event import Event, keep, pick
from orchestrator.model.expression import Scope
from orchestrator.model.journey import ExitRule, GoalRule, Journey, Send, Wait, WaitFor
from orchestrator.model.state import Entry, Result, State

# Bound once, as everywhere on the hot path.
_ENTERED, _EVENT, _NOT_ENTERED = Verdict.ENTERED.value, Reason.EVENT.value, Verdict.NOT_ENTERED.value
_CONDITION_FALSE, _KEY_MISSING = Reason.CONDITION_FALSE.value, Reason.KEY_MISSING.value
_ALREADY_INSIDE, _NOT_AGAIN = Reason.ALREADY_INSIDE.value, Reason.NOT_AGAIN.value
_WAITED, _TIME, _RESTARTED = Verdict.WAITED.value, Reason.TIME.value, Reason.RESTARTED.value
_CONVERTED, _EXITED, _GOAL = Verdict.CONVERTED.value, Verdict.EXITED.value, Reason.GOAL.value

_NOTHING = Planned(False, [])


def plans_of(catalog: Catalog) -> Plans:
    """Work out the plans of a catalog, once; a type of event without one is the funnel's."""
    plans = catalog.plans
    if plans is None:
        by_event: dict[str, Plan] = {}
        for event_type, plan in events_of(catalog).items():
            take: Plan | None = plan.take
            if catalog.audiences is not None:
                take = heard_beside(catalog, catalog.audiences, event_type, plan.take)
            if take is not None:
                by_event[event_type] = take
        catalog.plans = plans = Plans(by_event, Wakes(catalog).take, passing_of(catalog))
    return plans


def events_of(catalog: Catalog) -> "dict[str, Arrival | Departures]":
    """Work out what is planned of each type of event."""
    found = {event_type: _plan_of(catalog, event_type) for event_type in catalog.interests}
    return {event_type: plan for event_type, plan in found.items() if plan is not None}


def _plan_of(catalog: Catalog, event_type: str) -> "Arrival | Departures | None":
    interest = catalog.interests[event_type]
    if interest.is_profiles or interest.is_receipt or event_type in ABOUT_A_MESSAGE:
        return None
    if catalog.migrating:
        return None
    if not interest.entering:
        return Departures(catalog, event_type)
    if interest.converts or len(interest.entering) > 1:
        return None
    return _arrival(catalog, interest.entering[0], event_type)


def _steps_standing(journey: Journey, event_type: str) -> dict[str, Wait | None]:
    """Tell by step what an event does to who stands there: the wait that it starts again, None for nothing."""
    found: dict[str, Wait | None] = {}
    for step in journey.steps.values():
        if isinstance(step, Wait):
            found[step.id] = step if event_type in step.restart_on else None
        elif type(step) is Send:
            found[step.id] = None  # its message is held, whatever comes
        elif isinstance(step, WaitFor) and not any(event_type in branch.trigger.events for branch in step.branches):
            found[step.id] = None
    return found


def _is_usual(entry: Entry, journey: Journey) -> bool:
    """Whether an entry is of this very version, and neither parked nor stopped."""
    return (
        entry.journey == journey.id
        and entry.version == journey.version
        and entry.parked is None
        and not entry.stopped_ms
    )


class Arrival:
    """What opens entries of one journey, and starts its waits again."""

    def __init__(self, catalog: Catalog, journey: Journey, event_type: str, first: Wait) -> None:
        (trigger,) = journey.enters_by_event[event_type]
        self._catalog = catalog
        self.journey = journey
        self.where = trigger.where
        self.first = first
        self.draws = bool(journey.holdout_percent or catalog.project.holdout_percent)
        self.standing = _steps_standing(journey, event_type)
        # Conditions under which the same event ends an entry; an untaken one is never told of beside what is told here.
        self.exits = [rule.trigger.where for rule in journey.exits_by_event.get(event_type, ())]

    def take(self, state: State, event: Event, now_ms: int) -> Planned | None:
        """Let the event start a wait again, and open an entry or not."""
        journey, entries = self.journey, state.entries
        entry = step = None
        if entries:
            entry = entries[0]
            if len(entries) > 1 or entry.step not in self.standing or not _is_usual(entry, journey):
                return None
            step = self.standing[entry.step]
        properties = event.properties
        scope = Scope(self._catalog.project, state, now_ms, event, entry)
        key = None if journey.key is None else matching.as_key(properties.get(journey.key))
        if entry is not None and self.exits and (key is None or key == entry.key):
            for condition in self.exits:
                if condition is None or condition.evaluate(scope):
                    return None
        scope.entry = None
        where = self.where
        saw = {} if where is None else where.values_seen(scope)
        holds = where is None or where.evaluate(scope)
        event_id, profile_id = event.id, state.profile_id
        turn_id, at = ids.derive(profile_id, event_id), instants.to_text(now_ms)
        told: list[Decision] = []
        changed = False
        if entry is not None and step is not None and (key is None or key == entry.key):
            keep_event(journey, entry, step, event)
            entry.due_ms = now_ms + step.after_ms
            until = {"until": instants.to_text(entry.due_ms)}
            changed = True
            told.append(
                Decision(
                    f"{turn_id}-0", at, profile_id, journey.id, journey.version, entry.id, step.id,
                    _WAITED, _RESTARTED, event_id, until,
                )
            )  # fmt: skip
        if key is not None and journey.shows_key:
            saw["key"] = key
        refusal = self._refusal(state, entry, key, now_ms) if holds else _CONDITION_FALSE
        if refusal is None:
            self._open(state, event, now_ms, key, saw, told, turn_id, at)
            return Planned(True, told)
        if refusal is _KEY_MISSING:
            saw["lacks"] = journey.key
        told.append(
            Decision(
                f"{turn_id}-{len(told)}", at, profile_id, journey.id, journey.version, None, None,
                _NOT_ENTERED, refusal, event_id, saw,
            )
        )  # fmt: skip
        return Planned(changed, told)

    def _refusal(self, state: State, entry: Entry | None, key: str | None, now_ms: int) -> str | None:
        journey = self.journey
        if journey.key is not None and key is None:
            return _KEY_MISSING
        again = journey.again.kind
        if entry is not None and again != "always" and entry.key == key:
            return _ALREADY_INSIDE
        if again in ("once", "after") and not may_enter_again(state, journey, key, now_ms):
            return _NOT_AGAIN
        return None

    def _open(
        self,
        state: State,
        event: Event,
        now_ms: int,
        key: str | None,
        saw: dict[str, Any],
        told: list[Decision],
        turn_id: str,
        at: str,
    ) -> None:
        journey, step, profile_id = self.journey, self.first, state.profile_id
        due_ms = now_ms + step.after_ms
        entry_id = ids.derive(journey.id, profile_id, event.id)
        entry = Entry(
            entry_id, journey.id, journey.version, key, now_ms, step.id, due_ms,
            pick(event.properties, journey.entry_reads),
        )  # fmt: skip
        if journey.keeps_event:
            entry.event = keep(event, journey.event_reads)
        entry.channel = event.channel
        if step.kept.event or step.kept.events:
            kept = keep(event, step.kept.names)
            entry.results[step.id] = Result(event=kept, events=[kept] if step.kept.events else [])
        state.entries.append(entry)
        if self.draws:
            project = self._catalog.project
            turn = Turn(self._catalog, state, now_ms, {})
            holdout = guards.holdout_of(turn, journey, project.purposes.get(journey.purpose or ""))
            if holdout is not None:
                saw = {**saw, "holdout": holdout}
        number = len(told)
        told.append(
            Decision(
                f"{turn_id}-{number}", at, profile_id, journey.id, journey.version, entry_id, None,
                _ENTERED, _EVENT, event.id, saw,
            )
        )  # fmt: skip
        told.append(
            Decision(
                f"{turn_id}-{number + 1}", at, profile_id, journey.id, journey.version, entry_id, step.id,
                _WAITED, _TIME, event.id, {"until": instants.to_text(due_ms)},
            )
        )  # fmt: skip


def _arrival(catalog: Catalog, journey: Journey, event_type: str) -> Arrival | None:
    triggers = journey.enters_by_event[event_type]
    first = journey.steps.get(journey.first or "")
    asked_otherwise = (journey.goals_by_event, journey.untils_by_event)
    exits = journey.exits_by_event.get(event_type, ())
    if (
        len(triggers) > 1
        or triggers[0].segment is not None
        or not isinstance(first, Wait)
        or journey.status != "live"
        or journey.limit is not None
        or any(event_type in rules for rules in asked_otherwise)
        or any(rule.trigger.segment is not None for rule in exits)
    ):
        return None
    return Arrival(catalog, journey, event_type, first)


class Departures:
    """What ends entries, whatever they wait for, and opens none."""

    def __init__(self, catalog: Catalog, event_type: str) -> None:
        self.converts = catalog.interests[event_type].converts
        found = {journey.id: _departure(catalog, journey, event_type) for journey in catalog.current}
        self.departures = {journey_id: each for journey_id, each in found.items() if each is not None}

    def take(self, state: State, event: Event, now_ms: int) -> Planned | None:
        """Let the event end the entry, if there is one."""
        if self.converts and state.ended:
            return None
        entries = state.entries
        if not entries:
            return _NOTHING
        entry = entries[0]
        departure = self.departures.get(entry.journey)
        if departure is None or len(entries) > 1 or not _is_usual(entry, departure.journey):
            return None
        return departure.take(state, entry, event, now_ms)


class Departure:
    """What ends entries of one journey."""

    def __init__(self, catalog: Catalog, journey: Journey, event_type: str) -> None:
        self.journey = journey
        self._catalog = catalog
        self.goal = next(iter(journey.goals_by_event.get(event_type, ())), None)
        rule = next(iter(journey.exits_by_event.get(event_type, ())), None)
        self.exit = None if rule is None else rule.reason or event_type
        self.standing = _steps_standing(journey, event_type)
        # An entry that ends without having converted is remembered for as long as a goal can be reached.
        self._is_remembered = any(goal.within_ms is not None for goal in journey.goals)

    def take(self, state: State, entry: Entry, event: Event, now_ms: int) -> Planned | None:
        """Let the event end the entry, if it concerns it."""
        key_name, goal = self.journey.key, self.goal
        if entry.step not in self.standing:
            return None
        if key_name is not None:
            key = matching.as_key(event.properties.get(key_name))
            if key is not None and key != entry.key:
                return _NOTHING
        is_reached = goal is not None and (
            goal.within_ms is None or now_ms <= (entry.sent_ms or entry.entered_ms) + goal.within_ms
        )
        if not is_reached and self._is_remembered:
            return None
        if not is_reached and self.exit is None:
            return _NOTHING
        return self._end(state, entry, event, now_ms, is_reached=is_reached)

    def _end(self, state: State, entry: Entry, event: Event, now_ms: int, *, is_reached: bool) -> Planned:
        journey, event_id, profile_id = self.journey, event.id, state.profile_id
        turn_id, at = ids.derive(profile_id, event_id), instants.to_text(now_ms)
        told: list[Decision] = []
        if is_reached and not entry.converted:
            entry.converted = True
            value = None if self.goal is None else self.goal.value
            saw = {}
            if value is not None:
                saw["value"] = value.evaluate(Scope(self._catalog.project, state, now_ms, event, entry))
            told.append(
                Decision(
                    f"{turn_id}-0", at, profile_id, journey.id, journey.version, entry.id, entry.step,
                    _CONVERTED, _GOAL, event_id, saw,
                )
            )  # fmt: skip
        told.append(
            Decision(
                f"{turn_id}-{len(told)}", at, profile_id, journey.id, journey.version, entry.id, entry.step,
                _EXITED, self.exit or _GOAL, event_id, {},
            )
        )  # fmt: skip
        state.entries.clear()
        if journey.again.kind in ("once", "after"):
            state.exits.setdefault(journey.id, {})[entry.key or ""] = now_ms
        if not entry.sent_ms:
            return Planned(True, told)
        turn = Turn(self._catalog, state, now_ms, {})
        cancelling.of_entry(turn, entry)
        return Planned(True, told, turn.actions)


def _departure(catalog: Catalog, journey: Journey, event_type: str) -> Departure | None:
    goals = journey.goals_by_event.get(event_type, ())
    exits = journey.exits_by_event.get(event_type, ())
    rules: tuple[GoalRule | ExitRule, ...] = (*goals, *exits)
    triggers = [rule.trigger for rule in rules]
    if (
        not triggers
        or len(goals) > 1
        or any(trigger.where is not None or trigger.segment is not None for trigger in triggers)
        or any(not goal.ends for goal in goals)
        or event_type in journey.untils_by_event
        or any(isinstance(step, Wait) and event_type in step.restart_on for step in journey.steps.values())
        or catalog.is_paused(journey.id)
        or catalog.project.retention.keys_ms
        or (catalog.audiences is not None and catalog.audiences.opens(journey))
    ):
        return None
    return Departure(catalog, journey, event_type)
