"""The inbox over HTTP: people take cases, answer, note, and close them.

    /inbox, /inbox/cases/{id}                     pages, behind a login
    GET  /v1/inbox/cases, /v1/inbox/cases/{id}    the same for programs, with an agent's key
    POST /v1/inbox/cases/{id}/{claim,release,note,answer,close}

Owns who is let in, and that no other site has a browser send a form of ours. Must never decide anything about a case:
the desk does.
"""

import secrets
from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from orchestrator.errors import OrchestratorError
from orchestrator.model.casework import CaseFile
from orchestrator.model.zones import zone_named
from orchestrator.runtime.agents import Agent
from orchestrator.runtime.desk import Ask, NotDone, Verb
from orchestrator.runtime.live import Live
from orchestrator.web import bodies, dossier, inbox_pages, lookup
from orchestrator.web.answers import NO_STORE, HttpError, error_response, json_response, not_kept
from orchestrator.web.inbox_words import language_of
from orchestrator.web.keys import CHALLENGE, key_in
from orchestrator.web.sessions import COOKIE, Session, Sessions

VERBS: frozenset[str] = frozenset(get_args(Verb))
# What each refusal is over HTTP.
_STATUS = {"unknown": 404, "taken": 409, "unclaimed": 409, "closed": 409}
# An answer that did not leave, in words.
_NOT_SENT = {
    "unreachable": "there is no usable address by that channel; nothing left, and that is on record",
    "no_consent": "the customer wants nothing by that channel; nothing left, and that is on record",
}


class _Body(msgspec.Struct):
    """What a program says about a case."""

    text: str = ""
    channel: str | None = None
    subject: str | None = None
    outcome: str | None = None


def routes_of(live: Live) -> list[Route]:
    """Give the inbox's paths."""
    web = InboxWeb(live)
    return [
        Route("/inbox", web.queue, methods=["GET"]),
        Route("/inbox/login", web.login, methods=["GET", "POST"]),
        Route("/inbox/logout", web.logout, methods=["POST"]),
        Route("/inbox/cases/{id:path}", web.page, methods=["GET"]),
        Route("/inbox/cases/{id:path}/{verb}", web.form, methods=["POST"]),
        Route("/v1/inbox/cases", web.list_cases, methods=["GET"]),
        Route("/v1/inbox/cases/{id:path}", web.tell, methods=["GET"]),
        Route("/v1/inbox/cases/{id:path}/{verb}", web.act, methods=["POST"]),
    ]


