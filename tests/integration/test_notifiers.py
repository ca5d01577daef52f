"""What goes by apprise: to servers on this machine, and what each answer comes to."""

import json
import threading

import pytest
from apprise.plugins.slack import NotifySlack

from orchestrator.channels.notifiers import THREADS, NotifiersChannel
from orchestrator.channels.port import Setup
from orchestrator.channels.registry import open_channel
from orchestrator.errors import OrchestratorError, Refused, TryLater, Unavailable
from providers import WebServer, delivery
from providers.web import HANG, answer

CONTENT = {"chat": {"title": "Tienda", "text": "Tu cesta te espera", "url": "https://shop.example/c"}}


def text(to="ana/../x", content=CONTENT, **fields):
    return delivery(content, channel="chat", to=to, **fields)


async def sent(url, one, secret=None):
    road = open_channel(Setup("chat", url, secret))
    try:
        await road.send(one)
    finally:
        await road.close()


async def test_a_message_goes_to_the_customers_address_and_no_further():
    async with WebServer(answer(200)) as server:
        await sent(f"apprise+json://bot:{{secret}}@127.0.0.1:{server.port}/rooms/{{to}}#rate=5", text(), "p/w")
    [(path, headers, body)] = server.requests
    assert path == "/rooms/ana%2F../x" or path == "/rooms/ana%2F..%2Fx"
    assert headers["authorization"] == "Basic Ym90OnAvdw=="
    said = json.loads(body)
    assert (said["title"], said["message"]) == ("Tienda", "Tu cesta te espera\nhttps://shop.example/c")


async def test_slack_gets_what_its_incoming_webhooks_take(monkeypatch):
    async with WebServer(answer(200, b"ok")) as server:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{server.port}/services")
        await sent("apprise+slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%23{to}", text("care"))
    [(path, _, body)] = server.requests
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    said = json.loads(body)
    assert said["channel"] == "#care"
    assert said["attachments"][0]["text"] == "Tu cesta te espera\nhttps://shop.example/c"


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (answer(429), Unavailable),
        (answer(500), Unavailable),
        (answer(401), Unavailable),
        (answer(404), Refused),
        (b"\x00\x01nonsense\r\n\r\n", TryLater),
    ],
)
async def test_what_an_answer_comes_to(told, error):
    async with WebServer(told) as server:
        with pytest.raises((TryLater, Refused)) as caught:
            await sent(f"apprise+json://127.0.0.1:{server.port}/{{to}}", text("ana"))
    assert type(caught.value) is error
    assert "ana" not in str(caught.value)


async def test_one_that_hangs_is_given_up_and_bounded_in_threads():
    async with WebServer(HANG) as server:
        road = NotifiersChannel(f"json://127.0.0.1:{server.port}/?rto=0.5&cto=0.5", timeout_seconds=0.1)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await road.send(text())
        names = [one for one in threading.enumerate() if one.name.startswith("apprise")]
        await road.close()
        for one in names:
            one.join(10)
    assert 0 < len(names) <= THREADS


async def test_an_empty_text_is_not_sent():
    with pytest.raises(Refused, match="empty"):
        await sent("apprise+json://127.0.0.1:1/", text(content={"chat": {"text": " "}}))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("apprise+json://{to}/x", "behind the host"),
        ("apprise+json://{to}@host/x", "behind the host"),
        ("apprise+slack://x", "cannot read this slack URL"),
        ("apprise+nobody://x", "cannot read this nobody URL"),
    ],
)
def test_a_url_that_cannot_be_is_refused(url, why):
    with pytest.raises(OrchestratorError, match=why):
        open_channel(Setup("chat", url))
