"""Erasing: which of the lines that a store keeps are about one customer, and which are too old to be kept.

Owns those questions for lines of JSON, which hold several customers to a row. Must never change a line.
"""

import re
from collections.abc import Collection
from functools import lru_cache

import msgspec

# A value this short stands in lines by accident; what is named by one is found by the profile's id.
SHORTEST_VALUE = 3
# A phone number is kept in E.164 and quoted as somebody wrote it, maybe without the country's code, which has three
# digits at most: the rest of them, whatever lies in between.
_FEWEST_DIGITS = 6
_CODE_DIGITS = 3
_BETWEEN = r"[\s().\-/]*"
# A line quotes JSON, which may escape what is not ASCII, and is escaped itself.
_ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")


class _Made(msgspec.Struct):
    at: str


def quotes(line: bytes, profile_id: str, values: Collection[str]) -> bool:
    """Whether a line is about a profile: it names its id, or quotes a value that it is known by, in whatever case."""
    if profile_id.encode() in line:
        return True
    text = line.decode(errors="replace")
    if b"\\u" in line:
        text = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    folded = text.casefold()
    return any(len(value) >= SHORTEST_VALUE and _is_in(value, folded) for value in values)


def _is_in(value: str, folded: str) -> bool:
    if value.casefold() in folded:
        return True
    national = value[1 + _CODE_DIGITS :]
    is_phone = value[:1] == "+" and value[1:].isdecimal() and len(national) >= _FEWEST_DIGITS
    return is_phone and _phone(national).search(folded) is not None


@lru_cache(maxsize=1_000)
def _phone(digits: str) -> re.Pattern[str]:
    return re.compile(_BETWEEN.join(digits) + r"(?!\d)")


def made_before(lines: bytes, before: str) -> bool:
    """Whether a turn's decision lines were made before an instant, as text of the same form."""
    return msgspec.json.decode(lines.split(b"\n", 1)[0], type=_Made).at < before


def without(lines: bytes, profile_id: str, values: Collection[str]) -> tuple[bytes, int]:
    """Take the lines about a profile out of several; give the rest, and how many went."""
    each = lines.splitlines(keepends=True)
    kept = [line for line in each if not quotes(line, profile_id, values)]
    return b"".join(kept), len(each) - len(kept)
