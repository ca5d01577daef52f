"""Ids, derived from what they stand for: made twice is made once.

Owns how every id of ours is computed. Never draws a random number, so the same decision made again
after a crash, in another runtime or on another machine, carries the same id.

Profile ids hash a customer's identifier with BLAKE2b; all other ids are built from profile ids and
names, hold nothing personal, and use xxh3 (measured: a fifth of the time).
"""

from functools import lru_cache
from hashlib import blake2b

from xxhash import xxh3_64_digest, xxh3_64_intdigest, xxh3_128_hexdigest

# What separates the parts of a hashed text. It cannot occur in JSON text unescaped, so that
# ("ab", "c") and ("a", "bc") are never the same id.
SEPARATOR = "\x1f"


@lru_cache(maxsize=1 << 17)
def profile_id_of(kind: str, value: str) -> str:
    """Name the profile that an identifier stands for, as 32 hexadecimal characters."""
    return blake2b(f"{kind}{SEPARATOR}{value}".encode(), digest_size=16).hexdigest()


def derive(*parts: str) -> str:
    """Derive an id from the parts it stands for, as 32 hexadecimal characters."""
    return xxh3_128_hexdigest(SEPARATOR.join(parts).encode())


def record_id(raw: bytes) -> str:
    """Derive an event's id from its record, for events that come without one."""
    return xxh3_128_hexdigest(raw)


def digest_of(event_id: str) -> bytes:
    """Shorten an event's id to the eight bytes that a profile remembers it by."""
    return xxh3_64_digest(event_id.encode())


def share_of(*parts: str) -> float:
    """Draw a sticky number in [0, 100) for the parts: the same today, tomorrow and on every machine."""
    return xxh3_64_intdigest(SEPARATOR.join(parts).encode()) / 2**64 * 100
