"""Push services on this machine: Firebase with Google's tokens, Apple over HTTP/2, and a browser's own.

Owns what each checks before it takes anything: signatures, claims and their times against the test's instant, headers,
sizes, and for Web Push that the browser can read it, decrypted here by RFC 8188 and RFC 8291 and not by the library
that encrypts. Must never be more lenient than the service.
"""

import asyncio
import base64
import json
import ssl
import uuid
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

from providers.apis import HERE, Provider, told
from providers.certificates import pem_pair
from providers.deliveries import NOW_MS

NOW_S = NOW_MS // 1000
HOUR_S = 3600


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpacked(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token: str, key: Any, algorithm: str, **options: Any) -> dict[str, Any]:
    """Verify a token's signature; its times are judged by the test's clock."""
    lenient = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
    return jwt.decode(token, key, algorithms=[algorithm], options={**lenient, **options})


# Making RSA keys is slow; all tests of one process share one.
ACCOUNT_KEY = rsa.generate_private_key(65537, 2048)


class Firebase(Provider):
    """oauth2.googleapis.com and fcm.googleapis.com. `refused` tokens are answered as expired ones are."""

    def __init__(self, folder: Path, *faults: bytes) -> None:
        super().__init__(folder, *faults)
        self.granted: list[str] = []
        self.refused: set[str] = set()

    def account(self) -> str:
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "shop-1",
                "private_key_id": "k1",
                "private_key": pem(ACCOUNT_KEY),
                "client_email": "push@shop-1.iam.gserviceaccount.com",
                "token_uri": f"https://{self.host}/token",
            }
        )

    def next_answer(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        # What misbehaves is the sending; tokens have tests of their own.
        return self._grant(body) if path == "/token" else super().next_answer(path, headers, body)

    def _grant(self, body: bytes) -> bytes:
        form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert jwt.get_unverified_header(form["assertion"]) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
        claims = claims_of(form["assertion"], ACCOUNT_KEY.public_key(), "RS256")
        assert claims["iss"] == "push@shop-1.iam.gserviceaccount.com"
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert claims["aud"] == f"https://{self.host}/token"
        assert claims["exp"] - claims["iat"] <= HOUR_S
        self.granted.append(f"ya29.{len(self.granted)}")
        return told(200, {"access_token": self.granted[-1], "expires_in": 3599, "token_type": "Bearer"})

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        token = headers["authorization"].removeprefix("Bearer ")
        if token not in self.granted or token in self.refused:
            return _firebase_error(401, "UNAUTHENTICATED")
        assert path == "/v1/projects/shop-1/messages:send"
        message = json.loads(body)["message"]
        assert all(isinstance(value, str) for value in message.get("data", {}).values())
        assert message["android"]["ttl"].removesuffix("s").isdigit()
        assert len(message["apns"]["headers"]["apns-collapse-id"]) <= 64
        error = {
            "gone": (404, "NOT_FOUND", "UNREGISTERED", []),
            "stranger": (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", []),
            "misspelt": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", ["message.token"]),
            "no token": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", [], NO_TOKEN),
            "too big": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", [], "Android message is too big"),
            "fat": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", ["message.notification.image"]),
            "apple": (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", []),
            "many": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", []),
        }.get(message["token"])
        if error:
            return _firebase_error(*error)
        self.taken.append(message)
        return told(200, {"name": f"projects/shop-1/messages/{len(self.taken)}"})


def _firebase_error(
    status: int, name: str, code: str = "", fields: list[str] | None = None, message: str = "no"
) -> bytes:
    details: list[dict[str, Any]] = []
    if code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    if fields:
        violations = [{"field": each, "description": "is not valid"} for each in fields]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    more = {"Retry_After": "9"} if status == 429 else {}
    return told(status, {"error": {"code": status, "message": message, "status": name, "details": details}}, **more)


NO_TOKEN = "The registration token is not a valid FCM registration token"


class PushService(Provider):
    """A browser's push service, and the browser: one subscription, whose keys never leave here."""

    def __init__(self, folder: Path, *faults: bytes) -> None:
        super().__init__(folder, *faults)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = uuid.uuid4().bytes

    def subscription(self, path: str = "/wpush/v2/b1") -> str:
        keys = {"p256dh": packed(_point(self.key)), "auth": packed(self.auth)}
        return json.dumps({"endpoint": f"https://{self.host}{path}", "expirationTime": None, "keys": keys})

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        scheme, _, rest = headers["authorization"].partition(" ")
        given = dict(part.strip().split("=", 1) for part in rest.split(","))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unpacked(given["k"]))
        claims = claims_of(given["t"], public, "ES256")
        assert scheme == "vapid"
        assert claims["aud"] == f"https://{self.host}"
        assert NOW_S < claims["exp"] <= NOW_S + 24 * HOUR_S
        assert claims["sub"].startswith("mailto:")
        assert headers["content-encoding"] == "aes128gcm"
        assert headers["urgency"] in ("very-low", "low", "normal", "high")
        assert len(headers["topic"]) <= 32
        assert not set(headers["topic"]) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        assert int(headers["ttl"]) > 0
        if len(body) > 4096:
            return told(413, {})
        if path == "/wpush/v2/gone":
            return told(410, {})
        said = json.loads(decrypted(body, self.key, self.auth))
        self.taken.append({"ttl": headers["ttl"], "topic": headers["topic"], "vapid": given["t"], **said})
        return told(201, {}, Location=f"https://{self.host}/m/{len(self.taken)}")


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def decrypted(body: bytes, key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """Read a message as a browser does: RFC 8291, section 3.4, in one record of RFC 8188."""
    salt, record, length = body[:16], int.from_bytes(body[16:20]), body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    assert length == 65
    assert len(sealed) <= record
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    secret = _derived(shared, auth, b"WebPush: info\0" + _point(key) + sender, 32)
    opened = AESGCM(_derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)).decrypt(
        _derived(secret, salt, b"Content-Encoding: nonce\0", 12), sealed, None
    )
    text, last, padding = opened.rpartition(b"\x02")
    assert (last, padding.strip(b"\0")) == (b"\x02", b"")
    return text


class Apple:
    """api.push.apple.com. `faults` are (status, reason) answered first, or "hang", "reset", "half" or "endless"."""

    TEAM, KEY_ID, TOPIC = "DEF123GHIJ", "ABC123DEFG", "com.example.shop"

    def __init__(self, folder: Path, *faults: Any) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.faults = list(faults)
        self.taken: list[tuple[dict[str, str], Any]] = []
        self.tokens: list[str] = []
        self.expired: set[str] = set()
        self.connections = 0
        self._endless = self.endless_bytes = 0
        self.ca = pem_pair(folder)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.ca)
        self._tls.set_alpn_protocols(["h2"])
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        named = f"team={self.TEAM}&key={self.KEY_ID}&topic={self.TOPIC}"
        # Only who never comes to an end is waited for so long: others may take what a busy machine takes.
        seconds = 0.3 if {"hang", "endless"}.intersection(map(str, self.faults)) else 30
        return f"apns://{self.host}?{named}&timeout={seconds}&ca={self.ca}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._endless = 0
        self._writers.add(writer)
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        requests: dict[int, tuple[dict[str, str], bytearray]] = {}
        try:
            writer.write(connection.data_to_send())
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    if isinstance(event, RequestReceived):
                        requests[event.stream_id] = (dict(event.headers), bytearray())
                    elif isinstance(event, DataReceived):
                        requests[event.stream_id][1].extend(event.data)
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, StreamEnded):
                        self._answer(connection, writer, event.stream_id, *requests.pop(event.stream_id))
                    elif isinstance(event, StreamReset):
                        self._endless = 0
                self._go_on(connection)
                writer.write(connection.data_to_send())
                await writer.drain()
        except ConnectionError:
            pass  # the client has gone, as clients do
        finally:
            self._writers.discard(writer)
            writer.close()

    def _go_on(self, connection: H2Connection) -> None:
        """Send as much of an answer without end as the client takes."""
        while self._endless and (room := connection.local_flow_control_window(self._endless)):
            connection.send_data(self._endless, bytes(min(room, 16_384)))
            self.endless_bytes += min(room, 16_384)

    def _answer(
        self, connection: H2Connection, writer: Any, stream: int, headers: dict[str, str], body: bytearray
    ) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault == "hang":
            return
        if fault == "reset":
            writer.transport.abort()
            return
        if fault == "endless":
            self._endless = stream
            connection.send_headers(stream, [(":status", "500")])
            self._go_on(connection)
            return
        is_half = fault == "half"
        status, reason, more = (
            (200, "", {}) if is_half else (*fault, {}) if fault else self._judge(headers, bytes(body))
        )
        told_back = [(":status", str(status)), ("apns-id", headers.get("apns-id", "")), *more.items()]
        connection.send_headers(stream, told_back, end_stream=not reason and not is_half)
        if is_half:
            writer.write(connection.data_to_send())
            writer.transport.close()
        elif reason:
            connection.send_data(stream, json.dumps({"reason": reason}).encode(), end_stream=True)

    def _judge(self, headers: dict[str, str], body: bytes) -> tuple[int, str, dict[str, str]]:
        token = headers["authorization"].removeprefix("bearer ")
        if token not in self.tokens:
            self.tokens.append(token)
        assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "JWT", "kid": self.KEY_ID}
        claims = claims_of(token, self.key.public_key(), "ES256")
        assert claims["iss"] == self.TEAM
        if token in self.expired:
            return 403, "ExpiredProviderToken", {}
        assert (headers[":method"], headers[":scheme"]) == ("POST", "https")
        assert headers["apns-push-type"] == "alert"
        assert str(uuid.UUID(headers["apns-id"])) == headers["apns-id"]
        assert len(headers["apns-collapse-id"].encode()) <= 64
        assert headers["apns-priority"] in ("10", "5", "1")
        assert int(headers["apns-expiration"]) > NOW_S
        if headers["apns-topic"] != self.TOPIC:
            return 400, "TopicDisallowed", {}
        if len(body) > 4096:
            return 413, "PayloadTooLarge", {}
        device = headers[":path"].removeprefix("/3/device/")
        refused = {
            "gone": (410, "Unregistered", {}),
            "bad": (400, "BadDeviceToken", {}),
            "other": (400, "DeviceTokenNotForTopic", {}),
            "many": (429, "TooManyRequests", {"retry-after": "3"}),
        }.get(device)
        if refused:
            return refused
        self.taken.append((headers, json.loads(body)))
        return 200, "", {}


__all__ = ["HERE", "Apple", "Firebase", "PushService", "decrypted", "packed", "pem", "unpacked"]
