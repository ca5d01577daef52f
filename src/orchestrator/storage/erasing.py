"""Erasing: which of the lines that a store keeps are about one customer, and which are too old to be kept.

Owns those questions for lines of JSON, which hold several customers to a row. Must never change a line.
"""

from collections.abc import Collection

import msgspec

# A value this short stands in lines by accident; what is named by one is found by the profile's id.
SHORTEST_VALUE = 3


class _Made(msgspec.Struct):
    at: str


def quotes(line: bytes, profile_id: str, values: Collection[str]) -> bool:
    """Whether a line is about a profile: it names its id, or quotes a value that it is known by, in whatever case."""
    if profile_id.encode() in line:
        return True
    folded = line.decode(errors="replace").casefold()
    return any(len(value) >= SHORTEST_VALUE and value.casefold() in folded for value in values)


def made_before(lines: bytes, before: str) -> bool:
    """Whether a turn's decision lines were made before an instant, as text of the same form."""
    return msgspec.json.decode(lines.split(b"\n", 1)[0], type=_Made).at < before


def without(lines: bytes, profile_id: str, values: Collection[str]) -> tuple[bytes, int]:
    """Take the lines about a profile out of several; give the rest, and how many went."""
    each = lines.splitlines(keepends=True)
    kept = [line for line in each if not quotes(line, profile_id, values)]
    return b"".join(kept), len(each) - len(kept)
