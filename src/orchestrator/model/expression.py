"""Compiled conditions and values, and the scope they are evaluated in.

Owns the contract between `language`, which compiles an author's text into an Expression, and
`engine`, which evaluates it against a Scope. A missing value is None. Evaluating never raises for odd
data and never changes anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.model.event import Event, KeptEvent
    from orchestrator.model.project import Project
    from orchestrator.model.state import Entry, State


class Scope:
    """What an expression can see.

    `properties` are those of the event at hand (bare names in a `where`), `event` its envelope: the
    event at hand, or the entry's last event where no event is at hand. `entry` is None while deciding
    whether to enter; `opening` then stands for `entry.` of an entry that does not exist yet.
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

    def of_entry(self, entry: "Entry | None") -> "Scope":
        """Aim this scope at an entry; the event at hand stays."""
        self.entry = entry
        return self


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression.

    `evaluate(scope)` gives the value, None when it is missing. `source` is the author's text. `saw`
    lists what a decision shows of it: (name as written, how to get it), in the order of the text and
    without identifiers or addresses. `names_machine` tells that it asks for `machine`, so that opens
    and clicks by proxies and scanners may match it.
    """

    source: str
    evaluate: Callable[[Scope], Any]
    saw: tuple[tuple[str, Callable[[Scope], Any]], ...] = ()
    names_machine: bool = False

    def holds(self, scope: Scope) -> bool:
        """Whether the condition holds: false when its value is missing, empty or zero."""
        return bool(self.evaluate(scope))

    def values_seen(self, scope: Scope) -> dict[str, Any]:
        """Collect the values this expression looks at, by their names, for a decision's `saw`."""
        return {name: get(scope) for name, get in self.saw}
