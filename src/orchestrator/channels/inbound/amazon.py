"""Amazon: what has to be fetched before a message of SNS can be believed, and what it asks us to confirm.

Owns the certificates (a few, by their address) and the confirming of a subscription to a topic that the operator
named. Must never ask any host but Amazon's own, nor follow a redirect from there.
"""

import asyncio
from urllib.parse import urlsplit

import aiohttp
import structlog

from orchestrator.channels import guarded
from orchestrator.channels.answers import beginning_of
from orchestrator.channels.inbound import ses, sns
from orchestrator.channels.inbound.findings import Finding, Forbidden, Request
from orchestrator.errors import OrchestratorError

KEPT_CERTIFICATES = 16
_SECONDS = 10.0
_log = structlog.get_logger(__name__)


class NotFetched(OrchestratorError):  # noqa: N818 - an answer to whoever asked
    """Amazon could not be asked just now; the message comes again."""


class Amazon:
    """Reads messages of SNS."""

    def __init__(self) -> None:
        self._certificates: dict[str, bytes] = {}

    async def read(self, request: Request) -> list[Finding]:
        """Read one message; raises Forbidden, Unreadable or NotFetched."""
        envelope = sns.envelope_of(request)
        url = sns.certificate_url(envelope)
        sns.check(envelope, await self._certificate(url), request.now_ms)
        confirmation = sns.confirmation_url(envelope)
        if confirmation is not None:
            await self._fetch(confirmation)
            _log.info("a subscription was confirmed", topic=envelope["TopicArn"])
        return await asyncio.to_thread(ses.read_envelope, request, envelope)

    async def _certificate(self, url: str) -> bytes:
        if url not in self._certificates:
            fetched = await self._fetch(url)
            if len(self._certificates) >= KEPT_CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = fetched
        return self._certificates[url]

    async def _fetch(self, url: str) -> bytes:
        host = urlsplit(url).hostname
        try:
            async with (
                guarded.open_client(frozenset(), _SECONDS) as client,
                client.get(url, allow_redirects=False) as response,
            ):
                if 400 <= response.status < 500:
                    raise Forbidden(f"{host} answered {response.status}")
                if response.status != 200:
                    raise NotFetched(f"{host} answered {response.status}")
                return await beginning_of(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotFetched(f"{host} could not be asked") from error
