"""What a run came to, and how far it is: values for whoever started it.

Owns what is counted. Must never print: the command line does.
"""

from collections import Counter
from dataclasses import dataclass, field

from orchestrator.runtime.dead_letters import DeadLetter

# So many dead letters are kept for the summary; all of them go to the file that is named for them.
SHOWN_DEAD_LETTERS = 5


@dataclass(slots=True)
class Summary:
    """What one run did; what earlier runs on the same state did is not counted again.

    `events` counts by outcome: applied, duplicate, ignored, refused. `dead_letters` counts by reason, and
    `first_dead_letters` are the first few. `waiting` and `customers` are what the store holds now:
    customers with something to wake for, and all of them. `misnamed` are names of events that nobody asks for and that
    are nearly one that somebody does, with that one. `clock_ms` is how far time has come, None
    where nothing has happened yet.
    """

    events: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    first_dead_letters: list[DeadLetter] = field(default_factory=list)
    misnamed: dict[str, str] = field(default_factory=dict)
    timers: int = 0
    waiting: int = 0
    customers: int = 0
    clock_ms: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: events so far, the clock, and the share of its input between 0 and 1 where it is known."""

    events: int
    clock_ms: int
    fraction: float | None
