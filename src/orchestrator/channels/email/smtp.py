"""SMTP: mails to one server, over connections that are kept and used again.

    smtp://user:password@host:587              STARTTLS, and no mail without it
    smtps://user:password@host:465             TLS from the beginning
    smtp://localhost:25?tls=off                in the clear, for a server on the same machine
    … ?from=Shop <hello@shop.example>&return_path=bounces@shop.example&timeout=30

Owns connections and the reading of answers. A mail whose answer got lost is offered again under the same Message-ID.
Must never try again itself.
"""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTP

from orchestrator.channels.email import answers, mime
from orchestrator.channels.email.composing import Mail, compose
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.errors import Bounced, ChannelError, OrchestratorError, Refused, TryLater, Unavailable

# Servers hang up on a connection that idles or carries too many mails; both are below what common ones allow.
IDLE_SECONDS = 30.0
MAILS_A_CONNECTION = 100
# How a server is spoken to, and at which port unless the URL names one.
_PORTS = {"starttls": 587, "on": 465, "off": 25}


# What Postmark brings back as metadata; the Message-ID that a mail arrives with is Postmark's own.
_POSTMARK, _MARK = "postmarkapp.com", "X-PM-Metadata-orchestrator"


def mark_of(host: str) -> str | None:
    """Name the header that a server wants for what it is to bring back; None where our Message-ID is kept."""
    return _MARK if host == _POSTMARK or host.endswith(f".{_POSTMARK}") else None


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail goes, read from the operator's URL."""

    host: str
    port: int
    tls: str
    username: str | None
    password: str | None
    sender: str
    return_path: str | None
    timeout: float

    @classmethod
    def from_setup(cls, setup: Setup) -> "Server":
        """Read the URL; raises OrchestratorError with what to write instead."""
        url = urlsplit(setup.url)
        # A plus is a plus here: mailboxes have them.
        query = {name: values[-1] for name, values in parse_qs(url.query.replace("+", "%2B")).items()}
        tls = query.get("tls", "on" if url.scheme == "smtps" else "starttls")
        sender = query.get("from", "")
        try:
            # Looked up whatever the port: with a word of its own here, mail and password would go in the clear.
            usual = _PORTS[tls]
            port = url.port or usual
            timeout = float(query.get("timeout", "30"))
        except (KeyError, ValueError) as error:
            raise OrchestratorError(
                f"channel {setup.name}: the URL has a port, timeout or tls that is none;"
                f" tls is one of {', '.join(_PORTS)}, as in smtp://host:587?tls=starttls"
            ) from error
        if not url.hostname or not sender:
            raise OrchestratorError(
                f"channel {setup.name}: the URL names no {'sender' if url.hostname else 'host'};"
                " write smtp://host:587?from=Shop <hello@shop.example>"
            )
        _check_senders(setup.name, sender, query.get("return_path"))
        username = unquote(url.username) if url.username else None
        password = setup.secret or (unquote(url.password) if url.password else None)
        return cls(url.hostname, port, tls, username, password, sender, query.get("return_path"), timeout)


def _check_senders(channel: str, sender: str, return_path: str | None) -> None:
    """Refuse senders that no mail can have: at the first mail it would be taken for the customer's fault."""
    try:
        mime.mailbox_header(sender)
    except Refused as error:
        raise OrchestratorError(f"channel {channel}: from: {error.why}") from error
    try:
        if return_path is not None:
            mime.address_of(return_path)
    except Bounced as error:
        raise OrchestratorError(
            f"channel {channel}: return_path {return_path!r} is no mail address; write bounces@shop.example"
        ) from error


@dataclass(slots=True)
class _Connection:
    client: SMTP
    mails: int = 0
    idle_since: float = 0.0


class SmtpChannel:
    """Sends mail; one connection for each mail that is under way at the same time."""

    def __init__(self, server: Server, tls_context: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._tls_context = tls_context
        self._idle: deque[_Connection] = deque()
        self._closed = False

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one mail to the server."""
        mail = compose(delivery, self._server.sender, self._server.return_path, mark_of(self._server.host))
        connection = await self._connection()
        done = False
        try:
            await self._hand_over(connection.client, mail)
            done = True
        except ChannelError:
            # A "no" to this mail leaves the connection good for the next one, if the server agrees.
            done = await _is_reset(connection.client)
            raise
        finally:
            await self._give_back(connection, done)
        return Receipt(mail.message_id)

    async def _connection(self) -> _Connection:
        """Take a connection that is good, or make one; raises Unavailable when there is none to be had."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()  # the one used last: the others may go idle and be closed
            if connection.client.is_connected and now - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.client.close()
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            timeout=server.timeout,
            use_tls=server.tls == "on",
            start_tls=server.tls == "starttls",
            tls_context=self._tls_context,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            if server.username is not None:
                await client.login(server.username, server.password or "")
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise answers.to_session(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise Unavailable(None, f"no connection to {server.host}:{server.port}: {_told(error)}") from error
        return _Connection(client)

    async def _hand_over(self, client: SMTP, mail: Mail) -> None:
        stage = "sender"
        try:
            await _ask(client, b"MAIL", f"FROM:<{mail.sender}>")
            stage = "recipient"
            await _ask(client, b"RCPT", f"TO:<{mail.recipient}>")
            stage = "content"
            await client.data(mail.content)
        except aiosmtplib.SMTPResponseException as error:
            if stage == "sender":
                raise answers.to_session(error.code, error.message) from error
            raise answers.to_recipient(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # Whether the server has taken the mail is not known once its content was under way.
            kind = TryLater if stage == "content" else Unavailable
            raise kind(None, f"the connection broke: {_told(error)}") from error

    async def _give_back(self, connection: _Connection, is_good: bool) -> None:
        connection.mails += 1
        if is_good and not self._closed and connection.mails < MAILS_A_CONNECTION:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        elif is_good:
            await _quit(connection.client)
        else:
            connection.client.close()

    async def close(self) -> None:
        """Say goodbye on every connection."""
        self._closed = True
        while self._idle:
            await _quit(self._idle.pop().client)


async def _ask(client: SMTP, verb: bytes, what: str) -> None:
    """Give a command; raises SMTPResponseException for any answer but yes.

    Straight from the checked address: the library's own `mail` and `rcpt` parse it again, at a tenth of a mail's cost.
    """
    response = await client.execute_command(verb, what.encode("ascii"))
    if response.code not in (250, 251):
        raise aiosmtplib.SMTPResponseException(response.code, response.message)


async def _is_reset(client: SMTP) -> bool:
    if not client.is_connected:
        return False
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        return False
    return True


async def _quit(client: SMTP) -> None:
    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def open_smtp(setup: Setup) -> SmtpChannel:
    """Make the channel that a `smtp:` or `smtps:` URL names."""
    return SmtpChannel(Server.from_setup(setup))


def _told(error: Exception) -> str:
    """Say what went wrong; some errors have no words of their own."""
    return str(error) or type(error).__name__
