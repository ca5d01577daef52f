"""The linker: the one place where it is decided who is whose, in one order, for all partitions.

Every event that names more than a customer id comes here from resolve. It is linked, and goes on to the partition of
the profile that it belongs to. Where it makes two lives one, the lives' partitions are told before it, each in its own
log: `move` to the one that hands its life over, `wait` to the one that takes it, both with the event's time, or with
that of an earlier link where the event comes late: what is passed on bears times in the order of the links. There it is
taken in the order of time like any record, so a timer that is due before goes before, and the event itself finds both
lives merged. A life only ever moves towards the root of its cluster, which leads nowhere else: there is no loop.

Only the customer whose life is on its way waits for it, with all that they do. Customers may wait for each other's
lives, never in a circle: what each is sent is taken in the order of its times, and all of that was written here, in one
order.

The graph is the partition's state: for each name that was ever linked its root and kind, in a changelog of its own.
Owns the graph, and the order in which links are committed. Must never look at a profile.
"""

from collections.abc import Collection, Mapping
from time import perf_counter
from typing import Any, NamedTuple

from orchestrator.engine.linking import Linked, RefusedLink, link
from orchestrator.errors import EventError
from orchestrator.model.catalog import Catalog
from orchestrator.model.envelopes import read
from orchestrator.model.event import Event
from orchestrator.model.identity import CUSTOMER_ID, Unnamed
from orchestrator.model.rights import ERASE
from orchestrator.runtime.identity import named_in
from orchestrator.runtime.kafka.alignment import Alignment
from orchestrator.runtime.kafka.clock import SourcedClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.records import KafkaRecord, dead_letter, event_of, source_of
from orchestrator.runtime.kafka.resolved import (
    CAME_HEADER,
    CLOCK_KEY,
    FORGET,
    KIND_HEADER,
    LAGGING_MS,
    MOVE,
    RECEIPT,
    TICK_MS,
    WAIT,
    WHO_HEADER,
    Move,
    Tick,
    Wait,
    Who,
    encode,
    encode_tick,
    hear_tick,
    is_linkers,
    is_plain,
    kind_of,
    origin_of,
)
from orchestrator.runtime.kafka.state import Checkpoint, MemoryState, beside, content_of
from orchestrator.runtime.kafka.unit import NEVER, OTHER_TYPES, Unit

# The linker's name among the sources whose clocks the turns wait for.
LINKS = "links"
# So many combinations of identifiers are remembered.
REMEMBERED = 100_000
Together = tuple[Any, ...]


class _Known(NamedTuple):
    """Where identifiers that came together lead, as a key and its partition, and whom they name, as it is passed on."""

    key: bytes
    number: int
    who: bytes


