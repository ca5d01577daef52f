"""What integration tests share: one broker for the whole session, fresh topics on it, and a broker to break.

Must never let a test that needs a broker pass without one: it is skipped with the reason, and in CI it fails.
"""

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from orchestrator.testing.brokers import Broker, BrokerError, SharedBroker, await_topic, prepare_broker, start_broker

NEED_A_BROKER = {"broker", "any_broker", "restartable_broker"}
SHARED = pytest.StashKey[SharedBroker]()
NewTopicFactory = Callable[..., Awaitable[str]]


def _insists() -> bool:
    return os.environ.get("CI", "").lower() in {"true", "1"}


def _without_a_broker(why: object) -> None:
    if _insists():
        pytest.fail(f"{why}; CI insists on a real broker", pytrace=False)
    pytest.skip(str(why))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and NEED_A_BROKER & set(item.fixturenames):
            item.add_marker(pytest.mark.broker)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    if any(item.get_closest_marker("broker") for item in session.items):
        prepare_broker()  # here, because Maven may need longer than a test has


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Not in a fixture: the starter waits for the other processes, and a test's time must not run meanwhile.
    if (shared := session.config.stash.get(SHARED, None)) is not None:
        shared.give_back()


@pytest.fixture(scope="session")
def any_broker(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """Return the session's broker, be it only good for a smoke test; started once for all processes."""
    folder: Path = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the session's own, one above each process's
    shared = SharedBroker(folder, lambda: start_broker(real_only=_insists()))
    try:
        broker = shared.take()
    except BrokerError as error:
        _without_a_broker(error)
        raise
    pytestconfig.stash[SHARED] = shared
    return broker


@pytest.fixture(scope="session")
def broker(any_broker: Broker) -> Broker:
    """Return the session's broker, which has transactions and which nobody may interrupt."""
    if not any_broker.is_real:
        _without_a_broker(f"no Kafka broker with transactions, only {any_broker.kind}")
    return any_broker


@pytest.fixture(scope="module")
def restartable_broker() -> Iterator[Broker]:
    """Start a real broker for this module alone, which it may kill and restart as it likes."""
    try:
        broker = start_broker(real_only=True, restartable_only=True)
    except BrokerError as error:
        _without_a_broker(error)
        raise
    with broker:
        yield broker


@pytest.fixture
def fresh_name() -> Callable[[str], str]:
    """Return a maker of names (of topics, groups, transactions) that no other test has used."""
    return lambda stem: f"{stem}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def new_topic(any_broker: Broker, fresh_name: Callable[[str], str]) -> AsyncIterator[NewTopicFactory]:
    """Return a maker of topics on the session's broker; they are deleted when the test ends."""
    admin = AIOKafkaAdminClient(bootstrap_servers=any_broker.bootstrap_servers)
    await admin.start()
    made: list[str] = []

    async def make(stem: str, partitions: int = 1, **settings: str) -> str:
        """Create a topic; settings are Kafka's, with `_` for its dots."""
        name = fresh_name(stem)
        kafka_settings = {key.replace("_", "."): value for key, value in settings.items()}
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=kafka_settings)])
        assert [error[1] for error in answer.topic_errors] == [0], answer
        made.append(name)
        await await_topic(admin, name)
        return name

    try:
        yield make
        if made:
            await admin.delete_topics(made)
    finally:
        await admin.close()
