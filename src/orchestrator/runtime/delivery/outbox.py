"""The outbox: what delivery asks of whatever keeps actions and takes their outcomes.

Owns the port. Promises of every outbox: an action is handed out until its outcome is settled, by this process and the
next; `settle` returns once the outcome, and the receipts that go with it, are durable, together. Must never know what
a channel is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.model.event import Event
from orchestrator.storage import Pending, Settled


@dataclass(slots=True)
class Outcome:
    """What became of an action, with the receipts that go with it.

    `notes` are what the lane wants to know again after a restart.
    """

    pending: Pending
    settled: Settled
    receipts: Sequence[Event]
    notes: Mapping[str, bytes]


class Outbox(Protocol):
    """Actions on their way, by lane."""

    async def due(self, lane: str, until_ms: int, limit: int, but: Collection[str]) -> list[Pending]:
        """Give what is due on a lane, but the actions of these ids, the longest due first."""
        ...

    async def next_due(self, lane: str, after_ms: int) -> int | None:
        """Tell when the next of a lane is due after an instant; None when nothing is."""
        ...

    def holds(self, pending: Pending) -> bool:
        """Tell whether an action that was given out is still ours to send, as it was given out."""
        ...

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Make outcomes durable, each with its receipts and notes."""
        ...

    async def recall(self, note: str) -> Mapping[str, bytes]:
        """Give a note as it was settled last, by the part of the outbox that holds it.

        Parts may open one after the other; one that is opened anew has another name, and may know more than before.
        """
        ...
