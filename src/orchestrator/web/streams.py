"""Streams over HTTP: what a company's own app, till or tablet reads, and what it reports back.

    GET  /v1/stream/{channel}            Server-Sent Events: with a read key everybody's messages, with a token one
                                         customer's; Last-Event-ID resumes, `from=now` leaves out what was before
    POST /v1/stream/{channel}/tokens     a token for one customer, for a read key: {"customer_id": "ana"}
    POST /v1/stream/{channel}/receipts   {"id": "…", "type": "delivered | opened | clicked"}

A message has the same id however often it is read; its place is what a reader resumes from. A reader that takes too
long to take what it is sent is cut, with the reason where it still listens, and resumes from the store. Owns the wire.
Must never buffer for a reader beyond one page.
"""

import asyncio
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.channels.links import LIFETIMES_MS, About, Kind, LinkError
from orchestrator.channels.receipts import Report
from orchestrator.errors import OrchestratorError, StorageError
from orchestrator.model import instants
from orchestrator.model.casework import Streamed
from orchestrator.model.identity import CUSTOMER_ID, Identifier
from orchestrator.runtime.live import Live
from orchestrator.runtime.streams import NoPlace, Reader
from orchestrator.web import bodies
from orchestrator.web.answers import NO_STORE, HttpError, Receive, Scope, Send, error_response, json_response
from orchestrator.web.keys import KeyRing, key_in

HEARTBEAT_SECONDS = 15.0
# A reader that has not taken what it was sent after so long is slow, and is cut; after so long again it is gone.
PATIENCE_SECONDS = 10.0
GONE_SECONDS = 50.0
RETRY_MS = 2_000
# What the server puts into a request's scope, to end its connection at once.
ABORT = "orchestrator.abort"
MAX_BODY_BYTES = 64 << 10
REPORTED = ("delivered", "opened", "clicked")
# An app in a browser may stand anywhere: what lets it in is its token, and no cookie of ours is ever asked for.
_OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
    "Access-Control-Allow-Methods": "GET, POST",
}
_log = structlog.get_logger(__name__)


class _Wanted(msgspec.Struct):
    customer_id: str


class _Reported(msgspec.Struct):
    id: str
    type: str
    link: str | None = None


class Cut(Exception):  # noqa: N818 - an end, and why
    """A stream that we end: why."""


def routes_of(live: Live) -> list[Route]:
    """Give the paths of streams."""
    web = StreamsWeb(live)
    return [
        Route("/v1/stream/{channel}", web.read, methods=["GET", "OPTIONS"]),
        Route("/v1/stream/{channel}/tokens", web.token, methods=["POST"]),
        Route("/v1/stream/{channel}/receipts", web.receipt, methods=["POST", "OPTIONS"]),
    ]


class StreamsWeb:
    """The streams of one process, for its readers."""

    def __init__(self, service: Live) -> None:
        self._service = service
        self._keys = KeyRing(service.keys.read, "read")

    async def read(self, request: Request) -> Response:
        """Answer for GET /v1/stream/{channel}."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_OPEN)
        streams, channel = self._service.streams, request.path_params["channel"]
        try:
            profile_id, until_ms = self._reader(request, channel)
            self._check_channel(channel)
            if request.method == "HEAD":
                return Response(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", **_OPEN})
            if streams.is_full or streams.is_closed:
                raise HttpError(503, "busy", "there are too many readers; come back in a moment")
            after = request.headers.get("last-event-id") or request.query_params.get("after")
            is_new = request.query_params.get("from") == "now"
            reader = await streams.open(channel, profile_id, after, is_new=is_new)
        except NoPlace as error:
            return _error(HttpError(400, "bad_place", str(error)))
        except HttpError as error:
            return _error(error)
        except StorageError as error:
            return _error(HttpError(503, "not_now", str(error)))
        return _Events(self._service, channel, profile_id, reader, until_ms)

    async def token(self, request: Request) -> Response:
        """Answer for POST /v1/stream/{channel}/tokens."""
        channel = request.path_params["channel"]
        try:
            self._keys.check(request.scope)
            wanted = await _body(request, _Wanted)
            named = self._service.catalog.project.identity.read(CUSTOMER_ID, wanted.customer_id)
            if not isinstance(named, Identifier):
                raise HttpError(422, "nobody", "customer_id names nobody")
            self._check_channel(channel)
        except HttpError as error:
            return _error(error)
        profile_id = await self._service.profile_named(named.name)
        now_ms = self._service.clock.now_ms()
        made = self._service.links.make(Kind.STREAM, About(profile_id, "", channel, "", ""), now_ms)
        until = instants.to_text(now_ms + LIFETIMES_MS[Kind.STREAM])
        return _json(201, {"token": made.rpartition("/")[2], "expires_at": until})

    async def receipt(self, request: Request) -> Response:
        """Answer for POST /v1/stream/{channel}/receipts; a report that comes twice is one event."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_OPEN)
        channel = request.path_params["channel"]
        try:
            profile_id, _ = self._reader(request, channel)
            said = await _body(request, _Reported)
            if said.type not in REPORTED:
                raise HttpError(422, "bad_report", f"type is one of {', '.join(REPORTED)}")
            message = await self._service.streams.message(said.id)
            if message is None or message.channel != channel or not await self._is_theirs(message, profile_id):
                raise HttpError(404, "unknown", "there is no such message")
            await self._service.hear(message.profile_id, self._report(said, message, channel))
        except HttpError as error:
            return _error(error)
        except OrchestratorError as error:
            return _error(HttpError(503, "not_kept", str(error)))
        return _json(202, {"accepted": 1})

    def _report(self, said: _Reported, message: Streamed, channel: str) -> Any:
        action_id = msgspec.json.decode(message.message)["action_id"]
        properties = {"link": said.link} if said.link is not None else {}
        report = Report(said.type, action_id, message.profile_id, channel, properties)
        return report.event(self._service.clock.now_ms(), each=said.link or "")

    async def _is_theirs(self, message: Streamed, profile_id: str | None) -> bool:
        return profile_id is None or message.profile_id == await self._service.profile_named(profile_id)

    def _check_channel(self, channel: str) -> None:
        if channel not in self._service.catalog.project.channels:
            raise HttpError(404, "unknown", "there is no such channel")

    def _reader(self, request: Request, channel: str) -> tuple[str | None, int]:
        """Find out who reads: None for everybody's messages, and until when."""
        text = request.query_params.get("token") or key_in(request.headers.get("authorization", ""))
        if text is not None and self._keys.opens(text):
            return None, 0
        try:
            token = self._service.links.read(text or "", self._service.clock.now_ms(), Kind.STREAM)
        except LinkError as error:
            told = "a read key is needed, or a customer's token: Authorization: Bearer, or ?token="
            raise HttpError(401, "expired" if error.expired else "bad_key", told) from error
        if token.channel != channel:
            raise HttpError(403, "other_channel", f"the token is for {token.channel}")
        return token.profile_id, token.until_s * 1000


