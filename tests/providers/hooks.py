"""Requests as providers make them, signed by their rules, written here a second time and by other means.

Owns the keys of these tests and one good request of each provider. Must never sign with the product's own functions.
"""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from orchestrator.channels.inbound.findings import Request

NOW_MS = 1_767_607_200_000  # 2026-01-05T10:00Z
NOW_S = NOW_MS // 1000
ACTION, PROFILE = "4f0c" * 8, "9ab2" * 8
REFERENCE = f"{ACTION}.{PROFILE}"
MESSAGE_ID = f"<{REFERENCE}@shop.example>"
PUBLIC = "https://shop.example"
SENDGRID = ec.generate_private_key(ec.SECP256R1())
SENDGRID_KEY = base64.b64encode(
    SENDGRID.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
SECRET, PASSWORD = "a-provider-secret", "a-provider-password"
STANDARD_KEY = "whsec_" + base64.b64encode(b"a standard secret of 32 bytes...").decode()
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def request(
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    channel: str = "email",
    path: str = "/hooks/email/provider",
    now_ms: int = NOW_MS,
    **keys: str,
) -> Request:
    """Write a request as the web hands it on."""
    url = PUBLIC + path
    lists = {name: tuple(value.split(",")) if value else () for name, value in keys.items()}
    return Request(channel, headers or {}, body, url, dict(parse_qsl(urlsplit(url).query)), lists, now_ms)


def sendgrid(*events: Any, at_s: int = NOW_S) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(list(events)).encode()
    signature = SENDGRID.sign(str(at_s).encode() + body, ec.ECDSA(hashes.SHA256()))
    return body, {
        "content-type": JSON,
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": str(at_s),
    }


def mailgun_signature(at_s: int = NOW_S, token: str = "t" * 50) -> dict[str, str]:
    signature = hmac.new(SECRET.encode(), f"{at_s}{token}".encode(), "sha256").hexdigest()
    return {"timestamp": str(at_s), "token": token, "signature": signature}


def mailgun(event: dict[str, Any], at_s: int = NOW_S) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"signature": mailgun_signature(at_s), "event-data": event}).encode()
    return body, {"content-type": JSON}


def basic(password: str = PASSWORD, user: str = "hooks") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def postmark(record: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    return json.dumps(record).encode(), {"content-type": JSON, **basic()}


def twilio(fields: dict[str, str], path: str = "/hooks/sms/twilio") -> tuple[bytes, dict[str, str]]:
    signed = PUBLIC + path + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(SECRET.encode(), signed.encode(), "sha1")).decode()
    return urlencode(fields).encode(), {"content-type": FORM, "x-twilio-signature": signature}


def meta(value: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(value).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {"content-type": JSON, "x-hub-signature-256": f"sha256={digest}"}


def whatsapp(**value: Any) -> tuple[bytes, dict[str, str]]:
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "106540352242922"}, **value}
    change = {"field": "messages", "value": value}
    return meta({"object": "whatsapp_business_account", "entry": [{"id": "8856996819413533", "changes": [change]}]})


def telegram(update: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    return json.dumps(update).encode(), {"content-type": JSON, "x-telegram-bot-api-secret-token": SECRET}


def standard(value: dict[str, Any], at_s: int = NOW_S, event: str = "msg_1") -> tuple[bytes, dict[str, str]]:
    body = json.dumps(value)
    signature = Webhook(STANDARD_KEY).sign(event, datetime.fromtimestamp(at_s, UTC), body)
    return body.encode(), {
        "content-type": JSON,
        "webhook-id": event,
        "webhook-timestamp": str(at_s),
        "webhook-signature": signature,
    }


def multipart(fields: dict[str, str | bytes], boundary: str = "xYzZY") -> tuple[bytes, dict[str, str]]:
    parts = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + (value if isinstance(value, bytes) else value.encode())
        + b"\r\n"
        for name, value in fields.items()
    )
    return parts + f"--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}
