"""Where a key belongs: Kafka's default partitioner, murmur2, as Java clients compute it.

Owns the hash and nothing else. Must never change: a customer's partition is where their state lives.
"""

from functools import lru_cache
from struct import iter_unpack

_SEED = 0x9747B28C
_FACTOR = 0x5BD1E995
_MASK = 0xFFFFFFFF


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
