"""Bodies: JSON and forms out of bytes that anybody may have sent.

Owns the bounds: depth, number of fields and parts, size of each. What goes beyond them is refused, with all else that
cannot be read, before anybody looks at it. Must never trust a length or a charset that the sender names.
"""

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from orchestrator.channels.inbound.findings import Request, Unreadable
from orchestrator.model import values

MAX_FIELDS = 200
MAX_HEADERS = 20
MAX_TEXT = 20_000
Value = TypeVar("Value")
_decode = msgspec.json.Decoder().decode

Form = list[tuple[str, str]]
Fields = list[tuple[str, bytes]]


def json_of(raw: bytes | str) -> Any:
    """Read JSON that nests no deeper than an event may."""
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable("the body is no JSON") from error
    if not values.is_storable(found):
        raise Unreadable(f"the body nests over {values.MAX_DEPTH} deep, or holds too large a number")
    return found


def object_of(raw: bytes | str) -> dict[str, Any]:
    """Read a JSON object."""
    found = json_of(raw)
    if not isinstance(found, dict):
        raise Unreadable("the body is no JSON object")
    return found


def part(found: object, *names: str) -> dict[str, Any]:
    """Go down to an object inside of others; an empty one where there is none."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def listed(found: object) -> list[dict[str, Any]]:
    """List the objects of a JSON array; none of what is no array."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text(found: object) -> str:
    """Give a text, or a number as one; "" for anything else."""
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found[:MAX_TEXT] if isinstance(found, str) else ""


def form_of(request: Request) -> Form:
    """Read a form in the order in which it was written, whichever of the two ways it was sent in."""
    return [(name, value.decode(errors="replace")) for name, value in fields_of(request)]


def fields_of(request: Request) -> Fields:
    """Read a form with its values as they came: a mail among them may be in any charset."""
    if request.content_type == "multipart/form-data":
        return _multipart(request)
    if request.content_type != "application/x-www-form-urlencoded":
        raise Unreadable("the body is no form")
    try:
        written = request.body.decode("ascii")
        # As Latin-1 every byte is a character, so that none is lost.
        pairs = parse_qsl(written, keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="latin-1")
    except (UnicodeDecodeError, ValueError) as error:
        raise Unreadable(f"the form cannot be read, or has over {MAX_FIELDS} fields") from error
    return [(name.encode("latin-1").decode(errors="replace"), value.encode("latin-1")) for name, value in pairs]


class _Parts:
    """Collects a form's parts as the parser comes by them; files are counted and left out."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, bytearray]] = []
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        self._into: bytearray | None = None
        self._count = 0

    def on_part_begin(self) -> None:
        self._headers = {}
        self._count += 1
        if self._count > MAX_FIELDS:
            raise Unreadable(f"the form has over {MAX_FIELDS} parts")

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()
        if len(self._headers) > MAX_HEADERS:
            raise Unreadable("a part of the form has too many headers")

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._into = None
        if b"name" in options and b"filename" not in options:
            self._into = bytearray()
            self.fields.append((options[b"name"].decode(errors="replace"), self._into))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._into is not None:
            self._into += data[start:end]


def _multipart(request: Request) -> Fields:
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:
        raise Unreadable("the form names no boundary")
    parts = _Parts()
    callbacks: Any = {name: getattr(parts, name) for name in vars(_Parts) if name.startswith("on_")}
    try:
        parser = MultipartParser(boundary, callbacks)
        parser.write(request.body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Unreadable("the form cannot be read") from error
    return [(name, bytes(value)) for name, value in parts.fields]


def first_of(form: Sequence[tuple[str, Value]]) -> dict[str, Value]:
    """Give each field of a form by its name; of several with one name the first."""
    return dict(reversed(form))


def decoded(raw: bytes, charset: str) -> str:
    """Decode a text by the charset that it is said to be in, as far as that goes."""
    try:
        return raw.decode(charset, errors="replace")
    except LookupError:  # one that nobody knows
        return raw.decode(errors="replace")
