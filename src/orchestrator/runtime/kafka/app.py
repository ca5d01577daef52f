"""The host: mode's worker around what runs, with its signals, supervision and clean stop.

The only place that imports mode and Faust, inside functions: importing Faust parses the process's arguments.
Owns how a part is hosted: alone under mode's worker, or by a Faust application beside its agents (`delivery`).
Must never know what a part does.
"""

import logging
import os
from collections.abc import Callable
from typing import Any, Protocol

from orchestrator.runtime import faults

log = logging.getLogger(__name__)


class Part(Protocol):
    """Something that runs until it is stopped."""

    async def start(self) -> None:
        """Prepare; what it raises ends the process before anything has begun."""

    async def run(self) -> None:
        """Run until `stop`; what it raises ends the process."""

    async def stop(self) -> None:
        """Finish what is under way and return when `run` has."""


def service_of(make: Callable[[], Part], name: str) -> Any:
    """Wrap a part as a service of mode; the part is made inside the running loop."""
    from mode import Service

    class PartService(Service):
        """A part as mode sees it."""

        async def on_start(self) -> None:
            self.part = make()
            await self.part.start()

        @Service.task
        async def _run(self) -> None:
            await self.part.run()

        async def on_stop(self) -> None:
            await self.part.stop()

        @property
        def label(self) -> str:
            return name

    return PartService()


def host(make: Callable[[], Part], name: str) -> int:
    """Run a part until SIGTERM or SIGINT; return 0 after a clean stop, 1 after an error, which is logged."""
    import uvloop
    from mode import Worker

    faults.arm_from(os.environ)
    worker = Worker(
        service_of(make, name),
        loop=uvloop.new_event_loop(),
        override_logging=False,
        redirect_stdouts=False,
        quiet=True,
    )
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception:
        log.exception("%s ends after an error", name)
        return 1
