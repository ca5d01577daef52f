"""Joined writes: what reaches the system, and when."""

import asyncio

from orchestrator.web.writing import MOST_HELD_BYTES, JoinedWrites


class Transport:
    """Keeps what it is told."""

    def __init__(self):
        self.written, self.closed = [], False

    def write(self, data):
        self.written.append(data)

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    abort = close


def joined():
    transport = Transport()
    return transport, JoinedWrites(transport, asyncio.get_running_loop())


async def test_what_is_written_in_one_round_of_the_loop_goes_together():
    transport, writes = joined()
    writes.write(b"head ")
    writes.write(b"body")
    assert transport.written == []
    await asyncio.sleep(0)
    writes.write(b"next")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert transport.written == [b"head body", b"next"]


async def test_much_is_not_held_back():
    transport, writes = joined()
    writes.write(b"head ")
    writes.write(b"x" * MOST_HELD_BYTES)
    assert transport.written == [b"head " + b"x" * MOST_HELD_BYTES]
    await asyncio.sleep(0)
    assert len(transport.written) == 1


async def test_closing_writes_what_is_held_and_aborting_does_not():
    transport, writes = joined()
    writes.write(b"bye")
    writes.close()
    assert (transport.written, writes.is_closing()) == ([b"bye"], True)
    transport, writes = joined()
    writes.write(b"bye")
    writes.abort()
    await asyncio.sleep(0)
    assert transport.written == []
