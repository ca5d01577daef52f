"""The application: which path is answered by what.

Owns the table of paths. Must never answer for anything itself but health and metrics.
"""

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.errors import StorageError
from orchestrator.runtime.live import Live
from orchestrator.web import case_hooks, inbox, lookup, streams
from orchestrator.web.answers import NO_STORE, HttpError, Receive, Scope, Send, error_response, json_response
from orchestrator.web.customers import CustomersPages
from orchestrator.web.hooks import Hooks
from orchestrator.web.ingestion import Ingestion
from orchestrator.web.keys import KeyRing
from orchestrator.web.openapi import document
from orchestrator.web.receipts import Receipts

_log = structlog.get_logger(__name__)


class App:
    """The ASGI application of a live process. `served` are the paths that it answers for."""

    def __init__(self, service: Live) -> None:
        self._service = service
        write = KeyRing(service.keys.write, "write")
        self._read_keys = KeyRing(service.keys.read, "read")
        self._ingestion = Ingestion(service.take, write)
        hooks = Hooks(service)
        receipts, customers = Receipts(service, write, hooks), CustomersPages(service)
        both = ["GET", "POST"]
        routes = [
            *inbox.routes_of(service),
            *streams.routes_of(service),
            *case_hooks.routes_of(service),
            Route("/v1/customers/{id:path}", self._customer, methods=["GET"]),
            Route("/u/{token}", customers.unsubscribe, methods=both),
            Route("/c/{token}", customers.confirm, methods=both),
            Route("/s/{token}", customers.survey, methods=both),
            Route("/r/{token}", receipts.clicked, methods=["GET"]),
            Route("/o/{token}", receipts.opened, methods=["GET"]),
            Route("/hooks/{channel}", receipts.hook, methods=["POST"]),
            Route("/hooks/{channel}/{provider}", hooks.take, methods=["GET", "POST"]),
            Route("/healthz", self._health, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
        ]
        self._pages = Starlette(routes=routes, exception_handlers={HTTPException: _no_page, StorageError: _not_now})
        # By itself it would lead to the scheme and host that a proxy calls us by.
        self._pages.router.redirect_slashes = False
        self.served = {*self._ingestion.paths, *(route.path.replace(":path", "") for route in routes)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; ingestion without a detour."""
        if scope["type"] == "http" and scope["path"] in self._ingestion.paths:
            await self._ingestion(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _customer(self, request: Request) -> Response:
        try:
            self._read_keys.check(request.scope)
        except HttpError as error:
            return error_response(error, NO_STORE)
        known = await self._service.find(request.path_params["id"], lookup.NEWEST_DECISIONS)
        if known is None:
            return error_response(HttpError(404, "unknown", "nobody is known by that identifier"), NO_STORE)
        return json_response(200, lookup.told(known, self._service.catalog), NO_STORE)

    async def _health(self, request: Request) -> Response:
        """Tell that the process lives; whatever is wrong with it, killing it helps nobody."""
        return json_response(200, {"status": "ok"}, NO_STORE)

    async def _ready(self, request: Request) -> Response:
        is_ready = self._service.is_ready
        told = {"status": "ready" if is_ready else "not_ready", "problem": self._service.problem}
        return json_response(200 if is_ready else 503, told, NO_STORE)

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(self._service.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _openapi(self, request: Request) -> Response:
        return json_response(200, document(self._service.links.base_url, self.served), NO_STORE)


async def _no_page(request: Request, error: Exception) -> Response:
    """Answer in our own form for a path that is nobody's, or a method that it does not take."""
    if not isinstance(error, HTTPException):
        raise error
    above, _, last = bytes(request.scope.get("raw_path") or b"")[:-1].rpartition(b"/")
    if error.status_code == 404 and request.url.path.endswith("/") and last and not above.endswith(b"/"):
        # As the browser sees us, whatever proxy stands between.
        return Response(status_code=307, headers={"Location": f"../{last.decode('latin-1')}"})
    code = "wrong_method" if error.status_code == 405 else "unknown"
    told = HttpError(error.status_code, code, f"there is nothing to {request.method} here; see /openapi.json")
    return error_response(told, {**NO_STORE, **(error.headers or {})})


async def _not_now(request: Request, error: Exception) -> Response:
    """Answer where what is kept cannot be asked: the copy of a process that has just begun may not be whole yet."""
    return error_response(HttpError(503, "not_now", str(error), [(b"retry-after", b"5")]), NO_STORE)
