"""Resolve: a hop that rekeys every event by its customer, and tells the turns how far the events have been read.

Channel systems write with different partitioners, and one customer spread over two partitions would get everything
twice. So every partition number of the events topics is read here, and each event passed on, as it came, to the
partition that its profile's id leads to by murmur2: exactly once, in transactions, with no state but the offsets.
An event that no journey in force asks for, and that names nobody by anything but a customer id, is not passed on: what
is published counts from when it is taken up here.
Twice a second, while it lags at the end of every transaction, it tells its clock to every turn partition in those
transactions: what was sent before that instant is in the resolved topic before that record, so an order that still
waits here holds the reminder back.
Where the project links identifiers, an event that names more than a customer id makes a second hop: the linker's
(`linking_partition`), which knows who is whose. What the same customer does next follows it there, so that an order
does not overtake the login before it. What nobody asks for makes that hop only where it may say something new: a
visitor who looks at page after page names the same cookie each time, and nothing else.
Owns the hop. Must never change an event, nor decide whose it is: `turn.profile_of` and `identity.by_itself` do.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence

from orchestrator.compiled.turns import Passing, passing_of
from orchestrator.errors import EventError
from orchestrator.model.catalog import Catalog
from orchestrator.model.envelopes import read
from orchestrator.model.event import Event
from orchestrator.model.identity import CUSTOMER_ID, Identifier, Identity
from orchestrator.model.rights import ERASE
from orchestrator.runtime import turn
from orchestrator.runtime.identity import by_itself
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.commit import Target
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.incarnation import Kept
from orchestrator.runtime.kafka.keys import partitions_of
from orchestrator.runtime.kafka.lately import Lately
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.outgoing import Forward, Outgoing
from orchestrator.runtime.kafka.places import Places
from orchestrator.runtime.kafka.records import dead_letter, event_of
from orchestrator.runtime.kafka.resolved import (
    CLOCK_KEY,
    LAGGING_MS,
    ORIGIN_HEADER,
    TICK_MS,
    Tick,
    encode_tick,
    tick_ms,
)
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.shortcut import MOST_AT_ONCE
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.unit import NEVER, OTHER_TYPES, Unit

# So long at least, what a customer does follows what went to the linker. Where that lags by more, the turns go by the
# times of records (`clock.LIVE_MS`), and nothing overtakes anything.
FOLLOWING_MS = 5_000
# So long at least, what nobody asks for is not sent to the linker again for the one identifier it names; and so many
# are remembered, some 10 MB. Where somebody was erased meanwhile, elsewhere, such an event begins nobody anew for as
# long: what journeys ask for does.
ALONE_MS = 60_000
MOST_ALONE = 25_000
# Brokers refuse a record that lies an hour ahead or more, though the topic that it comes from may have taken it: one
# from further in the future than this is passed on as of now, when it is taken anyway.
FUTURE_MS = 30 * 60 * 1000
# So many transactions at most are known to be ahead of another partition.
MOST_PASSED = 100
# How long the clock may stand before the end of the events is asked for.
STALE_MS = 250


class ResolvingPartition(Unit):
    """One partition number of the events topics, on its way to `count` turn partitions."""

    def __init__(
        self,
        number: int,
        count: int,
        inputs: Inputs,
        clock: PartitionClock,
        most_facts: int,
        *,
        links: bool = False,
        tick_ms: int = TICK_MS,
    ) -> None:
        super().__init__(number, inputs, clock, {}, most_facts)
        self._links = links
        self._count = count
        self._tick_ms = tick_ms
        self._told_ms = 0
        self._told_at_ms = 0
        self._is_live = False
        self._lags = False
        # Customers of whom something went to the linker, and identifiers that went there with no other.
        self._linked = Lately[str](FOLLOWING_MS + tick_ms - TICK_MS)
        self._alone = Lately[tuple[str, str]](ALONE_MS, MOST_ALONE)
        # Of the transactions of late, the clock and the number of records.
        self._passed = deque[tuple[int, int]](maxlen=MOST_PASSED)
        # What is compiled of this, by the definitions in force.
        self._catalog: Catalog | None = None
        self._passing: Passing | None = None

    def is_due(self, wall_ms: int) -> bool:
        """Tell whether a record waits, or the clock is to be told."""
        return self.has_work or (self.clock.now_ms > self._told_ms and self._may_tell(wall_ms))

    def _may_tell(self, wall_ms: int) -> bool:
        """Whether it is time to tell the clock; while that lags, every transaction does."""
        return wall_ms - self.clock.now_ms <= LAGGING_MS and not 0 <= wall_ms - self._told_at_ms < self._tick_ms

    def wants_end(self, wall_ms: int) -> bool:
        """Tell whether the clock has stood for a while."""
        return wall_ms - self.clock.now_ms > STALE_MS

    def reach_end(self, asked_ms: int) -> None:
        """Let the clock go on to the instant at which the end was asked for, the last record's told before.

        Or else what is due by then would be woken as if the wall clock had passed it, though the log has.
        """
        if not self._is_live:
            self._tell(self._told_at_ms)
        self._is_live = self.clock.pass_end(asked_ms)

    def work(self, catalog: Catalog, ended: Collection[str], wall_ms: int, until: float = NEVER) -> None:
        """Pass on what was fetched, then tell the clock if that is due."""
        super().work(catalog, ended, wall_ms, until)
        self._lags = wall_ms - self.clock.now_ms > LAGGING_MS
        if self._may_tell(wall_ms):
            self._tell(wall_ms)

    def _may_go_directly(self, event: Event, *, is_direct: bool) -> bool:
        """Whether an event leads to its profile by itself, and nothing of that customer is with the linker.

        A customer id alone does, where the project's rules say so (`is_direct`), unless everything is to be erased.
        """
        customer_id = event.customer_id
        if event.identifiers or not is_direct or customer_id is None or event.type == ERASE:
            if customer_id is not None:
                self._linked.add(customer_id)
            if event.type == ERASE:
                self._alone.clear()
            return False
        return customer_id not in self._linked

    def _is_news(self, rules: Identity, event: Event) -> bool:
        """Whether what the identifiers of an event say has to be told to the linker.

        One alone says that it exists, once. Several may be refused, for another reason each time; and so is one that
        names nobody.
        """
        if event.customer_id is not None or len(event.identifiers) > 1:
            return True
        ((kind, value),) = event.identifiers.items()
        if (kind, value) in self._alone:
            return False
        if isinstance(rules.read(kind, value), Identifier):
            self._alone.add((kind, value))
        return True

    def take_up(self, catalog: Catalog, revision: int) -> None:
        """Go by these definitions from now on; what identifiers say may be something else by them."""
        if revision != self.revision or catalog is not self._catalog:
            self._alone.clear()
            self._catalog, self._passing = catalog, passing_of(catalog)
        super().take_up(catalog, revision)

    def _process(self, catalog: Catalog, wall_ms: int) -> None:
        self._linked.pass_to(wall_ms)
        self._alone.pass_to(wall_ms)
        end = min(len(self._records), self._at + self.outgoing.most_facts - self.outgoing.facts)
        while self._at < end and not self.outgoing.is_full:
            before = self._at
            self._run(catalog, wall_ms, end)
            # What is compiled stops before a record that is for Python; where it could take none, others may follow.
            few = 1 if self._at > before else MOST_AT_ONCE
            if self._at < end and not self.outgoing.is_full:
                self._take_records(catalog, wall_ms, end if self._passing is None else min(end, self._at + few))

    def _run(self, catalog: Catalog, wall_ms: int, end: int) -> None:
        """Let what is compiled pass on the events that name a customer id, as long as nobody's go to the linker."""
        passing, records, outgoing = self._passing, self._records, self.outgoing
        is_direct = not self._links or (catalog.project.identity.is_direct and not self._linked)
        if passing is None or not is_direct or not isinstance(records, list):
            return
        sinks: list[list[Forward]] = [[] for _ in range(self._count)]
        at, now_ms, size, ignored, last = passing.run(
            records,
            self._at,
            end,
            wall_ms,
            wall_ms + FUTURE_MS,
            outgoing.room,
            ORIGIN_HEADER,
            sinks,
        )
        if at == self._at:
            return
        for number, forwards in enumerate(sinks):
            if forwards:
                outgoing.forwards[number] += forwards
        self._go_on(at, now_ms, wall_ms, size, ignored)
        self.tally.end_run(last, ignored)

    def _go_on(self, at: int, now_ms: int, wall_ms: int, size: int, ignored: int) -> None:
        """Take note that records up to a place were passed on, of so many bytes, the latest of them at an instant."""
        # Of what is ignored a transaction carries nothing.
        self.outgoing.facts += at - self._at - ignored
        self.outgoing.bytes += size
        self._at = at
        self.clock.pass_record(now_ms, wall_ms)
        self._is_live = False

    def _take_records(self, catalog: Catalog, wall_ms: int, end: int) -> None:
        outgoing, at = self.outgoing, self._at
        project, wanted, rules = catalog.project, catalog.wanted, catalog.project.identity
        links, is_direct, is_never = self._links, rules.is_direct, CUSTOMER_ID in rules.never
        ignored, now_ms, size, room = 0, 0, 0, outgoing.room
        latest_ms = wall_ms + FUTURE_MS
        direct: list[Forward] = []
        event: Event | None = None
        for record in self._records[at:end]:
            at += 1
            value, headers, at_ms = record.value, record.headers, record.timestamp
            if now_ms < at_ms <= wall_ms:
                now_ms = at_ms
            try:
                # Nearly all have no headers, and then the value says all.
                event = event_of(record) if headers or value is None else read(value, at_ms)
                identifiers = event.identifiers
                # What nobody asks for ends here, as it would behind: its hop would cost more than its reading.
                is_news = identifiers and (not links or self._is_news(rules, event))
                if event.type not in wanted and not is_news:
                    ignored += 1
                    continue
                # The linker reads what names nobody by itself.
                is_checked = not links and (identifiers or is_never)
                key = (by_itself(rules, event).profile_id if is_checked else turn.profile_of(project, event)).encode()
            except EventError as error:
                self.tally.events[OTHER_TYPES, "dead"] += 1
                self.bury(dead_letter(record, error.reason, error.message, wall_ms))
                continue
            if at_ms > latest_ms:
                at_ms = wall_ms
            origin = (ORIGIN_HEADER, b"%s/%d/%d" % (record.topic.encode(), record.partition, record.offset))
            forward = (key, value or b"", at_ms, [*headers, origin] if headers else [origin])
            if links and not self._may_go_directly(event, is_direct=is_direct):
                outgoing.links.append(forward)
            else:
                direct.append(forward)
            size += len(forward[1])
            if size >= room:
                break
        # The hash of one key would cost as much as reading an event.
        for number, forward in zip(partitions_of([each[0] for each in direct], self._count), direct, strict=True):
            outgoing.forwards[number].append(forward)
        self._go_on(at, now_ms, wall_ms, size, ignored)
        self.tally.end_go(event, ignored)

    def _tell(self, wall_ms: int) -> None:
        """Put the clock behind what was passed on, for every turn partition."""
        now_ms = self.clock.now_ms
        if now_ms <= self._told_ms:
            return
        self._told_ms, self._told_at_ms = now_ms, wall_ms
        tick = encode_tick(Tick(str(self.number), now_ms, self._is_live))
        for number in range(self._count):
            self.outgoing.forwards[number].append((CLOCK_KEY, tick, now_ms, []))
        if self._links:
            self.outgoing.links.append((CLOCK_KEY, tick, now_ms, []))

    def take_outgoing(self) -> tuple[Outgoing, Header]:
        """Hand the buffers over, with the clock behind what they hold."""
        if self._lags:
            self._tell(self._told_at_ms)
        self._passed.append((self.clock.now_ms, self.outgoing.facts))
        return super().take_outgoing()

    def lead_over(self, instant_ms: int) -> int:
        """Count the records that were passed on lately, in transactions that reach beyond an instant."""
        while self._passed and self._passed[0][0] <= instant_ms:
            self._passed.popleft()
        return sum(count for _, count in self._passed)


