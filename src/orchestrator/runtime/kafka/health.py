"""What a process of the Kafka runtime answers over HTTP: is it alive, is it ready, what has it counted.

Owns the small server behind ORCHESTRATOR_HTTP. Must never take anything in: it is for probes and Prometheus.
"""

import errno
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from orchestrator.runtime import listening
from orchestrator.runtime.kafka.settings import HTTP, PREFIX, KafkaSettings, SettingError

log = logging.getLogger(__name__)


class HealthServer:
    """`/healthz`, `/readyz` and `/metrics` on one address."""

    def __init__(self, registry: CollectorRegistry, is_alive: Callable[[], bool], is_ready: Callable[[], bool]) -> None:
        self._registry = registry
        application = web.Application()
        application.router.add_get("/healthz", self._answer(is_alive))
        application.router.add_get("/readyz", self._answer(is_ready))
        application.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(application, access_log=None)
        self.address: tuple[str, int] | None = None

    async def start(self, settings: KafkaSettings) -> None:
        """Listen where the settings say; where nobody said, and the port is taken, on a free one.

        Raises OrchestratorError for an address that cannot be listened on.
        """
        host, port = listening.read(settings.http, HTTP)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host or None, port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or "http" in settings.model_fields_set:
                raise SettingError(f"{PREFIX}HTTP: cannot listen on {settings.http}: {error.strerror}") from error
            await web.TCPSite(self._runner, host, 0).start()  # a second worker on one machine
        self.address = self._runner.addresses[0][:2]
        log.info("health and metrics on %s", listening.url(*self.address))

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _answer(self, question: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            fine = question()
            return web.json_response({"ok": fine}, status=200 if fine else 503)

        return handler

    async def _metrics(self, request: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
