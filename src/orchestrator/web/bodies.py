"""Bodies: what a request carries, as long as it is within bounds.

Owns the limits and the unpacking. A body is refused as soon as it is known to be too much, on the wire or unpacked;
what unpacks to a thousand times its size is never held whole. Must never trust a length that a caller named.
"""

import asyncio
import zlib
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec

from orchestrator.web.answers import HttpError, Receive, Scope, header_of

MAX_BYTES = 10 << 20  # on the wire
MAX_UNPACKED_BYTES = 32 << 20
MAX_FORM_BYTES = 64 << 10
# A body that is too large and says so is let pass up to here: most clients send all of it before they hear our answer.
MAX_PASSED_BYTES = 64 << 20
# Whoever needs longer than this for one request is slow, or wants us to wait.
SECONDS = 30.0
# Among the extensions of a request's scope: it is here already, and nobody needs to wait for its body.
WHOLE = "orchestrator.whole"
_GZIP = 16 + zlib.MAX_WBITS
# A packed body may be several, as log shippers put them together (RFC 1952); each costs an unpacker of its own.
MAX_MEMBERS = 10_000
# What is handed to one of them at a time is copied where the next one begins.
_PIECE_BYTES = 64 << 10
Said = TypeVar("Said")


async def read(scope: Scope, receive: Receive, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a body whole and unpack it; raises HttpError 400, 408, 413 or 415.

    Where less than `MAX_BYTES` may come, no more than that may come out of it either.
    """
    length = header_of(scope, b"content-length")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes, closes=int(length) > MAX_PASSED_BYTES)
    is_whole = WHOLE in scope.get("extensions", ())
    raw = await (_receive if is_whole else _receive_in_time)(receive, max_bytes)
    encoding = header_of(scope, b"content-encoding").lower()
    if encoding in ("", "identity"):
        return raw
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _unpack(raw, zlib.MAX_WBITS if encoding == "deflate" else _GZIP, max_bytes)
    raise HttpError(415, "unknown_encoding", "a body is sent as it is, or with gzip or deflate")


async def _receive_in_time(receive: Receive, max_bytes: int) -> bytes:
    try:
        async with asyncio.timeout(SECONDS):
            return await _receive(receive, max_bytes)
    except TimeoutError as error:
        raise HttpError(408, "too_slow", f"the body took over {SECONDS:g} s", [(b"connection", b"close")]) from error


async def _receive(receive: Receive, max_bytes: int) -> bytes:
    message = await receive()
    first: bytes = message.get("body", b"")
    if not message.get("more_body") and message["type"] == "http.request":
        if len(first) > max_bytes:
            raise _too_large(max_bytes)
        return first
    body = bytearray(first)
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    if message["type"] == "http.disconnect":
        raise HttpError(400, "incomplete", "the body ended before its end")
    return bytes(body)


def _unpack(raw: bytes, window: int, max_bytes: int) -> bytes:
    """Unpack a body, no further than it may go; several that were packed may stand one behind the other."""
    whole, unpacked, at, most = memoryview(raw), bytearray(), 0, _most_unpacked(max_bytes)
    for _ in range(MAX_MEMBERS):
        unpacker = zlib.decompressobj(window)
        while not unpacker.eof:
            piece = whole[at : at + _PIECE_BYTES]
            if not piece:
                raise HttpError(400, "bad_encoding", "the packed body ends before its end")
            try:
                unpacked += unpacker.decompress(piece, most + 1 - len(unpacked))
            except zlib.error as error:
                raise HttpError(400, "bad_encoding", "the body is not what its content-encoding says") from error
            if len(unpacked) > most:
                raise _too_large(max_bytes)
            at += len(piece) - len(unpacker.unconsumed_tail) - len(unpacker.unused_data)
        if at == len(whole):
            return bytes(unpacked)
    raise HttpError(400, "bad_encoding", f"a packed body has at most {MAX_MEMBERS} parts")


def _most_unpacked(max_bytes: int) -> int:
    return MAX_UNPACKED_BYTES if max_bytes >= MAX_BYTES else max_bytes


def _too_large(max_bytes: int, closes: bool = True) -> HttpError:
    told = f"a request has at most {max_bytes} bytes here, {_most_unpacked(max_bytes)} unpacked"
    return HttpError(413, "too_large", told, [(b"connection", b"close")] if closes else [])


async def form(scope: Scope, receive: Receive, most_fields: int) -> dict[str, list[str]]:
    """Read a form as browsers send it, each field with its values; raises HttpError 400 for what is none."""
    body = await read(scope, receive, MAX_FORM_BYTES)
    try:
        return parse_qs(body.decode(), max_num_fields=most_fields)
    except (UnicodeDecodeError, ValueError) as error:
        raise HttpError(400, "bad_form", "the form cannot be read") from error


def decoded(body: bytes, kind: type[Said]) -> Said:
    """Read JSON of a kind; raises HttpError 400 for anything else, however deep somebody nested it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HttpError(400, "bad_body", f"the body cannot be read: {error}") from error
