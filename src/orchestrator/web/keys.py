"""Keys: who may send events, and who may look customers up.

Owns the places where a key may stand (Bearer, Basic as Segment's clients do, a parameter for hooks that know nothing
else) and its comparison. Keys are compared by their hashes, in constant time. Must never log or answer with one.
"""

import base64
import hashlib
import hmac
from binascii import Error as BinasciiError
from urllib.parse import parse_qs

from orchestrator.web.answers import HttpError, Scope, header_of

CHALLENGE = [(b"www-authenticate", b'Basic realm="orchestrator"')]


class KeyRing:
    """Some keys, any of which opens."""

    def __init__(self, keys: tuple[str, ...], what: str) -> None:
        self._what = what
        self._hashes = tuple(_hash(key) for key in keys)
        # What a header held when it last opened: clients send the same one with every event.
        self._opened: set[str] = set()

    def opens(self, key: str) -> bool:
        """Tell whether this is one of the keys."""
        hashed = _hash(key)
        found = [hmac.compare_digest(hashed, known) for known in self._hashes]  # all of them, to the same effort
        return any(found)

    def check(self, scope: Scope, in_body: str | None = None) -> None:
        """Let a request pass, or raise HttpError 401."""
        header = header_of(scope, b"authorization")
        if header and header in self._opened:
            return
        key = key_in(header) or in_body
        if key is None:
            raise HttpError(401, "bad_key", "a key is needed: Authorization: Bearer KEY, or Basic KEY:", CHALLENGE)
        if not self.opens(key):
            raise HttpError(401, "bad_key", f"this is no {self._what} key, which is what is needed here", CHALLENGE)
        if header and len(self._opened) < 100:
            self._opened.add(header)

    def check_parameter(self, scope: Scope) -> None:
        """Let a request pass whose key may also stand in its query, as `?key=`."""
        found = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("key")
        self.check(scope, found[0] if found else None)


def key_in(header: str) -> str | None:
    """Find the key in an Authorization header; None when there is none."""
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value or None
    if scheme.lower() != "basic":
        return None
    try:
        user, _, _ = base64.b64decode(value, validate=True).decode().partition(":")
    except (BinasciiError, ValueError):
        return None
    return user or None


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()
