"""When a broker or a topic is ready, and whether a broker is a real one: all by asking.

Owns the questions and how long an answer may take.
Must never take an open port for an answer, nor wait for a fixed time.
"""

import asyncio
import socket
import time
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.testing.brokers.broker import BrokerError

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

T = TypeVar("T")
PATIENCE_S = 90.0
ANSWER_S = 10.0
BETWEEN_QUESTIONS_S = 0.05


def await_ready(bootstrap_servers: str, has_died: Callable[[], str | None], patience_s: float = PATIENCE_S) -> None:
    """Return when the broker tells its cluster's members; raise BrokerError when it died or takes too long.

    `has_died` returns the last words of a broker that ended, None while it lives.
    """
    end = time.monotonic() + patience_s
    while True:
        if _listens(bootstrap_servers) and _run(_has_members(bootstrap_servers)):
            return
        if (words := has_died()) is not None:
            raise BrokerError(f"the broker for {bootstrap_servers} ended while it started: {words}")
        if time.monotonic() > end:
            raise BrokerError(f"the broker at {bootstrap_servers} does not answer within {patience_s:g} s")
        # Nothing tells a client that a port has opened; it can only look again.
        time.sleep(BETWEEN_QUESTIONS_S)


async def await_topic(admin: "AIOKafkaAdminClient", topic: str) -> None:
    """Return when everybody who asks the broker is told of the topic and all its partitions; raise BrokerError else.

    The answer to a creation comes before every reader of metadata knows.
    """
    end = time.monotonic() + ANSWER_S
    while True:
        (told,) = await admin.describe_topics([topic])
        if not told["error_code"] and not any(each["error_code"] for each in told["partitions"]):
            return
        if time.monotonic() > end:
            raise BrokerError(f"the topic {topic} does not come to be: {told}")
        await asyncio.sleep(BETWEEN_QUESTIONS_S)


def has_transactions(bootstrap_servers: str) -> bool:
    """Tell whether the broker gives a producer a transactional identity, which look-alikes do not."""
    return _run(_gives_transactional_identity(bootstrap_servers))


def _run(question: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own, so that callers inside a running loop may ask too."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, question).result()


def _listens(bootstrap_servers: str) -> bool:
    """Look before asking: aiokafka logs an error for each address that refuses."""
    for address in bootstrap_servers.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
        except ValueError:
            raise BrokerError(f"{address!r} is not an address of a broker; write host:port") from None
        except OSError:
            continue
        return True
    return False


async def _has_members(bootstrap_servers: str) -> bool:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=int(ANSWER_S * 1000))
    try:
        await asyncio.wait_for(admin.start(), ANSWER_S)
        cluster = await asyncio.wait_for(admin.describe_cluster(), ANSWER_S)
        return bool(cluster["brokers"])
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()


async def _gives_transactional_identity(bootstrap_servers: str) -> bool:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=f"is-it-real-{uuid.uuid4()}")
    try:
        # Longer than an answer: the first transaction ever makes the broker create its topic for them.
        await asyncio.wait_for(producer.start(), 3 * ANSWER_S)
        return True
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await producer.stop()