class ResolveJob:
    """Resolve for one application. `counts` are the partition counts of the events topics."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Topics,
        count: int,
        counts: Mapping[str, int],
        metrics: Metrics,
        places: Places,
        *,
        links: bool = False,
    ) -> None:
        self._links = links
        self.settings = settings
        self.metrics = metrics
        self.places = places
        self.group_id = f"{settings.app_id}-resolve"
        self.topics = topics.events
        self._names = topics
        self._count = count
        self._counts = dict(counts)

    @property
    def sources(self) -> frozenset[str]:
        """Name the sources whose clocks the turns have to wait for."""
        return frozenset(str(number) for number in range(max(self._counts.values(), default=0)))

    def inputs_of(self, number: int) -> tuple[str, ...]:
        """Name the events topics that have a partition of this number."""
        return tuple(topic for topic in self.topics if number < self._counts[topic])

    def target(self, number: int) -> Target:
        """Say where the transactions go: no changelog, for there is no state."""
        return Target(self._names, number, number % self._count, self.group_id, has_changelog=False)

    async def remember(self, number: int, kept: Kept | None) -> tuple[Unit, int]:
        """Begin with nothing: the clock is found by reading on.

        Raises LookupError for a number that was not there when this member began.
        """
        if not self.inputs_of(number):
            # With no input it would tell a clock for events that nobody reads.
            raise LookupError(f"partition {number} was added to the events since this member began")
        return ResolvingPartition(
            number,
            self._count,
            Inputs(self.inputs_of(number)),
            PartitionClock(),
            self.settings.transaction_facts,
            links=self._links,
            tick_ms=tick_ms(len(self.sources), self._count),
        ), 0

    def measure(self, units: Sequence[Unit], wall_ms: int) -> None:
        """Do nothing more: what resolve counts is taken from the units already."""
