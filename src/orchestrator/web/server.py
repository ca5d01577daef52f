"""The server: a service behind a socket, from start to a graceful stop.

Owns the socket's limits and the order of ending: no new connections, requests under way are answered, then the
service ends. Must never end by itself but for a signal or a failure that the service cannot go on without.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import structlog
import uvicorn
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator.errors import OrchestratorError
from orchestrator.runtime import interpreter
from orchestrator.runtime.live import Live
from orchestrator.web import bodies
from orchestrator.web.app import App
from orchestrator.web.streams import ABORT
from orchestrator.web.writing import JoinedWrites

# A connection that has sent no whole request for so long is closed: slow clients must not take all there are.
HEADER_SECONDS = 20.0
# Beyond so many, a new one takes the place of the one that has been idle for longest.
MAX_CONNECTIONS = 2_000
# Requests under way have so long to be answered when the server stops. Lanes wait for providers after that, and both
# together must leave room in the 10 s that a stop may take.
GRACE_SECONDS = 4
# What a request may bring beside its body: address, headers, trailers, and what frames chunks, which for a body in the
# smallest ones is so many times as much. Nobody needs a key to send it, and all of it is held until its end.
MAX_BESIDE_BYTES = 512 << 10
FRAMED = 8
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_UPGRADE = re.compile(rb"(?<=\n)upgrade(?=[ \t]*:)", re.IGNORECASE)
_log = structlog.get_logger(__name__)


class PatientProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, with an end to patience: for headers, and for bodies that nobody needs any more.

    Most requests come whole, and are waited for by nobody, here or where their bodies are read.
    """

    # Those that wait for a request, the longest first; each server has its own.
    idle: ClassVar[dict["PatientProtocol", None]]
    _abort: dict[object, object]
    _is_in_headers = True
    _is_whole = True
    _is_misread = False
    _beside_bytes = 0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # a transport, by duck
        self._abort = {"call": transport.abort}
        self._wait()
        self.idle[self] = None
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def _make_room(self) -> None:
        """Close whatever has been idle for longest, so that who is kept alive for later keeps nobody out."""
        longest = next((each for each in self.idle if each is not self), None)
        if longest is None:
            self.app = service_unavailable
        else:
            del self.idle[longest]
            longest.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest of the headers."""
        if self._is_misread:
            return
        if b"pgrade" in data and (self._is_whole or self._is_in_headers):
            data = _without_upgrade(data)
        super().data_received(data)
        self._beside_bytes += len(data)
        if self._beside_bytes > MAX_BESIDE_BYTES and not self.transport.is_closing():
            self._is_misread = True
            if self._is_in_headers:
                self.transport.write(_TOO_LONG)
            self.transport.close()
            return
        if self._is_in_headers and self._waiting is None:
            self._wait()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, which is bounded where it is read, with as much as may frame it."""
        self._beside_bytes -= (1 + FRAMED) * len(body)
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Take note that a request begins; its headers have their time too."""
        super().on_message_begin()
        self._is_in_headers, self._is_whole, self._beside_bytes = True, False, 0
        self._wait_no_more()

    def on_headers_complete(self) -> None:
        """Take note that the headers are whole."""
        self._is_in_headers = False
        self.idle.pop(self, None)
        self._wait_no_more()
        self.scope["extensions"] = {ABORT: self._abort}
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # The parser reads no body then, and would take it for the next request: there is none on this connection.
            self._is_misread, self.cycle.keep_alive = True, False

    def on_message_complete(self) -> None:
        """Take note that the request is whole."""
        self.scope["extensions"][bodies.WHOLE] = {}  # set with the headers
        super().on_message_complete()
        self._is_whole = True
        if self.cycle.response_complete:  # uvicorn waits for nothing then, and so would keep the connection for ever
            self._wait_no_more()
            self._wait()

    def on_response_complete(self) -> None:
        """Take note that a request is answered; what is still to come of its body is let pass, for a while.

        Whoever sends all of it first hears our answer in that way, and whoever never ends takes no connection.
        """
        super().on_response_complete()
        if not self.cycle.response_complete or self.transport.is_closing():
            return
        self.idle[self] = None
        if not self._is_whole:
            self._wait_no_more()
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._is_in_headers = False
        self.idle.pop(self, None)
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """Let nobody see that another protocol is wished for, which we may ignore: Java's client does by default.

    The parser would leave the body of such a request out.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"X-Asked", head) + end + rest


def listen(host: str, port: int) -> socket.socket:
    """Bind the socket; raises OrchestratorError with what to do when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OrchestratorError(
            f"cannot listen on {host}:{port}: {error.strerror}; name another address in ORCHESTRATOR_HTTP"
        ) from error
    return bound


async def serve(service: Live, bound: socket.socket, ready: Callable[[], None], stopping: asyncio.Event) -> None:
    """Serve until told to stop; `ready` is called once requests are answered.

    Raises what the service failed of.
    """
    if not await _started(service, stopping):
        return
    server = _Server(_config(App(service)), ready)
    serving = asyncio.create_task(server.serve([bound]))
    waiting = asyncio.create_task(stopping.wait())
    ends: set[asyncio.Future[Any]] = {serving, waiting, service.failed}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        service.streams.close()  # what would never end by itself
        waiting.cancel()
        await serving
        await service.stop()
    if service.failed.done():
        service.failed.result()


async def _started(service: Live, stopping: asyncio.Event) -> bool:
    """Start a service; a start that waits for somebody, such as brokers that are away, is given up at a stop."""
    starting, waiting = asyncio.create_task(service.start()), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((starting, waiting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            return True
        starting.cancel()
        await asyncio.wait((starting,), timeout=GRACE_SECONDS)
        return False
    finally:
        waiting.cancel()


def stop_by_signal() -> asyncio.Event:
    """Give an event that is set by any signal that ends the process."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in interpreter.ending_signals():
        loop.add_signal_handler(each, stopping.set)
    return stopping


class _Server(uvicorn.Server):
    """Uvicorn's server, that tells when it answers, and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _config(app: App) -> uvicorn.Config:
    class Own(PatientProtocol):
        idle: ClassVar[dict[PatientProtocol, None]] = {}

    return uvicorn.Config(
        app,
        http=Own,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody asks who the client is
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
