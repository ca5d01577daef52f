"""What brokers say of what they hold: topics and their settings, groups and how far they have come.

Owns the life of the client that is told, and that no client of this process creates a topic by asking about it. Must
never change anything by itself.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.runtime.kafka.closing import close, start
from orchestrator.runtime.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient


@asynccontextmanager
async def describer(settings: KafkaSettings) -> AsyncIterator["AIOKafkaAdminClient"]:
    """Give an admin client for as long as the block lasts; raises KafkaError where no broker answers."""
    from aiokafka.admin import AIOKafkaAdminClient

    client = AIOKafkaAdminClient(**settings.connection())
    await start(client.start(), client.close)
    try:
        yield client
    finally:
        await close(client.close())


async def partition_counts(settings: KafkaSettings, names: Iterable[str] | None = None) -> dict[str, int]:
    """Tell how many partitions topics have now, those that exist: of these names, or of all."""
    async with describer(settings) as client:
        described = await client.describe_topics(None if names is None else list(names))
    return {each["topic"]: len(each["partitions"]) for each in described if not each["error_code"]}


def create_nothing() -> None:
    """Have all clients of this process only ask about topics.

    aiokafka lets brokers create what is asked about, and Kafka's own default is to do so (auto.create.topics.enable): a
    topic that somebody deletes would be there again at once, with other partitions and settings than it must have, and
    in the way of whoever creates it as it must be.
    """
    from aiokafka import client
    from aiokafka.admin import client as admin
    from aiokafka.protocol.metadata import MetadataRequest

    client.MetadataRequest = admin.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
