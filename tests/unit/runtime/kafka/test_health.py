"""Health and metrics of a process of the Kafka runtime: where it answers."""

import socket

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from orchestrator.runtime import listening
from orchestrator.runtime.kafka.health import HealthServer
from orchestrator.runtime.kafka.settings import KafkaSettings


def _server():
    return HealthServer(CollectorRegistry(), lambda: True, lambda: True)


def _at(http):
    return KafkaSettings.of({"app_id": "shop", "http": http})


def _has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as bound:
            bound.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("http", ["[::1]:0", "::1:0"])
async def test_it_answers_on_an_address_of_ipv6(http):
    server = _server()
    await server.start(_at(http))
    try:
        url = f"{listening.url(*server.address)}/healthz"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
    finally:
        await server.stop()
