"""SNS: the envelope in which Amazon's services report.

    Notification                what a service says          signature over six fields, in version 1 (SHA-1) or 2
    SubscriptionConfirmation    somebody wants to send       with an address to confirm it by

Owns its signature. Amazon signs for anybody who has an account there, so a signature says who carried it, never who
spoke: only the topics that the operator named are listened to, or confirmed. Certificates and confirmations come from
addresses inside the message; only Amazon's own hosts are asked, and by whoever calls this, through the guard.
"""

import base64
import re
from binascii import Error as BinasciiError
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from orchestrator.channels.inbound import bodies, signing
from orchestrator.channels.inbound.findings import Forbidden, Request, Unreadable
from orchestrator.model import instants
from orchestrator.model.instants import DAY_MS

WITHIN_MS = DAY_MS
_HOST = re.compile(r"sns\.[a-z]{2,3}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?")
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
SIGNED["UnsubscribeConfirmation"] = SIGNED["SubscriptionConfirmation"]
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - version 1 is that


def envelope_of(request: Request) -> dict[str, Any]:
    """Read an envelope from a topic that the operator named; its signature is not checked yet."""
    envelope = bodies.object_of(request.body)
    if bodies.text(envelope.get("Type")) not in SIGNED:
        raise Unreadable("the body is no message of SNS")
    if not signing.is_any(bodies.text(envelope.get("TopicArn")), request.keys["topics"]):
        raise Forbidden("the topic is not one of ORCHESTRATOR_HOOK_SES_TOPICS")
    return envelope


def certificate_url(envelope: dict[str, Any]) -> str:
    """Give where the certificate is; Forbidden where that is not Amazon."""
    url = bodies.text(envelope.get("SigningCertURL"))
    if not _is_amazons(url) or not urlsplit(url).path.endswith(".pem"):
        raise Forbidden("the certificate is not at Amazon's")
    return url


def confirmation_url(envelope: dict[str, Any]) -> str | None:
    """Give where a subscription is confirmed; None for any other message."""
    if envelope.get("Type") != "SubscriptionConfirmation":
        return None
    url = bodies.text(envelope.get("SubscribeURL"))
    if not _is_amazons(url):
        raise Forbidden("the subscription is not to be confirmed at Amazon's")
    return url


def _is_amazons(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = parts.username is None and parts.password is None and port in (None, 443)
    return parts.scheme == "https" and plain and _HOST.fullmatch(parts.hostname or "") is not None


def check(envelope: dict[str, Any], certificate: bytes, now_ms: int) -> None:
    """Check the signature by the certificate's key; raises Forbidden."""
    names = SIGNED[envelope["Type"]]
    # What has no Subject is signed without it; the other fields are always there.
    signed = "".join(f"{name}\n{envelope[name]}\n" for name in names if isinstance(envelope.get(name), str))
    algorithm = _HASHES.get(bodies.text(envelope.get("SignatureVersion")))
    at_ms = instants.parse(envelope.get("Timestamp"))
    if algorithm is None or at_ms is None:
        raise Forbidden("the message is not signed in a way that is known")
    key = _key_of(certificate, at_ms)
    try:
        signature = base64.b64decode(bodies.text(envelope.get("Signature")), validate=True)
        key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm)
    except (BinasciiError, ValueError, InvalidSignature) as error:
        raise Forbidden("the signature is not Amazon's") from error
    if not -signing.AHEAD_MS <= now_ms - at_ms <= WITHIN_MS:
        raise Forbidden("the message was signed too long ago, or a clock is wrong")


def _key_of(certificate: bytes, at_ms: int) -> rsa.RSAPublicKey:
    """Take the key out of a certificate that was Amazon's at that instant."""
    try:
        read = x509.load_pem_x509_certificate(certificate)
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = names.get_values_for_type(x509.DNSName)
        key = read.public_key()
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Forbidden("the certificate cannot be read") from error
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    is_in_force = read.not_valid_before_utc <= at <= read.not_valid_after_utc
    if not is_in_force or not any(host.startswith("sns.") and ".amazonaws.com" in host for host in hosts):
        raise Forbidden("the certificate is not one of SNS in force")
    if not isinstance(key, rsa.RSAPublicKey):
        raise Forbidden("the certificate has no RSA key")
    return key
