"""Waiting: what wakes an entry, an event or an instant, and where it goes from there.

Owns the taking of events by waits (`wait_for`, `restart_on`, `until_event`) and the waking of timers.
Arming a wait is its step's work.
"""

from orchestrator.engine import answers, matching, receipts, walking
from orchestrator.engine.steps import repeats as repeats_step
from orchestrator.engine.turn import Turn, standing_entries
from orchestrator.model import instants
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event, keep
from orchestrator.model.journey import Ask, Call, Handoff, Journey, Repeat, Send, Step, Wait, WaitFor
from orchestrator.model.state import Entry, Result

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_RESUMED, _TIMED_OUT, _TIME_PASSED = Verdict.RESUMED.value, Reason.TIMED_OUT.value, Reason.TIME_PASSED.value
_WAITED, _RESTARTED = Verdict.WAITED.value, Reason.RESTARTED.value
# The steps that an answer moves on, and those that time out.
_ASKS = (Ask, Handoff, Call)
_TIMES_OUT = (WaitFor, *_ASKS)
# `steps.<id>.events` keeps the newest so many.
MAX_KEPT_EVENTS = 100


def due_entries(turn: Turn) -> list[tuple[Journey, Entry]]:
    """List the entries that are due at or before now, in the order in which their timers fire."""
    due = [
        (journey, entry)
        for journey, entry in standing_entries(turn, turn.catalog.versions)
        if 0 < entry.due_ms <= turn.now_ms
    ]
    if len(due) > 1:
        due.sort(key=lambda pair: pair[1].due_ms)  # stable: timers of one instant stay by priority, id, age
    _stop_the_versionless(turn)
    return due


def _stop_the_versionless(turn: Turn) -> None:
    """Let an entry whose version is gone stand still; without this it would stay due for ever."""
    for entry in turn.state.entries:
        if 0 < entry.due_ms <= turn.now_ms and turn.catalog.journey(entry.journey, entry.version) is None:
            entry.stopped_ms, entry.due_ms = entry.due_ms, 0
            turn.changed = True
            gone = Journey(entry.journey, entry.version, None, {}, ())  # all that is left of it
            turn.decide(gone, entry, entry.step, Verdict.PARKED, Reason.VERSION_MISSING)


def go_on(turn: Turn) -> bool:
    """Let entries that stood still go on once their journey is live, or their version there, again."""
    found = False
    for entry in turn.state.entries:
        if not entry.stopped_ms or entry.parked is not None or turn.catalog.is_paused(entry.journey):
            continue
        if turn.catalog.journey(entry.journey, entry.version) is not None:
            entry.due_ms, entry.stopped_ms = entry.stopped_ms, 0
            turn.changed = found = True
    return found


def wake(turn: Turn, journey: Journey, entry: Entry) -> None:
    """Wake an entry whose instant has come."""
    turn.changed = True
    if turn.catalog.is_paused(journey.id):
        # It stands still; what it was waiting for counts again when the journey is live.
        entry.stopped_ms, entry.due_ms = entry.due_ms, 0
        return
    entry.due_ms = 0
    step = journey.steps[entry.step]
    if isinstance(step, Repeat) or (isinstance(step, Send) and entry.held_ms):
        walking.walk(turn, journey, entry, step.id)
    elif isinstance(step, _ASKS) and answers.is_answered(entry, step):
        if isinstance(step, Handoff):
            outcome = {"outcome": entry.results[step.id].value("outcome")}
            turn.decide(journey, entry, step.id, _RESUMED, Reason.ANSWERED, outcome)
        walking.walk(turn, journey, entry, step.first)
    elif isinstance(step, _TIMES_OUT):
        turn.decide(journey, entry, step.id, _RESUMED, _TIMED_OUT)
        walking.walk(turn, journey, entry, step.on_timeout)
    else:
        turn.decide(journey, entry, step.id, _RESUMED, _TIME_PASSED)
        walking.walk(turn, journey, entry, step.next)


def check(turn: Turn, event: Event, journey: Journey, entry: Entry) -> None:
    """Let the event at hand end a repeat, take a wait_for or restart a wait of one entry."""
    step = journey.steps.get(entry.step)
    if step is None:
        return
    if turn.catalog.is_paused(journey.id):
        if isinstance(step, _ASKS):
            _keep_answer(turn, event, journey, entry, step)
        return
    repeats = journey.untils_by_event.get(event.type)
    if repeats is not None and _ends_a_repeat(turn, event, journey, entry, step, repeats):
        return
    if isinstance(step, _ASKS):
        if answers.may_answer(event, step) and matching.concerns(turn, event, journey, entry):
            _take_answer(turn, event, journey, entry, step)
    elif isinstance(step, WaitFor):
        _take(turn, journey, entry, step, event)
    elif isinstance(step, Wait) and event.type in step.restart_on:
        _restart(turn, event, journey, entry, step)


