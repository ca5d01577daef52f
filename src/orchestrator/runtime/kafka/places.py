"""Where an input is gone on with: what the group, the state and the log itself say of that, and whom to believe.

The group's offset and the state's are written in one transaction. Where the log does not reach to them any more, or is
not the one that they are of, something is lost, and that is said and counted.
Owns this choice. Must never move an offset without a word.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from orchestrator.model import instants
from orchestrator.runtime.kafka import group_offsets
from orchestrator.runtime.kafka.commit import Target
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.settings import KafkaSettings

log = logging.getLogger(__name__)

# The first offset of a log, and its end.
Reach = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """Where to read from. `left` is where that was left, None for what is begun; `note` goes beside its offsets."""

    offset: int
    left: int | None
    note: str


class Places:
    """The places of one job's inputs."""

    def __init__(self, settings: KafkaSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        # What this process has begun to read: there are offsets of it, as long as its topic lives.
        self._begun: set[TopicPartition] = set()
        # A counter that is there before it counts shows its first step too.
        for topic in settings.input_topics:
            metrics.records_lost.labels(topic)
            metrics.made_anew.labels(topic)

    async def find(
        self,
        consumer: AIOKafkaConsumer,
        tp: TopicPartition,
        recorded: int | None,
        clock_ms: int,
        reach: Reach,
    ) -> Place:
        """Find where to go on; `recorded` is the state's offset, if it has one.

        `clock_ms` is how far the partition has come, 0 where that is not known.
        """
        tps = [TopicPartition(tp.topic, number) for number in sorted(consumer.partitions_for_topic(tp.topic))]
        found = (await group_offsets.committed(consumer._coordinator, [tp])).get(tp)
        # What older releases committed has no count with it.
        offset, note = (None, "") if found is None else (found.offset, found.metadata)
        note = note or str(len(tps))
        if offset is None and (recorded is not None or tp in self._begun):
            return Place(await self._in_another(consumer, tp, recorded, clock_ms, reach), recorded or 0, note)
        left = _later(tp, offset, recorded)
        if left is not None:
            return Place(self._within(tp, left, reach), left, note)
        # What is between partitions is this application's from its beginning, whoever comes to it later; so is what was
        # written to a partition that was added, before anybody found it.
        is_theirs = self._is_theirs(tp) and not await _was_added(consumer, tp, tps)
        start = self._settings.start if is_theirs else "earliest"
        return Place(await _start(consumer, tp, start, reach), None, note)

    def take_note(self, tps: Iterable[TopicPartition]) -> None:
        """Take note that the group has offsets of these."""
        self._begun.update(tps)

    def tell_of_changelog(self, target: Target, what: str) -> None:
        """Say and count that a changelog is not the one that it was."""
        changelog = target.logged_to
        self._metrics.made_anew.labels(changelog.topic).inc()
        log.error("%s/%d is not what it was: %s", changelog.topic, changelog.partition, what)

    def _is_theirs(self, tp: TopicPartition) -> bool:
        return tp.topic in self._settings.input_topics

    async def _in_another(
        self,
        consumer: AIOKafkaConsumer,
        tp: TopicPartition,
        recorded: int | None,
        clock_ms: int,
        reach: Reach,
    ) -> int:
        """Find where to go on in a log of which the group has no offset although it was read.

        Brokers forget offsets with the topic that they are of, and those of a group in which nobody was for long. In
        a log that was made anew, all that is newer than what the state contains is still to be read.
        """
        first, end = reach
        if recorded is None:
            found = first
        elif self._is_theirs(tp):
            newer = (await consumer.offsets_for_times({tp: clock_ms + 1}))[tp]
            found = min(recorded, end if newer is None else int(newer.offset))
        else:
            found = recorded if recorded <= end else first
        if found == recorded:
            return self._within(tp, found, reach)
        self._metrics.made_anew.labels(tp.topic).inc()
        log.error(
            "%s/%d was made anew: it is read from %d on, and what it held before, unread, is lost. A topic in use "
            "must not be deleted",
            tp.topic,
            tp.partition,
            found,
        )
        return self._within(tp, found, reach)

    def _within(self, tp: TopicPartition, offset: int, reach: Reach) -> int:
        """Move an offset that is not in the log any more to the nearest one that is, and say so."""
        first, end = reach
        if offset < first:
            self._metrics.records_lost.labels(tp.topic).inc(first - offset)
            log.error(
                "%s/%d begins at %d by now, and the next record to read was %d: what was deleted in between is lost; "
                "nobody read it for longer than its retention keeps it",
                tp.topic,
                tp.partition,
                first,
                offset,
            )
        elif offset > end:
            self._metrics.made_anew.labels(tp.topic).inc()
            log.error(
                "%s/%d ends at %d, and all before %d was processed: its end was cut off. It is read on from there",
                tp.topic,
                tp.partition,
                end,
                offset,
            )
        return min(max(offset, first), end)


async def _was_added(consumer: AIOKafkaConsumer, tp: TopicPartition, tps: Iterable[TopicPartition]) -> bool:
    """Tell whether a partition came to a topic, of these partitions, that the group had begun with."""
    # Those who begin beside us commit all the time: what stands there by now is enough.
    committed = await group_offsets.committed(consumer._coordinator, tps, is_stable=False)
    counts = [each.metadata for each in committed.values()]
    return any(count.isdecimal() and tp.partition >= int(count) for count in counts)


def _later(tp: TopicPartition, committed: int | None, recorded: int | None) -> int | None:
    """Choose between the group's offset and the one recorded with the state.

    They are written in one transaction. The group's lies ahead where an operator skipped something, and that is
    obeyed; where it lies behind, going there would do again what the state already contains.
    """
    if committed is None or recorded is None:
        return recorded if committed is None else committed
    if committed < recorded:
        log.warning(
            "the group's offset of %s/%d is %d, and the state contains everything before %d; going on from there. "
            "To process it again, start under another ORCHESTRATOR_APP_ID and ORCHESTRATOR_TOPIC_PREFIX",
            tp.topic,
            tp.partition,
            committed,
            recorded,
        )
    return max(committed, recorded)


async def _start(consumer: AIOKafkaConsumer, tp: TopicPartition, start: str, reach: Reach) -> int:
    """Find where a group without offsets starts: latest, earliest, or the first record at a time or later."""
    first, end = reach
    if start == "latest":
        return end
    if start == "earliest":
        return first
    found = (await consumer.offsets_for_times({tp: instants.parse(start)}))[tp]
    return end if found is None else int(found.offset)
