"""Parking: an entry is taken out of the stream where it stands.

Owns what parking does to an entry. Who parks, and why, is others' to say.
"""

from orchestrator.engine.turn import Turn
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Journey
from orchestrator.model.state import Entry


def park(turn: Turn, journey: Journey, entry: Entry, reason: Reason) -> None:
    """Park an entry: it keeps its state, no event or timer moves it, and the record says why."""
    entry.parked = reason
    entry.due_ms = 0
    turn.changed = True
    turn.decide(journey, entry, entry.step, Verdict.PARKED, reason)
