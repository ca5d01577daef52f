"""Apple Push Notification service: HTTP/2, with a provider token.

    apns:?team=DEF123GHIJ&key=ABC123DEFG&topic=com.example.shop      ORCHESTRATOR_CHANNEL_PUSH_SECRET_FILE names the .p8
    … &sandbox=on                                                    for builds that are under development

APNs does not recognise a repeat: a message whose answer got lost may arrive twice (at-least-once), but under the same
`apns-collapse-id`, so that the second takes the first one's place on the screen. `apns-id` is the delivery's key as a
UUID, and the payload carries `action_id`, for the app to report what was opened. One connection carries all requests.
The host is the operator's own and no redirect is followed, so it is asked without the guard of webhooks.
Owns the provider token (ES256, renewed every 40 minutes and once when it is refused), requests, and what each of
Apple's reasons says. Must never try again for any other reason.
"""

import asyncio
import ssl
import uuid

import httpx
import msgspec

from orchestrator.channels.answers import Answer
from orchestrator.channels.api import Endpoint, needed, read_url, secret_of
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.push.notices import Notice, notice_of
from orchestrator.channels.push.tokens import Kept, Token, read_p256, signed
from orchestrator.errors import Bounced, ChannelError, Refused, TryLater, Unavailable

HOST, SANDBOX = "api.push.apple.com", "api.sandbox.push.apple.com"
OPTIONS = ("team", "key", "topic", "sandbox")
EXAMPLE = "apns:?team=DEF123GHIJ&key=ABC123DEFG&topic=com.example.shop"
# Apple refuses tokens older than an hour, and new ones more often than every twenty minutes.
TOKEN_MS = 40 * 60 * 1000
LONGEST_PAYLOAD = 4_096
LONGEST_ANSWER = 64 << 10
_EXPIRED = "ExpiredProviderToken"
_GONE = frozenset({"Unregistered", "BadDeviceToken", "ExpiredToken"})
# About our key, our topic or our certificate: nothing goes out before an operator mends it.
_SETUP = frozenset({
    "BadCertificate", "BadCertificateEnvironment", "BadTopic", "Forbidden", "InvalidProviderToken",
    "MissingProviderToken", "MissingTopic", "TopicDisallowed", "TooManyProviderTokenUpdates", _EXPIRED,
})  # fmt: skip


class _Said(msgspec.Struct):
    reason: str = ""


class ApnsChannel:
    """Sends to one app's devices. `signing` makes the provider token."""

    # The second takes the first one's place on the screen.
    knows_repeats = True

    def __init__(self, endpoint: Endpoint, topic: str, kept: Kept) -> None:
        self._base = endpoint.base
        self._topic = topic
        self._kept = kept
        self._timeout = endpoint.timeout
        tls: ssl.SSLContext | bool = endpoint.tls or True
        self._client = httpx.AsyncClient(
            http1=False, http2=True, verify=tls, timeout=endpoint.timeout, trust_env=False, follow_redirects=False
        )

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to Apple, with a new provider token where the one that was kept has expired."""
        notice = notice_of(delivery)
        payload = _payload(notice, delivery)
        token = await self._kept.at(delivery.now_ms)
        answer = await self._post(delivery, token, notice, payload)
        if answer.read(_Said).reason == _EXPIRED:
            self._kept.drop(token)
            answer = await self._post(delivery, await self._kept.at(delivery.now_ms), notice, payload)
        if answer.status == 200:
            return Receipt(answer.headers.get("apns-id"))
        raise _trouble(answer, delivery.now_ms)

    async def _post(self, delivery: Delivery, token: str, notice: Notice, payload: bytes) -> Answer:
        headers = {
            "authorization": f"bearer {token}",
            "apns-topic": self._topic,
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-id": str(_uuid_of(delivery.key)),
            "apns-collapse-id": delivery.key,
            "apns-expiration": str(delivery.now_ms // 1000 + notice.lasts_s),
        }
        url = str(self._base / "3" / "device" / delivery.to)
        try:
            async with self._client.stream("POST", url, headers=headers, content=payload) as response:
                async with asyncio.timeout(self._timeout):
                    return Answer(response.status_code, await _beginning_of(response), response.headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unavailable(None, f"no answer within {self._timeout:g} s") from error
        except httpx.TransportError as error:
            raise Unavailable(None, f"the connection broke: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()


def _uuid_of(key: str) -> uuid.UUID:
    """Write a delivery's key as a UUID: an action's id is one; a further device's has a number behind it."""
    action_id, _, number = key.partition("-")
    try:
        named = uuid.UUID(action_id)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, key)
    return uuid.uuid5(named, number) if number else named


def _payload(notice: Notice, delivery: Delivery) -> bytes:
    shown = {"title": notice.title, "body": notice.body}
    aps: dict[str, object] = {"alert": {name: text for name, text in shown.items() if text}, "sound": "default"}
    more = {"action_id": delivery.action.id, "url": notice.url, "image": notice.image}
    if notice.image:
        aps["mutable-content"] = 1  # lets the app fetch the picture before it shows anything
    payload = msgspec.json.encode({"aps": aps, **{name: text for name, text in more.items() if text}})
    if len(payload) > LONGEST_PAYLOAD:
        raise Refused(f"the notification has {len(payload):,} bytes, and Apple takes {LONGEST_PAYLOAD:,}")
    return payload


async def _beginning_of(response: httpx.Response) -> bytes:
    """Read what may count of an answer; whoever goes on for ever is not listened to."""
    body = b""
    async for part in response.aiter_raw():
        body += part
        if len(body) > LONGEST_ANSWER:
            break
    return body


def _trouble(answer: Answer, now_ms: int) -> ChannelError:
    status, reason = answer.status, answer.read(_Said).reason
    why = f"Apple answered {status}" + (f", {reason}" if reason else "")
    if status == 410 or reason in _GONE:
        return Bounced(why, hard=True)
    if reason == "TooManyRequests":  # for this device
        return TryLater(answer.after(now_ms), why)
    if reason in _SETUP:
        return Unavailable(answer.after(now_ms), why)
    if reason == "IdleTimeout":
        return TryLater(None, why)
    return answer.trouble(why, now_ms)


def open_apns(setup: Setup) -> ApnsChannel:
    """Make the channel that an `apns:` URL names."""
    is_sandbox = "sandbox=on" in setup.url
    endpoint = read_url(setup, SANDBOX if is_sandbox else HOST, OPTIONS)
    team, key_id, topic = (needed(setup, endpoint, option, EXAMPLE) for option in ("team", "key", "topic"))
    key = read_p256(secret_of(setup, "the .p8 key"), f"channel {setup.name}: the .p8 key")

    async def make(now_ms: int) -> Token:
        value = signed({"iss": team, "iat": now_ms // 1000}, key, "ES256", key_id)
        return Token(value, now_ms + TOKEN_MS)

    return ApnsChannel(endpoint, topic, Kept(make))
