"""Clients that do not come up: what was begun is closed, and nobody waits long."""

import asyncio
import gc
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaConnectionError

from orchestrator.runtime.kafka.closing import FAREWELL_S
from orchestrator.runtime.kafka.describing import describer
from orchestrator.runtime.kafka.reading import reader
from orchestrator.runtime.kafka.settings import KafkaSettings

CLIENTS = (reader, describer)


@asynccontextmanager
async def something_else(answer):
    """Listen where a broker is expected; each connection is given to `answer`, and closed behind it."""

    async def meet(incoming, outgoing):
        await answer(incoming)
        outgoing.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield KafkaSettings.of({"app_id": "shop", "kafka_bootstrap_servers": f"{host}:{port}"})


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_that_finds_no_broker_is_closed(client):
    async def hang_up(incoming):
        await incoming.read(1)

    async with something_else(hang_up) as settings:
        with pytest.raises(KafkaConnectionError):
            async with client(settings):
                pass
    gc.collect()  # what is not closed complains of it, which fails the test


@asynccontextmanager
async def given_up(client, may_answer):
    """Give up a client that has asked something which answers once it may; give the task that used it."""
    is_asked = asyncio.Event()

    async def answer(incoming):
        await incoming.read(1)
        is_asked.set()
        await may_answer.wait()

    async def use(settings):
        async with client(settings):
            pass

    async with something_else(answer) as settings:
        using = asyncio.create_task(use(settings))
        await is_asked.wait()
        using.cancel()
        yield using


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_that_nobody_waits_for_any_more_is_closed_with_the_connection_that_it_was_making(client):
    may_answer = asyncio.Event()
    async with given_up(client, may_answer) as using:
        await asyncio.sleep(0)
        may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await using
    gc.collect()


@pytest.mark.slow
async def test_a_broker_that_never_answers_holds_up_nobody_who_stops():
    is_over = asyncio.Event()
    async with given_up(reader, is_over) as using:
        done, _ = await asyncio.wait([using], timeout=2 * FAREWELL_S + 1)
        is_over.set()
    assert done
    assert using.cancelled()
