"""A live process, as the web sees it: the one seam between HTTP and whatever keeps the customers.

    web ─► Live ─┬─ serving.Service   an embedded store: what is accepted is committed with all that it led to
                 └─ kafka.Gateway     what is accepted is in the topics; workers and deliverers do the rest

Owns the promises that both keep, and the shapes that pass between them. What is said about a customer comes in two
ways: `take` is for raw records, which say themselves whose they are, `hear` for events about a profile whose id is
known, as links and receipts do. Must never know which of the two stands behind it, nor speak HTTP.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.channels.links import Links
from orchestrator.channels.preparing import Preparer
from orchestrator.errors import OrchestratorError
from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event
from orchestrator.model.state import State
from orchestrator.runtime.addressing import Reached
from orchestrator.runtime.agents import Agent
from orchestrator.runtime.inbox import Inbox
from orchestrator.runtime.metrics import WebMetrics
from orchestrator.runtime.streams import Streams
from orchestrator.runtime.wall_clock import Clock


class Busy(OrchestratorError):  # noqa: N818 - an answer to whoever asked
    """More waits than may wait; come back in a moment."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one record was refused: its place among the others, the reason's word, and a sentence."""

    index: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may do what; `made` names those that were made and nobody was told yet."""

    write: tuple[str, ...]
    read: tuple[str, ...]
    made: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A customer who was asked for: the state, and the newest decision lines."""

    state: State
    decisions: Sequence[bytes]


class Live(Protocol):
    """One live process. `failed` is done when something broke that it cannot go on without."""

    clock: Clock
    failed: asyncio.Future[None]

    @property
    def keys(self) -> Keys:
        """Who may send events, and who may look customers up."""
        ...

    @property
    def links(self) -> Links:
        """What the links in messages are made and read with."""
        ...

    @property
    def catalog(self) -> Catalog:
        """The journeys in force."""
        ...

    @property
    def metrics(self) -> WebMetrics:
        """What this process counts."""
        ...

    @property
    def preparer(self) -> Preparer:
        """What renders the messages and cases of the journeys in force."""
        ...

    @property
    def inbox(self) -> Inbox:
        """The cases that people work on."""
        ...

    @property
    def streams(self) -> Streams:
        """The messages that the company's own apps read."""
        ...

    @property
    def agents(self) -> Sequence[Agent]:
        """Who works on cases."""
        ...

    @property
    def session_secret(self) -> bytes:
        """What signs the sessions of agents, the same wherever the links' secret is."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether what is sent now would be kept."""
        ...

    @property
    def problem(self) -> str | None:
        """What a person should look at, though everything goes on; None when nothing."""
        ...

    async def start(self) -> None:
        """Begin; what it raises ends the process before anything has begun."""
        ...

    async def stop(self) -> None:
        """Finish what is under way, and end."""
        ...

    def setting(self, name: str) -> str | None:
        """Look up what the operator set, by its name in lower case; None where nobody set it."""
        ...

    def take(self, lines: Sequence[bytes], source: str) -> Awaitable[list[Refusal]]:
        """Take raw events; returns once they are durable, with those that were refused, which are dead letters.

        Raises Busy when too much waits already, StorageError when nothing is known to be kept.
        """
        ...

    async def hear(self, profile_id: str, *events: Event) -> None:
        """Take events about a profile; returns once they are durable. Raises as `take` does."""
        ...

    async def state_of(self, profile_id: str) -> State | None:
        """Give a profile's state; None when it has none. Raises StorageError when that is not known."""
        ...

    async def known_of(self, profile_id: str, newest: int) -> Known | None:
        """Give a profile's state and newest decisions; None when nothing is kept of it. Raises as `state_of` does."""
        ...

    async def profile_named(self, name: str) -> str:
        """Give the profile that a name leads to: by itself where it is not known yet. Raises as `state_of` does."""
        ...

    async def find(self, name: str, newest: int) -> Known | None:
        """Find a customer by any identifier, with the newest decisions; raises StorageError as `state_of` does.

        A name is a customer id, `kind:value`, or the value alone.
        """
        ...

    async def reached(self, channel: str, address: str) -> Sequence[Reached]:
        """Find who is reached at an address by a channel, be it an identifier or not; raises as `state_of` does."""
        ...
