"""Starting a Kafka client so that it is closed if that fails, and closing one that owes nobody an answer any more.

Owns how long that may take. Must never be used where closing means something: leaving a group has its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

# Over TLS, a broker that is at work on a last request leaves our farewell unanswered. *Measured:* 30 s, the time that
# the loop gives it, in the middle of a restore. The connection is closed behind us all the same.
FAREWELL_S = 1.0


async def start(beginning: Coroutine[Any, Any, None], farewell: Callable[[], Awaitable[None]]) -> None:
    """Start a client; `beginning` is its `start()`, not awaited yet. One that did not start is closed.

    Whoever is cancelled meanwhile waits for it a moment longer: aiokafka never closes a connection if it is cancelled
    while it asks for the cluster's metadata on it.
    """
    starting = asyncio.create_task(beginning)
    try:
        await asyncio.shield(starting)
    except BaseException:
        await asyncio.wait([starting], timeout=FAREWELL_S)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await close(farewell())
        raise


async def close(farewell: Awaitable[None]) -> None:
    """Close a client without waiting long for the other side; `farewell` is its `stop()`, not awaited yet."""
    try:
        async with asyncio.timeout(FAREWELL_S):
            await farewell
    except TimeoutError:
        log.debug("connections close without their farewell")
