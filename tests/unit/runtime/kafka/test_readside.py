"""The following of the copy, without a broker: what it must have read before it takes anybody for erased."""

from types import SimpleNamespace

from aiokafka.structs import TopicPartition

from orchestrator.model.project import Project
from orchestrator.runtime.kafka.readside import ReadSide
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics


class Links:
    """The links' log, of which the last transaction is not marked as committed everywhere yet."""

    def __init__(self, marked: int, whole: int) -> None:
        self._marked, self._whole, self._position = marked, whole, 0

    async def position(self, tp):
        return self._position

    async def getmany(self, tp, timeout_ms):
        began, self._position, self._marked = self._position, self._marked, self._whole
        return {tp: [SimpleNamespace(offset=offset) for offset in range(began, self._position)]}

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, self._marked)

    @property
    def asker(self):
        async def end_offsets(tps):
            return dict.fromkeys(tps, self._whole)

        return SimpleNamespace(end_offsets=end_offsets)


async def test_links_that_are_committed_and_not_marked_yet_are_waited_for(tmp_path):
    settings = KafkaSettings.of({"app_id": "shop"})
    side = ReadSide(settings, Topics.of(settings), tmp_path / "copy.db", lambda: Project("shop"), lambda seconds: None)
    assert side._links == TopicPartition("shop-links-changelog", 0)
    links = Links(marked=2, whole=5)
    found = await side._rest_of_links(links, links.asker)
    assert [record.offset for record in found] == [0, 1, 2, 3, 4]
