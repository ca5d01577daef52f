"""`orchestrator serve` as a process of its own, which tests kill.

Owns its environment and its signals. Must never be stopped by anything but its own process.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from orchestrator.testing.brokers.guarded_process import free_ports
from providers.live import WRITE


class Serving:
    """The process, on a port that stays the same; `sink` is where pushes go."""

    def __init__(self, folder: Path, sink: str) -> None:
        # Not one of those that the system gives to clients: while it is down they look for it.
        [port] = free_ports(1)
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        source = Path(__file__).parents[2] / "src"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(source),
            "ORCHESTRATOR_HTTP": f"127.0.0.1:{port}",
            "ORCHESTRATOR_WRITE_KEYS": WRITE,
            "ORCHESTRATOR_CHANNEL_PUSH": sink,
            "ORCHESTRATOR_ALLOWED_HOSTS": "127.0.0.1",
        }
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, fault: str = "") -> None:
        words = ["-m", "orchestrator", "serve", str(self.folder / "shop"), "--state", str(self.folder / "state.db")]
        environment = {**self._environment, "ORCHESTRATOR_FAULT": fault}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *words, env=environment, stderr=asyncio.subprocess.PIPE
        )
        told = b""
        while b"serving on" not in told:
            line = await self.process.stderr.readline()
            assert line, f"it ended at its start: {told.decode()}"
            told += line
        self._reading = asyncio.create_task(self.process.stderr.read())

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.gone()

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        await self.gone()
        return self.process.returncode

    async def gone(self) -> None:
        await self.process.wait()
        await self._reading
