"""Sealing: HMAC-SHA256 under one key, many times.

Owns that one function, made from two digests that are begun once (RFC 2104). The standard library's own lets go of
the interpreter for every digest, however short; where another thread works, each seal then waits for that thread's
turn to end (measured: 75 µs instead of 2). Must never be given a key twice.
"""

import hashlib

_BLOCK = 64
_INNER, _OUTER = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))


class Sealer:
    """Seals messages under one key."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        padded = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(padded.translate(_INNER))
        self._outer = hashlib.sha256(padded.translate(_OUTER))

    def seal(self, message: bytes) -> bytes:
        """Give the message's HMAC."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()
