"""Writing: what one connection is told at one time, by one call to the system.

An answer's head and body come from the HTTP library one after the other; written one after the other they would wake
the other side twice (measured: a third of the time that an event takes). Owns that joining. Must never hold anything
back once the loop has gone round, nor hold much.
"""

import asyncio
from typing import Any

# Beyond this there is nothing to gain, and the transport's own flow control should hear of it.
MOST_HELD_BYTES = 32 * 1024


class JoinedWrites:
    """A transport that writes at the end of the loop's round what it was given during it."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write, a little later."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held += data
        if len(self._held) > MOST_HELD_BYTES:
            self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        """Write what is held, and close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Be the transport in everything else."""
        return getattr(self._transport, name)
