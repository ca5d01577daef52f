"""Mail over SMTP to a server on this machine: what arrives, and what each answer comes to."""

import asyncio

import pytest

from orchestrator.channels.email.smtp import Server, SmtpChannel, open_smtp
from orchestrator.channels.port import Setup
from orchestrator.errors import Bounced, OrchestratorError, Refused, TryLater, Unavailable
from providers import MailServer, delivery
from providers.certificates import contexts


def channel(url, secret=None):
    return open_smtp(Setup("email", url, secret))


async def test_a_mail_arrives_as_it_was_composed():
    async with MailServer() as server:
        road = channel(f"{server.url}&return_path=bounces@shop.example")
        receipt = await road.send(delivery())
        await road.close()
    [mail] = server.mails
    assert server.envelopes == [("bounces@shop.example", "ana@example.com")]
    assert receipt.reference == mail["Message-ID"]
    assert mail["Subject"] == "Ana, tu cesta te espera"
    assert mail.get_content().startswith("Vuelve cuando quieras.")


async def test_a_line_that_begins_with_a_dot_arrives_with_it():
    async with MailServer() as server:
        road = channel(server.url)
        await road.send(delivery({"email": {"text": ".\n..\nx"}}, purpose="service"))
        await road.close()
    assert server.mails[0].get_content().replace("\r\n", "\n") == ".\n..\nx\n"


async def test_connections_are_used_again_and_one_serves_no_more_than_a_hundred_mails():
    async with MailServer() as server:
        road = channel(server.url)
        for number in range(101):
            await road.send(delivery(number=number))
        assert server.connections == 2
        await asyncio.gather(*(road.send(delivery(number=number)) for number in range(5)))
        await road.close()
    assert len(server.raw) == 106
    assert server.connections <= 6


@pytest.mark.parametrize(
    ("answer", "error", "hard"),
    [
        ("550 5.1.1 no such user", Bounced, True),
        ("550 no such user", Bounced, True),
        ("550 5.2.1 disabled", Bounced, True),
        ("552 5.2.2 mailbox full", Bounced, False),
        ("550 5.7.1 we do not like you", Refused, None),
        ("550 5.1.8 your domain does not exist", Refused, None),
        ("554 no", Refused, None),
        ("450 4.2.1 greylisted", TryLater, None),
        ("421 4.3.2 shutting down", Unavailable, None),
        ("530 5.7.0 log in first", Unavailable, None),
    ],
)
async def test_a_no_to_the_recipient(answer, error, hard):
    async with MailServer() as server:
        server.refuse["ana@example.com"] = answer
        road = channel(server.url)
        with pytest.raises(error) as caught:
            await road.send(delivery())
        assert type(caught.value) is error
        if hard is not None:
            assert caught.value.hard is hard
        del server.refuse["ana@example.com"]
        await road.send(delivery())
        await road.close()
    assert len(server.raw) == 1


@pytest.mark.parametrize(
    ("answer", "error"), [("451 4.3.0 later", TryLater), ("552 5.3.4 too big", Bounced), ("554 5.6.0 no", Refused)]
)
async def test_a_no_to_the_mail_itself(answer, error):
    async with MailServer() as server:
        server.refuse_content = [answer]
        road = channel(server.url)
        with pytest.raises(error):
            await road.send(delivery())
        await road.send(delivery())
        await road.close()


async def test_a_no_to_us_holds_up_all_mail():
    async with MailServer() as server:
        server.refuse_sender = "550 5.7.1 who are you"
        road = channel(server.url)
        with pytest.raises(Unavailable):
            await road.send(delivery())
        await road.close()


async def test_nobody_listens():
    async with MailServer() as server:
        url = server.url
    with pytest.raises(Unavailable):
        await channel(url).send(delivery())


async def _serve(script):
    async def talk(reader, writer):
        try:
            for told in script:
                if told is None:
                    await reader.read()
                writer.write(told)
                await writer.drain()
                await reader.readline()
        except ConnectionError:
            pass  # the client has given up, as it should
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


EHLO, OK = b"250 mail.test\r\n", b"250 OK\r\n"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ([None], Unavailable),  # hangs before its greeting
        ([b"220 hi\r\n", EHLO, OK, None], Unavailable),  # hangs at the recipient
        ([b"220 hi\r\n", EHLO, OK, OK, b"354 go\r\n", None], TryLater),  # hangs with the mail in its hands
        ([b"220 hi\r\n", EHLO, OK], Unavailable),  # goes away
        ([b"220 hi\r\n", EHLO, OK, b"25"], Unavailable),  # half an answer
        ([b"220 hi\r\n", EHLO, OK, b"\x00\xff\r\n"], TryLater),  # no SMTP at all
        ([b"HTTP/1.1 400 Bad Request\r\n"], Unavailable),
    ],
)
async def test_a_server_that_misbehaves_is_come_back_to(script, error):
    server, port = await _serve(script)
    seconds = 0.2 if {None, b"25"}.intersection(script) else 30  # those are waited for to the end
    road = channel(f"smtp://127.0.0.1:{port}?tls=off&timeout={seconds}&from=a@shop.example")
    with pytest.raises(TryLater) as caught:
        await road.send(delivery())
    assert isinstance(caught.value, error)
    await road.close()
    server.close()


async def test_tls_is_checked_and_never_done_without(tmp_path):
    tls, trusting = contexts(tmp_path)
    for options in ({"tls": tls}, {"tls": tls, "starttls": True}):
        async with MailServer(**options) as server:
            with pytest.raises(Unavailable, match="certificate"):
                await channel(server.url).send(delivery())
            setup = Server.from_setup(Setup("email", server.url))
            road = SmtpChannel(setup, trusting)
            await road.send(delivery())
            await road.close()
        assert len(server.raw) == 1
    async with MailServer() as server:
        with pytest.raises(Unavailable):
            await channel(server.url.replace("tls=off", "tls=starttls")).send(delivery())
        assert server.raw == []


async def test_logging_in():
    async with MailServer(login="shop:secret") as server:
        with_user = server.url.replace("127.0.0.1", "shop@127.0.0.1")
        road = channel(with_user, "secret")
        await road.send(delivery())
        await road.close()
        with pytest.raises(Unavailable):
            await channel(with_user, "wrong").send(delivery())
    assert len(server.raw) == 1


@pytest.mark.parametrize(
    "url",
    [
        "smtp://",
        "smtp://host",
        "smtp://host:x?from=a@b",
        "smtp://host?tls=maybe&from=a@b",
        "smtp://host:587?tls=required&from=a@b",  # with a port of its own, too: it would be spoken to in the clear
        "smtp://host?from=Shop",
        "smtp://host?from=a@b&return_path=bounces",
    ],
)
def test_a_url_that_says_too_little_is_refused(url):
    with pytest.raises(OrchestratorError):
        Server.from_setup(Setup("email", url))


async def test_a_plus_in_a_sender_is_one():
    async with MailServer() as server:
        address = "shop+news@shop.example"
        url = server.url.partition("&from")[0]
        road = channel(f"{url}&from=Shop <{address}>&return_path=bounces+shop@shop.example")
        await road.send(delivery())
        await road.close()
    assert server.envelopes == [("bounces+shop@shop.example", "ana@example.com")]
    assert server.mails[0]["From"] == f"Shop <{address}>"
