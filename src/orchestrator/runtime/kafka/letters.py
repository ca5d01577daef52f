"""Dead letters of turns: an entry that was parked, and a timer that came to nothing.

Owns their words. What a dead letter says of a record is `records`' to say.
"""

import traceback

from orchestrator.errors import EventError
from orchestrator.model import instants
from orchestrator.runtime.dead_letters import DeadLetter
from orchestrator.runtime.turn import Failure

TIMER_SOURCE = "timer"


def of_entry(failure: Failure, profile_id: str, origin: tuple[str, int], wall_ms: int) -> DeadLetter:
    """Describe an entry that was parked; `origin` is where what it was parked for stood."""
    source, offset = origin
    return DeadLetter(
        failure.reason,
        f"entry {failure.entry_id} of {failure.journey} is parked",
        source,
        offset,
        instants.to_text(wall_ms),
        profile_id=profile_id,
        entry_id=failure.entry_id,
        journey=failure.journey,
        traceback=failure.traceback,
    )


def of_timer(profile_id: str, due_ms: int, error: Exception, wall_ms: int) -> DeadLetter:
    """Describe a timer that could not be handled."""
    text = "".join(traceback.format_exception(error))
    reason = error.reason if isinstance(error, EventError) else "failure"
    at = instants.to_text(wall_ms)
    message = f"a timer could not be handled, and its profile is as it was: {error}"
    return DeadLetter(reason, message, TIMER_SOURCE, due_ms, at, profile_id=profile_id, traceback=text)
