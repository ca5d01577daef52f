"""Apache Kafka in a container, where Docker answers.

Owns the container, by way of testcontainers, whose reaper removes it even if we are killed.
Must never be asked for without `docker_answers` before, nor let the container's address change over a restart.
"""

import logging
import socket
from collections.abc import Mapping
from typing import Any

from orchestrator.testing.brokers.broker import Broker, BrokerError, BrokerKind
from orchestrator.testing.brokers.guarded_process import free_ports
from orchestrator.testing.brokers.kafka_settings import FOR_ONE_NODE, FOR_QUICK_RESTART
from orchestrator.testing.brokers.readiness import await_ready

_log = logging.getLogger(__name__)

DEFAULT_ENGINE = "unix:///var/run/docker.sock"
CONTAINER_PORT = 9093
LONGEST_START_S = 120
NANOSECONDS = 1_000_000_000


def docker_answers() -> None:
    """Return if a Docker engine answers; raise BrokerError with the reason otherwise."""
    try:
        from docker.errors import DockerException
        from testcontainers.core.docker_client import DockerClient, get_docker_host
    except ImportError as error:
        raise BrokerError(f"the package testcontainers is not installed: {error}") from None
    try:
        _knock(get_docker_host() or DEFAULT_ENGINE)
        engine = DockerClient().client
        try:
            engine.ping()
        finally:
            engine.close()
    except (DockerException, OSError) as error:
        raise BrokerError(f"Docker does not answer: {error}") from error


def _knock(engine: str) -> None:
    """Connect to an engine's socket before Docker's client does, which loses its end of one that nobody answers."""
    scheme, _, path = engine.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except OSError as error:
                raise BrokerError(f"Docker does not answer at {path}: {error.strerror or error}") from error


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Write broker settings as the image's environment wants them: `a.b` is KAFKA_A_B."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}


class ContainerBroker(Broker):
    """A real broker in a container: what it has written survives kill() and start(), on the same port."""

    kind = BrokerKind.CONTAINER
    is_real = True
    is_restartable = True

    def __init__(self, image: str | None, settings: Mapping[str, str], heap: str) -> None:
        from testcontainers.community.kafka import KafkaContainer

        container = KafkaContainer(image) if image else KafkaContainer()
        # A published port of Docker's own choice would be another one after a restart.
        container.with_kraft().with_bind_ports(CONTAINER_PORT, free_ports(1)[0])
        environment = environment_of({**FOR_ONE_NODE, **FOR_QUICK_RESTART, **settings})
        for name, value in {**environment, "KAFKA_HEAP_OPTS": f"-Xmx{heap}"}.items():
            container.with_env(name, value)
        self._container = container
        self._is_stopped = False
        try:
            self._create()
        except BaseException:
            self.stop()
            raise

    def _create(self) -> None:
        from docker.errors import DockerException
        from testcontainers.core.exceptions import ContainerStartException

        try:
            self._container.start(timeout=LONGEST_START_S)
        except (DockerException, ContainerStartException, OSError) as error:
            raise BrokerError(f"Docker could not start Kafka: {error}") from error
        self.bootstrap_servers = str(self._container.get_bootstrap_server())
        await_ready(self.bootstrap_servers, self._death)
        _log.info("Kafka answers at %s, in a container", self.bootstrap_servers)

    def _engine(self) -> Any:
        """Return Docker's own view of the container, which testcontainers leaves untyped."""
        return self._container.get_wrapped_container()

    def _death(self) -> str | None:
        engine = self._engine()
        engine.reload()
        if engine.status == "running":
            return None
        return " ".join(engine.logs(tail=20).decode(errors="replace").split()) or "it said nothing"

    def cpu_seconds(self) -> float | None:
        """Return what Docker accounts to the container: its process may live in another machine."""
        stats = self._engine().stats(stream=False)
        return int(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / NANOSECONDS

    def kill(self) -> None:
        """Kill the container with SIGKILL."""
        self._engine().kill()
        self._engine().wait(timeout=LONGEST_START_S)

    def start(self) -> None:
        """Start the same container again."""
        self._engine().start()
        await_ready(self.bootstrap_servers, self._death)

    def pause(self) -> None:
        """Freeze the container."""
        self._engine().pause()

    def resume(self) -> None:
        """Let it go on."""
        self._engine().unpause()

    def stop(self) -> None:
        """Remove the container and its data."""
        if not self._is_stopped:
            self._is_stopped = True
            self._container.stop()
