"""The project in force, and its files read anew whenever they change.

Owns the moment at which changed journeys take the place of old ones: only as a whole, only when everything is valid,
and between two batches. Must never take away what is live because of a mistake in a file.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from orchestrator.errors import InvalidProject, OrchestratorError, StorageError
from orchestrator.language import Loaded, load

LOOK_EVERY = 1.0
# What changes all the time, as a log in the folder does, is read after so many looks though it stands still at none.
PATIENCE = 5
# What may stand behind the name of the state file.
_OF_STATE = ("", "-wal", "-shm", "-lock", "-journal")
_OURS = "a fault of ours; the log says more"
_log = structlog.get_logger(__name__)

# The name, size and time of every file: what tells that something has changed without reading it.
Look = dict[str, tuple[int, int]]


def look_at(directory: Path, state: Path) -> Look:
    """Take a look at a project's folder; the state file may stand in it, with its log, and is no part of it."""
    found: Look = {}
    ours = os.path.abspath(state)
    for folder, folders, files in os.walk(os.path.abspath(directory)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = os.path.join(folder, name)
            if path.removeprefix(ours) in _OF_STATE:
                continue
            try:
                told = os.stat(path)
            except OSError:
                continue  # gone since it was listed: the next look will not see it
            found[path] = (told.st_size, told.st_mtime_ns)
    return found


class Watch:
    """Looks at the files of a project and hands on what they have become; `look_further` looks for what else is new."""

    def __init__(
        self,
        directory: Path,
        state: Path,
        sleep: Callable[[float], Awaitable[None]],
        look_further: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._directory, self._state = directory, state
        self._sleep = sleep
        self._look_further = look_further
        self._seen = self._glimpsed = look_at(directory, state)
        self._glimpses = 0
        # With the files, and with what was published.
        self._problem: str | None = None
        self._further: str | None = None

    @property
    def problem(self) -> str | None:
        """What a person should look at; None when nothing."""
        return self._problem or self._further

    async def run(self, changed: Callable[[Loaded], Awaitable[None]]) -> None:
        """Look until cancelled; `changed` gets every valid new project."""
        while True:
            await self._sleep(LOOK_EVERY)
            await self.look(changed)

    async def look(self, changed: Callable[[Loaded], Awaitable[None]]) -> None:
        """Look once; what has changed is read when it has stood still for a look.

        Files come one after the other, and each in pieces: half a journey may be valid, and take a version's number.
        """
        now = await asyncio.to_thread(look_at, self._directory, self._state)
        if now == self._seen:
            await self._look_at_published()
            return
        if now != self._glimpsed and self._glimpses < PATIENCE:
            self._glimpsed = now
            self._glimpses += 1
            return
        self._seen, self._glimpses = now, 0
        try:
            loaded = await asyncio.to_thread(load, self._directory)
            await changed(loaded)
        except StorageError as error:
            self._seen = {}  # these files are good; they are tried again
            self._problem = str(error)
            _log.error("the changed journeys cannot be kept yet; the old ones stay in force", why=str(error))
        except InvalidProject as error:
            self._problem = str(error.errors[0])
            _log.error("the changed journeys are not valid; the old ones stay in force", problems=str(error))
        except OrchestratorError as error:
            self._problem = str(error)
            _log.error("the changed journeys cannot be used; the old ones stay in force", why=str(error))
        except Exception as error:  # noqa: BLE001 - whoever mends the files must be heard
            self._problem = _OURS
            _log.exception("the changed journeys cannot be used; the old ones stay in force", why=type(error).__name__)
        else:
            self._problem = None
            _log.info("journeys were read anew", journeys=len(loaded.definitions))

    async def _look_at_published(self) -> None:
        if self._look_further is None:
            return
        try:
            await self._look_further()
        except Exception as error:  # noqa: BLE001 - the files are looked at all the same
            is_ours = not isinstance(error, OrchestratorError)
            before, self._further = self._further, _OURS if is_ours else str(error)
            if self._further != before:  # it is tried at every look, and said once
                told = "what was published cannot be used; the old journeys stay in force"
                _log.error(told, why=str(error), exc_info=is_ours)
        else:
            self._further = None
