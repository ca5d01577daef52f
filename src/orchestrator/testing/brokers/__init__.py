"""Kafka brokers for tests, `make chaos` and `bench kafka`, wherever they run.

    with start_broker(real_only=True) as broker:
        ...  # broker.bootstrap_servers

Owns finding one, starting, killing, restarting and stopping it.
Must never touch a broker that it did not start, beyond connecting to it.
"""

from orchestrator.testing.brokers.broker import Broker, BrokerError, BrokerKind, NoBrokerError
from orchestrator.testing.brokers.readiness import await_topic
from orchestrator.testing.brokers.selection import prepare_broker, start_broker
from orchestrator.testing.brokers.shared_broker import SharedBroker

__all__ = [
    "Broker",
    "BrokerError",
    "BrokerKind",
    "NoBrokerError",
    "SharedBroker",
    "await_topic",
    "prepare_broker",
    "start_broker",
]
