"""What ends a server that serves: signals, but none that it was told to ignore."""

import asyncio
import os
import signal
import socket

import pytest

from orchestrator.runtime.delivery import lane
from orchestrator.web import server
from orchestrator.web.server import stop_by_signal


@pytest.fixture
def hangup():
    """Have the terminal's end mean what it does by default, whatever these tests were started under."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_server_ends_in_order_when_it_is_told_to_and_when_its_terminal_goes(hangup, number):
    stopping = stop_by_signal()
    os.kill(os.getpid(), number)
    async with asyncio.timeout(5):
        await stopping.wait()


async def test_a_server_that_is_to_outlive_its_terminal_does(hangup):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stopping = stop_by_signal()
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        await stopping.wait()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class Starting:
    """A service whose start waits for somebody who never comes."""

    def __init__(self):
        self.has_begun, self.was_given_up = asyncio.Event(), False

    async def start(self):
        self.has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.was_given_up = True


async def test_a_server_that_is_told_to_stop_while_it_starts_gives_its_start_up():
    service, stopping, ready = Starting(), asyncio.Event(), []
    with socket.socket() as bound:
        async with asyncio.timeout(5):
            serving = asyncio.create_task(server.serve(service, bound, lambda: ready.append(1), stopping))
            await service.has_begun.wait()
            stopping.set()
            await serving
    assert service.was_given_up
    assert not ready


def test_clients_and_providers_that_hang_leave_a_server_time_to_end_within_ten_seconds():
    # One after the other; the rest is for settling what was sent, and for closing the store.
    assert server.GRACE_SECONDS + lane.GRACE_SECONDS <= 8
