"""What customers do on their pages: leave, choose, confirm, answer.

    /u/{token}   unsubscribe, in one click (RFC 8058) or on the page; preferences by purpose and channel
    /c/{token}   confirm (the second half of a double opt-in)
    /s/{token}   answer a survey

Owns the events that come of it. GET shows and changes nothing; only POST does, because link scanners open every link
in a mail, and post no forms. Whoever holds a link may do what it says for its customer, and nothing else.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.channels.links import About, Kind, LinkError, Token
from orchestrator.channels.receipts import Report
from orchestrator.engine import profiles
from orchestrator.errors import OrchestratorError
from orchestrator.model import ids
from orchestrator.model.event import Event
from orchestrator.model.expression import Scope
from orchestrator.model.profile import Profile
from orchestrator.model.project import Purpose
from orchestrator.runtime.live import Live
from orchestrator.web import bodies, pages
from orchestrator.web.answers import HttpError
from orchestrator.web.pages import SCALES, Look

MAX_COMMENT = 2_000

Page = Callable[[Request, Token, Look], Awaitable[Response]]


class CustomersPages:
    """The pages of one project's customers."""

    def __init__(self, service: Live) -> None:
        self._service = service

    async def unsubscribe(self, request: Request) -> Response:
        """Answer for /u/{token}."""
        return await self._serve(request, {Kind.UNSUBSCRIBE: self._leave, Kind.PREFERENCES: self._prefer})

    async def confirm(self, request: Request) -> Response:
        """Answer for /c/{token}."""
        return await self._serve(request, {Kind.CONFIRM: self._of_known(self._confirm)})

    async def survey(self, request: Request) -> Response:
        """Answer for /s/{token}."""
        return await self._serve(request, {Kind.SURVEY: self._of_known(self._answer)})

    def _of_known(self, page: Page) -> Page:
        """Show a page to those of whom anything is kept: what the others say, who were erased, nobody would keep."""

        async def shown(request: Request, token: Token, look: Look) -> Response:
            try:
                is_known = await self._service.state_of(token.profile_id) is not None
            except OrchestratorError:
                is_known = True  # who is known cannot be told just now, and what is said can be kept
            return await page(request, token, look) if is_known else _nobody(look)

        return shown

    async def _serve(self, request: Request, by_kind: dict[Kind, Page]) -> Response:
        try:
            token = self._service.links.read(request.path_params["token"], self._service.clock.now_ms(), *by_kind)
        except LinkError as error:
            return pages.invalid(request, error.expired)
        brand = str(self._service.catalog.project.brand.get("name") or "")
        look = Look(brand, token.language)
        try:
            return await by_kind[token.kind](request, token, look)
        except HttpError as error:
            return look.note(look.words["invalid"], look.words["no_change"], error.status)
        except OrchestratorError:
            again = look.note(look.words["no_change"], look.words["try_again"], 503)
            again.headers["Retry-After"] = "5"
            return again

    async def _leave(self, request: Request, token: Token, look: Look) -> Response:
        if request.method == "POST":
            # Whatever the form says: a one-click POST comes from a mail program, with a body of its own making.
            await bodies.read(request.scope, request.receive, bodies.MAX_FORM_BYTES)
            said = {"purpose": token.purpose}
            if token.address:  # for whoever was erased since, of whom nothing else is known
                said["address_hash"] = token.address.hex()
            report = Report("unsubscribed", token.action_id, token.profile_id, token.channel, said)
            # The instant is part of its id: who comes back and leaves again by the same mail is heard again.
            now_ms = self._service.clock.now_ms()
            await self._service.hear(token.profile_id, report.event(now_ms, each=str(now_ms)))
            # Whoever did it by mistake, or would rather have fewer, finds the way from here.
            return look.note(look.words["unsubscribed"], further=self._leads_on(token, look))
        words = look.words
        leads_on = self._leads_on(token, look)
        return look.question(words["unsubscribe_question"], words["unsubscribe_button"], leads_on)

    def _leads_on(self, token: Token, look: Look) -> str:
        """Write the link from a page to the customer's preferences."""
        about = About(token.profile_id, token.action_id, token.channel, token.purpose, token.language)
        further = self._service.links.make(Kind.PREFERENCES, about, self._service.clock.now_ms())
        # At the host that the customer sees us at, but below the path that we stand under there.
        return pages.link(urlsplit(further).path, look.words["preferences"])

    async def _prefer(self, request: Request, token: Token, look: Look) -> Response:
        state = await self._service.state_of(token.profile_id)
        if state is None:
            return _nobody(look)
        if request.method == "POST":
            wanted = await _form(request)
            events = list(self._changes(state.profile, token, wanted))
            if events:
                await self._service.hear(token.profile_id, *events)
            return look.note(look.words["saved"])
        choices = [
            (purpose.name, [(channel, _is_granted(state.profile, channel, purpose)) for channel in self._channels()])
            for purpose in self._purposes()
        ]
        return pages.preferences(look, choices)

    def _purposes(self) -> list[Purpose]:
        """List what a customer has a say in."""
        return [each for each in self._service.catalog.project.purposes.values() if each.consent != "none"]

    def _channels(self) -> list[str]:
        return list(self._service.catalog.project.channels)

    def _changes(self, profile: Profile, token: Token, wanted: dict[str, list[str]]) -> Iterator[Event]:
        """Say what is different from what the page showed, and from what is on record where that was a yes.

        What nobody touched says nothing: a page that lay open for a day must not take back what was said since. A no
        is said again wherever a yes may stand, because what is on record here may be a moment old.
        """
        shown = wanted.get(pages.SHOWN)
        for purpose in self._purposes():
            for channel in self._channels():
                granted = channel in wanted.get(purpose.name, [])
                is_on_record = _is_granted(profile, channel, purpose)
                was_shown = is_on_record if shown is None else pages.shown_as(purpose.name, channel) in shown
                is_unsaid = was_shown if granted else not (was_shown or is_on_record)
                if is_unsaid:
                    continue
                # The link came by this channel, so whoever holds it has shown that the address is theirs.
                confirmed = granted and channel == token.channel
                yield self._consent(token, channel, purpose.name, granted, confirmed, "preferences_page")

    def _consent(self, token: Token, channel: str, purpose: str, granted: bool, confirmed: bool, source: str) -> Event:
        now_ms = self._service.clock.now_ms()
        said: dict[str, Any] = {
            "channel": channel,
            "purpose": purpose,
            "granted": granted,
            "confirmed": confirmed,
            "source": source,
            "method": "web form",
            "evidence": {"action_id": token.action_id},
        }
        event_id = ids.derive(token.profile_id, source, channel, purpose, str(now_ms))
        return Event(event_id, "consent_changed", now_ms, channel=channel, decoded=said)

    async def _confirm(self, request: Request, token: Token, look: Look) -> Response:
        if request.method != "POST":
            return look.question(look.words["confirm_question"], look.words["confirm_button"])
        await bodies.read(request.scope, request.receive, bodies.MAX_FORM_BYTES)
        if await self._has_moved(token):
            return look.note(look.words["invalid"], look.words["no_change"], 410)
        event = self._consent(token, token.channel, token.purpose, True, True, "confirm_page")
        await self._service.hear(token.profile_id, event)
        return look.note(look.words["confirmed"])

    async def _has_moved(self, token: Token) -> bool:
        """Tell whether the customer has another address by now than the one that was asked."""
        try:
            state = await self._service.state_of(token.profile_id)
        except OrchestratorError:
            return False  # it is asked again where the answer is taken in
        scope = None if state is None else Scope(self._service.catalog.project, state, self._service.clock.now_ms())
        return scope is not None and profiles.is_of_another_address(scope, token.channel, token.action_id)

    async def _answer(self, request: Request, token: Token, look: Look) -> Response:
        kind = token.detail or "custom"
        if request.method != "POST":
            return pages.survey(look, kind, _score(request.query_params.get("score"), kind))
        form = await _form(request)
        score = _score(form.get("score", [None])[0], kind)
        if score is None and kind in SCALES:
            return pages.survey(look, kind, None, 422)
        comment = form.get("comment", [""])[0].strip()[:MAX_COMMENT]
        now_ms = self._service.clock.now_ms()
        said: dict[str, Any] = {"action_id": token.action_id, "score": score, "comment": comment or None}
        said = {name: value for name, value in said.items() if value is not None}
        event_id = ids.derive(token.action_id, "survey_answered", str(now_ms))
        answered = Event(event_id, "survey_answered", now_ms, channel=token.channel, decoded=said)
        await self._service.hear(token.profile_id, answered)
        return look.note(look.words["answered"])


def _nobody(look: Look) -> Response:
    return look.note(look.words["forgotten"], status=404)


def _is_granted(profile: Profile, channel: str, purpose: Purpose) -> bool:
    return purpose.is_consented(profile.consent_for(channel, purpose.name))


def _score(text: str | None, kind: str) -> int | None:
    """Read a score; None for one that the survey's scale does not have."""
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 3:
        return None
    score = int(text)
    return score if score in SCALES.get(kind, range(0)) else None


async def _form(request: Request) -> dict[str, list[str]]:
    return await bodies.form(request.scope, request.receive, most_fields=1_000)
