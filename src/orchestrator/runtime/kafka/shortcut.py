"""The shortcut of a partition: turns that the compiled side takes, from the bytes of a state to what a commit carries.

Owns who may go by it, and what follows for state, timers and buffers, as `Partition` has it follow for every other
turn. Must never be tried for an event that says anything about who a customer is.
"""

from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.compiled.turns import Turns, kinds_of, turns_of
from orchestrator.model.catalog import Catalog
from orchestrator.model.codec import due_of
from orchestrator.model.event import Event
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.state import PartitionState
from orchestrator.runtime.timers import Timers

if TYPE_CHECKING:
    from orchestrator.compiled.native import Came


class Shortcut:
    """The compiled turns of one partition, by the definitions it goes by; none before there are any."""

    def __init__(self, state: PartitionState, timers: Timers) -> None:
        self._state = state
        self._timers = timers
        self._turns: Turns | None = None
        self._kinds: frozenset[str] = frozenset()
        self._decided: Counter[tuple[str, str, str]] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()

    def take_up(self, catalog: Catalog) -> None:
        """Go by these definitions from now on."""
        self._collect()
        self._turns = turns_of(catalog)
        self._kinds = kinds_of(catalog) if self._turns is not None else frozenset()

    def on_event(self, event: Event, profile_id: str, old: bytes | None, now_ms: int, sink: Outgoing) -> str | None:
        """Take an event, and say what it came to; None, with nothing done, where it is for the engine in Python."""
        turns = self._turns
        if turns is None or event.type not in self._kinds or event.identifiers or event.decoded is not None:
            return None
        key = profile_id.encode()
        came = turns.on_event(
            event.type, event.id, event.time_ms, event.channel, event.customer_id,
            bytes(event.raw_properties), old, key, now_ms,
        )  # fmt: skip
        return None if came is None else self._take_over(came, profile_id, 0 if old is None else due_of(old), sink)

    def on_timers(self, profile_id: str, record: bytes, awaited_ms: int, now_ms: int, sink: Outgoing) -> bool:
        """Wake a customer; False, with nothing done, where that is for the engine in Python."""
        came = None if self._turns is None else self._turns.on_timers(record, profile_id.encode(), now_ms)
        if came is not None:
            self._take_over(came, profile_id, awaited_ms, sink)
        return came is not None

    def _take_over(self, came: "Came", profile_id: str, old_due_ms: int, sink: Outgoing) -> str:
        outcome, record, due_ms, decisions, actions, size = came
        if record is not None:
            self._state.put(profile_id, record)
            sink.changes[profile_id] = record
            self._timers.schedule(profile_id, old_due_ms, due_ms)
            sink.bytes += len(record)
        sink.decisions += decisions
        sink.actions += actions
        sink.bytes += size
        return outcome

    def take_decided(self) -> Counter[tuple[str, str, str]]:
        """Give the decisions since the last call, counted by journey, verdict and reason."""
        self._collect()
        decided, self._decided = self._decided, Counter()
        return decided

    def take_asked(self) -> Counter[tuple[str, str]]:
        """Give the actions since the last call, counted by journey and channel."""
        self._collect()
        asked, self._asked = self._asked, Counter()
        return asked

    def _collect(self) -> None:
        if self._turns is not None:
            decided, asked = self._turns.take_counts()
            self._decided.update(dict(decided))
            self._asked.update(asked)
