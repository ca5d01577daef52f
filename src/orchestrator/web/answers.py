"""Answers: the few forms in which we answer programs.

Owns the shape of an error, the same everywhere: `{"code": ..., "message": ...}`. Must never carry what a caller sent
back to them unescaped, nor a traceback.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_encode = msgspec.json.Encoder().encode
JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")


class HttpError(Exception):
    """An answer that is no success, to be written where the request is answered."""

    def __init__(self, status: int, code: str, message: str, headers: Headers | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or []


async def answer(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Write a whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, value: object, headers: Headers | None = None) -> None:
    """Write JSON."""
    await answer(send, status, _encode(value), [JSON, *(headers or [])])


async def answer_error(send: Send, error: HttpError) -> None:
    """Write an error."""
    await answer_json(send, error.status, {"code": error.code, "message": error.message}, error.headers)


def header_of(scope: Scope, name: bytes) -> str:
    """Give a request's header, "" when it has none."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
