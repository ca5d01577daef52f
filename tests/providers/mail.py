"""A mail server on this machine, speaking SMTP in the test's own loop.

Owns its answers: `refuse` maps a recipient to what is answered to RCPT, `refuse_content` to the mail itself.
"""

import asyncio
import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult


class MailServer:
    """Keeps what it got: `mails` as a mail program reads them, `raw` as it came, `envelopes` as (from, to)."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, starttls: bool = False, login: str | None = None) -> None:
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, str]] = []
        self.refuse: dict[str, str] = {}
        self.refuse_sender: str | None = None
        self.refuse_content: list[str] = []
        self.connections = 0
        self._tls, self._starttls, self._login = tls, starttls, login
        self._server: asyncio.Server | None = None

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=default) for raw in self.raw]  # type: ignore[misc]

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        tls = "on" if self._tls and not self._starttls else "starttls" if self._starttls else "off"
        return f"smtp://127.0.0.1:{self.port}?tls={tls}&from=Tienda <hola@shop.example>"

    def _protocol(self) -> SMTP:
        self.connections += 1
        options: dict[str, Any] = {"decode_data": False, "hostname": "mail.test"}
        if self._starttls:
            options |= {"tls_context": self._tls, "require_starttls": True}
        if self._login is not None:
            options |= {"authenticator": self._check, "auth_require_tls": False}
        return SMTP(self, loop=asyncio.get_running_loop(), **options)

    def _check(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = f"{data.login.decode()}:{data.password.decode()}" == self._login
        return AuthResult(success=good, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refuse_sender is not None:
            return self.refuse_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuse_content:
            return self.refuse_content.pop(0)
        self.raw.append(envelope.content)
        self.envelopes += [(envelope.mail_from, recipient) for recipient in envelope.rcpt_tos]
        return "250 2.0.0 queued"

    async def __aenter__(self) -> Self:
        tls = None if self._starttls else self._tls
        self._server = await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", 0, ssl=tls)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