class InboxWeb:
    """The inbox of one process, for browsers and programs."""

    def __init__(self, service: Live) -> None:
        self._service = service
        self._inbox = service.inbox
        is_secure = service.links.base_url.startswith("https://")
        self._sessions = Sessions(service.session_secret, service.agents, is_secure=is_secure)

    def _look(self, request: Request, session: Session | None = None) -> inbox_pages.Look:
        """Say whose page it is: in the language that their browser asks for, on their own clock or the project's."""
        project = self._service.catalog.project
        brand, language = str(project.brand.get("name") or ""), language_of(request.headers.get("accept-language", ""))
        if session is None:
            return inbox_pages.Look(brand, language, zone_named(project.timezone))
        agent = session.agent
        return inbox_pages.Look(brand, language, zone_named(agent.timezone, project.timezone), agent.name, session.form)

    # Pages

    async def login(self, request: Request) -> Response:
        """Answer for /inbox/login."""
        if request.method == "GET":
            return inbox_pages.login(self._look(request))
        if not self._is_own(request):
            return inbox_pages.login(self._look(request), failed=True)
        try:
            form = await _form(request)
        except HttpError as error:
            return inbox_pages.unreadable(self._look(request), error.status)
        cookie = self._sessions.sign_in(form.get("name", ""), form.get("key", ""), self._service.clock.now_ms())
        return inbox_pages.login(self._look(request), failed=True) if cookie is None else _to("/inbox", cookie)

    async def logout(self, request: Request) -> Response:
        """Answer for /inbox/logout."""
        session = self._session(request)
        try:
            form = await _form(request)
        except HttpError as error:
            return inbox_pages.unreadable(self._look(request), error.status)
        is_ours = session is not None and self._is_own(request) and session.owns(form.get("form", ""))
        return _to("/inbox/login", self._sessions.sign_out() if is_ours else None)

    async def queue(self, request: Request) -> Response:
        """Answer for /inbox."""
        session = self._session(request)
        if session is None:
            return _to("/inbox/login")
        is_closed = request.query_params.get("state") == "closed"
        cases = await self._briefs(session.agent, is_closed)
        return inbox_pages.queue(self._look(request, session), cases, is_closed)

    async def page(self, request: Request) -> Response:
        """Answer for /inbox/cases/{id}."""
        session = self._session(request)
        if session is None:
            return _to("/inbox/login")
        look = self._look(request, session)
        found = await self._dossier(session.agent, request.path_params["id"], look.language)
        if found is None:
            return inbox_pages.missing(look)
        return inbox_pages.case(look, secrets.token_urlsafe(12), found, request.query_params.get("told"))

    async def form(self, request: Request) -> Response:
        """Do what a form of ours asks, and show the case again."""
        session, verb = self._session(request), request.path_params["verb"]
        if session is None:
            return _to("/inbox/login")
        path = inbox_pages.path_of(request.path_params["id"])
        try:
            form = await _form(request)
            if not self._is_own(request) or not session.owns(form.get("form", "")) or verb not in VERBS:
                return _to(f"{path}?told=form")
            ask = _ask(request, session.agent, form.get("once") or secrets.token_urlsafe(12), form)
            told = _unsent(await self._inbox.do(session.agent, ask), ask) or verb
        except NotDone as error:
            told = error.reason
        except HttpError as error:
            return inbox_pages.unreadable(self._look(request), error.status)
        except OrchestratorError:
            return inbox_pages.not_kept(self._look(request))
        return _to(f"{path}?told={told}")

    def _session(self, request: Request) -> Session | None:
        return self._sessions.read(request.cookies.get(COOKIE), self._service.clock.now_ms())

    # Programs

    async def list_cases(self, request: Request) -> Response:
        """Answer for GET /v1/inbox/cases."""
        agent = self._agent(request)
        if agent is None:
            return _unauthorised()
        is_closed = request.query_params.get("state") == "closed"
        return json_response(200, {"cases": await self._briefs(agent, is_closed)}, NO_STORE)

    async def tell(self, request: Request) -> Response:
        """Answer for GET /v1/inbox/cases/{id}."""
        agent = self._agent(request)
        if agent is None:
            return _unauthorised()
        found = await self._dossier(agent, request.path_params["id"])
        return _refused("unknown", "there is no such case") if found is None else json_response(200, found, NO_STORE)

    async def act(self, request: Request) -> Response:
        """Answer for POST /v1/inbox/cases/{id}/{verb}; `Idempotency-Key` makes a repetition harmless."""
        agent = self._agent(request)
        if agent is None:
            return _unauthorised()
        try:
            if request.path_params["verb"] not in VERBS:
                return _refused("unknown", f"a case is asked to {', '.join(sorted(VERBS))}")
            body = await bodies.read(request.scope, request.receive, bodies.MAX_FORM_BYTES)
            said = msgspec.structs.asdict(bodies.decoded(body or b"{}", _Body))
            ask = _ask(request, agent, request.headers.get("idempotency-key") or secrets.token_urlsafe(12), said)
            file = await self._inbox.do(agent, ask)
        except NotDone as error:
            return _refused(error.reason, str(error.args[1]))
        except HttpError as error:
            return error_response(error, NO_STORE)
        except OrchestratorError as error:
            return error_response(not_kept(error), NO_STORE)
        unsent = _unsent(file, ask)
        if unsent is not None:
            return _refused(unsent, _NOT_SENT.get(unsent, unsent))
        return json_response(200, dossier.brief(file, self._summary(file), self._inbox.now_ms()), NO_STORE)

    def _agent(self, request: Request) -> Agent | None:
        key = key_in(request.headers.get("authorization", ""))
        return None if key is None else self._sessions.agent_of(key)

    # Both

    def _is_own(self, request: Request) -> bool:
        """Tell whether a form was sent from a page of ours, as far as the browser says where from.

        A proxy may have called us by a name of its own: who asks at our public address is at ours too.
        """
        origin = request.headers.get("origin")
        if origin is None:
            return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        ours = (request.headers.get("host"), urlsplit(self._service.links.base_url).netloc)
        return urlsplit(origin).netloc in ours

    async def _briefs(self, agent: Agent, is_closed: bool) -> list[dict[str, Any]]:
        now_ms = self._inbox.now_ms()
        return [dossier.brief(file, self._summary(file), now_ms) for file in await self._inbox.queue(agent, is_closed)]

    async def _dossier(self, agent: Agent, case_id: str, language: str = "en") -> dict[str, Any] | None:
        file = await self._inbox.case(agent, case_id)
        if file is None:
            return None
        others = await self._inbox.others(file.profile_id)
        known = await self._service.known_of(file.profile_id, lookup.NEWEST_DECISIONS)
        catalog = self._service.catalog
        return dossier.whole(file, self._summary(file), others, known, catalog, self._inbox.now_ms(), language)

    def _summary(self, file: CaseFile) -> str | None:
        return file.summary or self._service.preparer.summary_of(file.context)


def _ask(request: Request, agent: Agent, once: str, said: Mapping[str, Any]) -> Ask:
    return Ask(
        request.path_params["id"],
        request.path_params["verb"],
        agent.name,
        once,
        said.get("text") or "",
        said.get("channel") or None,
        said.get("subject") or None,
        said.get("outcome") or None,
    )


def _unsent(file: CaseFile, ask: Ask) -> str | None:
    """Say why an answer did not leave; None when it did, or when there was none."""
    if ask.verb != "answer":
        return None
    last = next((line for line in reversed(file.lines) if line.what == "answer"), None)
    return last.status if last is not None and last.action_id is None else None


async def _form(request: Request) -> dict[str, str]:
    form = await bodies.form(request.scope, request.receive, most_fields=50)
    return {name: values[-1] for name, values in form.items()}


def _to(path: str, cookie: str | None = None) -> Response:
    headers = {"Cache-Control": "no-store", **({} if cookie is None else {"Set-Cookie": cookie})}
    return RedirectResponse(path, 303, headers)


def _refused(reason: str, message: str) -> Response:
    return error_response(HttpError(_STATUS.get(reason, 422), reason, message), NO_STORE)


def _unauthorised() -> Response:
    return error_response(
        HttpError(401, "bad_key", "an agent's key is needed: Authorization: Bearer KEY", CHALLENGE), NO_STORE
    )
