"""An outbox over a store in memory, and a channel that answers as told.

Owns what delivery's tests look at afterwards: every outcome and receipt, in order.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from orchestrator.channels.port import Delivery, Receipt
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.outbox import Outcome
from orchestrator.runtime.delivery.roads import lane_of
from orchestrator.storage import Batch, MemoryStore, Pending, Settled


class OutboxInMemory:
    """An Outbox; `settled` are the outcomes, `receipts` the events (type, properties)."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.settled: list[Settled] = []
        self.events: list[Event] = []
        # What another process sends now.
        self.elsewhere: set[str] = set()

    @property
    def receipts(self) -> list[tuple[str, dict[str, Any]]]:
        return [(event.type, event.properties) for event in self.events]

    def put(self, *actions: Action) -> None:
        rows = [
            Pending(each.id, lane_of(each) or "", timing.first_due(each), each.profile_id, msgspec.json.encode(each))
            for each in actions
        ]
        self.store.commit(Batch(pending=rows))

    async def due(self, lane: str, until_ms: int, limit: int, but: Collection[str]) -> list[Pending]:
        return self.store.due(lane, until_ms, limit, but)

    async def next_due(self, lane: str, after_ms: int) -> int | None:
        return self.store.next_due(lane, after_ms)

    def holds(self, pending: Pending) -> bool:
        return pending.action_id not in self.elsewhere

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        for each in outcomes:
            self.store.commit(Batch(settled=[each.settled], positions=dict(each.notes)))
            self.settled.append(each.settled)
            self.events += each.receipts

    async def recall(self, note: str) -> dict[str, bytes]:
        found = self.store.position(note)
        return {} if found is None else {"": found}


class ToldChannel:
    """A channel that answers each delivery from its script (the last answer for all that follow), on a clock."""

    def __init__(self, clock: Any, *script: Exception | float | None) -> None:
        self.sent: list[tuple[str, int]] = []
        self.tried: list[tuple[str, int]] = []
        self.at_once = self.most_at_once = 0
        self.closed = False
        self._script = list(script) or [None]
        self._clock = clock

    async def send(self, delivery: Delivery) -> Receipt:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.tried.append((delivery.key, self._clock.now_ms()))
        told = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        try:
            if isinstance(told, Exception):
                raise told
            if told is not None:
                await self._clock.sleep(told)
            self.sent.append((delivery.key, self._clock.now_ms()))
            return Receipt("ref-1")
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        self.closed = True
