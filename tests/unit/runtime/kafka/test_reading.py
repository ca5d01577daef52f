"""Reading what stands in a topic, without a broker."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

from aiokafka.structs import TopicPartition

from orchestrator.runtime.kafka import reading
from orchestrator.runtime.kafka.settings import KafkaSettings

ACTIONS = TopicPartition("actions", 0)


class Log:
    """Five records; a transaction that somebody left open hides the last three until it is over."""

    def __init__(self, isolation_level: str) -> None:
        self._is_whole = isolation_level == "read_uncommitted"
        self._visible = [5] if self._is_whole else [2, 2, 5]
        self._position = 0

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, self._visible[0])

    def assign(self, tps):
        assert not self._is_whole

    async def seek_to_beginning(self, *tps):
        pass

    async def position(self, tp):
        return self._position

    async def getmany(self, *tps, timeout_ms):
        end = self._visible.pop(0)
        began, self._position = self._position, end
        return {tp: [SimpleNamespace(offset=offset) for offset in range(began, end)] for tp in tps}


async def test_what_is_read_of_a_topic_is_all_that_was_committed_behind_an_open_transaction_too(monkeypatch):
    @asynccontextmanager
    async def reader(settings, isolation_level="read_committed", **options):
        yield Log(isolation_level)

    monkeypatch.setattr(reading, "reader", reader)
    found = []
    await reading.read(KafkaSettings.of({"app_id": "shop"}), [ACTIONS], lambda record: found.append(record.offset))
    assert found == [0, 1, 2, 3, 4]
