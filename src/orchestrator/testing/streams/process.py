"""A worker in a process of its own, to be killed, frozen and stopped like any other.

Owns the process and its log file. Must never outlive its starter's `with` block.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

LONGEST_STOP_S = 15.0


class WorkerProcess:
    """One `orchestrator worker`, or another command, started at once; as a context manager, killed if it still runs."""

    def __init__(
        self,
        project: Path,
        settings: Mapping[str, str],
        log: Path,
        command: str = "worker",
        options: Sequence[str] = (),
    ) -> None:
        self.log = log
        self._output: IO[bytes] = log.open("ab")
        variables = {f"ORCHESTRATOR_{name}": value for name, value in settings.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "orchestrator", command, str(project), *options],
            env={**inherited, **path, **variables},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, minus the signal's number where one killed it; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a power cut would, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does; its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to stop, as an operator would, and return its exit code."""
        self._process.terminate()
        return self._process.wait(LONGEST_STOP_S)

    def wait(self, longest_s: float) -> int:
        """Wait until it ends by itself."""
        return self._process.wait(longest_s)

    def said(self) -> str:
        """Return what it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.exit_code is None:
            self.kill()
        self._output.close()
