"""Webhooks: a message, or any payload, to another system over HTTP.

    https://push.example/send                ORCHESTRATOR_CHANNEL_PUSH_SECRET signs, as Standard Webhooks has it

Owns the request: Standard Webhooks' headers, Idempotency-Key, and redirects, which are followed as far as they keep the
method (307, 308), each through the guard. Must never try again itself.
"""

import base64
from binascii import Error as BinasciiError
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec
from yarl import URL

from orchestrator.channels import guarded
from orchestrator.channels.answers import Answer, answered, beginning_of, unreached
from orchestrator.channels.deadlines import Deadlines
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.sealing import Sealer
from orchestrator.errors import OrchestratorError, Refused, Unavailable
from orchestrator.model import instants

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({307, 308})
_encode = msgspec.json.Encoder().encode


class Signer:
    """Signs payloads as Standard Webhooks has it; the secret is base64, with or without `whsec_`."""

    def __init__(self, secret: str) -> None:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_") + "==", validate=False)
        except (BinasciiError, ValueError) as error:
            raise OrchestratorError("a webhook's secret is base64 text; write it as whsec_…") from error
        if not key:
            raise OrchestratorError("a webhook's secret is empty; write it as whsec_…")
        self._sealer = Sealer(key)

    def sign(self, key: str, at_s: int, payload: bytes) -> str:
        """Give the value of `webhook-signature`."""
        made = self._sealer.seal(b"%s.%d.%s" % (key.encode(), at_s, payload))
        return f"v1,{base64.b64encode(made).decode()}"


class Webhook:
    """Calls one URL."""

    def __init__(
        self,
        url: str,
        secret: str | None,
        allowed_hosts: frozenset[str],
        timeout_seconds: float = 10.0,
        open_client: Callable[..., aiohttp.ClientSession] = guarded.open_client,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = URL(url)
        guarded.check(self._url, allowed_hosts)
        self._signer = Signer(secret) if secret else None
        self._allowed = allowed_hosts
        self._timeout = timeout_seconds
        self._deadlines = Deadlines(timeout_seconds)
        self._open_client = open_client
        self._headers = dict(headers or {})
        self._client: aiohttp.ClientSession | None = None

    async def call(self, key: str, payload: bytes, now_ms: int) -> Answer:
        """Post a payload; the answer when it is a yes, else Refused, TryLater or Unavailable."""
        at_s = now_ms // 1000
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": str(at_s),
        }
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(key, at_s, payload)
        try:
            return await self._deadlines.hold(self._follow(self._url, headers, payload, now_ms))
        except (aiohttp.ClientError, OSError) as error:
            raise unreached(error, self._timeout) from error

    async def _follow(self, url: URL, headers: dict[str, str], payload: bytes, now_ms: int) -> Answer:
        if self._client is None:
            self._client = self._open_client(self._allowed, None)
        for _ in range(MAX_REDIRECTS + 1):
            # What logs us in is for the host that it was given for, wherever that leads.
            own = self._headers if url is self._url or url.origin() == self._url.origin() else {}
            response = await self._client.post(url, data=payload, headers={**headers, **own}, allow_redirects=False)
            try:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    url = _leading_to(url, response.headers["Location"])
                    guarded.check(url, self._allowed)  # as the first one was, when it was named
                    continue
                if 200 <= response.status < 300:
                    return Answer(response.status, await beginning_of(response))
                raise answered(response.status, response.headers.get("Retry-After"), now_ms)
            finally:
                # Most answers have come whole by now, and have let go of their connection.
                if not response.closed:
                    response.release()
        raise Refused(f"more than {MAX_REDIRECTS} redirects")

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None


def _leading_to(url: URL, location: str) -> URL:
    try:
        return url.join(URL(location))
    except ValueError as error:
        raise Unavailable(None, "the server redirects to what is no URL") from error


class WebhookChannel:
    """A channel whose provider takes messages as JSON."""

    # The Idempotency-Key goes along.
    knows_repeats = True

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    async def send(self, delivery: Delivery) -> Receipt:
        """Post one message."""
        answer = await self._webhook.call(delivery.key, payload_of(delivery), delivery.now_ms)
        return Receipt(_reference_in(answer.body))

    async def close(self) -> None:
        """Let go of connections."""
        await self._webhook.close()


def payload_of(delivery: Delivery) -> bytes:
    """Write a delivery as Standard Webhooks recommends: a type, a time, and the data."""
    data = {
        **delivery.outline(),
        # What the send itself says: a comment to reply to, a topic to call about.
        "data": delivery.action.data.get("data", {}),
        "unsubscribe": delivery.unsubscribing.url if delivery.unsubscribing else None,
    }
    return _encode({"type": "message.send", "timestamp": instants.to_text(delivery.now_ms), "data": data})


class _Known(msgspec.Struct):
    id: str | int | None = None


def _reference_in(body: bytes) -> str | None:
    """Find the provider's own id in its answer, where it gives one."""
    try:
        found = msgspec.json.decode(body, type=_Known).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if found is None else str(found)[:200]


def open_webhook(setup: Setup) -> WebhookChannel:
    """Make the channel that an `https:` URL names; `#timeout=5` in its fragment is ours and not sent."""
    parts = urlsplit(setup.url)
    timeout = float(parse_qs(parts.fragment).get("timeout", ["10"])[-1])
    url = parts._replace(fragment="").geturl()
    return WebhookChannel(Webhook(url, setup.secret, setup.allowed_hosts, timeout))
