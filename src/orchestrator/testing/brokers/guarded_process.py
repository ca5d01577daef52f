"""A broker's process and its scratch folder, both gone when their starter is gone.

Owns starting, killing and freezing it, and the choice of ports.
Must never leave a process or a folder behind, not even when the starter is killed: guard.py sees to that.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

from orchestrator.errors import InvariantError
from orchestrator.testing.brokers.broker import BrokerError

GUARD = Path(__file__).with_name("guard.py")
LONGEST_DEATH_S = 30
# Under every system's range for outgoing connections. A port from that range could be taken, while a broker is down,
# by any client on its way out, or by the client that looks for the broker: it would connect to itself.
PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens on now.

    Somebody else may still be quicker: a start that finds one taken is tried again with others.
    """
    found: list[int] = []
    for port in random.sample(PORTS, k=1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise BrokerError(f"none of 1000 loopback ports between {PORTS.start} and {PORTS.stop} is free")


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise InvariantError("a guard was started without its pipes; start it with both")
    return stream


class GuardedProcess:
    """One process at a time, started as often as it is killed, and the folder that it works in."""

    def __init__(self, name: str) -> None:
        self.folder = Path(mkdtemp(prefix=f"orchestrator-{name}-"))
        self._output = self.folder / "console.log"
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None

    @property
    def pid(self) -> int | None:
        """Return the process, None unless it is running."""
        return self._pid if self.is_running else None

    @property
    def is_running(self) -> bool:
        """Tell whether it has been started and has not ended."""
        return self._guard is not None and self._guard.poll() is None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the command in the folder; what it says goes to console.log there."""
        if self.is_running:
            raise BrokerError(f"the process {self._pid} is running already; kill it first")
        self._release()
        with self._output.open("ab") as output:
            self._guard = subprocess.Popen(  # noqa: S603 - a command that this package built
                [sys.executable, "-I", "-S", str(GUARD), str(self.folder), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=dict(environment),
                # Ctrl-C in a terminal reaches the whole group: the tests shall end before their broker.
                start_new_session=True,
            )
        line = _pipe(self._guard.stdout).readline()
        if not line:
            self._guard.wait(LONGEST_DEATH_S)
            raise BrokerError(f"{command[0]} could not be started: {self.last_words()}")
        self._pid = int(line)

    def kill(self) -> None:
        """Kill the process with SIGKILL and return when it is gone; the folder stays."""
        if self._guard is None or not self.is_running:
            return
        order = _pipe(self._guard.stdin)
        try:
            order.write(b"k")
            order.flush()
        except BrokenPipeError:
            pass  # it ended on its own a moment ago, which is what was asked for
        self._guard.wait(LONGEST_DEATH_S)

    def pause(self) -> None:
        """Freeze the process; on return all of it stands still."""
        if self._guard is None or not self.is_running:
            raise BrokerError("there is no running process to freeze")
        order = _pipe(self._guard.stdin)
        order.write(b"s")
        order.flush()
        if not _pipe(self._guard.stdout).readline():
            raise BrokerError(f"the process ended when it was to be frozen: {self.last_words()}")

    def resume(self) -> None:
        """Let a frozen process go on."""
        if self.pid is None:
            raise BrokerError("there is no frozen process to let go on")
        os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        """Kill the process and delete the folder; a second time does nothing."""
        self.kill()
        self._release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self, *files: str) -> str:
        """Return the ends of its console and of the given files in the folder, on one line."""
        words: list[str] = []
        for path in [self._output, *(self.folder / name for name in files)]:
            if path.is_file():
                words += path.read_text(encoding="utf-8", errors="replace").split()[-60:]
        return " ".join(words) or "it said nothing"

    def _release(self) -> None:
        if self._guard is None:
            return
        for stream in (self._guard.stdin, self._guard.stdout):
            try:
                _pipe(stream).close()
            except BrokenPipeError:
                pass  # a last byte for a guard that is gone already
        self._guard = None
        self._pid = None
