"""Compiled conditions and values, and the scope they are evaluated in.

Owns the contract between `language`, which compiles an author's text into an Expression, and
`engine`, which evaluates it against a Scope. A missing value is None. Evaluating never raises for odd
data and never changes anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.model.instants import DAY_MS

if TYPE_CHECKING:
    from orchestrator.model.event import Event, KeptEvent
    from orchestrator.model.project import Project
    from orchestrator.model.state import Entry, State


class Scope:
    """What an expression can see.

    `properties` are those of the event at hand (bare names in a `where`), `event` its envelope: the
    event at hand, or the entry's last event where no event is at hand. `entry` is None while deciding
    whether to enter.
    """

    __slots__ = ("entry", "event", "now_ms", "project", "properties", "state")

    def __init__(
        self,
        project: "Project",
        state: "State",
        now_ms: int,
        event: "Event | KeptEvent | None" = None,
        entry: "Entry | None" = None,
    ) -> None:
        self.project = project
        self.state = state
        self.now_ms = now_ms
        self.event = event
        self.entry = entry
        self.properties: dict[str, Any] = event.properties if event is not None else {}

    def see(self, event: "Event | KeptEvent | None", entry: "Entry | None") -> None:
        """Look from elsewhere."""
        self.event = event
        self.entry = entry
        self.properties = event.properties if event is not None else {}

    def event_value(self, name: str) -> Any:
        """Look up `event.<name>`: type, channel, id, or time as epoch milliseconds."""
        event = self.event
        if event is None:
            return None
        return event.time_ms if name == "time" else getattr(event, name, None)

    def entry_value(self, name: str) -> Any:
        """Look up `entry.<name>`, a property of the opening event."""
        return None if self.entry is None else self.entry.properties.get(name)

    def bought(self, name: str) -> float | None:
        """Reckon `profile.recency` (days, missing without a purchase), `.frequency` or `.monetary`.

        What was spent is added up in the currency of the last purchase: sums of several currencies are none.
        """
        bought = self.state.past.purchases
        if name == "frequency":
            return 0 if bought is None else bought.count
        if name == "monetary":
            return 0 if bought is None else bought.spent.get(bought.currency, 0)
        return None if bought is None else (self.now_ms - bought.last_ms) / DAY_MS

    def step_value(self, step_id: str, name: str) -> Any:
        """Look up `steps.<id>.<name>`, but for `event` and `events`."""
        result = None if self.entry is None else self.entry.results.get(step_id)
        return None if result is None else result.value(name)

    def step_event(self, step_id: str) -> "KeptEvent | None":
        """Find `steps.<id>.event`: the latest event that the step took."""
        result = None if self.entry is None else self.entry.results.get(step_id)
        return None if result is None else result.event

    def step_events(self, step_id: str) -> "list[KeptEvent]":
        """Find `steps.<id>.events`: all events that the step took, the newest 100."""
        result = None if self.entry is None else self.entry.results.get(step_id)
        return [] if result is None else result.events


# What a decision shows the size of only.
_SIZED = (list, dict)


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression.

    `evaluate(scope)` gives the value, None when it is missing. `source` is the author's text. `saw`
    lists what a decision shows of it: (name as written, how to get it), in the order of the text and
    without identifiers or addresses. `names_machine` tells that it asks for `machine`, so that opens
    and clicks by proxies and scanners may match it. `moments` give the instants at which it may change
    although nothing happens: between them, of the customer as they are, its value stays. `steps` are those whose
    results it reads. `is_own` tells that nothing of the project goes into it, only what is kept of the customer.
    """

    source: str
    evaluate: Callable[[Scope], Any]
    saw: tuple[tuple[str, Callable[[Scope], Any]], ...] = ()
    names_machine: bool = False
    moments: tuple[Callable[[Scope], list[int]], ...] = ()
    steps: frozenset[str] = frozenset()
    is_own: bool = False

    def holds(self, scope: Scope) -> bool:
        """Whether the condition holds: false when its value is missing, empty or zero."""
        return bool(self.evaluate(scope))

    def values_seen(self, scope: Scope) -> dict[str, Any]:
        """Collect the values this expression looks at, by their names, for a decision's `saw`.

        Of a list or a map only its size is kept: decisions say why, they are no copy of the event.
        """
        values = {}
        for name, get in self.saw:
            value = get(scope)
            values[name] = f"{len(value)} items" if isinstance(value, _SIZED) else value
        return values
