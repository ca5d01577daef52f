"""The OpenAPI document, held to what the running process does."""

import asyncio
import contextlib
import copy
import threading

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.web.app import App
from orchestrator.web.openapi import document
from providers import hooks
from providers.live import PROJECT, READ, WRITE, LiveShop, write_project

schemathesis.checks.load_all_checks()
NAMES = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
CHECKS = [schemathesis.checks.CHECKS.get_one(name) for name in NAMES]
schema = schemathesis.openapi.from_dict(document("http://127.0.0.1"))
AGENT, HOOK = "an-agents-long-key", "a-teams-hook-secret"
SETTINGS = {
    "agents": f"eva:{AGENT}",
    "team_care_hook_secret": HOOK,
    "channel_push": "stream:",
    **{f"hook_{name}_secret": hooks.SECRET for name in ("mailgun", "twilio", "meta", "telegram", "sendgrid")},
    "hook_meta_token": "token",
    "hook_ses_topics": "arn:aws:sns:eu-west-1:1:t",
    "hook_postmark_password": hooks.PASSWORD,
    "hook_standard_secret": hooks.STANDARD_KEY,
}
HANDS_OVER = """
journey: unhappy
version: 1
purpose: service
status: live
enter: {event: comment_left}
steps:
  - {id: care, handoff: {to: care, reason: angry, summary: "{{ event.properties.text }}", until: closed, within: 1d}}
"""


def a_shop(folder):
    """Make a shop that serves every path of the document."""
    write_project(folder / "shop", HANDS_OVER, project=PROJECT + "teams:\n  care: {}\n")
    shop = LiveShop(folder)
    shop.settings |= SETTINGS
    return shop


def headers_for(path):
    """Give the headers by which a request gets past the door, where no signature is asked for."""
    if path == "/hooks/{channel}/{provider}":
        return {**hooks.basic(), "X-Telegram-Bot-Api-Secret-Token": hooks.SECRET}
    if path == "/v1/stream/{channel}":
        return {"Authorization": f"Bearer {WRITE}"}  # which opens none: it would go on for ever
    key = AGENT if "inbox" in path else READ if "customers" in path or "stream" in path else WRITE
    return {"Authorization": f"Bearer {key}"}


@contextlib.contextmanager
def shop_in_a_thread(folder):
    """Serve a shop from another thread, for what does not wait in a loop; give its URL."""
    found, stop = [], None
    ready = threading.Event()

    async def run():
        nonlocal stop
        stop = asyncio.Event()
        loops.append(asyncio.get_running_loop())
        async with a_shop(folder) as shop:
            await shop.post({"id": "c", "type": "comment_left", "customer_id": "ana", "properties": {"text": "Mal"}})
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
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_every_path_does_what_the_document_says(case, url):
    case.call_and_validate(base_url=url, headers=headers_for(case.path), checks=CHECKS)


# What browsers and mail programs open by links that we made, and what people look at.
PAGES = ("/inbox", "/u/{token}", "/c/{token}", "/s/{token}", "/r/{token}", "/o/{token}", "/openapi.json")


async def test_the_document_names_every_path_for_programs(tmp_path):
    async with a_shop(tmp_path) as shop, shop.client.get("/openapi.json") as response:
        told = await response.json()
        another = copy.copy(shop.service)
        another.metrics = Metrics()
        served = App(another).served
    assert set(told["paths"]) == {path for path in served if not path.startswith(PAGES)}


async def test_answers_that_last_and_cases_that_are_there_are_as_the_document_says(tmp_path):
    async with a_shop(tmp_path) as shop:
        await shop.post({"type": "comment_left", "customer_id": "ana", "properties": {"text": "Mal"}})
        key = {"Authorization": f"Bearer {AGENT}"}
        async with shop.client.get("/v1/inbox/cases", headers=key) as response:
            [case] = checked("/v1/inbox/cases", "get", response, await response.json())["cases"]
        for path, verb, asked in (
            ("/v1/inbox/cases/{id}", "get", None),
            ("/v1/inbox/cases/{id}/claim", "post", {}),
            ("/v1/inbox/cases/{id}/close", "post", {"outcome": "solved"}),
        ):
            async with shop.client.request(verb, path.format(**case), json=asked, headers=key) as response:
                told = checked(
                    path.replace("claim", "{verb}").replace("close", "{verb}"), verb, response, await response.json()
                )
        assert told["outcome"] == "solved"
        reading = {"Authorization": f"Bearer {READ}"}
        async with shop.client.get("/v1/stream/push", headers=reading) as response:
            checked("/v1/stream/{channel}", "get", response)
        asked = {"customer_id": "ana"}
        async with shop.client.post("/v1/stream/push/tokens", json=asked, headers=reading) as response:
            checked("/v1/stream/{channel}/tokens", "post", response, await response.json())


def checked(path, verb, response, told=None):
    """Hold an answer to the document, and give it."""
    described = document("")["paths"][path][verb]["responses"][str(response.status)]["content"]
    assert response.status < 300
    assert list(described) == [response.content_type]
    if told is not None:
        jsonschema.validate(told, described[response.content_type]["schema"])
    return told
