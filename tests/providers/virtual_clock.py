"""A clock that moves when a test says so.

Owns its instant and who sleeps until when. Must never look at the machine's clock.
"""

import asyncio
from heapq import heappop, heappush


class VirtualClock:
    """A Clock; `advance` moves it and wakes whoever slept until then, earliest first."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._now_ms + max(1, int(seconds * 1000)), self._count, waking))
        await waking

    async def advance(self, milliseconds: int) -> None:
        """Move on so far, and let everything happen that happens on the way."""
        until_ms = self._now_ms + milliseconds
        await settle_down()
        while self._sleepers and self._sleepers[0][0] <= until_ms:
            at_ms, _, waking = heappop(self._sleepers)
            if waking.done():
                continue
            self._now_ms = max(self._now_ms, at_ms)
            waking.set_result(None)
            await settle_down()
        self._now_ms = until_ms
        await settle_down()


async def settle_down() -> None:
    """Let every task run that can, until none has anything to do but wait for the clock."""
    loop = asyncio.get_running_loop()
    # At most so often, for tasks that never rest. A loop of another make does not tell who can run.
    for _ in range(15):
        await asyncio.sleep(0)
        if not getattr(loop, "_ready", True):
            return
