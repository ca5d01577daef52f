"""A worker at a broker that lets nobody in without a certificate, a password, or both: by configuration alone.

Must never trust a certificate that the test did not make.
"""

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from orchestrator.testing.brokers import BrokerError, await_topic
from orchestrator.testing.brokers.jvm import JvmBroker
from orchestrator.testing.brokers.libraries import find_java, kafka_libraries
from orchestrator.testing.streams import WorkerProcess
from providers.certificates import pem_pair

USER, PASSWORD = "shop", "wooden-spoon-42"
LISTENERS = {"TLS": "SSL", "PASSWORDS": "SASL_PLAINTEXT", "BOTH": "SASL_SSL"}
MODULES = "org.apache.kafka.common.security"
PLAIN = f'{MODULES}.plain.PlainLoginModule required username="{USER}" password="{PASSWORD}" user_{USER}="{PASSWORD}";'
SCRAM = f"{MODULES}.scram.ScramLoginModule required;"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    return pem_pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def guarded_broker(certificate) -> Iterator[JvmBroker]:
    """Start a broker with one listener for each kind of guard; its users are there from the start."""
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificate),
        # Who comes without a password shows a certificate.
        "listener.name.tls.ssl.client.auth": "required",
    }
    for name in ("passwords", "both"):
        settings[f"listener.name.{name}.sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
        settings[f"listener.name.{name}.plain.sasl.jaas.config"] = PLAIN
        settings[f"listener.name.{name}.scram-sha-256.sasl.jaas.config"] = SCRAM
        settings[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = SCRAM
    try:
        java, libraries = find_java(os.environ), kafka_libraries(os.environ)
    except BrokerError as error:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            raise
        pytest.skip(str(error))
    users = {USER: PASSWORD}
    with JvmBroker(java, libraries, settings, "512m", listeners=LISTENERS, scram_users=users) as broker:
        yield broker


@pytest.fixture
async def guarded_shop(guarded_broker, shop_at, fresh_name):
    """Return a shop on that broker, whose events come in by the open door."""
    shop = shop_at(guarded_broker)
    shop.events = shop.variables["EVENTS_TOPICS"] = fresh_name("events")
    admin = AIOKafkaAdminClient(bootstrap_servers=guarded_broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(shop.events, 4, 1, topic_configs={"retention.ms": "-1"})])
        await await_topic(admin, shop.events)
    finally:
        await admin.close()
    yield shop
    shop.close()


def _password(mechanism: str) -> dict[str, str]:
    return {
        "KAFKA_SASL_MECHANISM": mechanism,
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }


def _says(worker: WorkerProcess, words: str) -> Callable[[], Awaitable[bool]]:
    async def has_said() -> bool:
        return words in worker.said()

    return has_said


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [
        ("TLS", None),
        ("PASSWORDS", "PLAIN"),
        ("PASSWORDS", "SCRAM-SHA-256"),
        ("BOTH", "SCRAM-SHA-512"),
        ("BOTH", "PLAIN"),
    ],
)
async def test_a_worker_gets_in_by_what_it_is_told(
    guarded_shop, guarded_broker, certificate, a_day, listener, mechanism
):
    records = a_day(200, seed=3)
    await guarded_shop.receive(records)
    guard = {
        "KAFKA_BOOTSTRAP_SERVERS": guarded_broker.addresses[listener],
        "KAFKA_SECURITY_PROTOCOL": LISTENERS[listener],
    }
    if "SSL" in LISTENERS[listener]:
        guard["KAFKA_SSL_CAFILE"] = str(certificate)
    if mechanism is None:
        guard |= {"KAFKA_SSL_CERTFILE": str(certificate), "KAFKA_SSL_KEYFILE": str(certificate)}
    else:
        guard |= _password(mechanism)
    worker = guarded_shop.start_worker(**guard)
    await guarded_shop.drained(longest_s=150)
    assert worker.stop() == 0, guarded_shop.said()
    expected = await guarded_shop.check(records)
    assert len(expected.actions) > 10


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("listener", ["PASSWORDS", "BOTH"])
async def test_a_wrong_password_is_told_and_never_shown(guarded_shop, guarded_broker, certificate, listener):
    guard = {
        "KAFKA_BOOTSTRAP_SERVERS": guarded_broker.addresses[listener],
        "KAFKA_SECURITY_PROTOCOL": LISTENERS[listener],
        "KAFKA_SSL_CAFILE": str(certificate),
        **_password("SCRAM-SHA-512"),
        "KAFKA_SASL_PASSWORD": "metal-fork-41",
    }
    worker = guarded_shop.start_worker(**guard)
    await guarded_shop.until(_says(worker, "uthentication failed"), 100)
    worker.kill()
    assert "assigned partitions" not in worker.said()
    assert "metal-fork-41" not in worker.said()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_certificate_that_nobody_vouches_for_is_refused(guarded_shop, guarded_broker):
    worker = guarded_shop.start_worker(
        KAFKA_BOOTSTRAP_SERVERS=guarded_broker.addresses["BOTH"],
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        **_password("SCRAM-SHA-512"),
    )
    await guarded_shop.until(_says(worker, "CERTIFICATE_VERIFY_FAILED"), 100)
    worker.kill()
    assert "assigned partitions" not in worker.said()
