"""What a team's own system says of a case: POST /hooks/cases/{team}.

    Zendesk    zen:event-type:ticket.status_changed to SOLVED or CLOSED    X-Zendesk-Webhook-Signature
    Chatwoot   conversation_status_changed to resolved                     X-Chatwoot-Signature

Each carries the case's id as it was told it, and is signed with the secret in ORCHESTRATOR_TEAM_CARE_HOOK_SECRET.
What is closed there is `case_closed` here. Owns those two forms and their signatures. Must never take a word that is
not signed, nor close a case of another team.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.errors import OrchestratorError
from orchestrator.model import ids, instants
from orchestrator.model.event import Event
from orchestrator.runtime.delivery.routes import hook_secret
from orchestrator.runtime.live import Live
from orchestrator.web import bodies
from orchestrator.web.answers import HttpError, error_response, json_response

MAX_BYTES = 1 << 20
# What is older was kept by somebody, and is sent again by whoever has it.
FRESH_MS = 5 * instants.MINUTE_MS
# How a case that was closed elsewhere ended; those systems know no other end.
OUTCOME = "solved"
_CHANGED = "zen:event-type:ticket.status_changed"


class _Detail(msgspec.Struct):
    external_id: str | None = None
    assignee_id: str | int | None = None


class _Change(msgspec.Struct):
    current: str = ""


class _Zendesk(msgspec.Struct):
    type: str
    id: str = ""
    detail: _Detail = msgspec.field(default_factory=_Detail)
    event: _Change = msgspec.field(default_factory=_Change)


class _Assignee(msgspec.Struct):
    name: str | None = None


class _Meta(msgspec.Struct):
    assignee: _Assignee | None = None


class _Attributes(msgspec.Struct):
    case_id: str | None = None


class _Chatwoot(msgspec.Struct):
    event: str
    id: str | int = ""
    status: str = ""
    custom_attributes: _Attributes = msgspec.field(default_factory=_Attributes)
    meta: _Meta = msgspec.field(default_factory=_Meta)


@dataclass(frozen=True, slots=True)
class Closed:
    """A case that was closed in another system, and by whom, as it names them."""

    case_id: str
    agent: str | None


def routes_of(live: Live) -> list[Route]:
    """Give the path."""
    return [Route("/hooks/cases/{team}", CaseHooks(live).take, methods=["POST"])]


class CaseHooks:
    """Takes what teams' systems say."""

    def __init__(self, service: Live) -> None:
        self._service = service

    async def take(self, request: Request) -> Response:
        """Answer for POST /hooks/cases/{team}."""
        team = request.path_params["team"]
        try:
            body = await bodies.read(request.scope, request.receive, MAX_BYTES)
            now_ms = self._service.clock.now_ms()
            closed = read(body, request.headers, self._secret(team), now_ms)
            if closed is not None:
                await self._close(team, closed, now_ms)
        except HttpError as error:
            return error_response(error)
        except OrchestratorError as error:
            return error_response(HttpError(503, "not_kept", str(error)))
        return json_response(202, {"accepted": int(closed is not None)})

    def _secret(self, team: str) -> str | None:
        return hook_secret(self._service.setting, self._service.catalog.project.teams, team)

    async def _close(self, team: str, closed: Closed, now_ms: int) -> None:
        file = await self._service.inbox.find(closed.case_id)
        if file is None or file.team != team:
            raise HttpError(404, "unknown", "this team has no such case")
        said = {"case_id": file.id, "outcome": OUTCOME, "team": team, "agent": closed.agent or team}
        event = Event(ids.derive(file.id, "closed", team), "case_closed", now_ms, channel=file.channel, decoded=said)
        await self._service.hear(file.profile_id, event)


def read(body: bytes, headers: Mapping[str, str], secret: str | None, now_ms: int) -> Closed | None:
    """Read what was said, once its signature was checked; None for what closes no case. Raises HttpError."""
    if secret is None:
        raise HttpError(404, "unknown", "this team has no hook; set ORCHESTRATOR_TEAM_…_HOOK_SECRET")
    if "x-zendesk-webhook-signature" in headers:
        stamp, given = headers.get("x-zendesk-webhook-signature-timestamp", ""), headers["x-zendesk-webhook-signature"]
        _check(given, zendesk_signature(secret, stamp, body), instants.parse(stamp), now_ms)
        return _closed_in_zendesk(bodies.decoded(body, _Zendesk))
    stamp, given = headers.get("x-chatwoot-timestamp", ""), headers.get("x-chatwoot-signature", "")
    at_ms = int(stamp) * 1000 if stamp.isascii() and stamp.isdecimal() and len(stamp) < 12 else None
    _check(given, chatwoot_signature(secret, stamp, body), at_ms, now_ms)
    return _closed_in_chatwoot(bodies.decoded(body, _Chatwoot))


def zendesk_signature(secret: str, stamp: str, body: bytes) -> str:
    """Sign as Zendesk documents it: base64 of the HMAC-SHA256 of the timestamp and the body."""
    return base64.b64encode(hmac.digest(secret.encode(), stamp.encode() + body, hashlib.sha256)).decode()


def chatwoot_signature(secret: str, stamp: str, body: bytes) -> str:
    """Sign as Chatwoot does: the HMAC-SHA256 of the timestamp, a dot and the body, in hexadecimal."""
    return "sha256=" + hmac.digest(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hex()


def _check(given: str, wanted: str, at_ms: int | None, now_ms: int) -> None:
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise HttpError(401, "bad_signature", "the signature is not this team's")
    if at_ms is None or abs(now_ms - at_ms) > FRESH_MS:
        raise HttpError(401, "stale", "the signature is too old; is a clock wrong?")


def _closed_in_zendesk(said: _Zendesk) -> Closed | None:
    if said.type != _CHANGED or said.event.current.upper() not in ("SOLVED", "CLOSED") or not said.detail.external_id:
        return None
    agent = said.detail.assignee_id
    return Closed(said.detail.external_id, None if agent is None else str(agent))


def _closed_in_chatwoot(said: _Chatwoot) -> Closed | None:
    case_id = said.custom_attributes.case_id
    if said.event != "conversation_status_changed" or said.status != "resolved" or not case_id:
        return None
    return Closed(case_id, None if said.meta.assignee is None else said.meta.assignee.name)
