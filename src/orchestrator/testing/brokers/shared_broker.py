"""One broker for all the processes of a test session.

Owns who starts it, who may use it, and that its starter outlives its users.
Must never stop a broker that another process still uses, nor leave one running.
"""

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO

from orchestrator.testing.brokers.broker import AttachedBroker, Broker, BrokerKind


class SharedBroker:
    """One process's part in the broker of all processes that name the same folder.

    The first to ask starts it and writes its card; the others read the card. Everybody who uses it holds a shared
    lock, which the operating system takes back from the dead; the starter, when done, waits for that lock alone.
    """

    def __init__(self, folder: Path, start: Callable[[], Broker]) -> None:
        self._card = folder / "broker.json"
        self._door = folder / "broker.door"
        self._users = folder / "broker.users"
        self._start = start
        self._own: Broker | None = None
        self._lease: IO[str] | None = None

    def take(self) -> Broker:
        """Return the broker, starting it if nobody has; what `start` raises is raised."""
        lease = self._users.open("w")
        # Before the card is read: from here on nobody stops what the card names.
        fcntl.flock(lease, fcntl.LOCK_SH)
        try:
            with self._door.open("w") as door:
                fcntl.flock(door, fcntl.LOCK_EX)
                broker = self._read_card() if self._card.exists() else self._write_card(self._start())
        except BaseException:
            lease.close()
            raise
        self._lease = lease
        return broker

    def give_back(self) -> None:
        """End this process's use; the starter waits until the others have ended theirs, then stops the broker."""
        if self._lease is None:
            return
        fcntl.flock(self._lease, fcntl.LOCK_UN)
        if self._own is not None:
            fcntl.flock(self._lease, fcntl.LOCK_EX)
            self._card.unlink()
            self._own.stop()
            self._own = None
        self._lease.close()
        self._lease = None

    def _write_card(self, broker: Broker) -> Broker:
        self._own = broker
        card = {
            "kind": broker.kind,
            "bootstrap_servers": broker.bootstrap_servers,
            "is_real": broker.is_real,
            "pid": broker.pid,
        }
        self._card.write_text(json.dumps(card), encoding="utf-8")
        # What is shared is interrupted by nobody, its starter included: the others would not know why they fail.
        return self._read_card()

    def _read_card(self) -> Broker:
        card = json.loads(self._card.read_text(encoding="utf-8"))
        return AttachedBroker(
            BrokerKind(card["kind"]), card["bootstrap_servers"], is_real=card["is_real"], pid=card["pid"]
        )
