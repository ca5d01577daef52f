"""A provider's HTTP API: where it is, how it is asked, and what of an answer counts.

    SCHEME:?option=value&…                     the provider's own address
    SCHEME://host:port?option=value&…          another one: a proxy, or a provider's double in tests
    … &timeout=10&ca=/etc/ssl/own-ca.pem       for all of them

Owns the reading of such URLs and one call over the guarded client, always by TLS. What an answer means is each
provider's. Must never try again itself, follow a redirect, nor let a secret get into a text.
"""

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msgspec
from yarl import URL

from orchestrator.channels import guarded
from orchestrator.channels.answers import Answer, beginning_of, reaching
from orchestrator.channels.port import Setup
from orchestrator.errors import OrchestratorError

TIMEOUT_SECONDS = 10.0
_FOR_ALL = frozenset({"timeout", "ca"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a channel's URL says: the API's base, and the options by name."""

    base: URL
    options: Mapping[str, str]
    timeout: float = TIMEOUT_SECONDS
    tls: ssl.SSLContext | None = None


def read_url(setup: Setup, host: str, options: Collection[str]) -> Endpoint:
    """Read a channel's URL; raises OrchestratorError for an option that its provider does not have."""
    parts = urlsplit(setup.url)
    # A plus is a plus here: phone numbers begin with it.
    written = dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))
    strange = sorted(set(written) - set(options) - _FOR_ALL)
    if strange:
        known = ", ".join(sorted({*options, *_FOR_ALL}))
        raise OrchestratorError(f"channel {setup.name}: {parts.scheme} has no option {strange[0]!r}; it has {known}")
    try:
        timeout = float(written.get("timeout", TIMEOUT_SECONDS))
        tls = ssl.create_default_context(cafile=written["ca"]) if "ca" in written else None
    except ValueError as error:
        raise OrchestratorError(f"channel {setup.name}: timeout is seconds, as in timeout=10") from error
    except OSError as error:
        raise OrchestratorError(f"channel {setup.name}: {written['ca']} is no file of certificates: {error}") from error
    return Endpoint(URL(f"https://{parts.netloc or host}"), written, timeout, tls)


def needed(setup: Setup, endpoint: Endpoint, option: str, example: str) -> str:
    """Give an option that the channel cannot do without; raises OrchestratorError when it is not there."""
    found = endpoint.options.get(option)
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

    def __init__(self, endpoint: Endpoint, allowed_hosts: frozenset[str]) -> None:
        self.base = endpoint.base
        self._endpoint = endpoint
        self._allowed = allowed_hosts
        self._client: aiohttp.ClientSession | None = None

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post, and give the answer, whatever it is; Unavailable when there is none, Refused by the guard."""
        if self._client is None:
            options: dict[str, Any] = {} if self._endpoint.tls is None else {"ssl": self._endpoint.tls}
            self._client = guarded.open_client(self._allowed, self._endpoint.timeout, **options)
        with reaching(self._endpoint.timeout):
            guarded.check(url, self._allowed)
            async with self._client.post(url, data=body, headers=headers, allow_redirects=False) as response:
                kept = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, await beginning_of(response), kept)

    async def post_json(self, url: URL, headers: Mapping[str, str], content: object) -> Answer:
        """Post a value as JSON."""
        return await self.post(url, {"Content-Type": "application/json", **headers}, msgspec.json.encode(content))

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None
