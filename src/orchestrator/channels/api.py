"""A provider's HTTP API: where it is, how it is asked, and what of an answer counts.

    SCHEME:?option=value&…                     the provider's own address
    SCHEME://host:port?option=value&…          another one: a proxy, or a provider's double in tests
    … &timeout=10&ca=/etc/ssl/own-ca.pem       for all of them

Owns the reading of such URLs and one call over the guarded client, always by TLS. What an answer means is each
provider's. Must never try again itself, follow a redirect, nor let a secret get into a text.
"""

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msgspec
from yarl import URL

from orchestrator.channels import guarded
from orchestrator.channels.port import Setup
from orchestrator.channels.webhook import beginning_of, reaching
from orchestrator.errors import OrchestratorError

TIMEOUT_SECONDS = 10.0
_FOR_ALL = frozenset({"timeout", "ca"})
_Shape = TypeVar("_Shape")


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel's URL says: the API's base, and the options by name."""

    base: URL
    options: Mapping[str, str]
    timeout: float = TIMEOUT_SECONDS
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered; `headers` by lower-case name."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def retry_after(self) -> str | None:
        """Give the header that says when to come back."""
        return self.headers.get("retry-after")

    def read(self, shape: type[_Shape]) -> _Shape:
        """Read the body, as far as it has that shape; an empty one of it for what has not."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return shape()


def read_url(setup: Setup, host: str, options: Collection[str]) -> Told:
    """Read a channel's URL; raises OrchestratorError for an option that its provider does not have."""
    parts = urlsplit(setup.url)
    # A plus is a plus here: phone numbers begin with it.
    told = dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))
    strange = sorted(set(told) - set(options) - _FOR_ALL)
    if strange:
        known = ", ".join(sorted({*options, *_FOR_ALL}))
        raise OrchestratorError(f"channel {setup.name}: {parts.scheme} has no option {strange[0]!r}; it has {known}")
    try:
        timeout = float(told.get("timeout", TIMEOUT_SECONDS))
        tls = ssl.create_default_context(cafile=told["ca"]) if "ca" in told else None
    except ValueError as error:
        raise OrchestratorError(f"channel {setup.name}: timeout is seconds, as in timeout=10") from error
    except OSError as error:
        raise OrchestratorError(f"channel {setup.name}: {told['ca']} is no file of certificates: {error}") from error
    return Told(URL(f"https://{parts.netloc or host}"), told, timeout, tls)


def needed(setup: Setup, told: Told, option: str, example: str) -> str:
    """Give an option that the channel cannot do without; raises OrchestratorError when it is not there."""
    found = told.options.get(option)
    if not found:
        raise OrchestratorError(f"channel {setup.name}: the URL lacks {option}; write {example}")
    return found


def secret_of(setup: Setup, what: str) -> str:
    """Give the secret that the channel cannot do without; raises OrchestratorError when nobody set it."""
    if not setup.secret:
        setting = f"ORCHESTRATOR_CHANNEL_{setup.name.upper().replace('-', '_').replace(' ', '_')}_SECRET"
        raise OrchestratorError(
            f"channel {setup.name}: set {setting} to {what}, or {setting}_FILE to a file that holds it"
        )
    return setup.secret


class Api:
    """Asks one provider."""

    def __init__(self, told: Told, allowed_hosts: frozenset[str]) -> None:
        self.base = told.base
        self._told = told
        self._allowed = allowed_hosts
        self._client: aiohttp.ClientSession | None = None

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post, and give the answer, whatever it is; Unavailable when there is none, Refused by the guard."""
        if self._client is None:
            options: dict[str, Any] = {} if self._told.tls is None else {"ssl": self._told.tls}
            self._client = guarded.open_client(self._allowed, self._told.timeout, **options)
        with reaching(self._told.timeout):
            guarded.check(url, self._allowed)
            async with self._client.post(url, data=body, headers=headers, allow_redirects=False) as response:
                told = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, await beginning_of(response), told)

    async def post_json(self, url: URL, headers: Mapping[str, str], content: object) -> Answer:
        """Post a value as JSON."""
        return await self.post(url, {"Content-Type": "application/json", **headers}, msgspec.json.encode(content))

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None
