"""Tokens: what we sign to say who we are (JWT), and what is kept of it until it is renewed.

Owns the reading of private keys, signing, and one renewal at a time. Must never put a key or a token into a text.
"""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from orchestrator.errors import OrchestratorError

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def read_key(text: str, what: str) -> Key:
    """Read a private key, as PEM or as 32 bytes in base64url (a point's secret on P-256); OrchestratorError else."""
    try:
        if "-----BEGIN" in text:
            # In an environment variable line ends may be written as two signs.
            found = load_pem_private_key(text.replace("\\n", "\n").encode(), None)
            if isinstance(found, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
                return found
        else:
            raw = base64.urlsafe_b64decode(text.strip() + "==")
            if len(raw) == 32:
                return ec.derive_private_key(int.from_bytes(raw), ec.SECP256R1())
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        pass  # said below, without the text of the error: it may quote the key
    raise OrchestratorError(f"{what} cannot be read; it begins with -----BEGIN PRIVATE KEY-----")


def read_p256(text: str, what: str) -> ec.EllipticCurvePrivateKey:
    """Read a private key on P-256; OrchestratorError for any other."""
    found = read_key(text, what)
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise OrchestratorError(f"{what} is no key on the curve P-256, which it must be")
    return found


def signed(claims: Mapping[str, Any], key: Key, algorithm: Literal["ES256", "RS256"], key_id: str | None = None) -> str:
    """Sign claims as a JWT."""
    return jwt.encode(dict(claims), key, algorithm, {"kid": key_id} if key_id else None)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and until when it may be used."""

    value: str
    until_ms: int


class Kept:
    """One token, made when it is needed; whoever else needs it meanwhile waits for the same one."""

    def __init__(self, make: Callable[[int], Awaitable[Token]]) -> None:
        self._make = make
        self._token: Token | None = None
        self._lock = asyncio.Lock()

    async def at(self, now_ms: int) -> str:
        """Give the token, a new one where the last has run out; raises what making one raises."""
        async with self._lock:
            if self._token is None or self._token.until_ms <= now_ms:
                self._token = await self._make(now_ms)
            return self._token.value

    def drop(self, value: str) -> None:
        """Forget a token that was refused; one that was made meanwhile stays."""
        if self._token is not None and self._token.value == value:
            self._token = None
