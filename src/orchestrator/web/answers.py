"""Answers: the few forms in which we answer programs.

Owns the shape of an error, the same everywhere: `{"code": ..., "message": ...}`. Must never carry what a caller sent
back to them unescaped, nor a traceback.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec
from starlette.responses import Response

from orchestrator.errors import OrchestratorError
from orchestrator.runtime.live import Busy

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_encode = msgspec.json.Encoder().encode
JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}


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


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Give JSON as an answer, for whoever has one of Starlette's requests."""
    return Response(_encode(value), status, dict(headers or {}), media_type="application/json")


def error_response(error: HttpError, headers: Mapping[str, str] | None = None) -> Response:
    """Give an error as an answer, with its own headers and these."""
    own = {name.decode(): value.decode() for name, value in error.headers}
    return json_response(error.status, {"code": error.code, "message": error.message}, {**(headers or {}), **own})


def not_kept(error: OrchestratorError) -> HttpError:
    """Say that what came could not be kept, and when to send it again: soon, where only too much waits."""
    if isinstance(error, Busy):
        return HttpError(503, "busy", str(error), [(b"retry-after", b"1")])
    return HttpError(503, "not_kept", str(error), [(b"retry-after", b"5")])


def header_of(scope: Scope, name: bytes) -> str:
    """Give a request's header, "" when it has none."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
