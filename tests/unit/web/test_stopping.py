"""What ends a server that serves: signals, but none that it was told to ignore."""

import asyncio
import os
import signal

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


def test_clients_and_providers_that_hang_leave_a_server_time_to_end_within_ten_seconds():
    # One after the other; the rest is for settling what was sent, and for closing the store.
    assert server.GRACE_SECONDS + lane.GRACE_SECONDS <= 8
