"""People on Kafka: cases, answers, what providers and other systems report, over two gateways in front of a worker."""

import asyncio
import gc
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import msgspec
import pytest

from integration.kafka.test_gateway import gateway_of
from integration.test_case_systems import HOOK
from integration.test_hooks import sms
from integration.test_streams import reading, token_of
from orchestrator.channels.port import Setup
from orchestrator.model import ids
from orchestrator.runtime.kafka.catalogs import keyed
from orchestrator.runtime.kafka.inbox import Tasks
from orchestrator.runtime.kafka.streaming import KafkaStreams
from orchestrator.runtime.kafka.topics import ensure
from orchestrator.runtime.kafka.worker import Worker
from orchestrator.web.case_hooks import chatwoot_signature
from providers import hooks
from providers.deliveries import delivery
from providers.live import READ, until

AGENTS = {"eva": "eva-has-a-long-key", "tom": "tom-has-a-long-key"}
KEYS = {
    "agents": ",".join(f"{name}:{key}:care" for name, key in AGENTS.items()),
    "hook_twilio_secret": hooks.SECRET,
    "team_care_hook_secret": HOOK,
}
PROJECT = """
project: shop
channels:
  push: {address: profile.device_token, preferred_order: 1}
  sms: {address: profile.phone, preferred_order: 2}
purposes: {marketing: {consent: opt_in}, service: {consent: none}}
identity: {identifiers: [customer_id, phone]}
teams: {care: {skills: [complaints]}}
"""
UNHAPPY = """
journey: unhappy
version: 1
purpose: service
status: live
enter: {event: comment_left, key: post, again: always}
steps:
  - id: to-care
    handoff: {to: care, reason: angry, summary: "Says: {{ event.properties.text }}", until: closed}
    then:
      - choose:
          - {if: "steps.to_care.outcome == 'solved'", then: [{exit: made_good}]}
"""
OFFER = """
journey: offer
version: 1
purpose: marketing
status: live
enter: {event: cart_updated, again: always}
steps: [{id: tell, send: {message: offer, channels: [sms]}}]
"""
PHONE = "+34600000001"


@dataclass
class Gate:
    """One gateway as agents and systems use it."""

    gateway: object
    client: aiohttp.ClientSession

    @property
    def url(self):
        return str(self.client._base_url).rstrip("/")

    async def ask(self, path="", agent="eva", verb=None, **said):
        headers = {"Authorization": f"Bearer {AGENTS[agent]}"}
        url = f"/v1/inbox/cases{path}" + (f"/{verb}" if verb else "")
        async with self.client.request("POST" if verb else "GET", url, headers=headers, json=said or None) as response:
            return response.status, await response.json()

    async def cases(self, query=""):
        status, told = await self.ask(query)
        assert status in (200, 503)  # its copy may not be whole yet
        return told.get("cases", [])

    async def is_whole(self):
        async with self.client.get("/v1/customers/nobody", headers={"Authorization": f"Bearer {READ}"}) as response:
            return response.status == 404

    async def lines(self, case):
        return [(line["what"], line["text"], line["status"]) for line in (await self.ask(case))[1]["lines"]]

    async def post(self, *events):
        async with self.client.post("/v1/events", json=list(events)) as response:
            assert (response.status, (await response.json())["refused"]) == (202, [])

    async def call(self, path, body, headers=None):
        """Send what a provider or a team's system sends, without a key of ours."""
        async with (
            aiohttp.ClientSession(self.url) as client,
            client.post(path, data=body, headers=headers) as response,
        ):
            return response.status


@pytest.fixture
def project(project):
    for file in project.rglob("*.yaml"):
        file.unlink()
    (project / "orchestrator.yaml").write_text(PROJECT)
    (project / "unhappy.journey.yaml").write_text(UNHAPPY)
    (project / "offer.journey.yaml").write_text(OFFER)
    (project / "messages" / "offer.message.yaml").write_text("message: offer\nsms: {text: An offer}\n")
    return project


@asynccontextmanager
async def working(shop):
    """Run a worker in this process."""
    worker, thresholds = Worker(shop.settings(), keyed(shop.loaded)), gc.get_threshold()
    await worker.start()
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await running
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@pytest.fixture
async def gates(shop, tmp_path):
    shop.variables["RESOLVE"] = "on"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(working(shop))
        opened = [await stack.enter_async_context(gateway_of(shop, tmp_path / f"{n}.db", KEYS)) for n in range(2)]
        yield [Gate(*each) for each in opened]


def ana(event_type, channel=None, **properties):
    told = {"type": event_type, "customer_id": "ana", "identifiers": {"phone": PHONE}, "properties": properties}
    return {**told, "channel": channel} if channel else told


