"""What a test broker is, whatever it is made of: the one interface of tests, `make chaos` and `bench kafka`.

Owns the interface, its errors and the brokers that somebody else started.
Must never start a process, nor know which broker is chosen.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from types import TracebackType
from typing import Self

from orchestrator.errors import OrchestratorError
from orchestrator.testing.brokers.cpu_clock import cpu_seconds_of


class BrokerKind(StrEnum):
    """What a broker is made of, in the order in which they are tried."""

    ENVIRONMENT = "environment"
    CONTAINER = "container"
    MAVEN = "maven"
    TANSU = "tansu"


class BrokerError(OrchestratorError):
    """A test broker that does not start, answer or obey. The move of whoever runs the tests."""


class NoBrokerError(BrokerError):
    """No broker can be had here; `reasons` says, for each kind that was tried, why not."""

    def __init__(self, reasons: Mapping[BrokerKind, str]) -> None:
        super().__init__(dict(reasons))
        self.reasons = dict(reasons)

    def __str__(self) -> str:
        tried = "; ".join(f"{kind}: {' '.join(why.split())}" for kind, why in self.reasons.items())
        return f"no Kafka broker ({tried})"


class Broker(ABC):
    """One running Kafka broker; as a context manager, stopped at the end.

    `is_real` promises transactions as Apache Kafka has them. `is_restartable` promises kill(), start(), restart(),
    pause() and resume(); without it they raise BrokerError. The methods block: a coroutine that must go on meanwhile
    calls them by `asyncio.to_thread`.
    """

    kind: BrokerKind
    is_real: bool
    is_restartable: bool
    bootstrap_servers: str

    @property
    def pid(self) -> int | None:
        """Return the broker's process on this machine; None while it is killed, or where it is out of sight."""
        return None

    def cpu_seconds(self) -> float | None:
        """Return the processor time the broker took since it started, or None where nobody can tell."""
        return None if self.pid is None else cpu_seconds_of(self.pid)

    @abstractmethod
    def kill(self) -> None:
        """End the broker at once, as a power cut would; its data stays."""

    @abstractmethod
    def start(self) -> None:
        """Start a killed broker again on the same address and data, and return when it answers."""

    def restart(self) -> None:
        """Kill the broker and start it again on the same address and data."""
        self.kill()
        self.start()

    @abstractmethod
    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing is answered."""

    @abstractmethod
    def resume(self) -> None:
        """Let a paused broker go on."""

    @abstractmethod
    def stop(self) -> None:
        """End the broker and delete its data; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} at {self.bootstrap_servers}>"


class AttachedBroker(Broker):
    """A broker that somebody else started: named by the environment, or shared by another test process."""

    is_restartable = False

    def __init__(self, kind: BrokerKind, bootstrap_servers: str, *, is_real: bool, pid: int | None = None) -> None:
        self.kind = kind
        self.is_real = is_real
        self.bootstrap_servers = bootstrap_servers
        self._pid = pid

    @property
    def pid(self) -> int | None:
        """Return what its starter told."""
        return self._pid

    def _refuse(self) -> None:
        raise BrokerError(
            f"the broker at {self.bootstrap_servers} is not ours to interrupt; "
            "start one for this purpose: start_broker(restartable_only=True)"
        )

    def kill(self) -> None:
        """Refuse."""
        self._refuse()

    def start(self) -> None:
        """Refuse."""
        self._refuse()

    def pause(self) -> None:
        """Refuse."""
        self._refuse()

    def resume(self) -> None:
        """Refuse."""
        self._refuse()

    def stop(self) -> None:
        """Leave it running: whoever started it stops it."""
