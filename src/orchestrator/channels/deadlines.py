"""Deadlines: an end for whatever takes too long, by one timer for all that is under way.

Owns that timer. Made for what is begun thousands of times a second and nearly always ends in time: to set and cancel a
timer for each is measured at a twentieth of a call over HTTP. Must never end anything early.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Deadlines:
    """Gives everything so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # In the order in which they began, which is the order in which they end.
        self._ends: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def hold(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await some work; raises TimeoutError, with the work cancelled, when it takes too long.

        A task holds one work at a time.
        """
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - a coroutine is awaited in a task
        ends = self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(ends, self._end, loop)
        try:
            return await work
        except asyncio.CancelledError as error:
            # As in asyncio.timeout: whoever else cancelled the task meanwhile has the word.
            if task in self._expired and not task.uncancel():
                raise TimeoutError from error
            raise
        finally:
            self._ends.pop(task, None)
            self._expired.discard(task)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        """End whatever has had its time, and look again when the next has."""
        self._timer = None
        for task, ends in list(self._ends.items()):
            if ends > loop.time():
                self._timer = loop.call_at(ends, self._end, loop)
                break
            del self._ends[task]
            self._expired.add(task)
            task.cancel()