async def decided(shop, *reasons):
    lines = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
    return [each["reason"] for each in lines if each["reason"] in reasons]


async def opened(shop, gates, post):
    """Let a comment become a case; give it once both gateways show it."""
    before = {each["id"] for each in await gates[0].cases()}
    await gates[0].post(ana("comment_left", "push", text="Horrible", post=post))
    found = []

    async def is_shown():
        shown = [{each["id"] for each in await gate.cases()} - before for gate in gates]
        found[:] = shown[0]
        return len(found) == 1 and shown[0] == shown[1]

    await shop.until(is_shown)
    return f"/{found[0]}"


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_case_is_one_agents_whichever_gateway_they_ask_and_all_that_is_heard_of_it_is_in_it(shop, gates):
    one, other = gates
    await one.post(
        ana("profile_updated", first_name="Ana", device_token="t-ana"),
        ana("consent_changed", purpose="marketing", granted=True),
    )
    case = await opened(shop, gates, "p1")
    found = (await other.ask(case))[1]
    assert (found["summary"], found["channels"]) == ("Says: Horrible", ["push", "sms"])
    assert found["customer"]["traits"]["first_name"] == "Ana"
    asked = [gate.ask(case, agent, "claim") for gate in gates for agent in ("eva", "tom") * 3]
    statuses = [status for status, _ in await asyncio.gather(*asked)]
    assert sorted(statuses) == [200] * 6 + [409] * 6
    winner = (await one.ask(case))[1]["agent"]
    loser = "tom" if winner == "eva" else "eva"
    assert (await other.ask(case, loser, "answer", text="Hola"))[1]["code"] == "taken"
    assert (await other.ask(case, winner, "answer", text="Lo siento, Ana"))[0] == 200
    assert (await one.ask(case, winner, "answer", text="Hola", channel="fax"))[1]["code"] == "unreachable"
    await heard_of(shop, gates, case)
    assert (await one.ask(case, winner, "close", outcome="solved", text="hablamos"))[0] == 200
    assert await decided(shop, "made_good", "case_answered") == ["case_answered", "made_good"]
    assert (await one.ask(case, winner, "note", text="more"))[1]["code"] == "closed"
    assert [each["id"] for each in await one.cases("?state=closed")] == [case[1:]]
    await closed_by_their_system(shop, gates)
    await called(shop, gates)
    await taken_back_by_stop(shop, gates)
    await seen_in_a_browser(gates, case)


async def heard_of(shop, gates, case):
    """Look for what the provider reports of the answer, and what the customer writes meanwhile, in the case."""
    one, other = gates
    actions = [json.loads(line) for line in await shop.lines(shop.topics.actions)]
    [answer] = [each for each in actions if "answer" in each["data"]]
    assert (answer["channel"], answer["to"], answer["data"]["answer"]["text"]) == ("push", "t-ana", "Lo siento, Ana")
    report = {"type": "delivered", "action_id": answer["id"], "customer_id": "ana"}
    async with other.client.post("/hooks/push", json=report) as response:
        assert response.status == 202
    body, headers = sms(PHONE, "Gracias")
    assert await one.call("/hooks/sms/twilio", body, headers) == 204

    async def all_of_it_is_there():
        lines = await other.lines(case)
        return ("answer", "Lo siento, Ana", "delivered") in lines and ("customer", "Gracias", None) in lines

    await shop.until(all_of_it_is_there)
    assert ("answer", "Hola", "unreachable") in await one.lines(case)


