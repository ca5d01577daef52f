"""Signing: the comparisons that tell a provider from anybody else.

Owns that they take the same time whatever is wrong, that every key in force is tried, and how old a signed request may
be. Must never say how far a wrong signature was right.
"""

import base64
import hashlib
import hmac
from binascii import Error as BinasciiError
from collections.abc import Iterable

from orchestrator.channels.inbound.findings import Forbidden, Request
from orchestrator.model.instants import MINUTE_MS

# A clock of theirs may be ahead of ours by so much.
AHEAD_MS = 5 * MINUTE_MS


def is_any(given: str | bytes, expected: Iterable[str | bytes]) -> bool:
    """Tell whether what was given is one of these; all of them are compared, whichever it is."""
    told = _bytes(given)
    found = [hmac.compare_digest(told, _bytes(each)) for each in expected]
    return any(found)


def _bytes(value: str | bytes) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else value


def hmac_hex(key: str, message: bytes) -> str:
    """Give HMAC-SHA256 in hexadecimal."""
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def unbase64(value: str) -> bytes:
    """Decode base64; Forbidden for what is none, as a signature that is no signature."""
    try:
        return base64.b64decode(value, validate=True)
    except (BinasciiError, ValueError) as error:
        raise Forbidden("the signature is no base64") from error


def check_age(request: Request, at_s: str, within_ms: int) -> None:
    """Refuse what was signed too long ago, or in the future; `at_s` is in seconds."""
    # Digits beyond those of any date are no instant; they are not even turned into a number.
    if not (at_s.isascii() and at_s.isdecimal() and len(at_s) <= 12):
        raise Forbidden("the signature's time is no instant")
    if not -AHEAD_MS <= request.now_ms - int(at_s) * 1000 <= within_ms:
        raise Forbidden("the request was signed too long ago, or a clock is wrong")


def check_password(request: Request) -> None:
    """Let a provider in that signs nothing: by Basic authentication, or the header X-Webhook-Secret."""
    expected = request.keys["password"]
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    given = [request.headers.get("x-webhook-secret", "")]
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
            given += [password, user]
        except (BinasciiError, ValueError) as error:
            raise Forbidden("the password cannot be read") from error
    if not any(is_any(each, expected) for each in given if each):
        raise Forbidden("a password is needed, by Basic authentication or in X-Webhook-Secret")