class _Events(Response):
    """An answer that goes on until somebody ends it."""

    def __init__(self, service: Live, channel: str, profile_id: str | None, reader: Reader, until_ms: int) -> None:
        super().__init__()
        self._service = service
        self._streams = service.streams
        self._channel = channel
        self._profile_id = profile_id
        self._reader = reader
        self._until_ms = until_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is and what comes, until the reader goes or is cut."""
        headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Connection": "close"}
        headers |= {"Cache-Control": "no-store", **_OPEN}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        gone = asyncio.create_task(_gone(receive))
        try:
            with self._streams.reading(self._channel, self._profile_id) as told:
                await self._follow(send, told, gone)
        except Cut as cut:
            self._count(cut)
            await send(_chunk(b'event: cut\ndata: {"reason":"%s"}\n\n' % str(cut).encode()))
        except TimeoutError:
            # It takes nothing at all, not even that it is cut.
            scope["extensions"][ABORT]["call"]()
            await gone
            return
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _count(self, cut: Cut) -> None:
        self._service.metrics.stream_cuts.labels(str(cut)).inc()
        _log.info("a reader was cut", channel=self._channel, reason=str(cut))

    async def _write(self, send: Send, frame: bytes) -> None:
        """Send a frame; raises Cut for a reader who took long to take it, and TimeoutError for one who never does."""
        sending = asyncio.ensure_future(send(_chunk(frame)))
        try:
            done, _ = await asyncio.wait({sending}, timeout=PATIENCE_SECONDS)
            if done:
                sending.result()
                return
            self._service.metrics.slow_readers.inc()
            async with asyncio.timeout(GONE_SECONDS):
                await sending
        finally:
            sending.cancel()
        raise Cut("too_slow")

    async def _follow(self, send: Send, told: asyncio.Event, gone: asyncio.Task[None]) -> None:
        await self._write(send, b"retry: %d\n\n" % RETRY_MS)
        while not gone.done():
            if self._streams.is_closed:
                raise Cut("stopping")
            if self._until_ms and self._service.clock.now_ms() >= self._until_ms:
                raise Cut("expired")
            told.clear()
            try:
                page = await self._reader.page()
            except StorageError as error:  # a copy that is being made anew, for one
                raise Cut("not_now") from error
            for place, message in page:
                await self._write(send, b"id: %s\nevent: message\ndata: %s\n\n" % (place.encode(), message))
            if not page and not await _something(told, gone):
                await self._write(send, b": still here\n\n")


async def _something(told: asyncio.Event, gone: asyncio.Task[None]) -> bool:
    """Wait until there may be something new, or the reader has gone; False when neither was so for a while."""
    waiting = asyncio.create_task(told.wait())
    try:
        done, _ = await asyncio.wait({waiting, gone}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return bool(done)


def _chunk(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request, kind: type[Any]) -> Any:
    return bodies.decoded(await bodies.read(request.scope, request.receive, MAX_BODY_BYTES), kind)


def _error(error: HttpError) -> Response:
    return error_response(error, {**NO_STORE, **_OPEN})


def _json(status: int, value: object) -> Response:
    return json_response(status, value, {**NO_STORE, **_OPEN})
