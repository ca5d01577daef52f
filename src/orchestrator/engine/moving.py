"""Moving: entries of older versions go over to the current one, where that says `on_change: migrate`.

Owns what an entry takes along: where it stands, its timer, its results, its rounds, and what it has sent already.
A customer moves within one turn of their own, so nobody is ever half moved. An entry that stands on a step which the
new version neither has nor maps stays on its own version until it stands on another; `publish` refuses such a move,
but a customer may come to such a step while it is being published.

A timer is a promise to wake at an instant, and is kept where the new step is of the same kind. Where it is of
another, the entry begins that step now. Parked entries stay as they are, for somebody to look at.
"""

from collections.abc import Mapping
from typing import TypeVar

from orchestrator.engine import once, walking
from orchestrator.engine.turn import Turn
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Journey, Repeat, Step
from orchestrator.model.state import Entry

Value = TypeVar("Value")
# Bound once, as everywhere in the engine.
_MOVED, _NEW_VERSION = Verdict.MOVED.value, Reason.NEW_VERSION.value


def move(turn: Turn) -> None:
    """Move every entry that may, journeys by priority and entries by age."""
    for journey, entry in _movable(turn):
        if entry.step:  # moving another one may have ended it
            turn.at_work = (journey.id, entry.id)
            _move(turn, journey, entry)
    turn.at_work = None


def _movable(turn: Turn) -> list[tuple[Journey, Entry]]:
    catalog = turn.catalog
    found = []
    for entry in turn.state.entries:
        journey = catalog.successor(entry)
        # One that failed in an earlier try of this turn is parked where it stands.
        if journey is not None and entry.id not in turn.failed:
            found.append((journey, entry))
    if len(found) > 1:
        found.sort(key=lambda pair: (-pair[0].priority, pair[0].id))  # stable: entries of one journey stay by age
    return found


def _move(turn: Turn, journey: Journey, entry: Entry) -> None:
    before = turn.catalog.journey(entry.journey, entry.version)
    moves = journey.moves or {}
    saw = {"from_version": entry.version, "from_step": entry.step}
    old = None if before is None else before.steps.get(entry.step)
    step = journey.steps[moves.get(entry.step, entry.step)]
    entry.done = once.done_by(entry, before, moves)
    entry.results = _renamed(entry.results, moves)
    if moves:
        for sent in turn.state.sent:  # receipts that come later are about the new step
            if sent.entry_id == entry.id:
                sent.step = moves.get(sent.step, sent.step)
    entry.rounds = _rounds(entry, step, moves, turn.now_ms)
    entry.version, entry.step = journey.version, step.id
    turn.changed = True
    turn.begin_move(entry, journey.version)
    turn.decide(journey, entry, step.id, _MOVED, _NEW_VERSION, saw)
    if old is not None and type(old) is not type(step):
        entry.due_ms = entry.stopped_ms = entry.held_ms = 0
        entry.held = []
        walking.walk(turn, journey, entry, step.id)


def _renamed(by_step: dict[str, Value], moves: Mapping[str, str]) -> dict[str, Value]:
    """Put what steps left behind under their new ids; what a step left under its own name is not overwritten."""
    kept = {step: value for step, value in by_step.items() if step not in moves}
    for old, value in by_step.items():
        if old in moves:
            kept.setdefault(moves[old], value)
    return kept


def _rounds(entry: Entry, step: Step, moves: Mapping[str, str], now_ms: int) -> dict[str, list[int]]:
    """Keep the rounds of the repeats around the new step; one that nobody has begun is in its first."""
    before = _renamed(entry.rounds, moves)
    rounds = {repeat: before.get(repeat, [1, now_ms]) for repeat in step.inside}
    if isinstance(step, Repeat) and step.id in before:
        rounds[step.id] = before[step.id]
    return rounds
