"""The whole story on Kafka, over HTTP: a cart is left, a mail comes, what is done with it changes what comes next."""

import asyncio
import html
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import pytest

from integration.kafka.conftest import Door, Shop
from orchestrator.channels.machines import TOO_SOON_MS
from orchestrator.model import codec, ids
from orchestrator.storage import SqliteStore
from orchestrator.testing.streams import WorkerProcess, committed
from providers import MailServer, hooks
from providers.apis import Twilio
from providers.deliveries import SECRET
from providers.live import JOURNEY, MESSAGES, PROJECT
from providers.one_customer import Storyteller, it_can_be_told, write

PARTITIONS = 4
PHONE = "+34600000001"
SIZE = """
journey: size
version: 1
purpose: service
status: live
enter: {event: size_asked}
steps:
  - {id: ask, send: {message: size, channels: [sms]}}
  - id: answer
    wait_for: {event: message_received, within: 1d}
    then: [{id: thank, send: {message: size, channels: [same], data: {said: event.properties.text}}}]
"""
SIZES = "message: size\nsms: {text: \"{{ data.said | default: 'Your size?' }}\"}\n"


def told(customer: str, event_type: str, **properties) -> dict:
    return {"type": event_type, "customer_id": customer, "properties": properties}


def cart(customer: str) -> list[dict]:
    traits = {"email": f"{customer}@example.com", "first_name": customer.capitalize(), "device_token": f"t-{customer}"}
    return [
        told(customer, "profile_updated", **traits),
        told(customer, "consent_changed", purpose="marketing", granted=True),
        told(customer, "cart_updated", cart_id="c1", total=40),
    ]


async def verdicts(shop, reasons: set[str]) -> set[tuple[str, str]]:
    lines = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
    return {(each["verdict"], each["reason"]) for each in lines if each["reason"] in reasons}


def links_of(mail) -> list[str]:
    """Read where a mail leads, as a mail program would show it."""
    return [html.unescape(each) for each in re.findall(r'href="([^"]+)"', mail.get_body(("html",)).get_content())]


async def chosen(door, link: str) -> set[tuple[str, str]]:
    """Open the page of preferences; give what is ticked, as (purpose, channel)."""
    status, page = await door.get(link)
    boxes = re.findall(r'name="([^"]+)" value="([^"]+)"( checked)?', page) if status == 200 else []
    return {(purpose, channel) for purpose, channel, ticked in boxes if ticked}


def explain(project, copy) -> str:
    """Ask the read side's copy as one asks the store of `serve`."""
    words = ["-m", "orchestrator", "explain", "ana", str(project), "--state", str(copy)]
    return subprocess.run([sys.executable, *words], capture_output=True, check=True, text=True).stdout


@dataclass
class Town:
    """All that runs: a worker, a deliverer, two doors as behind a load balancer, and the customers' mail server."""

    shop: Shop
    server: MailServer
    processes: list[WorkerProcess]
    doors: list[Door]
    pushed: Path
    phones: Twilio

    async def until(self, seen: Callable[[], bool]) -> None:
        """Look until something of it can be seen from outside."""

        async def is_seen() -> bool:
            return seen()

        await self.shop.until(is_seen, 120)

    def mail_to(self, name: str) -> EmailMessage:
        return next(mail for mail in self.server.mails if mail["To"] == f"{name}@example.com")

    def said(self) -> list[str]:
        return [mail["Subject"] for mail in self.server.mails]


@pytest.fixture
async def town(shop, project, tmp_path) -> AsyncIterator[Town]:
    (project / "cart.journey.yaml").unlink()
    texting = "channels:\n  sms: {address: profile.phone}"
    (project / "orchestrator.yaml").write_text(PROJECT.replace("channels:", texting))
    (project / "size.journey.yaml").write_text(SIZE)
    (project / "messages" / "size.message.yaml").write_text(SIZES)
    (project / "abandoned-cart.journey.yaml").write_text(JOURNEY.replace("for: 1h", "for: 2s"))
    for name, text in MESSAGES.items():
        (project / "messages" / f"{name}.message.yaml").write_text(text)
    write(project)
    pushed = tmp_path / "pushed.jsonl"
    shop.variables |= {"PUBLIC_URL": "https://shop.example", "RESOLVE": "on", "HOOK_TWILIO_SECRET": hooks.SECRET}
    async with MailServer() as server, Twilio(tmp_path) as phones:
        server.refuse["carla@example.com"] = "550 5.1.1 unknown"
        channels = {"CHANNEL_EMAIL": server.url, "CHANNEL_PUSH": f"file:{pushed}", "ALLOWED_HOSTS": "127.0.0.1"}
        sms = f"twilio://{phones.host}?account={Twilio.ACCOUNT}&from=%2B{Twilio.SENDER[1:]}&ca={phones.ca}"
        channels |= {"CHANNEL_SMS": sms, "CHANNEL_SMS_SECRET": Twilio.TOKEN}
        processes = [shop.start_worker(), shop.start_worker("deliver", LINK_SECRET=SECRET, **channels)]
        doors = list(await asyncio.gather(shop.open_door(), shop.open_door()))
        yield Town(shop, server, [*processes, *(door.process for door in doors)], doors, pushed, phones)


async def one_customer(town: Town) -> None:
    """Tell of a visitor who is known by a phone, a laptop and a card, and is one customer."""
    door, other = town.doors

    async def read(address: str, subject: str) -> EmailMessage:
        def come() -> list[EmailMessage]:
            return [mail for mail in town.server.mails if (mail["To"], mail["Subject"]) == (address, subject)]

        await town.until(lambda: bool(come()))
        return come()[0]

    async def opened(link: str) -> None:
        assert await other.fetch(link) in (200, 302)

    story = Storyteller(door.post, read, opened, other.known, town.shop.until)
    mail = await story.joins("phone", "Ana@Example.com")
    mailed_ms = time.time() * 1000
    await town.until(lambda: time.time() * 1000 - mailed_ms > TOO_SOON_MS)
    await story.opens(mail)
    await story.buys()
    await story.is_one_customer()
    await asyncio.to_thread(it_can_be_told, town.shop.project, other.copy)


