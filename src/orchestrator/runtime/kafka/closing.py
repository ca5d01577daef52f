"""Closing a Kafka client that owes nobody an answer any more.

Owns how long that may take. Must never be used where closing means something: leaving a group has its own.
"""

import asyncio
import logging
from collections.abc import Awaitable

log = logging.getLogger(__name__)

# Over TLS, a broker that is at work on a last request leaves our farewell unanswered. *Measured:* 30 s, the time that
# the loop gives it, in the middle of a restore. The connection is closed behind us all the same.
FAREWELL_S = 1.0


async def close(farewell: Awaitable[None]) -> None:
    """Close a client without waiting long for the other side; `farewell` is its `stop()`, not awaited yet."""
    try:
        async with asyncio.timeout(FAREWELL_S):
            await farewell
    except TimeoutError:
        log.debug("connections close without their farewell")
