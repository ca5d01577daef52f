"""A broker that creates whatever topic is asked about, as Kafka does where nobody set it otherwise."""

import os
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from orchestrator.runtime.kafka.describing import partition_counts
from orchestrator.runtime.kafka.topics import ensure
from orchestrator.testing.brokers import Broker, BrokerError, start_broker


@pytest.fixture(scope="module")
def creating_broker() -> Iterator[Broker]:
    """Start such a broker."""
    settings = {"auto.create.topics.enable": "true"}
    try:
        broker = start_broker(real_only=True, restartable_only=True, settings=settings, heap="512m")
    except BrokerError as error:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            raise
        pytest.skip(str(error))
    with broker:
        yield broker


@pytest.mark.slow
@pytest.mark.broker
async def test_events_that_are_deleted_stay_so_until_somebody_creates_them_as_they_must_be(creating_broker, shop_at):
    shop = shop_at(creating_broker)
    await shop.open()
    shop.variables["RESOLVE"] = "on"
    worker, deliverer = shop.start_worker(), shop.start_worker("deliver", CHANNEL_DEFAULT="console:")
    try:

        async def told(text: str) -> bool:
            assert worker.exit_code is None, worker.said()
            return text in worker.said()

        await shop.until(lambda: told("assigned partitions [0, 1, 2, 3]"))
        admin = AIOKafkaAdminClient(bootstrap_servers=shop.servers)
        await admin.start()
        await admin.delete_topics([shop.events])
        await shop.until(lambda: told(f"{shop.events} is gone"))
        assert shop.events not in await admin.list_topics()
        await admin.close()
        await shop.open()
        await shop.until(lambda: told(f"{shop.events} has 4 partitions now; this worker joins its groups anew"))
        assert (await partition_counts(shop.settings()))[shop.events] == 4
        assert (worker.stop(), deliverer.stop()) == (0, 0), shop.said()
    finally:
        shop.close()


@pytest.mark.slow
@pytest.mark.broker
async def test_actions_that_are_deleted_are_delivered_again_once_they_are_there_again(creating_broker, shop_at):
    shop = shop_at(creating_broker)
    await shop.open()
    await ensure(shop.settings(), shop.topics)
    deliverer = shop.start_worker("deliver", CHANNEL_DEFAULT="console:")
    try:

        async def told(text: str, times: int = 1) -> bool:
            assert deliverer.exit_code is None, deliverer.said()
            return deliverer.said().count(text) == times

        await shop.until(lambda: told("begins with 0 rows", times=4))
        admin = AIOKafkaAdminClient(bootstrap_servers=shop.servers)
        await admin.start()
        await admin.delete_topics([shop.topics.actions])
        await admin.close()
        await shop.until(lambda: told(f"Ignoring missing topic: '{shop.topics.actions}'"))
        await ensure(shop.settings(), shop.topics)
        await shop.until(lambda: told("begins with 0 rows", times=8))
        assert deliverer.stop() == 0, shop.said()
    finally:
        shop.close()