async def left_alone(town: Town) -> None:
    """Leave three carts; two become mails, and one a push, because its mail bounced."""
    assert await town.doors[0].post(*[event for name in ("ana", "ben", "carla") for event in cart(name)]) == 202
    await town.until(lambda: {to for _, to in town.server.envelopes} == {"ana@example.com", "ben@example.com"})
    ana, ben = town.mail_to("ana"), town.mail_to("ben")
    assert ana["Subject"] == "Ana, tu cesta te espera"
    assert ana.get_body(("plain",)).get_content().startswith("Hola Ana: vuelve (https://")
    assert '<html lang="es">' in ana.get_body(("html",)).get_content()
    assert ben["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    await town.until(lambda: town.pushed.exists() and "t-carla" in town.pushed.read_text())


async def unsubscribe(town: Town, one_click: str) -> None:
    """Leave by the mail program's button; the page of preferences says so as soon as the workers have it."""
    door, other = town.doors
    assert await other.send_form(one_click, {"List-Unsubscribe": "One-Click"}) == 200
    _, page = await door.get(one_click)
    [preferences] = re.findall(r'href="(/u/[^"]+)"', page)

    async def is_out() -> bool:
        return await chosen(door, preferences) == {("marketing", "push"), ("marketing", "sms")}

    await town.shop.until(is_out, 60)


async def click(town: Town, mail: EmailMessage, mailed_ms: float) -> None:
    """Follow the link to the shop, once it is no scanner's click any more; the journey waits for that."""
    await town.until(lambda: time.time() * 1000 - mailed_ms > TOO_SOON_MS)
    [shop_link] = [link for link in links_of(mail) if link.startswith("https://shop.example/r/")]
    assert await town.doors[1].get(shop_link) == (302, "https://casaolmo.example/cesta?a=1&b=2")
    await town.until(lambda: "Gracias" in town.said())


async def texted(door: Door, said: str, sid: str) -> None:
    """Write from Ana's phone, which no identifier names."""
    form, headers = hooks.twilio({"MessageSid": sid, "From": PHONE, "To": Twilio.SENDER, "Body": said})
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{door.url}/hooks/sms/twilio", data=form, headers=headers) as response,
    ):
        assert response.status == 204


def answerable(copy: Path) -> str:
    """Give the id of the message that Ana's phone is known to have got, as the copy of a door has it."""
    with SqliteStore(copy, writes=False) as store:
        record = store.read(ids.profile_id_of("customer_id", "ana"))
    return next((each.action_id for each in codec.decode(record).sent if each.named), "") if record else ""


async def text_back(town: Town) -> None:
    """Answer a text from a phone that is only a trait, and then have enough: both are Ana's."""
    door = town.doors[0]
    assert await door.post(told("ana", "profile_updated", phone=PHONE), told("ana", "size_asked")) == 202
    await town.until(lambda: answerable(door.copy) != "")
    await texted(door, "38", "SM1")
    await town.until(lambda: [form["Body"] for form in town.phones.taken] == ["Your size?", "38"])
    await texted(door, "STOP", "SM2")

    async def has_left() -> bool:
        return ("sms", False) in [(each["channel"], each["granted"]) for each in (await door.known("ana"))["consents"]]

    await town.shop.until(has_left, 60)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_cart_left_alone_becomes_a_mail_and_what_is_done_with_it_changes_what_comes_next(town):
    shop, (door, other) = town.shop, town.doors
    await left_alone(town)
    mailed_ms = time.time() * 1000
    await unsubscribe(town, town.mail_to("ben")["List-Unsubscribe"].strip("<>"))
    await click(town, town.mail_to("ana"), mailed_ms)
    # Ben said no to mails, and Carla's address is no more: their next carts are nothing for the mail.
    again = [told(name, "order_placed", cart_id="c1") for name in ("ben", "carla")]
    again += [told(name, "cart_updated", cart_id="c2", total=50) for name in ("ben", "carla")]
    assert await door.post(*again) == 202

    async def refused() -> bool:
        found = await verdicts(shop, {"no_consent", "unreachable"})
        return found == {("suppressed", "no_consent"), ("suppressed", "unreachable")}

    await shop.until(refused, 60)

    async def carla_is_unreachable() -> bool:
        return (await other.known("carla"))["unreachable"] == ["email"]

    await shop.until(carla_is_unreachable, 60)
    ana = await other.known("ana")
    await text_back(town)
    assert ana["traits"]["first_name"] == "Ana"
    assert [each["message"] for each in ana["messages"]] == ["thanks", "cart-reminder"]
    assert [each["verdict"] for each in ana["timeline"]][-2:] == ["waited", "entered"]
    await one_customer(town)
    assert [await asyncio.to_thread(each.stop) for each in reversed(town.processes)] == [0] * 4, shop.said()
    receipts = [json.loads(each.value) for each in await committed(shop.servers, shop.topics.receipts, PARTITIONS)]
    types = Counter(each["type"] for each in receipts)
    assert [types[f"message_{what}"] for what in ("bounced", "clicked", "unsubscribed")] == [1, 2, 1]
    answers = [each["properties"] for each in receipts if each["type"] == "message_received"]
    assert [(each["text"], each["action_id"]) for each in answers] == [("38", answerable(door.copy))]
    assert "thanks" in await asyncio.to_thread(explain, shop.project, other.copy)
