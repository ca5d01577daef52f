"""Receipts over HTTP: clicks, openings, and what providers report.

    GET  /r/{token}        leads on to the link, and leaves message_clicked
    GET  /o/{token}        the pixel, and message_opened
    POST /hooks/{channel}  a report in a shape of ours: for e-mail the report as it came (RFC 3464, ARF), else JSON;
                           a mail from a customer as it came; and what bears a provider's own signature (`hooks`)

Owns the reading of those. A click that no person made is recorded as `machine`. A customer is always led on, also
where the receipt could not be kept. Must never lead anywhere that its token does not say.
"""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from orchestrator.channels.email import reports
from orchestrator.channels.links import LIFETIMES_MS, Kind, LinkError, Token
from orchestrator.channels.machines import is_machine
from orchestrator.channels.receipts import Report
from orchestrator.errors import OrchestratorError
from orchestrator.model import ids, values
from orchestrator.runtime.live import Live
from orchestrator.web import bodies, pages
from orchestrator.web.answers import HttpError, error_response, json_response, not_kept
from orchestrator.web.hooks import SMALL_BYTES, Hooks
from orchestrator.web.keys import KeyRing

# So long a customer who follows a link may be held up by what we want to know about it.
LONGEST_S = 3.0
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_UNCACHED = {"Cache-Control": "no-store, private", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
_KINDS = frozenset({"sent", "delivered", "opened", "clicked", "bounced", "complained", "failed", "unsubscribed"})
_log = structlog.get_logger(__name__)


class _Reported(msgspec.Struct):
    """One report of a provider that speaks JSON."""

    type: str
    action_id: str
    profile_id: str | None = None
    customer_id: str | None = None
    id: str | None = None
    properties: dict[str, Any] = {}


class Receipts:
    """Takes receipts from HTTP."""

    def __init__(self, service: Live, keys: KeyRing, hooks: Hooks) -> None:
        self._service = service
        self._keys = keys
        self._hooks = hooks

    async def clicked(self, request: Request) -> Response:
        """Lead on, and leave a receipt."""
        try:
            token = self._token(request, Kind.CLICK)
        except LinkError as error:
            return pages.invalid(request, error.expired)
        if not token.detail.startswith(("http://", "https://")):
            return pages.invalid(request)
        await self._leave(request, token, "clicked", {"link": token.detail})
        return RedirectResponse(token.detail, status_code=302, headers=_UNCACHED)

    async def opened(self, request: Request) -> Response:
        """Give the picture, and leave a receipt."""
        with suppress(LinkError):  # the picture is there whatever its link is
            await self._leave(request, self._token(request, Kind.OPEN), "opened", {})
        return Response(_PIXEL, media_type="image/gif", headers=_UNCACHED)

    def _token(self, request: Request, kind: Kind) -> Token:
        return self._service.links.read(request.path_params["token"], self._service.clock.now_ms(), kind)

    async def _leave(self, request: Request, token: Token, what: str, properties: dict[str, Any]) -> None:
        now_ms = self._service.clock.now_ms()
        made_ms = token.until_s * 1000 - LIFETIMES_MS[token.kind]
        if is_machine(request.method, dict(request.headers), now_ms - made_ms):
            properties["machine"] = True
        report = Report(what, token.action_id, token.profile_id, token.channel, properties)
        try:
            # Cut short, it is kept all the same if it can be; the customer does not wait to see.
            async with asyncio.timeout(LONGEST_S):
                await self._service.hear(token.profile_id, report.event(now_ms, each=str(now_ms)))
        except (OrchestratorError, TimeoutError) as error:
            _log.error("a receipt is not known to be kept", what=what, why=str(error) or "no answer in time")

    async def hook(self, request: Request) -> Response:
        """Take a provider's report, or what else comes by it."""
        if self._hooks.provider_of(request) is not None:
            return await self._hooks.take(request)
        channel = request.path_params["channel"]
        try:
            self._keys.check_parameter(request.scope)
            body = await bodies.read(request.scope, request.receive)
            if request.headers.get("content-type", "").startswith("message/rfc822"):
                return await self._hooks.take_mail(request, body)
            count = 0
            for report, event_id in await _read(body, channel, request.headers.get("content-type", "")):
                event = report.event(self._service.clock.now_ms(), each=event_id)
                await self._service.hear(report.profile_id, event)
                count += 1
        except HttpError as error:
            return error_response(error)
        except reports.NoReport as error:
            return error_response(HttpError(422, "no_report", str(error)))
        except OrchestratorError as error:
            return error_response(not_kept(error))
        return json_response(202, {"accepted": count})


async def _read(body: bytes, channel: str, content_type: str) -> list[tuple[Report, str]]:
    if len(body) <= SMALL_BYTES:
        return list(_reported(body, channel, content_type))
    # Others must not wait for one mail.
    return await asyncio.to_thread(lambda: list(_reported(body, channel, content_type)))


def _reported(body: bytes, channel: str, content_type: str) -> Iterator[tuple[Report, str]]:
    """Read what a provider sent: JSON where it says so or looks so, else a mail's report."""
    stripped = body.strip()
    if "json" not in content_type and stripped[:1] not in (b"{", b"["):
        for report in reports.read(body, channel):
            yield report, ""
        return
    try:
        found = msgspec.json.decode(stripped, type=list[_Reported] | _Reported)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HttpError(400, "bad_report", f"the report cannot be read: {error}") from error
    for each in found if isinstance(found, list) else [found]:
        what = each.type.removeprefix("message_")
        if what not in _KINDS:
            raise HttpError(400, "bad_report", f"type is one of {', '.join(sorted(_KINDS))}")
        if not values.is_storable(each.properties):
            raise HttpError(400, "bad_report", "properties nest too deep, or hold too large a number")
        profile_id = each.profile_id
        if profile_id is None:
            if each.customer_id is None:
                raise HttpError(400, "nobody", "the report names neither profile_id nor customer_id")
            profile_id = ids.profile_id_of("customer_id", each.customer_id)
        yield Report(what, each.action_id, profile_id, channel, each.properties), each.id or ""
