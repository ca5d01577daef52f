"""How far an application has come with a record, hop by hop, asked of its groups' committed offsets.

What a hop commits, its outputs and its offset, is one transaction: once a group has passed a record, all that came of
it stands in the next topic, before the ends that are asked for then.
Owns this question and the order of the hops. Must never join a group, nor write.
"""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.structs import TopicPartition

from orchestrator.runtime.kafka.describing import describer
from orchestrator.runtime.kafka.group_offsets import committed_by
from orchestrator.runtime.kafka.reading import reader
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics

LOOK_S = 0.1


async def until_everywhere(settings: KafkaSettings, topics: Topics, place: TopicPartition, offset: int) -> None:
    """Wait until a record's customer has had its turn, and every partition knows what that one told the others."""
    async with reader(settings, isolation_level="read_uncommitted") as consumer, describer(settings) as admin:
        await _Passing(settings, topics, consumer, admin).until_everywhere(place, offset)


class _Passing:
    """One record on its way through an application's groups."""

    def __init__(
        self, settings: KafkaSettings, topics: Topics, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient
    ) -> None:
        self._app, self._topics, self._resolves = settings.app_id, topics, settings.resolve
        self._consumer, self._admin = consumer, admin

    async def until_everywhere(self, place: TopicPartition, offset: int) -> None:
        first = {place: offset + 1}
        if not self._resolves:
            await self._until(self._app, first)
            await self._until(self._app, await self._ends(self._topics.receipts))
            return
        await self._until(f"{self._app}-resolve", first)
        await self._until(f"{self._app}-links", await self._ends(self._topics.links))
        for _ in ("its turn", "what that told the others"):
            await self._until(self._app, await self._ends(self._topics.resolved))

    async def _ends(self, topic: str) -> dict[TopicPartition, int]:
        [about] = await self._admin.describe_topics([topic])
        if about["error_code"]:  # without its partitions, everything would have been passed
            raise for_code(about["error_code"])(topic)
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(
            [TopicPartition(topic, each["partition"]) for each in about["partitions"]]
        )
        return ends

    async def _until(self, group: str, wanted: Mapping[TopicPartition, int]) -> None:
        """Look until a group has passed these offsets; nothing was ever sent to a hop that is not there."""
        while True:
            try:
                found = await committed_by(self._admin, group, wanted)
            except KafkaError as error:
                if not error.retriable:
                    raise
            else:
                if all(not end or (tp in found and found[tp].offset >= end) for tp, end in wanted.items()):
                    return
            await asyncio.sleep(LOOK_S)
