"""Apache Kafka itself, one node that is broker and controller, as a process on this machine.

Owns its files, formatting, starting and killing.
Must never listen on anything but loopback, nor take more memory than it was given.
"""

import base64
import logging
import os
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from orchestrator.testing.brokers.broker import Broker, BrokerError, BrokerKind
from orchestrator.testing.brokers.guarded_process import GuardedProcess, free_ports
from orchestrator.testing.brokers.kafka_settings import FOR_ONE_NODE, FOR_QUICK_RESTART
from orchestrator.testing.brokers.readiness import await_ready

_log = logging.getLogger(__name__)

LONGEST_FORMAT_S = 120
TRIES = 3
SERVER_LOG = "server.log"
LOG4J = f"""\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = {SERVER_LOG}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c)%n%throwable
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


class JvmBroker(Broker):
    """A real broker: what it has written survives kill() and start(), on the same port."""

    kind = BrokerKind.MAVEN
    is_real = True
    is_restartable = True

    def __init__(
        self,
        java: str,
        libraries: Path,
        settings: Mapping[str, str],
        heap: str,
        *,
        listeners: Mapping[str, str] | None = None,
        scram_users: Mapping[str, str] | None = None,
    ) -> None:
        """Start it. `listeners` are further ones, by name, with their security protocol; `settings` say the rest.

        `addresses` are where they listen. `scram_users` are the passwords of users who exist from the start.
        """
        self._java = java
        self._libraries = libraries
        self._settings = dict(settings)
        self._heap = heap
        self._listeners = dict(listeners or {})
        self._scram_users = dict(scram_users or {})
        self.addresses: dict[str, str] = {}
        for remaining in reversed(range(TRIES)):
            self._process = GuardedProcess("kafka")
            try:
                self._begin()
            except BaseException as error:
                self._process.remove()
                if remaining and isinstance(error, BrokerError) and "Address already in use" in str(error):
                    continue  # somebody took a port between our look and Kafka's
                raise
            else:
                return

    def _begin(self) -> None:
        began = time.monotonic()
        port, controller_port, *others = free_ports(2 + len(self._listeners))
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self.addresses = {name: f"127.0.0.1:{other}" for name, other in zip(self._listeners, others, strict=True)}
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **self._listeners}
        open_to_all = [f"{name}://{address}" for name, address in self.addresses.items()]
        controller = f"CONTROLLER://127.0.0.1:{controller_port}"
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join([f"PLAINTEXT://{self.bootstrap_servers}", *open_to_all, controller]),
            "advertised.listeners": ",".join([f"PLAINTEXT://{self.bootstrap_servers}", *open_to_all]),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
            "log.dirs": str(self._process.folder / "data"),
            **FOR_ONE_NODE,
            **FOR_QUICK_RESTART,
            **self._settings,
        }
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self._process.folder / "server.properties").write_text(lines, encoding="utf-8")
        (self._process.folder / "log4j2.properties").write_text(LOG4J, encoding="utf-8")
        self._format()
        self.start()
        _log.info("Kafka answers at %s after %.1f s", self.bootstrap_servers, time.monotonic() - began)

    def _command(self, *arguments: str) -> list[str]:
        classes = f"{self._libraries}{os.sep}*"
        # By a path relative to the process's own folder: Log4j reads an absolute one as an address.
        return [self._java, "-Dlog4j2.configurationFile=log4j2.properties", "-cp", classes, *arguments]

    def _format(self) -> None:
        # A first byte under 128 keeps a dash from the front, which the tool would read as an option.
        identity = uuid.uuid4().bytes
        cluster = base64.urlsafe_b64encode(bytes([identity[0] & 0x7F]) + identity[1:]).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", "server.properties"]
        for user, password in self._scram_users.items():
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                tool += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
        try:
            result = subprocess.run(  # noqa: S603 - our own command
                self._command("-XX:TieredStopAtLevel=1", *tool),
                cwd=self._process.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=LONGEST_FORMAT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BrokerError(f"Kafka's storage was not formatted within {LONGEST_FORMAT_S} s") from None
        if result.returncode != 0:
            raise BrokerError(f"Kafka's storage could not be formatted: {' '.join(result.stdout.split())[:600]}")

    def _death(self) -> str | None:
        return None if self._process.is_running else self._process.last_words(SERVER_LOG)

    @property
    def pid(self) -> int | None:
        """Return Java's process."""
        return self._process.pid

    def start(self) -> None:
        """Start on the same ports and data, and return when it answers."""
        # Exits on a lack of memory: a broker that limps on would make a test wait, not fail.
        options = [f"-Xmx{self._heap}", "-XX:+ExitOnOutOfMemoryError"]
        self._process.start(self._command(*options, "kafka.Kafka", "server.properties"), os.environ)
        await_ready(self.bootstrap_servers, self._death)

    def kill(self) -> None:
        """Kill Java with SIGKILL."""
        self._process.kill()

    def pause(self) -> None:
        """Stop Java with SIGSTOP."""
        self._process.pause()

    def resume(self) -> None:
        """Let it go on with SIGCONT."""
        self._process.resume()

    def stop(self) -> None:
        """Kill it and delete what it wrote."""
        self._process.remove()
