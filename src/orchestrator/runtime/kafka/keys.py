"""Where a key belongs: Kafka's default partitioner, murmur2, as Java clients compute it.

Owns the hash and nothing else. Must never change: a customer's partition is where their state lives.
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import iter_unpack, unpack

_SEED = 0x9747B28C
_FACTOR = 0x5BD1E995
_MASK = 0xFFFFFFFF
# The keys of profiles, which are hashed many at once; of fewer than so many, each by itself is faster.
_BYTES = 32
_FEW = 16


def murmur2(key: bytes) -> int:
    """Hash a key to 32 bits, unsigned."""
    length = len(key)
    tail = length & 3
    h = _SEED ^ length
    for (k,) in iter_unpack("<I", key[: length - tail]):
        k = k * _FACTOR & _MASK
        h = (h * _FACTOR ^ (k ^ k >> 24) * _FACTOR) & _MASK
    if tail:
        h = (h ^ int.from_bytes(key[length - tail :], "little")) * _FACTOR & _MASK
    h = (h ^ h >> 13) * _FACTOR & _MASK
    return h ^ h >> 15


# A customer does several things in a row, and the hash of one key costs as much as reading an event.
@lru_cache(maxsize=1 << 14)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that a record with this key belongs to."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def partitions_of(keys: Sequence[bytes], partitions: int) -> Sequence[int]:
    """Return the partitions that records with these keys belong to.

    What Python takes for a step of the hash is all but the same for one number and for one of a thousand digits. So
    each key has 64 bits of a long number, and one step is done for all: *measured*, ten times as fast as one by one.
    """
    count, joined = len(keys), b"".join(keys)
    if count < _FEW or set(map(len, keys)) != {_BYTES}:
        return [partition_of(key, partitions) for key in keys]
    each = int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")
    mask, h = each * _MASK, each * (_SEED ^ _BYTES)
    lanes = bytearray(8 * count)
    for at in range(0, _BYTES, 4):
        for byte in range(4):
            lanes[byte::8] = joined[at + byte :: _BYTES]
        # No product of two numbers of 32 bits reaches into the next key's 64; what is shifted in from there is masked.
        k = int.from_bytes(lanes, "little") * _FACTOR & mask
        h = (h * _FACTOR ^ ((k ^ k >> 24) & mask) * _FACTOR) & mask
    h = ((h ^ h >> 13) & mask) * _FACTOR & mask
    h = (h ^ h >> 15) & each * 0x7FFFFFFF
    return [number % partitions for number in unpack(f"<{count}Q", h.to_bytes(8 * count, "little"))]
