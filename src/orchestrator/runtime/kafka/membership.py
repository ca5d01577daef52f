"""The membership in a consumer group, and the loop that fetches, works and commits: of any job.

Owns the loop and its order: fetch what every partition has room for and take it into the units; then each partition
works, starts its commit if one is due, and gives way. Commits run beside the next work; each partition has one at a
time. A fenced member leaves the group and joins it again. Must never await between a fetch and taking it in, nor work
for an incarnation without having looked, after the last await, whether it is still the one: a rebalance or a restore
that came in between would make the records another incarnation's.
"""

import asyncio
import logging
import math
import time
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import InvalidSessionTimeoutError, KafkaError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from orchestrator.errors import StorageError
from orchestrator.model.catalog import Catalog
from orchestrator.runtime import faults
from orchestrator.runtime.complaints import Complaint
from orchestrator.runtime.kafka.assigning import CopartitionedAssignor
from orchestrator.runtime.kafka.drift import Drift
from orchestrator.runtime.kafka.ends import Asking
from orchestrator.runtime.kafka.fetching import Consumer, fetch_one_by_one, take_in
from orchestrator.runtime.kafka.incarnation import Incarnation, Job
from orchestrator.runtime.kafka.ownership import FencedError, Ownership
from orchestrator.runtime.kafka.unit import Unit
from orchestrator.runtime.misnamed import Misnamed
from orchestrator.runtime.wall_clock import wall_clock_ms

log = logging.getLogger(__name__)

# How long turns keep the loop busy between two fetches; each partition has its share of it, and gives way after that.
# *Measured*, 100,000 timers due at once: with a whole transaction between two looks, a commit took 5 s.
BUSY_S = 0.02
# How often the loop goes round before the next turns: an answer to a commit passes through so many hands of aiokafka's
# until the next request leaves. *Measured*: with one, a commit under load took a second, with six a tenth of that.
ROUNDS_TO_ANSWER = 6
# How long an idle loop sleeps at most; a fetch wakes it earlier.
IDLE_MS = 50
FETCH_WAIT_MS = 50
PARTITION_FETCH_BYTES = 2 << 20
MEASURE_S = 1.0
REBALANCE_TIMEOUT_MS = 30_000
# aiokafka would leave the group after so long without a fetch, which is what a long restore looks like. That the loop
# is alive is seen by its heartbeats, which are sent from it.
MAX_POLL_INTERVAL_MS = 2**31 - 1
STOPPING_S = 4.0
REJOIN_S = 2.0
# Twice within so long is no rebalance any more.
FENCED_AGAIN_S = 10.0
LONGEST_BEAT_S = 60.0
# A release is read within moments; who has not read the one that a state was written with by then will not.
READING_S = 10.0
# So long the transactions of others may take before it is said that timers wait for them.
HIDDEN_MS = 20_000


class Definitions(Protocol):
    """Where the catalog comes from."""

    @property
    def catalog(self) -> Catalog:
        """Return the catalog that is in force."""

    @property
    def revision(self) -> int:
        """Return its revision in the journeys topic."""


