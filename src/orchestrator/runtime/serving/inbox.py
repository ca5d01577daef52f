"""The inbox: what agents may ask of the cases in this process.

Owns who sees which case, and the call tasks of a channel whose URL is `inbox:`. What an agent asks is a turn's work,
durable before the answer. Must never speak HTTP, nor change a case by itself.
"""

import msgspec

from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.errors import StorageError, Unavailable
from orchestrator.model.casework import CaseFile
from orchestrator.runtime.live import Busy
from orchestrator.runtime.serving.agents import Agent
from orchestrator.runtime.serving.desk import Ask, NotDone
from orchestrator.runtime.serving.intake import Intake
from orchestrator.runtime.serving.turns import Asked, Placed

# A page of the queue; whoever has more open cases works on the first of them first.
QUEUE_LENGTH = 200


class Inbox:
    """The cases of one process."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def now_ms(self) -> int:
        """Tell the instant by which claims lapse."""
        return self._intake.now_ms()

    async def queue(self, agent: Agent, closed: bool = False, limit: int = QUEUE_LENGTH) -> list[CaseFile]:
        """Give the cases that an agent sees: the most urgent first, then the oldest; of closed ones the newest."""
        wanted = msgspec.structs.replace(agent.sees, closed=closed)
        return await self._intake.run(lambda: self._intake.store.casework.queue(wanted, limit))

    async def case(self, agent: Agent, case_id: str) -> CaseFile | None:
        """Give one case, open or closed; None where there is none that this agent sees."""
        found = await self._intake.run(lambda: self._intake.store.casework.case(case_id))
        if found is None or not agent.sees.covers(found.team, found.skill, found.channel):
            return None
        return found

    async def others(self, profile_id: str) -> list[CaseFile]:
        """Give all cases of a customer, the oldest first."""
        return await self._intake.run(lambda: self._intake.store.casework.of(profile_id))

    async def do(self, agent: Agent, ask: Ask) -> CaseFile:
        """Do what an agent asks; returns once it is durable. Raises NotDone, Busy or StorageError."""
        if await self.case(agent, ask.case_id) is None:
            raise NotDone("unknown", "there is no such case")
        asked = Asked(ask)
        await self._intake.put(asked)
        if asked.refusal is not None:
            raise asked.refusal
        if asked.file is None:
            raise NotDone("unknown", "there is no such case")
        return asked.file

    def open_channel(self, setup: Setup) -> Channel:
        """Make the channel that `inbox:TEAM` names: each message is a task for somebody of that team."""
        return TaskChannel(self._intake, setup.url.partition(":")[2].partition("#")[0])


async def place(intake: Intake, placed: Placed) -> None:
    """Keep what a channel of ours was handed; raises Unavailable where it could not be, so that it is tried again."""
    try:
        await intake.put(placed)
    except (Busy, StorageError) as error:
        raise Unavailable(None, str(error)) from error


class TaskChannel:
    """A channel whose messages people deliver: calls to make, with what to say."""

    def __init__(self, intake: Intake, team: str) -> None:
        self._intake = intake
        self._team = team

    async def send(self, delivery: Delivery) -> Receipt:
        """Put one task into the inbox; one that is there already stays as it is."""
        action = delivery.action
        context = {"to": delivery.to, "action_id": action.id, "message": action.message, "purpose": action.purpose}
        task = CaseFile(
            delivery.key,
            "call",
            action.profile_id,
            self._team,
            delivery.now_ms,
            action.customer_id,
            channel=delivery.rendered.channel,
            reason=action.message,
            summary=delivery.rendered.body,
            journey=action.journey,
            step=action.step,
            context={**context, "content": dict(delivery.rendered.fields)},
        )
        await place(self._intake, Placed(cases=[task]))
        return Receipt(delivery.key)

    async def close(self) -> None:
        """Do nothing: the inbox is the process's."""
