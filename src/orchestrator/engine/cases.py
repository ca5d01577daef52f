"""Cases: what is open with a person, and which purposes it silences.

Owns the list of open cases, ours and the contact centre's own (`case_opened`, `case_closed`). What is answered in one
is `replies`'.
"""

from orchestrator.engine.turn import Turn
from orchestrator.model.casework import case_id_of
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.model.journey import Journey
from orchestrator.model.project import Purpose
from orchestrator.model.state import Case, Entry, Result, State

# A contact centre that opens and never closes must not grow a customer's state without bound: the oldest go.
MAX_CASES = 50


def apply(turn: Turn, event: Event) -> None:
    """Take over what the contact centre says: a case was opened or closed."""
    said = event.properties
    known = case_id_of(said)
    if event.type == "case_opened":
        pause = said.get("pause")
        purposes = [purpose for purpose in pause if isinstance(purpose, str)] if isinstance(pause, list) else []
        open_case(turn, Case(known or event.id, turn.now_ms, purposes))
    elif event.type == "case_closed":
        _close_case(turn, event, known)


def open_case(turn: Turn, case: Case) -> None:
    """Put a case on record; one that is known already, our own announced back, stays as it is."""
    state = turn.state
    if all(known.id != case.id for known in state.cases):
        state.history.cases = [*state.cases, case][-MAX_CASES:]
        turn.changed = True


def _close_case(turn: Turn, event: Event, case_id: str | None) -> None:
    """Close a case; without an id the open one is meant, the newest where there are several."""
    state = turn.state
    closing = state.cases[-1].id if case_id is None and state.cases else case_id
    case = next((case for case in state.cases if case.id == closing), None)
    if case is None:
        return
    state.history.cases = [each for each in state.cases if each.id != closing]
    turn.changed = True
    if case.journey:
        _say_closed(turn, event, case)


def _say_closed(turn: Turn, event: Event, case: Case) -> None:
    """Put on record who closed one of our cases, and with which outcome; its entry knows, wherever it stands by now."""
    journey, entry = opened_by(turn, case)
    for result in () if entry is None else entry.results.values():
        if result.action_id == case.id:
            note_closing(result, event)
    told = {name: event.properties.get(name) for name in ("agent", "outcome")}
    saw = {**{name: value for name, value in told.items() if isinstance(value, str)}, "case_id": case.id}
    turn.decide(journey, entry, case.step, Verdict.RESUMED, Reason.CASE_CLOSED, saw, case.id)


def note_closing(result: Result, event: Event) -> None:
    """Keep with a handoff that its case was closed, by whom and with which outcome."""
    told = {name: event.properties.get(name) for name in ("outcome", "agent")}
    result.status = "closed"
    result.values = {**result.values, **{name: value for name, value in told.items() if value is not None}}


def opened_by(turn: Turn, case: Case) -> tuple[Journey, Entry | None]:
    """Find whose case it is: the journey and, while it lives, the entry that opened it."""
    journey = turn.catalog.journey(case.journey, case.version) or Journey(case.journey, case.version, None, {}, ())
    return journey, next((entry for entry in turn.state.entries if entry.id == case.entry_id), None)


def is_silenced(state: State, purpose: Purpose) -> bool:
    """Whether an open case silences a purpose: it names it, or the purpose pauses during any case."""
    if not state.cases:
        return False
    return purpose.pauses_during_case or any(purpose.name in case.pause for case in state.cases)