class Membership:
    """One job of one worker, as a member of the job's group for as long as it runs."""

    def __init__(self, job: Job, definitions: Definitions) -> None:
        self._job = job
        self._definitions = definitions
        self._stopping = asyncio.Event()
        self._ownership: Ownership | None = None
        # While it serves.
        self._consumer: AIOKafkaConsumer | None = None
        # Since when partitions stand still for want of a release.
        self._lacks_since: float | None = None
        self._of_release, self._of_hidden, self._of_namesake = Complaint(log), Complaint(log), Complaint(log)
        self._fenced_at = -math.inf
        self._drift = Drift(job.settings.transaction_facts)
        # The release whose names those are.
        self._misnamed, self._named_by = Misnamed(()), 0
        self.beat_at = time.monotonic()

    @property
    def is_ready(self) -> bool:
        """Tell whether all partitions that are ours are at work, and none waits for a release that does not come."""
        lacks = self._lacks_since is not None and time.monotonic() - self._lacks_since > READING_S
        return self._ownership is not None and self._ownership.is_ready and not lacks

    @property
    def is_alive(self) -> bool:
        """Tell whether the loop has come round lately, or waits for the group: a new process would wait as well."""
        consumer = self._consumer
        waits = consumer is None or consumer._subscription.reassignment_in_progress
        return waits or time.monotonic() - self.beat_at < LONGEST_BEAT_S

    def stop(self) -> None:
        """Ask `run` to finish its batch, commit, leave the group and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped; raises StorageError for what only an operator can mend."""
        while not self._stopping.is_set():
            try:
                await self._be_member()
            except FencedError as error:
                log.warning("joining the group again after %s was fenced", error)
                self._look_for_namesake()
            except InvalidSessionTimeoutError as error:
                raise StorageError(
                    f"the brokers take no session of {self._job.settings.session_timeout_ms} ms: set "
                    "ORCHESTRATOR_SESSION_TIMEOUT_MS within their group.min.session.timeout.ms (6000 by default) and "
                    "group.max.session.timeout.ms"
                ) from error
            except KafkaError as error:
                log.error("joining the group again after %r", error)
                try:
                    await asyncio.wait_for(self._stopping.wait(), REJOIN_S)
                except TimeoutError:
                    continue

    def _look_for_namesake(self) -> None:
        """Say what fences a member over and over: another one that the group takes for the same."""
        before, self._fenced_at = self._fenced_at, time.monotonic()
        name = self._job.settings.instance_id
        if name is not None and self._fenced_at - before < FENCED_AGAIN_S:
            self._of_namesake.say(
                "this worker is fenced again and again: does another one have ORCHESTRATOR_INSTANCE_ID=%s, too? Each "
                "needs one of its own",
                name,
            )

    async def _be_member(self) -> None:
        consumer = self._new_consumer()
        ownership = self._ownership = Ownership(self._job, consumer)
        asking = Asking(self._job.settings, ownership, self._inputs_of)
        consumer.subscribe(list(self._job.topics), listener=ownership)
        beside = [
            asyncio.create_task(asking.run(), name="ask ends"),
            asyncio.create_task(self._keep_measuring(ownership), name="measure"),
        ]
        try:
            await self._unless_stopped(consumer.start(), beside)
            self._consumer, self.beat_at = consumer, time.monotonic()
            await self._unless_stopped(self._serve(consumer, ownership), beside)
        finally:
            self._ownership = self._consumer = None
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await ownership.close()
            self._measure(ownership)
            await _leave(consumer)

    def _new_consumer(self) -> AIOKafkaConsumer:
        settings = self._job.settings
        return Consumer(
            group_id=self._job.group_id,
            group_instance_id=settings.instance_id,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            partition_assignment_strategy=(CopartitionedAssignor(),),
            **settings.connection(),
        )

    async def _unless_stopped(self, work: Coroutine[Any, Any, None], beside: "Sequence[asyncio.Task[None]]") -> None:
        """Do the work, but give it up soon after a stop: a fetch waits for a rebalance however long that takes.

        What is done beside it has no end: where it ends, it failed, and whoever waits for it would never hear of it.
        """
        task = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([task, stopping, *beside], return_when=asyncio.FIRST_COMPLETED)
            for ended in beside:
                if ended.done():
                    ended.result()
            if not task.done():
                await asyncio.wait([task], timeout=2 * IDLE_MS / 1000)
        finally:
            stopping.cancel()
            task.cancel()
            await asyncio.wait([task, stopping])
        if not task.cancelled():
            task.result()

    async def _serve(self, consumer: AIOKafkaConsumer, ownership: Ownership) -> None:
        while not self._stopping.is_set():
            ownership.check()
            self.beat_at = time.monotonic()
            await self._fetch(consumer, ownership)
            share_s = BUSY_S / max(1, len(ownership.at_work))
            for number, incarnation in tuple(ownership.at_work.items()):
                if ownership.at_work.get(number) is not incarnation:
                    continue  # revoked, or failed, while the one before gave way
                try:
                    has_worked = await self._work(incarnation, consumer, share_s)
                except KafkaError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it was, the others go on
                    self._give_up(incarnation, ownership, error)
                    continue
                self._start_commit(incarnation, ownership)
                if has_worked:
                    await _give_way(ownership)
            # A fetch that finds records waiting returns without giving way to anybody.
            await asyncio.sleep(0)

    async def _fetch(self, consumer: AIOKafkaConsumer, ownership: Ownership) -> None:
        """Fetch for the partitions that have room, and give each what is its own."""
        most = self._job.settings.transaction_facts
        units = [incarnation.unit for incarnation in ownership.at_work.values() if incarnation.has_more]
        waiting = self._drift.too_far_ahead(units, time.monotonic())
        open_inputs = [
            TopicPartition(topic, number)
            for number, incarnation in ownership.at_work.items()
            if not incarnation.unit.outgoing.is_full and number not in waiting
            for topic in self._job.inputs_of(number)
            if incarnation.unit.inputs.waiting(topic) < most
        ]
        if not open_inputs:
            await asyncio.sleep(self._pause_s(ownership))
            return
        timeout_ms = int(self._pause_s(ownership) * 1000)
        try:
            fetched = await consumer.getmany(*open_inputs, timeout_ms=timeout_ms, max_records=most)
        except OffsetOutOfRangeError as error:
            # Deleted before they were read: to begin anew finds where the inputs begin now.
            for tp in error.args[0] if error.args else ():
                if (incarnation := ownership.at_work.get(tp.partition)) is not None:
                    ownership.fail(incarnation, error)
            return
        except UnicodeDecodeError:
            await fetch_one_by_one(consumer, ownership, self._inputs_of)
            return
        for tp, records in fetched.items():
            take_in(ownership, tp, records)
        faults.reach("turn.fetched")

    def _pause_s(self, ownership: Ownership) -> float:
        """Tell how long nothing has to be done if nothing comes: until the next commit is due."""
        units = [incarnation.unit for incarnation in ownership.at_work.values()]
        revision, wall_ms = self._definitions.revision, wall_clock_ms()
        if any(unit.is_due(wall_ms) and not unit.outgoing.is_full and unit.revision <= revision for unit in units):
            return 0.0
        busy = any(
            incarnation.committing is not None or not incarnation.unit.outgoing.is_empty
            for incarnation in ownership.at_work.values()
        )
        return (min(IDLE_MS, self._job.settings.commit_interval_ms / 4) if busy else IDLE_MS) / 1000

    async def _work(self, incarnation: Incarnation, consumer: AIOKafkaConsumer, share_s: float) -> bool:
        """Work for a partition's share of the time; tell whether there was anything to do."""
        unit = incarnation.unit
        ended, positions = await self._ended(incarnation, consumer)
        incarnation.has_more = len(ended) < len(positions)
        if not unit.backlog:
            # Markers of transactions take offsets too; the group's would never be at the end without this.
            unit.pass_over(positions)
        if unit.revision > self._definitions.revision:
            return False  # this worker has not read the definitions yet that the state was written with
        unit.take_up(self._definitions.catalog, self._definitions.revision)
        wall_ms = wall_clock_ms()
        if not unit.is_due(wall_ms) and incarnation.promise is None:
            return False
        began = time.perf_counter()
        unit.work(self._definitions.catalog, ended, wall_ms, began + share_s)
        if incarnation.promise is not None and not unit.backlog:
            asked_ms, ends = incarnation.promise
            if all(positions[topic] >= end for topic, end in ends.items()):
                incarnation.promise = None
                unit.reach_end(asked_ms)
                unit.work(self._definitions.catalog, ended, wall_clock_ms(), began + share_s)
            elif wall_ms - asked_ms > HIDDEN_MS and ended >= ends.keys():
                self._tell_of_hidden(unit.number, positions, ends)
        self._job.metrics.batch_seconds.observe(time.perf_counter() - began)
        return True

    async def _ended(self, incarnation: Incarnation, consumer: AIOKafkaConsumer) -> tuple[set[str], dict[str, int]]:
        """Find the inputs that are at their end, as far as fetches have told, and every input's position."""
        number = incarnation.unit.number
        ended, positions = set[str](), dict[str, int]()
        for topic in self._job.inputs_of(number):
            tp = TopicPartition(topic, number)
            # Known since the seek: this does not wait.
            position = positions[topic] = await consumer.position(tp)
            last_stable = consumer.last_stable_offset(tp)
            if last_stable is not None and position >= max(last_stable, incarnation.first_ends[topic]):
                ended.add(topic)
        return ended, positions

    def _give_up(self, incarnation: Incarnation, ownership: Ownership, error: Exception) -> None:
        """End an incarnation that failed in the middle of a turn.

        What it did of that lies in its buffers without the offset that belongs to it, so nothing of it is committed.
        """
        if not isinstance(error, StorageError):  # which says all there is to say
            log.error("partition %d of %s failed", incarnation.unit.number, self._job.group_id, exc_info=error)
        ownership.fail(incarnation, error)

    def _tell_of_hidden(self, number: int, positions: Mapping[str, int], ends: Mapping[str, int]) -> None:
        """Say that records are in the log which nobody may read yet, and that timers wait for them."""
        hidden = [f"{topic}/{number} from {positions[topic]} on" for topic in ends if positions[topic] < ends[topic]]
        self._of_hidden.say(
            "no timer fires: a transaction that somebody left open hides %s; "
            "kafka-transactions.sh find-hanging names it",
            ", ".join(hidden),
        )

    def _start_commit(self, incarnation: Incarnation, ownership: Ownership) -> None:
        if incarnation.commit_is_due(self._job.settings.commit_interval_ms / 1000, wall_clock_ms()):
            task = asyncio.create_task(incarnation.commit(), name=f"commit {incarnation.unit.number}")
            incarnation.committing = task
            task.add_done_callback(partial(_committed, incarnation, ownership))

    def _inputs_of(self, incarnation: Incarnation) -> list[TopicPartition]:
        number = incarnation.unit.number
        return [TopicPartition(topic, number) for topic in self._job.inputs_of(number)]

    async def _keep_measuring(self, ownership: Ownership) -> None:
        """Measure beside the loop: that may wait for brokers or for the group, and what it holds up must be seen."""
        while True:
            await asyncio.sleep(MEASURE_S)
            self._measure(ownership)

    def _measure(self, ownership: Ownership) -> None:
        units = [incarnation.unit for incarnation in ownership.at_work.values()]
        self._look_at_names(units)
        for unit in units:
            self._job.metrics.take(unit.tally)
        self._job.measure(units, wall_clock_ms())
        self._look_for_releases(units)

    def _look_at_names(self, units: Sequence[Unit]) -> None:
        """Say which events come by nearly a name that journeys ask for, each once."""
        names = set[str]().union(*(unit.tally.names for unit in units))
        if names and self._named_by != self._definitions.revision:
            self._named_by = self._definitions.revision
            self._misnamed.follow(self._definitions.catalog.named)
        for name in sorted(names - self._misnamed.met):
            if (asked := self._misnamed.meet(name)) is not None:
                log.warning(
                    "events come by nearly a name that journeys ask for: %r, where they ask for %r", name, asked
                )

    def _look_for_releases(self, units: Sequence[Unit]) -> None:
        """Say which partitions stand still because this worker does not know the release that their state is of."""
        known, now = self._definitions.revision, time.monotonic()
        lacking = {unit.number: unit.revision for unit in units if unit.revision > known}
        if not lacking:
            self._lacks_since = None
            return
        if self._lacks_since is None:
            self._lacks_since = now
        if now - self._lacks_since > READING_S:
            self._of_release.say(
                "partitions %s of %s stand still: their state is of release %d of the journeys, and %d is the newest "
                "that this worker can use. Is it of an older version of the program, or was the topic of the journeys "
                "made anew? Then run `orchestrator publish`",
                ", ".join(map(str, sorted(lacking))),
                self._job.group_id,
                max(lacking.values()),
                known,
            )


async def _give_way(ownership: Ownership) -> None:
    """Let commits under way, if there are any, take what the brokers have answered and ask what comes next."""
    if any(incarnation.committing is not None for incarnation in ownership.at_work.values()):
        for _ in range(ROUNDS_TO_ANSWER):
            await asyncio.sleep(0)


def _committed(incarnation: Incarnation, ownership: Ownership, task: "asyncio.Task[None]") -> None:
    incarnation.committing = None
    if not task.cancelled() and (error := task.exception()) is not None:
        ownership.fail(incarnation, error)


async def _leave(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(STOPPING_S):
            await consumer.stop()
    except TimeoutError:
        log.warning("the group did not answer in time; it will notice that this worker is gone")
