"""Values: what may stand in properties, traits and results.

Owns the bounds that every value keeps, so that state can always be written, and read again at any depth of the
stack. Never changes a value.
"""

import math
from typing import Any

# Lists and objects inside each other; the codecs' own limit lies far above, but moves with the stack they run on.
MAX_DEPTH = 64
# What the codec of states can hold, and JSON's readers elsewhere.
LARGEST_INTEGER = 2**63 - 1


def is_storable(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Tell whether a value can be stored and written as JSON: finite, 64 bits an integer, at most `depth` deep."""
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        return -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return depth > 0 and all(is_storable(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(key, str) and is_storable(one, depth - 1) for key, one in value.items())
    return False


def may_be_too_deep(raw: bytes) -> bool:
    """Tell from JSON text, at the cost of a glance, whether it is worth asking how deep it nests."""
    return len(raw) > 2 * MAX_DEPTH and raw.count(b"[") + raw.count(b"{") > MAX_DEPTH
