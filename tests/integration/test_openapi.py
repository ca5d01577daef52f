"""The OpenAPI document, held to what the running process does."""

import asyncio
import contextlib
import threading

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from orchestrator.web.openapi import document
from providers.live import READ, WRITE, LiveShop

schemathesis.checks.load_all_checks()
NAMES = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
CHECKS = [schemathesis.checks.CHECKS.get_one(name) for name in NAMES]
schema = schemathesis.openapi.from_dict(document("http://127.0.0.1"))


@contextlib.contextmanager
def shop_in_a_thread(folder):
    """Serve a shop from another thread, for what does not wait in a loop; give its URL."""
    found, stop = [], None
    ready = threading.Event()

    async def run():
        nonlocal stop
        stop = asyncio.Event()
        loops.append(asyncio.get_running_loop())
        async with LiveShop(folder) as shop:
            found.append(shop.url)
            ready.set()
            await stop.wait()

    loops = []
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(30)
        yield found[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with shop_in_a_thread(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_every_path_does_what_the_document_says(case, url):
    key = READ if case.path.startswith("/v1/customers") else WRITE
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)


async def test_the_document_names_every_path_for_programs(tmp_path):
    async with LiveShop(tmp_path) as shop, shop.client.get("/openapi.json") as response:
        told = await response.json()
    assert set(told["paths"]) >= {"/v1/events", "/v1/batch", "/v1/track", "/v1/customers/{id}", "/healthz", "/readyz"}