async def closed_by_their_system(shop, gates):
    """Close a case from a team's own system, by the hook of the gateway that it reaches."""
    one, other = gates
    case = await opened(shop, gates, "p2")
    said = {"event": "conversation_status_changed", "status": "resolved", "id": 7,
            "custom_attributes": {"case_id": case[1:]}, "meta": {"assignee": {"name": "Zoe"}}}  # fmt: skip
    body, stamp = json.dumps(said).encode(), str(other.gateway.clock.now_ms() // 1000)
    forged = {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": "sha256=00"}
    assert await other.call("/hooks/cases/care", body, forged) == 401
    signed = {**forged, "X-Chatwoot-Signature": chatwoot_signature(HOOK, stamp, body)}
    assert await other.call("/hooks/cases/care", body, signed) == 202

    async def is_closed():
        return [each["agent"] for each in await one.cases("?state=closed") if each["id"] == case[1:]] == ["Zoe"]

    await shop.until(is_closed)
    assert await decided(shop, "made_good") == ["made_good"] * 2


async def called(shop, gates):
    """Let a deliverer make a call task of a message; who makes the call says what came of it."""
    one, other = gates
    channel = Tasks(shop.settings(), shop.topics.receipts).open_channel(Setup("sms", "inbox:care"))
    for _ in range(2):  # delivery repeats what it is not sure of
        await channel.send(delivery(channel="push", to=PHONE))
    await channel.close()

    async def is_open():
        return [each["kind"] for each in await other.cases()] == ["call"]

    await shop.until(is_open)
    [task] = await one.cases()
    assert (await one.ask(f"/{task['id']}", "tom", "claim"))[0] == 200
    assert (await other.ask(f"/{task['id']}", "tom", "close", outcome="reached"))[1]["outcome"] == "reached"


async def seen_in_a_browser(gates, case):
    """Sign in at one gateway; the other knows who it is, too."""
    one, other = gates
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        form = {"name": "eva", "key": AGENTS["eva"]}
        async with browser.post(f"{one.url}/inbox/login", data=form, allow_redirects=False) as response:
            cookie = response.cookies["inbox"]
        headers = {"Cookie": f"inbox={cookie.value}"}  # it is for https alone
        async with browser.get(f"{other.url}/inbox/cases{case}", headers=headers) as response:
            assert "Lo siento, Ana" in await response.text()


async def taken_back_by_stop(shop, gates):
    """Write STOP by SMS at one gateway; the next cart that comes in by the other brings no offer."""
    one, other = gates
    body, headers = sms(PHONE, "STOP", "SM2")
    assert await one.call("/hooks/sms/twilio", body, headers) == 204

    async def has_said_no():
        async with other.client.get("/v1/customers/ana", headers={"Authorization": f"Bearer {READ}"}) as response:
            consents = (await response.json())["consents"]
        return ("sms", False) in [(each["channel"], each["granted"]) for each in consents]

    await shop.until(has_said_no)
    await other.post(ana("cart_updated"))

    async def is_refused():
        return await decided(shop, "no_consent") == ["no_consent"]

    await shop.until(is_refused)


async def streamed(shop, *messages):
    """Hand messages to the channel of a deliverer, as (customer, number)."""
    channel = KafkaStreams(shop.settings(), shop.topics.messages).open_channel(Setup("push", "stream:?keep=1h"))
    for customer, number in messages:
        profile_id = ids.profile_id_of("customer_id", customer)
        made = delivery(number=number, channel="push", profile_id=profile_id, data={"n": number})
        await channel.send(msgspec.structs.replace(made, now_ms=int(time.time() * 1000)))
    await channel.close()


def numbers(reader):
    known = {ids.derive("action", str(number)): number for number in range(100)}
    return sorted(known[data["id"]] for _, event, data in reader.events if event == "message")


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_reader_of_messages_goes_on_at_any_gateway_and_says_what_was_read(shop, tmp_path):
    shop.variables["RESOLVE"] = "on"
    await ensure(shop.settings(), shop.topics)
    await streamed(shop, *((f"c{number}", number) for number in range(12)))
    async with AsyncExitStack() as stack:
        gates = [Gate(*await stack.enter_async_context(gateway_of(shop, tmp_path / f"{n}.db"))) for n in range(2)]
        for gate in gates:
            await shop.until(gate.is_whole)
        async with reading(gates[0], "push") as reader, reading(gates[1], "push", query="?from=now") as new:
            await until(lambda: numbers(reader) == list(range(12)))
            await streamed(shop, ("c3", 12), ("ana", 13))
            await until(lambda: numbers(reader) == list(range(14)) and numbers(new) == [12, 13])
            places = [place for place, _, _ in reader.events]
        async with reading(gates[1], "push", last=places[9]) as again:
            await until(lambda: len(again.events) == 4)
            seen = {data["id"] for _, _, data in reader.events[:10]}
            assert {data["id"] for _, _, data in again.events} == {data["id"] for _, _, data in reader.events} - seen
        async with reading(gates[1], "push", await token_of(gates[0], "c3", "push")) as mine:
            await until(lambda: numbers(mine) == [3, 12])
        async with gates[1].client.get("/v1/stream/push?after=77", headers={"Authorization": f"Bearer {READ}"}) as got:
            assert (got.status, (await got.json())["code"]) == (400, "bad_place")
        report = {"id": ids.derive("action", "12"), "type": "opened"}
        headers = {"Authorization": f"Bearer {READ}"}
        async with gates[0].client.post("/v1/stream/push/receipts", json=report, headers=headers) as response:
            assert response.status == 202
    [receipt] = [json.loads(line) for line in await shop.lines(shop.topics.receipts)]
    assert (receipt["type"], receipt["properties"]["action_id"]) == ("message_opened", ids.derive("action", "12"))
