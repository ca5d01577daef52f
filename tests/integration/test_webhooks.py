"""Webhooks to a server on this machine: what arrives, what each answer comes to, and where we never go."""

import socket
from datetime import timedelta

import pytest
from aiohttp.abc import AbstractResolver
from standardwebhooks import Webhook as Verifier

from orchestrator.channels import guarded
from orchestrator.channels.answers import read_retry_after
from orchestrator.channels.port import Setup
from orchestrator.channels.webhook import Webhook, open_webhook
from orchestrator.errors import Refused, TryLater, Unavailable
from providers import WebServer, delivery
from providers.certificates import contexts
from providers.web import HANG, RESET, answer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HERE = frozenset({"127.0.0.1", "localhost"})
NOW_MS = 1_767_261_600_000


def channel(url, secret=None, timeout=30):
    return open_webhook(Setup("push", f"{url}#timeout={timeout}", secret, HERE))


async def test_a_message_arrives_signed_as_standard_webhooks_has_it(monkeypatch):
    sent = delivery(channel="push", to="token-1")
    async with WebServer(answer(202, b'{"id": 77}')) as server:
        road = channel(server.url, SECRET)
        receipt = await road.send(sent)
        await road.close()
    [(path, headers, body)] = server.requests
    assert (path, receipt.reference) == ("/hook", "77")
    assert headers["idempotency-key"] == headers["webhook-id"] == sent.key
    assert headers["accept-encoding"] == "identity"  # answers are read as they come
    verifier = Verifier(SECRET)
    monkeypatch.setattr(
        verifier, "_Webhook__verify_timestamp", lambda text: __import__("datetime").datetime.fromtimestamp(int(text))
    )
    told = verifier.verify(body, headers)
    assert told["type"] == "message.send"
    assert told["data"]["to"] == "token-1"
    assert told["data"]["content"] == {"title": "Tienda", "body": "Tu cesta te espera"}


@pytest.mark.parametrize(
    ("told", "error", "after"),
    [
        (answer(429, Retry_After="7"), Unavailable, 7),
        (answer(429), Unavailable, None),
        (answer(503, Retry_After="Thu, 01 Jan 2026 10:01:00 GMT"), Unavailable, 60),
        (answer(500), Unavailable, None),
        (answer(401), Unavailable, None),
        (answer(409), TryLater, None),
        (answer(400), Refused, None),
        (answer(404), Refused, None),
        (answer(302, Location="/other"), Refused, None),
        (answer(307, Location="http://[::1"), Unavailable, None),
        (answer(308, Location="https://crm.example:99x/"), Unavailable, None),
        (HANG, Unavailable, None),
        (RESET, Unavailable, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Unavailable, None),
        (b"HTTP/1.1 2", Unavailable, None),
        (b"\x00\x01nonsense\r\n\r\n", Unavailable, None),
    ],
)
async def test_what_an_answer_comes_to(told, error, after):
    async with WebServer(told) as server:
        road = channel(server.url, timeout=0.3 if told == HANG else 30)
        with pytest.raises((TryLater, Refused)) as caught:
            await road.send(delivery(channel="push", to="token-1"))
        await road.close()
    assert isinstance(caught.value, error)
    if error is not Refused:
        assert caught.value.after == (None if after is None else timedelta(seconds=after))


async def test_bad_tls_is_no_connection(tmp_path):
    tls, _ = contexts(tmp_path)
    async with WebServer(tls=tls) as server:
        road = channel(server.url)
        with pytest.raises(Unavailable):
            await road.send(delivery(channel="push", to="token-1"))
        await road.close()
    assert server.requests == []


async def test_a_redirect_that_keeps_the_method_is_followed_so_far_and_no_further():
    async with WebServer(answer(308, Location="/there"), answer(200)) as server:
        road = channel(server.url)
        await road.send(delivery(channel="push", to="token-1"))
        await road.close()
    assert [path for path, _, _ in server.requests] == ["/hook", "/there"]
    async with WebServer(answer(307, Location="/hook")) as server:
        road = channel(server.url)
        with pytest.raises(Refused, match="redirects"):
            await road.send(delivery(channel="push", to="token-1"))
        await road.close()
    assert len(server.requests) == 4


PRIVATE = [
    "http://127.0.0.1/", "http://10.1.2.3/", "http://192.168.0.1/", "http://172.16.0.1/", "http://169.254.169.254/latest",
    "http://100.64.0.1/", "http://0.0.0.0/", "http://[::1]/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[::]/",
    "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://224.0.0.1/",
    "http://255.255.255.255/", "file:///etc/passwd", "gopher://example.com/", "http:///x",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_an_address_that_is_not_public_is_refused_at_once(url):
    with pytest.raises(Refused):
        Webhook(url, None, frozenset())


class Names(AbstractResolver):
    """Answers with the addresses it was made with, one list after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_INET):
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {"hostname": host, "host": each, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for each in found
        ]

    async def close(self):
        pass


def resolving(*answers):
    def open_client(allowed, timeout):
        return guarded.open_client(allowed, timeout, Names(*answers))

    return open_client


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1", "127.1", "internal.example"])
async def test_a_name_that_leads_inside_is_refused(name):
    async with WebServer() as server:
        options = {"open_client": resolving(["127.0.0.1"])} if name == "internal.example" else {}
        hook = Webhook(f"http://{name}:{server.port}/", None, frozenset(), 1, **options)
        with pytest.raises((Refused, Unavailable)):
            await hook.call("k", b"{}", NOW_MS)
        await hook.close()
    assert server.requests == []


async def test_of_a_names_addresses_only_public_ones_are_tried():
    resolver = guarded.GuardedResolver(frozenset(), Names(["10.0.0.1", "93.184.215.14", "127.0.0.1"]))
    assert [each["host"] for each in await resolver.resolve("mixed.example", 80)] == ["93.184.215.14"]


@pytest.mark.parametrize(
    "location",
    ["http://[::1]:{port}/", "http://127.0.0.1:{port}/", "http://inside.example:{port}/", "file:///etc/passwd"],
)
async def test_a_redirect_inside_is_refused(location):
    async with WebServer() as inside:
        async with WebServer(answer(307, Location=location.format(port=inside.port))) as outside:
            hook = Webhook(
                f"http://outside.example:{outside.port}/",
                None,
                frozenset({"outside.example"}),
                1,
                resolving(["127.0.0.1"]),
            )
            with pytest.raises(Refused):
                await hook.call("k", b"{}", NOW_MS)
            await hook.close()
        assert len(outside.requests) == 1
    assert inside.requests == []


async def test_a_huge_answer_is_not_read():
    # Read to its end, it would name a reference.
    told = b'{"id": "r1", "further": "%s"}'
    references = []
    for size in (1_000, 5_000_000):
        async with WebServer(answer(200, told % (b"x" * size))) as server:
            road = channel(server.url)
            references.append((await road.send(delivery(channel="push", to="token-1"))).reference)
            await road.close()
    assert references == ["r1", None]


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("-5", None), ("soon", None), ("99999999999", 86400), (None, None)]
)
def test_retry_after_is_read_and_bounded(text, seconds):
    assert read_retry_after(text, NOW_MS) == (None if seconds is None else timedelta(seconds=seconds))
