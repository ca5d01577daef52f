"""Erasing: which of the lines that a store keeps are about one customer, and which are too old to be kept.

Two questions, because a mistake costs something else: what might be about whoever is erased goes (`quotes`), what is
handed to somebody as theirs must be (`is_theirs`). A line that says whose it is is nobody else's, whomever it mentions.
Owns those questions for lines of JSON, which hold several customers to a row. Must never change a line.
"""

import base64
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

import msgspec

# A value this short stands in lines by accident; what is named by one is found by the profile's id.
SHORTEST_VALUE = 3
# One this long is nobody else's, if it is not a number: an address, a phone, what a machine made up.
_TELLING = 8
# A phone number is kept in E.164 and quoted as somebody wrote it, maybe without the country's code, which has three
# digits at most: the rest of them, whatever lies in between.
_FEWEST_DIGITS = 6
_CODE_DIGITS = 3
_BETWEEN = r"[\s().\-/]*"
# A line quotes JSON, which may escape what is not ASCII, and is escaped itself.
_ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
_BLANK = re.compile(r"\\+[bfnrt]")
# Where a name goes on: ana is neither susana, nor ana-2, nor ana@shop.example.
_BEFORE, _AFTER = r"(?<![\w.+-])", r"(?![\w+@-]|\.\w)"
# The fields of an envelope that name somebody.
_NAMING = ("customer_id", "subject", "userId", "anonymousId", "previousId")
_NAMED = rf"(?:[\"']|(?:{'|'.join(_NAMING).casefold()})[\\\s\"':=]*)"


class _Made(msgspec.Struct):
    at: str


class _Line(msgspec.Struct):
    """What says whose a line is: the profile itself, or the record that a dead letter quotes, and its key."""

    profile_id: str | None = None
    key: str | None = None
    record: str | None = None
    record_base64: str | None = None


_decode_line = msgspec.json.Decoder(_Line).decode


def _read_line(line: bytes) -> _Line:
    """Read what says whose a line is; nothing does in one of another form."""
    try:
        return _decode_line(line)
    except msgspec.DecodeError:
        return _Line()


def quotes(line: bytes, profile_id: str, values: Collection[str]) -> bool:
    """Whether a line is about a profile, or may be: it names its id, or quotes a value, in whatever case."""
    told = _read_line(line)
    if told.profile_id is not None:
        return told.profile_id == profile_id or told.profile_id in values
    return profile_id.encode() in line or _is_quoted(line, told, values)


def is_theirs(line: bytes, profile_id: str, values: Collection[str]) -> bool:
    """Whether a line is about a profile and nobody else: it says so, or quotes a value that only they are known by.

    What may be anything, such as a short number, has to stand where a record says who it is about.
    """
    told = _read_line(line)
    telling = [value for value in values if "@" in value or (len(value) >= _TELLING and not value.isdecimal())]
    if told.profile_id is not None or quotes(line, profile_id, telling):
        return quotes(line, profile_id, values)
    named = {str(each).strip().casefold() for each in (told.key, *_named_in(told.record or ""))}
    return any(value.casefold() in named for value in values)


def _named_in(record: str) -> Iterator[Any]:
    """Give the values by which a record names its customer, as far as it can be read."""
    try:
        read = msgspec.json.decode(record)
    except msgspec.DecodeError:
        return
    if isinstance(read, dict):
        yield from (read[name] for name in _NAMING if name in read)
        others = read.get("identifiers")
        yield from others.values() if isinstance(others, dict) else ()


def _is_quoted(line: bytes, told: _Line, values: Collection[str]) -> bool:
    texts = [line.decode(errors="replace")]
    if told.record_base64 is not None:
        raw = base64.b64decode(told.record_base64)
        texts += [raw.decode(errors="replace"), raw.decode("latin-1")]
    folded = "\n".join(_plain(text) for text in texts).casefold()
    return any(len(value) >= SHORTEST_VALUE and _is_in(value, folded) for value in values)


def _plain(text: str) -> str:
    """Write a text without its escapes."""
    if "\\u" in text:
        text = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _BLANK.sub(" ", text)


def _is_in(value: str, folded: str) -> bool:
    if _whole(value.casefold()).search(folded) is not None:
        return True
    national = value[1 + _CODE_DIGITS :]
    is_phone = value[:1] == "+" and value[1:].isdecimal() and len(national) >= _FEWEST_DIGITS
    return is_phone and _phone(national).search(folded) is not None


@lru_cache(maxsize=1_000)
def _whole(value: str) -> re.Pattern[str]:
    # A short number is an amount or a year as well: there it has to be a text, or to stand where a name does.
    is_short = value.isdecimal() and len(value) < _TELLING
    return re.compile((_NAMED if is_short else _BEFORE) + re.escape(value) + _AFTER)


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
