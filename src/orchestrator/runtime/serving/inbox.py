"""The inbox of an embedded store, and the call tasks of a channel whose URL is `inbox:`.

Owns how both become a turn's work, durable before the answer. Must never change a case by itself.
"""

from collections.abc import Callable
from typing import TypeVar

from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.errors import StorageError, Unavailable
from orchestrator.model.casework import CaseFile
from orchestrator.runtime import inbox
from orchestrator.runtime.desk import Ask, NotDone
from orchestrator.runtime.live import Busy
from orchestrator.runtime.serving.intake import Intake
from orchestrator.runtime.serving.turns import Asked, Placed
from orchestrator.storage.casework import Casework

Result = TypeVar("Result")


class Inbox(inbox.Inbox):
    """The cases of one process."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def now_ms(self) -> int:
        """Tell the instant by which claims lapse."""
        return self._intake.now_ms()

    async def _read(self, call: Callable[[Casework], Result]) -> Result:
        return await self._intake.run(lambda: call(self._intake.store.casework))

    async def _do(self, file: CaseFile, ask: Ask) -> CaseFile:
        asked = Asked(ask)
        await self._intake.put(asked)
        if asked.refusal is not None:
            raise asked.refusal
        if asked.file is None:
            raise NotDone("unknown", "there is no such case")
        return asked.file

    def open_channel(self, setup: Setup) -> Channel:
        """Make the channel that `inbox:TEAM` names: each message is a task for somebody of that team."""
        return TaskChannel(self._intake, inbox.team_of(setup))


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
        await place(self._intake, Placed(cases=[inbox.task_of(delivery, self._team)]))
        return Receipt(delivery.key)

    async def close(self) -> None:
        """Do nothing: the inbox is the process's."""
