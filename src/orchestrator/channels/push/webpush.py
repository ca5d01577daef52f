"""Web Push: to a browser, by whichever push service it has (RFC 8030), encrypted for it alone (RFC 8291).

    webpush:?subject=mailto:ops@shop.example     ORCHESTRATOR_CHANNEL_PUSH_SECRET_FILE names the VAPID key (RFC 8292),
                                                 as PEM or in base64url; `orchestrator doctor` shows its public half
    … &urgency=high                              very-low, low, normal (the default) or high

An address is the subscription as the browser gives it: {"endpoint": …, "keys": {"p256dh": …, "auth": …}}. Its endpoint
is the customer's word, so it is asked by the guarded client only, and what one endpoint does is never held against the
others. Push services take no idempotency key: a message whose answer got lost may arrive twice (at-least-once), but
under the same Topic, so that one that still waits for its browser is replaced; and the payload's `tag` is the
delivery's key, for showNotification to replace what it shows. The payload is JSON {"title", "body", "url", "image",
"tag", "action_id"}, for the page's service worker. Owns that request and what its answers mean.
Must never try again itself.
"""

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

import http_ece
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yarl import URL

from orchestrator.channels.answers import Answer
from orchestrator.channels.api import Api, needed, read_url, secret_of
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.push.notices import notice_of
from orchestrator.channels.push.tokens import Token, read_p256, signed
from orchestrator.errors import Bounced, ChannelError, OrchestratorError, Refused, TryLater, Unavailable

OPTIONS = ("subject", "urgency")
URGENCIES = ("very-low", "low", "normal", "high")
# A push service may refuse more than 4,096 bytes: 86 of header, 16 of tag and one of padding are not ours to fill.
LONGEST_PAYLOAD = 3_993
# A service takes a token for at most a day; services are few, but their names come from customers.
TOKEN_MS, TOKENS_KEPT = 12 * 60 * 60 * 1000, 64


class _Keys(msgspec.Struct):
    p256dh: str
    auth: str


class _Subscription(msgspec.Struct):
    endpoint: str
    keys: _Keys


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser is reached, and what to encrypt with."""

    endpoint: URL
    key: ec.EllipticCurvePublicKey
    auth: bytes

    @classmethod
    def read(cls, text: str) -> "Subscription":
        """Read what a browser gave; Bounced when it is no subscription, for it will never be one."""
        try:
            found = msgspec.json.decode(text, type=_Subscription)
            point, auth = (_unpacked(each) for each in (found.keys.p256dh, found.keys.auth))
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            url = URL(found.endpoint)
        except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, ValueError, TypeError) as error:
            raise Bounced("the address is no browser's push subscription", hard=True) from error
        if url.scheme != "https" or not url.host or len(auth) != 16:
            raise Bounced("the address is no browser's push subscription: https:// and 16 bytes of auth", hard=True)
        return cls(url, key, auth)


class WebPushChannel:
    """Sends to browsers, under one VAPID key."""

    # The second takes the first one's place on the screen.
    knows_repeats = True

    def __init__(self, api: Api, subject: str, key: ec.EllipticCurvePrivateKey, urgency: str) -> None:
        self._api = api
        self._subject = subject
        self._key = key
        self._public = public_key_of(key)
        self._urgency = urgency
        self._tokens: OrderedDict[str, Token] = OrderedDict()

    async def send(self, delivery: Delivery) -> Receipt:
        """Encrypt one message for its browser, and hand it to the browser's push service."""
        subscription = Subscription.read(delivery.to)
        notice = notice_of(delivery)
        headers = {
            "Authorization": f"vapid t={self._token(subscription.endpoint, delivery.now_ms)}, k={self._public}",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(notice.lasts_s),
            "Urgency": self._urgency,
            "Topic": _packed(sha256(delivery.key.encode()).digest())[:32],
        }
        told = {
            "title": notice.title,
            "body": notice.body,
            "url": notice.url,
            "image": notice.image,
            "tag": delivery.key,
            "action_id": delivery.action.id,
        }
        payload = encrypted(msgspec.json.encode(told), subscription)
        try:
            answer = await self._api.post(subscription.endpoint, headers, payload)
        except Unavailable as error:
            raise TryLater(error.after, error.why) from error
        if answer.status in (200, 201, 202):
            return Receipt(answer.headers.get("location"))
        raise _trouble(answer, delivery.now_ms)

    def _token(self, endpoint: URL, now_ms: int) -> str:
        """Sign who we are for one push service, or take what was signed before."""
        audience = str(endpoint.origin())
        token = self._tokens.get(audience)
        if token is None or token.until_ms <= now_ms:
            claims = {"aud": audience, "exp": (now_ms + 2 * TOKEN_MS - 60_000) // 1000, "sub": self._subject}
            token = Token(signed(claims, self._key, "ES256"), now_ms + TOKEN_MS)
        self._tokens[audience] = token
        self._tokens.move_to_end(audience)
        if len(self._tokens) > TOKENS_KEPT:
            self._tokens.popitem(last=False)
        return token.value

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()


def encrypted(payload: bytes, subscription: Subscription) -> bytes:
    """Encrypt for one browser as RFC 8291 has it, under a key made for this message; Refused when it is too long."""
    if len(payload) > LONGEST_PAYLOAD:
        raise Refused(f"the notification has {len(payload):,} bytes, and push services take {LONGEST_PAYLOAD:,}")
    point = subscription.key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    once = ec.generate_private_key(ec.SECP256R1())
    made: bytes = http_ece.encrypt(payload, private_key=once, dh=point, auth_secret=subscription.auth)
    return made


def public_key_of(key: ec.EllipticCurvePrivateKey) -> str:
    """Give the public half of a VAPID key as the page needs it (applicationServerKey)."""
    return _packed(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _trouble(answer: Answer, now_ms: int) -> ChannelError:
    why = f"the push service answered {answer.status}"
    if answer.status in (404, 410):
        return Bounced(why, hard=True)
    if answer.status in (401, 403):  # the subscription was made with another VAPID key, or ours is none to it
        return Refused(why)
    found = answer.meaning(now_ms)
    return TryLater(answer.after(now_ms), why) if isinstance(found, TryLater) else Refused(why)


def _packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def open_webpush(setup: Setup) -> WebPushChannel:
    """Make the channel that a `webpush:` URL names."""
    endpoint = read_url(setup, "push.invalid", OPTIONS)
    subject = needed(setup, endpoint, "subject", "webpush:?subject=mailto:ops@shop.example")
    urgency = endpoint.options.get("urgency", "normal")
    if urgency not in URGENCIES or not subject.startswith(("mailto:", "https://")):
        raise OrchestratorError(
            f"channel {setup.name}: subject is a mailto: or https: address, urgency one of {', '.join(URGENCIES)}"
        )
    key = read_p256(secret_of(setup, "the VAPID key"), f"channel {setup.name}: the VAPID key")
    return WebPushChannel(Api(endpoint, setup.allowed_hosts), subject, key, urgency)
