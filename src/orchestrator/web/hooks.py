"""Hooks: what providers report, and what customers write by them.

    POST /hooks/{channel}/{provider}    a provider's own request, with its own signature (`channels.inbound`)
    GET  /hooks/{channel}/meta          the challenge by which Meta proves the address
    POST /hooks/{channel}               the same, where a header says which provider it is; else our own shape
                                        (`receipts`)

Owns the way from a request to events that are durable before the answer, and the events themselves: a receipt about a
message of ours; message_received; and, where the whole message is a word such as STOP or START (`inbound.keywords`),
consent_changed in its place, for the channel and every purpose: the customer spoke to the channel, not to a journey. A
purpose with `consent: none` goes on, as after every other no. What means nothing to us is counted, and answered as
well: a provider that is told "no" says it again. Must never act on a request whose signature it has not checked.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response

from orchestrator.channels.inbound import mail, providers
from orchestrator.channels.inbound.amazon import Amazon, NotFetched
from orchestrator.channels.inbound.findings import (
    Finding,
    Forbidden,
    Other,
    Reported,
    Request,
    Stated,
    Unreadable,
    Written,
)
from orchestrator.channels.inbound.keywords import Keywords, keywords_of
from orchestrator.channels.inbound.providers import Provider
from orchestrator.errors import OrchestratorError
from orchestrator.model import ids
from orchestrator.model.event import Event
from orchestrator.model.project import Project
from orchestrator.runtime.live import Live
from orchestrator.web import bodies, whose
from orchestrator.web.answers import HttpError, error_response, json_response, not_kept
from orchestrator.web.whose import Whose

# A request beyond this is read beside the loop: others must not wait for one mail.
SMALL_BYTES = 32 << 10
_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_IN_PROFILE = re.compile(r"profile\.([A-Za-z_][A-Za-z0-9_]*)")
# Whoever hands over a mail as it came has shown a key.
_MAIL = Provider("mail", (), None)
_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


class Hooks:
    """Takes what providers send."""

    def __init__(self, service: Live) -> None:
        self._service = service
        self._amazon = Amazon()
        self._words: tuple[Project | None, Keywords] = (None, Keywords(frozenset()))
        self._taken = Counter(
            "orchestrator_hooks",
            "What providers sent, by what it came to.",
            ("provider", "outcome"),
            registry=service.metrics.registry,
        )

    def provider_of(self, request: HttpRequest) -> Provider | None:
        """Name whose request it is: by its address, else by a header that only one of them sends."""
        named = request.path_params.get("provider")
        return providers.by_sign(request.headers) if named is None else providers.PROVIDERS.get(named)

    async def take(self, request: HttpRequest) -> Response:
        """Answer one request of a provider."""
        provider = self.provider_of(request)
        channel = request.path_params["channel"]
        if provider is None or not _CHANNEL.fullmatch(channel):
            known = ", ".join(providers.PROVIDERS)
            return error_response(
                HttpError(404, "unknown_provider", f"hooks are at /hooks/CHANNEL/PROVIDER, for {known}")
            )
        try:
            keys = self._keys(provider, channel)
            body = await bodies.read(request.scope, request.receive)
            asked = _asked(request, channel, body, keys, self._service)
            if request.method == "GET":
                return _challenged(provider, asked)
            findings = await self._read(provider, asked)
            return await self._keep(provider, channel, findings)
        except HttpError as error:
            return self._no(provider, error)
        except Forbidden as error:
            return self._no(provider, HttpError(403, "forbidden", str(error)))
        except Unreadable as error:
            return self._no(provider, HttpError(400, "unreadable", str(error)))
        except NotFetched as error:
            return self._no(provider, HttpError(503, "not_fetched", str(error), [(b"retry-after", b"30")]))
        except OrchestratorError as error:
            return self._no(provider, not_kept(error))

    def _keys(self, provider: Provider, channel: str) -> dict[str, tuple[str, ...]]:
        """Look up who may come in, each time: a file with a secret may have been changed meanwhile."""
        try:
            keys = provider.keys(self._service.setting)
        except OrchestratorError as error:
            _log.error("a hook's setting cannot be read", provider=provider.name, channel=channel, why=str(error))
            raise HttpError(503, "not_set_up", "its setting cannot be read", [(b"retry-after", b"60")]) from error
        if not any(keys.values()):
            _log.warning("a hook is not set up", provider=provider.name, channel=channel)
            wanted = " or ".join(f"ORCHESTRATOR_{provider.setting(name).upper()}" for name in provider.settings)
            raise HttpError(503, "not_set_up", f"set {wanted}", [(b"retry-after", b"60")])
        return keys

    async def take_mail(self, request: HttpRequest, body: bytes) -> Response:
        """Answer for a mail from a customer, as it came, from somebody who holds a key."""
        channel = request.path_params["channel"]
        asked = _asked(request, channel, body, {}, self._service)
        try:
            return await self._keep(_MAIL, channel, await asyncio.to_thread(mail.read, asked, body))
        except Unreadable as error:
            return self._no(_MAIL, HttpError(400, "unreadable", str(error)))

    async def _read(self, provider: Provider, asked: Request) -> list[Finding]:
        if provider.read is None:
            return await self._amazon.read(asked)
        if len(asked.body) <= SMALL_BYTES:
            return provider.read(asked)
        return await asyncio.to_thread(provider.read, asked)

    async def _keep(self, provider: Provider, channel: str, findings: list[Finding]) -> Response:
        """Let everything be durable, then answer; where something is not, all of it comes again and is the same."""
        now_ms = self._service.clock.now_ms()
        records: list[bytes] = []
        about: dict[str, list[Event]] = {}
        for finding in findings:
            self._taken.labels(provider.name, finding.outcome).inc()
            if isinstance(finding, Reported):
                event = finding.report.event(now_ms, each=finding.each)
                about.setdefault(finding.report.profile_id, []).append(event)
            elif not isinstance(finding, Other):
                says = _Says(provider.name, channel, self._service, self._keywords(), now_ms)
                told, whose = await says.read(finding)
                if whose.named:
                    records.append(_encode(says.record(finding, told)))
                for profile_id in whose.told:
                    about.setdefault(profile_id, []).append(says.event(finding, told))
        waiting = [self._service.hear(profile_id, *events) for profile_id, events in about.items()]
        if records:
            waiting.append(self._take(records, f"/hooks/{channel}/{provider.name}"))
        await asyncio.gather(*waiting)
        if provider.says_nothing:
            return Response(status_code=204)
        return json_response(200, {"accepted": sum(not isinstance(finding, Other) for finding in findings)})

    async def _take(self, records: list[bytes], source: str) -> None:
        # What is refused is a dead letter; that the provider sends it again would not mend it.
        await self._service.take(records, source)

    def _keywords(self) -> Keywords:
        project = self._service.catalog.project
        if self._words[0] is not project:
            self._words = (project, keywords_of(project.languages, project.stop_words, project.start_words))
        return self._words[1]

    def _no(self, provider: Provider, error: HttpError) -> Response:
        self._taken.labels(provider.name, error.code).inc()
        return error_response(error)


def _asked(
    request: HttpRequest, channel: str, body: bytes, keys: Mapping[str, tuple[str, ...]], service: Live
) -> Request:
    """Write a request down as its provider made it: to our public address, whatever a proxy called us."""
    path = request.scope.get("raw_path") or request.scope["path"].encode()
    query = request.scope.get("query_string", b"")
    url = service.links.base_url + path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(channel, headers, body, url, dict(request.query_params), keys, service.clock.now_ms())


def _challenged(provider: Provider, asked: Request) -> Response:
    if provider.challenge is None:
        raise HttpError(405, "wrong_method", "hooks are called by POST", [(b"allow", b"POST")])
    return PlainTextResponse(provider.challenge(asked)[:1_000], headers={"X-Content-Type-Options": "nosniff"})


@dataclass(frozen=True, slots=True)
class _Event:
    """What somebody said, as an event of ours: its type and properties."""

    type: str
    properties: dict[str, Any]


class _Says:
    """Writes what customers say as events, as any producer would."""

    def __init__(self, provider: str, channel: str, service: Live, words: Keywords, now_ms: int) -> None:
        self._provider = provider
        self._channel = channel
        self._service = service
        self._words = words
        self._now_ms = now_ms

    async def read(self, said: Written | Stated) -> tuple[_Event, Whose]:
        """Say what it means, and whose it is."""
        kind = self._kind(said.kind)
        if isinstance(said, Stated):
            event = self._consent(said, said.granted, said.wording, said.method)
            return event, await whose.of_order(self._service, self._channel, said, kind, not said.granted)
        meaning = None if said.is_public else said.word or self._words.meaning(said.text)
        if meaning is not None:
            leaves = meaning != "start"
            event = self._consent(said, not leaves, said.text, "keyword")
            return event, await whose.of_order(self._service, self._channel, said, kind, leaves)
        found = await whose.of_message(self._service, self._channel, said, kind)
        told = {"text": said.text, "conversation_id": said.conversation_id, **said.properties}
        answered = {} if found.action_id is None else {"action_id": found.action_id}
        return _Event("message_received", {"channel": self._channel, **told, **answered}), found

    def record(self, said: Written | Stated, told: _Event) -> dict[str, Any]:
        """Write it as an event that says itself whose it is."""
        return {
            "id": self._id(said),
            "type": told.type,
            "time": self._now_ms,
            "identifiers": {self._kind(said.kind): said.sender},
            "channel": self._channel,
            "properties": told.properties,
        }

    def event(self, said: Written | Stated, told: _Event) -> Event:
        """Write it as an event about a profile that is known by its id."""
        return Event(self._id(said), told.type, self._now_ms, channel=self._channel, decoded=told.properties)

    def _id(self, said: Written | Stated) -> str:
        return ids.derive("hook", self._provider, self._channel, said.id)

    def _kind(self, kind: str) -> str:
        """Name the identifier that this channel's addresses are: what the project's address reads, where it is one."""
        channel = self._service.catalog.project.channels.get(self._channel)
        found = None if channel is None else _IN_PROFILE.fullmatch(channel.address.source.strip())
        return kind if found is None else found[1]

    def _consent(self, said: Written | Stated, granted: bool, wording: str, method: str) -> _Event:
        """State a consent. Who writes from a phone or a chat has shown that it is theirs; a mail's sender has not."""
        stated = {
            "channel": self._channel,
            "granted": granted,
            "confirmed": granted and said.kind != "email",
            "source": self._provider,
            "wording": wording,
            "method": method,
            "evidence": {"message_id": said.id},
        }
        return _Event("consent_changed", stated)
