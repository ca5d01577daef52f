"""The inbox: what agents may ask of cases, whatever keeps them.

    serving.Inbox    the cases of an embedded store: what is asked is part of its next batch
    kafka.Inbox      a copy of the cases: what is asked goes to the partition of its customer

Owns who sees which case, and what a call task says. What an agent asks is durable before the answer. Must never change
a case by itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import msgspec

from orchestrator.channels.port import Delivery, Setup
from orchestrator.model.casework import CaseFile
from orchestrator.runtime.agents import Agent
from orchestrator.runtime.desk import Ask, NotDone
from orchestrator.storage.casework import Casework

# A page of the queue; whoever has more open cases works on the first of them first.
QUEUE_LENGTH = 200

Result = TypeVar("Result")


class Inbox(ABC):
    """The cases that one process can show."""

    @abstractmethod
    def now_ms(self) -> int:
        """Tell the instant by which claims lapse."""

    @abstractmethod
    async def _read(self, call: Callable[[Casework], Result]) -> Result:
        """Look at the cases; raises StorageError while that is not possible."""

    @abstractmethod
    async def _do(self, file: CaseFile, ask: Ask) -> CaseFile:
        """Do what is asked; returns once it is durable. Raises NotDone, Busy or StorageError."""

    async def queue(self, agent: Agent, closed: bool = False, limit: int = QUEUE_LENGTH) -> list[CaseFile]:
        """Give the cases that an agent sees: the most urgent first, then the oldest; of closed ones the newest."""
        wanted = msgspec.structs.replace(agent.sees, closed=closed)
        return await self._read(lambda casework: casework.queue(wanted, limit))

    async def case(self, agent: Agent, case_id: str) -> CaseFile | None:
        """Give one case, open or closed; None where there is none that this agent sees."""
        found = await self.find(case_id)
        if found is None or not agent.sees.covers(found.team, found.skill, found.channel):
            return None
        return found

    async def find(self, case_id: str) -> CaseFile | None:
        """Give one case, whoever asks; None where there is none."""
        return await self._read(lambda casework: casework.case(case_id))

    async def others(self, profile_id: str) -> list[CaseFile]:
        """Give all cases of a customer, the oldest first."""
        return await self._read(lambda casework: casework.of(profile_id))

    async def do(self, agent: Agent, ask: Ask) -> CaseFile:
        """Do what an agent asks; returns once it is durable. Raises NotDone, Busy or StorageError."""
        file = await self.case(agent, ask.case_id)
        if file is None:
            raise NotDone("unknown", "there is no such case")
        return await self._do(file, ask)


def team_of(setup: Setup) -> str:
    """Tell whose tasks the messages of a channel are: `inbox:TEAM`."""
    return setup.url.partition(":")[2].partition("#")[0]


def task_of(delivery: Delivery, team: str) -> CaseFile:
    """Make a call task for somebody of a team out of a message."""
    action = delivery.action
    context = {"to": delivery.to, "action_id": action.id, "message": action.message, "purpose": action.purpose}
    return CaseFile(
        delivery.key,
        "call",
        action.profile_id,
        team,
        delivery.now_ms,
        action.customer_id,
        channel=delivery.rendered.channel,
        reason=action.message,
        summary=delivery.rendered.body,
        journey=action.journey,
        step=action.step,
        context={**context, "content": dict(delivery.rendered.fields)},
    )