class LinkingPartition(Unit):
    """The graph, and everything that has to be linked, on its way to `turns` partitions; `topic` is its one input."""

    clock: SourcedClock

    def __init__(
        self,
        turns: int,
        inputs: Inputs,
        state: MemoryState,
        clock: SourcedClock,
        header: Header,
        *,
        topic: str,
        most_facts: int,
    ) -> None:
        super().__init__(0, inputs, clock, header.offsets, most_facts)
        self.revision = header.revision
        self._state = self.remembered = state
        self._turns = turns
        self._topic = topic
        self._log = header.log
        self._aligned = Alignment.of(header, topic, holds_all=True)
        self._linked_ms = min(clock.now_ms, header.mark_ms) if header.read else clock.now_ms
        self._told_ms = self._told_at_ms = 0
        self._members: dict[str, dict[str, str]] = {}
        # What came together since this began, and by root, so that it is forgotten when that leads elsewhere.
        self._together: dict[Together, _Known] = {}
        self._rooted: dict[str, list[Together]] = {}
        for name, record in state:
            root, kind = read_name(record)
            self._members.setdefault(root, {})[name] = kind

    @property
    def has_work(self) -> bool:
        """Tell whether a record may be taken that every source has passed, or one has still to be looked at."""
        return self.backlog > 0 or (self._aligned.is_whole and self._aligned.may_go(self.clock.now_ms))

    def is_due(self, wall_ms: int) -> bool:
        """Tell whether a record may be taken, or the clock is to be told."""
        may_go = self._aligned.is_whole and self._aligned.may_go(self.clock.open_until(wall_ms))
        return self.has_work or may_go or (self.turned_ms > self._told_ms and self._may_tell(wall_ms))

    @property
    def turned_ms(self) -> int:
        """Return the instant up to which everything is linked."""
        return self._linked_ms

    def wants_end(self, wall_ms: int) -> bool:
        """Tell that ends are not asked for: that of our own input proves nothing."""
        return False

    def reach_end(self, asked_ms: int) -> None:
        """Do nothing: it is the sources' clocks that count."""

    def go_on_from(self, topic: str, offset: int) -> None:
        """Take note that the log does not reach to where it was left."""
        super().go_on_from(topic, offset)
        self._aligned = self._aligned.going_on_from(offset)

    def pass_over(self, positions: Mapping[str, int]) -> None:
        """Take note that everything before these positions was read."""
        self._aligned.pass_over_all(positions[self._topic])

    def _may_tell(self, wall_ms: int) -> bool:
        """Whether it is time to tell the clock: now and then, and at once while it lags."""
        return wall_ms - self.turned_ms > LAGGING_MS or not 0 <= wall_ms - self._told_at_ms < TICK_MS

    def work(self, catalog: Catalog, ended: Collection[str], wall_ms: int, until: float = NEVER) -> None:
        """Link what waited and what was fetched, as far as that may be taken; then tell the clock if that is due."""
        self._until = until
        self._release(catalog, wall_ms)
        if perf_counter() < until:
            super().work(catalog, ended, wall_ms, until)
        if self._may_tell(wall_ms):
            self._tell(wall_ms)

    def _tell(self, wall_ms: int) -> None:
        now_ms = self.turned_ms
        if now_ms <= self._told_ms:
            return
        self._told_ms, self._told_at_ms = now_ms, wall_ms
        tick = encode_tick(Tick(LINKS, now_ms, self.clock.is_live))
        for number in range(self._turns):
            self.outgoing.forwards[number].append((CLOCK_KEY, tick, now_ms, []))

    def take_outgoing(self) -> tuple[Outgoing, Header]:
        """Hand the buffers over, the clock behind what they hold, and the first offset that a restart has to read."""
        self._tell(self._told_at_ms)
        if self._topic in self._offsets:
            self._offsets[self._topic] = self.outgoing.offsets[self._topic] = self._aligned.position
        taken, header = super().take_outgoing()
        header.log = self._log
        self.clock.note_in(header)
        self._aligned.note_in(header)
        return taken, header

    def committed(self, outgoing: Outgoing, checkpoint: Checkpoint) -> None:
        """Tell the state what the changelog holds."""
        self._state.commit(outgoing.changes, checkpoint)

    def forget_fetched(self) -> None:
        """Drop what was fetched, and what waits: it will be read again."""
        super().forget_fetched()
        self._aligned.clear()

    def close(self) -> None:
        """Let go of the state."""
        self._state.close()

    # The graph that `link` sees

    def root_of(self, name: str) -> str | None:
        """Give the root of the cluster that a name is in."""
        record = self._state.get(name)
        return None if record is None else read_name(record)[0]

    def members_of(self, root: str) -> Mapping[str, str]:
        """Give a cluster's names with their kinds."""
        return self._members.get(root, {})

    def _learn(self, linked: Linked) -> None:
        if linked.names:
            for root in linked.merged:
                self._members.pop(root, None)
                self._forget_together(root)
            self._members.setdefault(linked.root, {}).update(linked.names)
            for name, kind in linked.names.items():
                record = beside(f"{linked.root} {kind}".encode())
                self._state.put(name, record)
                self.outgoing.changes[name] = record

    def _unlearn(self, root: str) -> None:
        self._forget_together(root)
        for name in self._members.pop(root, {}):
            self._state.drop(name)
            self.outgoing.changes[name] = None

    # What comes

    def _process(self, catalog: Catalog, wall_ms: int) -> None:
        """Take in what was fetched, then link what every source has passed."""
        aligned, records, at = self._aligned, self._records, self._at
        # What waited before a crash is read again as a whole, and was no more than that.
        while at < len(records) and (not aligned.is_crowded or not aligned.is_whole):
            record = records[at]
            at += 1
            if record.key == CLOCK_KEY:
                if (letter := hear_tick(self.clock, record, wall_ms)) is not None:
                    self.bury(letter)
            elif not aligned.was_taken(record):
                # What a partition behind us sent keeps its order, whatever this machine's clock makes of its time.
                aligned.add(record, max(wall_ms, record.timestamp) if is_linkers(record) else wall_ms)
            aligned.pass_over(record.offset + 1)
        self._at = at
        self._release(catalog, wall_ms)

    def _release(self, catalog: Catalog, wall_ms: int) -> None:
        """Link what may be taken, in the order of its times."""
        aligned, clock_ms = self._aligned, self.clock.now_ms
        if not aligned.is_whole:
            return
        until_ms = self.clock.open_until(wall_ms)
        while (next_ms := aligned.next_ms) is not None:
            # What is late goes with whatever it came with: a commit in between could not tell it from what was done.
            if not aligned.is_late:
                if (next_ms > until_ms and not aligned.is_crowded) or self.outgoing.is_full:
                    break
                self._linked_ms = max(self._linked_ms, min(next_ms, clock_ms))
            self._take(catalog, aligned.take(), wall_ms)
            if perf_counter() >= self._until and not aligned.is_late:
                return
        if aligned.next_ms is None or aligned.next_ms > clock_ms:
            self._linked_ms = max(self._linked_ms, clock_ms)

    def _take(self, catalog: Catalog, record: KafkaRecord, wall_ms: int) -> None:
        self.outgoing.facts += 1
        # Never before what was linked before: whoever is told takes all of it in the order of its times, and a life
        # that was moved away by an event that came late would otherwise leave before what it was sent earlier.
        at_ms = self._aligned.mark[0]
        try:
            if is_plain(record):
                self._link(catalog, read(record.value or b"", record.timestamp), record, at_ms, wall_ms)
            elif (kind := kind_of(record)) == RECEIPT:
                self._pass_receipt(record, at_ms)
            elif kind == FORGET:
                self._unlearn((record.key or b"").decode())
            else:
                self._link(catalog, event_of(record), record, at_ms, wall_ms)
        except EventError as error:
            self.tally.events[OTHER_TYPES, "dead"] += 1
            origin = origin_of(record) or (source_of(record), record.offset)
            self.bury(dead_letter(record, error.reason, error.message, wall_ms, origin))

    def _pass_receipt(self, record: KafkaRecord, at_ms: int) -> None:
        """Send a receipt after its customer, who was merged meanwhile; who is not known here has nothing to hear."""
        before = (record.key or b"").decode(errors="replace")
        root = self.root_of(before)
        if root is not None and root != before:
            self._send(root, record.value or b"", at_ms, [(KIND_HEADER, RECEIPT)])

    def _link(self, catalog: Catalog, event: Event, record: KafkaRecord, at_ms: int, wall_ms: int) -> None:
        """Link what an event names, and pass it on behind what that asks of lives; both bear the time `at_ms`."""
        came = [*record.headers]
        if record.timestamp != at_ms:
            came.append((CAME_HEADER, str(min(record.timestamp, wall_ms)).encode()))
        together = (event.customer_id, *event.identifiers.items())
        if (known := self._together.get(together)) is not None and event.type != ERASE:
            if event.type in catalog.wanted:
                headers = [*came, (WHO_HEADER, known.who)]
                self._send_to(known.number, known.key, record.value or b"", at_ms, headers)
            else:  # no news: the customer was told of these identifiers when they came first
                self.tally.events[OTHER_TYPES, "ignored"] += 1
            return
        rules = catalog.project.identity
        given = rules.read_all(event.customer_id, event.identifiers)
        named = named_in(given)
        linking = [each for each in named if each.kind in rules.kinds] or named[:1]
        linked = link(self, rules, linking)
        self._learn(linked)
        unnamed = [RefusedLink(each.kind, "", each.reason) for each in given if isinstance(each, Unnamed)]
        refused = [*unnamed, *linked.refused]
        stopped = {no.name for no in linked.refused}
        kept = [each for each in named if each.name not in stopped]
        customer_id = next((each.value for each in kept if each.kind == CUSTOMER_ID), None)
        if linked.merged or refused:
            link_id, losers = f"{source_of(record)}/{record.offset}", list(linked.merged)
            told = [(no.kind, no.name, no.reason) for no in refused]
            self._bring_together(linked.root, Wait(link_id, losers, event.id, customer_id, told), at_ms)
        who = encode(Who(customer_id, {each.kind: each.value for each in kept if each.kind != CUSTOMER_ID}))
        self._send(linked.root, record.value or b"", at_ms, [*came, (WHO_HEADER, who)])
        if event.type == ERASE:
            self._unlearn(linked.root)
        elif not refused and len(linking) == len(named):
            self._remember(together, linked.root, who)

    def _bring_together(self, root: str, wait: Wait, at_ms: int) -> None:
        """Have lives handed over to the one who waits for them; without any, have only refusals put on record."""
        for loser in wait.losers:
            self._send(loser, encode(Move(wait.link, root)), at_ms, [(KIND_HEADER, MOVE)])
        self._send(root, encode(wait), at_ms, [(KIND_HEADER, WAIT)])

    def _remember(self, together: Together, root: str, who: bytes) -> None:
        """Remember identifiers that came together and are one customer's: most do so again and again."""
        if len(self._together) >= REMEMBERED:
            self._together.clear()
            self._rooted.clear()
        key = root.encode()
        self._together[together] = _Known(key, partition_of(key, self._turns), who)
        self._rooted.setdefault(root, []).append(together)

    def _forget_together(self, root: str) -> None:
        for together in self._rooted.pop(root, ()):
            self._together.pop(together, None)

    def _send(self, profile_id: str, value: bytes, at_ms: int, headers: list[tuple[str, bytes]]) -> None:
        key = profile_id.encode()
        self._send_to(partition_of(key, self._turns), key, value, at_ms, headers)

    def _send_to(self, number: int, key: bytes, value: bytes, at_ms: int, headers: list[tuple[str, bytes]]) -> None:
        self.outgoing.forwards[number].append((key, value, at_ms, headers))
        self.outgoing.bytes += len(value)


def read_name(record: bytes) -> tuple[str, str]:
    """Read what the changelog says of a name: the profile that it leads to, and its kind."""
    root, _, kind = content_of(record).decode().partition(" ")
    return root, kind
