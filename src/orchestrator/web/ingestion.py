"""Ingestion: events in, in every form that channel systems speak.

    POST /v1/events                                      one event, an array, JSON lines, CloudEvents (structured,
                                                         batch, binary)
    POST /v1/{track,identify,page,screen,group,alias}    as Segment's clients send them
    POST /v1/batch                                       several of those

Owns the taking apart of a body into records; what a record means is read by the runtime. 202 is answered when all
that was accepted is durable. Of several events those that are malformed are named in the answer and kept as dead
letters, and do not hold up the others; when none is accepted the answer is 400. Answers are written straight to the
server: a framework's request would be measured at as much again as the rest.
"""

import codecs
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import msgspec
import structlog

from orchestrator.errors import StorageError
from orchestrator.runtime.live import Busy, Refusal
from orchestrator.web import bodies
from orchestrator.web.answers import HttpError, Receive, Scope, Send, answer, answer_error, answer_json, header_of
from orchestrator.web.keys import KeyRing

MAX_EVENTS = 10_000
# How many refusals an answer names; all of them are dead letters.
SHOWN_REFUSALS = 100
SEGMENT_TYPES = ("track", "identify", "page", "screen", "group", "alias")

_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines", "application/x-jsonlines")
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)

Take = Callable[[list[bytes], str], Awaitable[list[Refusal]]]
_CORS = [(b"access-control-allow-origin", b"*")]
_PREFLIGHT = [
    *_CORS,
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding"),
    (b"access-control-max-age", b"86400"),
]
_ONE_ACCEPTED = (202, b'{"accepted":1,"refused":[]}', [(b"content-type", b"application/json"), *_CORS])


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]
    key: str | None = msgspec.field(name="writeKey", default=None)


class _Keyed(msgspec.Struct):
    key: str | None = msgspec.field(name="writeKey", default=None)


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_keyed = msgspec.json.Decoder(_Keyed).decode


class Ingestion:
    """Takes events from HTTP."""

    def __init__(self, take: Take, keys: KeyRing) -> None:
        self._take = take
        self._keys = keys
        self.paths = {"/v1/events", "/v1/batch", *(f"/v1/{each}" for each in SEGMENT_TYPES)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"]
        if method == "OPTIONS":
            await answer(send, 204, b"", _PREFLIGHT)
            return
        try:
            if method != "POST":
                raise HttpError(405, "wrong_method", "events come by POST", [(b"allow", b"POST, OPTIONS")])
            records = await self._records(scope, receive)
            refusals = await self._keep(records, scope["path"])
        except HttpError as error:
            error.headers = [*error.headers, *_CORS]
            await answer_error(send, error)
            return
        if not refusals and len(records) == 1:
            await answer(send, *_ONE_ACCEPTED)
            return
        await _tell(send, len(records), refusals)

    async def _keep(self, records: list[bytes], path: str) -> list[Refusal]:
        try:
            return await self._take(records, path)
        except Busy as error:
            raise HttpError(503, "busy", str(error), [(b"retry-after", b"1")]) from error
        except StorageError as error:
            # Brokers that do not answer may have taken it all the same; what is sent again as it was counts once.
            told = "it is not known to be kept; send it again as it was"
            raise HttpError(503, "not_kept", told, [(b"retry-after", b"5")]) from error

    async def _records(self, scope: Scope, receive: Receive) -> list[bytes]:
        """Take a request's body apart. The key is asked for before anything is read that is not small."""
        path = scope["path"]
        if path == "/v1/events":
            self._keys.check(scope)
            return _events(scope, await _read(scope, receive))
        if header_of(scope, b"authorization"):
            self._keys.check(scope)
        elif not _is_small(scope):
            raise HttpError(401, "bad_key", "a key is needed: Authorization: Basic KEY:")
        body = await _read(scope, receive)
        try:
            if path == "/v1/batch":
                batch = _decode_batch(body)
                self._keys.check(scope, batch.key)
                return _counted([bytes(each) for each in batch.batch])
            self._keys.check(scope, _decode_keyed(body).key)
            return [_encode({**_decode_object(body), "type": path.rpartition("/")[2]})]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._keys.check(scope)  # whoever has no key learns nothing about their JSON
            raise HttpError(400, "not_json", f"the body cannot be read: {error}") from error


# Segment's browser client names its key in the body only; so much of it is read before the key is known.
_SMALL_BYTES = 512 << 10


def _is_small(scope: Scope) -> bool:
    length = header_of(scope, b"content-length")
    return length.isdecimal() and int(length) <= _SMALL_BYTES and not header_of(scope, b"content-encoding")


async def _read(scope: Scope, receive: Receive) -> bytes:
    """Read a body, without the mark that programs on Windows put before a text in UTF-8 (RFC 8259 lets us)."""
    return (await bodies.read(scope, receive)).removeprefix(codecs.BOM_UTF8)


def _events(scope: Scope, body: bytes) -> list[bytes]:
    content_type = header_of(scope, b"content-type").partition(";")[0].strip().lower()
    if header_of(scope, b"ce-specversion"):
        return [_from_binary(scope, body)]
    if content_type in _LINES:
        return _lines(body)
    stripped = body.strip()
    if not stripped:
        raise HttpError(400, "empty", "the body is empty; send an event")
    try:
        if stripped[:1] == b"[":
            return _counted([bytes(each) for each in _decode_array(stripped)])
        if b"\n" in stripped:
            _decode_raw(stripped)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if stripped[:1] == b"{":
            return _lines(body)
        raise HttpError(400, "not_json", f"the body is no JSON: {error}") from error
    return [stripped]


def _lines(body: bytes) -> list[bytes]:
    return _counted([line for line in body.splitlines() if line.strip()])


def _counted(records: list[bytes]) -> list[bytes]:
    if not records:
        raise HttpError(400, "empty", "there is no event in the body")
    if len(records) > MAX_EVENTS:
        raise HttpError(413, "too_many", f"at most {MAX_EVENTS} events a request; send several")
    return records


def _from_binary(scope: Scope, body: bytes) -> bytes:
    """Put a CloudEvent in binary mode into its structured form; headers escape what is not ASCII."""
    try:
        attributes = {
            str(key[3:], "latin-1"): unquote(str(value, "latin-1"), errors="strict")
            for key, value in scope["headers"]
            if key.startswith(b"ce-")
        }
    except UnicodeDecodeError as error:
        raise HttpError(400, "bad_envelope", "a ce- header is not UTF-8, percent-encoded") from error
    try:
        data = _decode_raw(body) if body.strip() else msgspec.Raw(b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HttpError(400, "not_json", f"the event's data is no JSON: {error}") from error
    return _encode({**attributes, "data": data})


async def _tell(send: Send, count: int, refusals: list[Refusal]) -> None:
    shown = [
        {"index": each.index, "reason": each.reason, "message": each.message} for each in refusals[:SHOWN_REFUSALS]
    ]
    accepted = count - len(refusals)
    told: dict[str, object] = {"accepted": accepted, "refused": shown}
    if not accepted:
        told = {"code": refusals[0].reason, "message": refusals[0].message, **told}
    await answer_json(send, 202 if accepted else 400, told, _CORS)
