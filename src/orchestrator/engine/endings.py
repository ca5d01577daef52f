"""Endings: goals and exits, asked on every event before anything else, and what an end leaves behind.

Owns how an entry ends and how conversions are counted, also after the end (`within`). Exits take
effect at the event, whatever the entry is waiting for.
"""

from orchestrator.engine import cancelling, matching, watches
from orchestrator.engine.turn import Turn
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.model.journey import GoalRule, Journey
from orchestrator.model.state import Ended, Entry, Result

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_EXITED, _CONVERTED, _GOAL = Verdict.EXITED.value, Verdict.CONVERTED.value, Reason.GOAL.value
# A profile remembers at most so many ended entries whose goal can still be reached, the newest.
MAX_ENDED = 20


def check(turn: Turn, event: Event, journey: Journey, entry: Entry) -> None:
    """Ask the journey's goals and exits of one entry; the first exit that matches ends it."""
    goals = journey.goals_by_event.get(event.type)
    exits = journey.exits_by_event.get(event.type)
    if (goals is None and exits is None) or not matching.concerns(turn, event, journey, entry):
        return
    reason: str | None = None
    for goal in goals or ():
        if (entry.converted and not goal.ends) or not _is_open(turn, entry, goal):
            continue
        if not matching.takes(turn, goal.trigger, entry):
            matching.note_untaken(turn, journey, entry, goal.trigger)
            continue
        if not entry.converted:  # an entry converts once, by whatever goal comes first
            _convert(turn, journey, entry, goal)
        if goal.ends:
            reason = _GOAL
    # When one event is both, the conversion counts and the exit rule names the reason.
    for rule in exits or ():
        if matching.takes(turn, rule.trigger, entry):
            reason = rule.reason or event.type
            break
        matching.note_untaken(turn, journey, entry, rule.trigger)
    if reason is not None:
        end(turn, journey, entry, reason, entry.step)
        cancelling.of_entry(turn, entry)


def _is_open(turn: Turn, entry: Entry, goal: GoalRule) -> bool:
    """Whether a goal still counts: from the last message, or from the start when none was sent."""
    return goal.within_ms is None or turn.now_ms <= (entry.sent_ms or entry.entered_ms) + goal.within_ms


def _convert(turn: Turn, journey: Journey, entry: Entry, goal: GoalRule) -> None:
    entry.converted = True
    turn.changed = True
    where = goal.trigger.where
    # Looked at only for a reason: an event whose properties nobody asks for counts whatever they are.
    saw = where.values_seen(turn.scope_at(entry)) if where is not None else {}
    if goal.value is not None:
        saw["value"] = goal.value.evaluate(turn.scope_at(entry))
    turn.decide(journey, entry, entry.step or None, _CONVERTED, _GOAL, saw)


def end(turn: Turn, journey: Journey, entry: Entry, reason: str, step: str | None) -> None:
    """End an entry at once: its timers and held messages are gone with it."""
    turn.decide(journey, entry, step, _EXITED, reason)
    turn.changed = True
    entry.step = ""
    entry.due_ms = 0
    state = turn.state
    state.entries.remove(entry) if len(state.entries) > 1 else state.entries.clear()
    if journey.again.kind in ("once", "after"):
        left = state.exits.setdefault(journey.id, {})
        left[entry.key or ""] = turn.now_ms
        if turn.project.retention.keys_ms:
            since_ms = turn.now_ms - turn.project.retention.keys_ms
            state.exits[journey.id] = {key: at_ms for key, at_ms in left.items() if at_ms > since_ms}
    if turn.catalog.audiences is not None and turn.catalog.audiences.inactive:
        watches.leave(turn, journey)
    if not entry.converted:
        _keep_open(turn, journey, entry)


def _keep_open(turn: Turn, journey: Journey, entry: Entry) -> None:
    """Remember an ended entry for as long as its goal can still be reached."""
    windows = [goal.within_ms for goal in journey.goals if goal.within_ms is not None]
    if not windows:
        return
    until_ms = (entry.sent_ms or entry.entered_ms) + max(windows)
    if until_ms > turn.now_ms:
        actions = [result.action_id for result in entry.results.values() if result.action_id is not None]
        history = turn.state.history
        history.ended = _open_still(turn, history.ended)[1 - MAX_ENDED :]
        history.ended.append(
            Ended(
                entry.id,
                entry.journey,
                entry.version,
                entry.key,
                entry.sent_ms or entry.entered_ms,
                until_ms,
                entry.properties,
                actions,
                {step: entry.results[step] for step in _read_by_goals(journey) if step in entry.results},
            )
        )


def _read_by_goals(journey: Journey) -> list[str]:
    """List the steps whose results tell whether a goal is reached, or what it is worth."""
    asked = [each for goal in journey.goals for each in (goal.trigger.where, goal.value) if each is not None]
    return sorted({step for each in asked for step in each.steps})


def convert_ended(turn: Turn, event: Event) -> None:
    """Count a goal that is reached after its entry has ended, and forget those whose time is over."""
    history = turn.state.history
    # Forgetting is no reason to write: whoever reads this again forgets them again.
    history.ended = _open_still(turn, history.ended)
    for ended in history.ended:
        journey = turn.catalog.journey(ended.journey, ended.version)
        goals = journey.goals_by_event.get(event.type) if journey is not None else None
        if journey is None or goals is None:
            continue
        turn.at_work = (journey.id, ended.id)
        if ended.id in turn.failed:
            turn.park(journey, _as_entry(ended), turn.failed[ended.id])
        elif not _convert_one(turn, event, journey, goals, ended):
            continue
        history.ended = [other for other in history.ended if other is not ended]
    turn.at_work = None


def _open_still(turn: Turn, ended: list[Ended]) -> list[Ended]:
    return [one for one in ended if one.until_ms >= turn.now_ms]


def _convert_one(turn: Turn, event: Event, journey: Journey, goals: tuple[GoalRule, ...], ended: Ended) -> bool:
    entry = _as_entry(ended)
    if not matching.concerns(turn, event, journey, entry):
        return False
    for goal in goals:
        # Only `within` reaches beyond the end: a goal without it is one of the entry's life.
        if goal.within_ms is not None and _is_open(turn, entry, goal) and matching.takes(turn, goal.trigger, entry):
            _convert(turn, journey, entry, goal)
            return True
    return False


def _as_entry(ended: Ended) -> Entry:
    """Look at an ended entry as rules look at a live one."""
    return Entry(
        ended.id,
        ended.journey,
        ended.version,
        ended.key,
        ended.from_ms,
        step="",
        properties=ended.properties,
        results={**{action_id: Result(action_id=action_id) for action_id in ended.actions}, **ended.results},
    )