def check_unsent(turn: Turn, event: Event) -> None:
    """Let an entry that waits for the answer to a survey go on when the survey was not sent after all.

    That is the one which a receipt says was never to leave, and one that was refused for good and found no other
    channel: it has no message any more.
    """
    action_id = event.properties.get("action_id") if receipts.is_suppressed(event) else None
    for journey, entry in standing_entries(turn, turn.catalog.versions):
        step, result = journey.steps.get(entry.step), entry.results.get(entry.step)
        if not isinstance(step, Ask) or result is None or entry.held_ms or turn.catalog.is_paused(journey.id):
            continue
        if result.action_id == action_id:
            turn.at_work = (journey.id, entry.id)
            entry.due_ms = 0
            turn.changed = True
            turn.decide(journey, entry, step.id, _RESUMED, Reason.NOT_SENT)
            walking.walk(turn, journey, entry, step.on_timeout)


def _restart(turn: Turn, event: Event, journey: Journey, entry: Entry, step: Wait) -> None:
    if matching.is_machine_made(event) or not matching.concerns(turn, event, journey, entry):
        return
    keep_event(journey, entry, step, event)
    entry.due_ms = turn.now_ms + step.after_ms
    turn.changed = True
    turn.decide(journey, entry, step.id, _WAITED, _RESTARTED, {"until": instants.to_text(entry.due_ms)})


def _ends_a_repeat(
    turn: Turn, event: Event, journey: Journey, entry: Entry, step: Step, repeats: tuple[Repeat, ...]
) -> bool:
    for repeat in repeats:
        around = repeat.id == step.id or repeat.id in step.inside
        if not around or repeat.until_event is None or not matching.concerns(turn, event, journey, entry):
            continue
        if matching.takes(turn, repeat.until_event, entry):
            keep_event(journey, entry, repeat, event)
            repeats_step.leave(journey, entry, repeat)
            turn.decide(journey, entry, repeat.id, Verdict.RESUMED, Reason.UNTIL_EVENT)
            walking.walk(turn, journey, entry, repeat.next)
            return True
        matching.note_untaken(turn, journey, entry, repeat.until_event)
    return False


def _take(turn: Turn, journey: Journey, entry: Entry, step: WaitFor, event: Event) -> None:
    branches = [branch for branch in step.branches if event.type in branch.trigger.events]
    if not branches or not matching.concerns(turn, event, journey, entry):
        return
    for branch in branches:
        if matching.takes(turn, branch.trigger, entry):
            keep_event(journey, entry, step, event)
            if branch.name is not None:
                entry.results.setdefault(step.id, Result()).name = branch.name
            entry.due_ms = 0
            saw = branch.trigger.where.values_seen(turn.scope_at(entry)) if branch.trigger.where else {}
            turn.decide(journey, entry, step.id, Verdict.RESUMED, Reason.EVENT_CAME, {"event": event.type, **saw})
            walking.walk(turn, journey, entry, branch.first)
            return
        matching.note_untaken(turn, journey, entry, branch.trigger)


def _take_answer(turn: Turn, event: Event, journey: Journey, entry: Entry, step: Ask | Handoff | Call) -> None:
    if answers.take(turn, event, journey, entry, step):
        keep_event(journey, entry, step, event)
        entry.due_ms = 0
        walking.walk(turn, journey, entry, step.first)


def _keep_answer(turn: Turn, event: Event, journey: Journey, entry: Entry, step: Ask | Handoff | Call) -> None:
    """Keep an answer that comes while the journey is paused: it comes once, and the entry goes on by it afterwards."""
    if not answers.may_answer(event, step) or not matching.concerns(turn, event, journey, entry):
        return
    has_one = answers.is_answered(entry, step)
    # That a case is closed is on record with it, whoever stands still; any other answer is taken down here, the first.
    if isinstance(step, Handoff):
        is_new = has_one
    else:
        is_new = not has_one and answers.take(turn, event, journey, entry, step)
    if is_new:
        keep_event(journey, entry, step, event)
        entry.due_ms, entry.stopped_ms = 0, turn.now_ms
        turn.changed = True


def keep_event(journey: Journey, entry: Entry, step: Step, event: Event) -> None:
    """Keep of the event what the journey reads of it, and the channel it came by."""
    if journey.keeps_event:
        entry.event = keep(event, journey.event_reads)
    if event.channel is not None:
        entry.channel = event.channel
    if step.kept.event or step.kept.events:
        result = entry.results.setdefault(step.id, Result())
        result.event = keep(event, step.kept.names)
        if step.kept.events:
            result.events = [*result.events, result.event][-MAX_KEPT_EVENTS:]
