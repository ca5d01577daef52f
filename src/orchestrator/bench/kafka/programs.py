"""A program that is measured: a process of its own, its processor time, its memory, what it says of itself.

Owns starting and ending it. Must never outlive its `with` block, nor share a process with what measures it.
"""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from orchestrator.errors import StorageError
from orchestrator.testing.brokers.cpu_clock import cpu_seconds_of

LONGEST_STOP_S = 20.0
LONGEST_START_S = 60.0
POLL_S = 0.02
_LISTENING = re.compile(r"health and metrics on (http://[\d.]+:\d+)")


class Program:
    """One process with its log; killed at the end of the `with` block if it still runs."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        self.log = log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        # It finds the same modules as this one, installed or not.
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.began = time.monotonic()
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the bench's own commands
                list(command),
                env={**inherited, **path, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time it has taken."""
        return cpu_seconds_of(self._process.pid) or 0.0

    @property
    def memory_bytes(self) -> int:
        """Return its resident size now."""
        return self._status("VmRSS")

    @property
    def peak_bytes(self) -> int:
        """Return its greatest resident size."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"{name}:\s+(\d+) kB", text)
        return int(found[1]) * 1024 if found else 0

    def said(self) -> str:
        """Return what it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """Raise StorageError if it has ended, which none of them does by itself."""
        if self._process.poll() is not None:
            raise StorageError(f"{self.log.stem} ended with {self._process.returncode}: {self.said()[-1000:]}")

    async def stop(self) -> None:
        """Ask it to stop, as an operator would, and wait until it is gone."""
        self._process.terminate()
        code = await asyncio.to_thread(self._process.wait, LONGEST_STOP_S)
        if code not in (0, -15, 143):
            raise StorageError(f"{self.log.stem} stopped with {code}: {self.said()[-1000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Worker(Program):
    """One `orchestrator worker`."""

    def __init__(self, project: Path, settings: Mapping[str, str], log: Path) -> None:
        variables = {f"ORCHESTRATOR_{name}": value for name, value in settings.items()}
        super().__init__([sys.executable, "-m", "orchestrator", "worker", str(project)], variables, log)

    async def ready(self) -> float:
        """Wait until all of its partitions are at work; return the seconds since it was started."""
        from aiohttp import ClientError

        while True:
            self.check()
            try:
                if await self._get("/readyz") is not None:
                    return time.monotonic() - self.began
            except (ClientError, LookupError):
                pass  # not listening yet, which is what is waited for
            if time.monotonic() - self.began > LONGEST_START_S:
                raise StorageError(f"{self.log.stem} was not ready in {LONGEST_START_S:g} s: {self.said()[-1000:]}")
            await asyncio.sleep(POLL_S)

    async def metrics(self) -> str:
        """Return what it has counted, as Prometheus would read it."""
        return await self._get("/metrics") or ""

    async def _get(self, path: str) -> str | None:
        from aiohttp import ClientSession

        listening = _LISTENING.search(self.said())
        if listening is None:
            raise LookupError("it does not listen yet")
        async with ClientSession() as session, session.get(listening[1] + path) as answer:
            return await answer.text() if answer.status == 200 else None
