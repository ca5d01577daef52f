"""A partition behind resolve: its clock is the earliest of all sources, and its records are aligned by that.

While a source lags, records wait until every source is past them, so that catching up after an hour down comes to the
same as never having been down. Once all are near the wall clock, records are taken as they come: waiting would only
cost time, and timers keep to the sources' clock in any case.
A customer whose life is on its way from another partition waits for it with all that they do; nobody else does.
Owns that choice. Must never fire a timer that a source's clock has not passed.
"""

import traceback
from collections import deque
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from itertools import count
from time import perf_counter

from orchestrator.engine.linking import RefusedLink
from orchestrator.errors import EventError
from orchestrator.model import codec
from orchestrator.model.catalog import Catalog
from orchestrator.model.envelopes import read
from orchestrator.model.event import Event
from orchestrator.model.identity import Unnamed
from orchestrator.runtime import turn
from orchestrator.runtime.kafka.alignment import Alignment
from orchestrator.runtime.kafka.clock import SourcedClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.partition import KEEPS_CASES_MS, Partition
from orchestrator.runtime.kafka.records import KafkaRecord, dead_letter, event_of
from orchestrator.runtime.kafka.resolved import (
    CASE,
    CLOCK_KEY,
    FORGET,
    KIND_HEADER,
    LIFE,
    MOVE,
    OBJECTION,
    ORIGIN_HEADER,
    RECEIPT,
    WAIT,
    Brought,
    Life,
    came_of,
    decode_brought,
    decode_life,
    decode_move,
    decode_wait,
    encode,
    hear_tick,
    is_linkers,
    is_plain,
    kind_of,
    origin_of,
    who_of,
)
from orchestrator.runtime.kafka.shortcut import Clock
from orchestrator.runtime.kafka.state import PartitionState, beside, content_of
from orchestrator.runtime.kafka.unit import NEVER, OTHER_TYPES
from orchestrator.runtime.kafka.waiting import plain_count
from orchestrator.runtime.turn import Meeting


def _place_of(link: str, loser: str) -> str:
    """Name the place where a life waits; no profile's id looks like it."""
    return f"@life {link} {loser}"


def _brought_by(link: str, loser: str, number: int) -> str:
    """Name the place where a case waits that comes with a life."""
    return f"@brought {link} {loser} {number}"


def is_life_of(place: bytes, names: Container[bytes]) -> bool:
    """Tell whether a life waits at this place that was known by one of these names."""
    return place.startswith(b"@life ") and place.rpartition(b" ")[2] in names


class ResolvedPartition(Partition):
    """The customers of one partition number of the resolved topic."""

    clock: SourcedClock

    def __init__(
        self,
        number: int,
        count: int,
        inputs: Inputs,
        state: PartitionState,
        clock: SourcedClock,
        header: Header,
        *,
        topic: str,
        most_facts: int,
        receipts: str | None = None,
        objections: Objections | None = None,
        links: bool = False,
        keeps_cases_ms: int = KEEPS_CASES_MS,
    ) -> None:
        super().__init__(
            number,
            count,
            inputs,
            state,
            clock,
            header,
            checks_keys=False,
            most_facts=most_facts,
            receipts=receipts,
            objections=objections,
            keeps_cases_ms=keeps_cases_ms,
        )
        self._topic = topic
        self._links = links
        self._shortcut.origin = ORIGIN_HEADER
        # Those who have got what they waited for, in that order.
        self._ready: deque[bytes] = deque()
        # The links whose lives are waited for, as far as they were read.
        self._waited: set[str] = set()
        self._aligned = Alignment.of(header, topic)
        self._turned_ms = min(clock.now_ms, header.mark_ms) if header.read else clock.now_ms

    @property
    def has_work(self) -> bool:
        """Tell whether a record may be taken, or a timer that the sources have passed."""
        if not self._aligned.is_whole:
            return self.backlog > 0
        goes_on = bool(self._unsettled) and self.clock.is_live
        # Where timers filled a transaction, the rest of them need no further tick.
        is_ready = self._aligned.may_go(self.clock.now_ms) or bool(self._ready)
        return self.backlog > 0 or is_ready or goes_on or self._timers.next_ms < self.clock.now_ms

    def is_due(self, wall_ms: int) -> bool:
        """Tell the same, with what may be taken as it comes: what was left over waits for no clock."""
        aligned = self._aligned
        return self.has_work or (aligned.is_whole and aligned.may_go(self.clock.open_until(wall_ms)))

    @property
    def turned_ms(self) -> int:
        """Return the instant up to which the work is done: timers may lie behind what the sources have told."""
        return self._turned_ms

    def wants_end(self, wall_ms: int) -> bool:
        """Tell that ends are not asked for: that of our own input proves nothing."""
        return False

    def go_on_from(self, topic: str, offset: int) -> None:
        """Take note that the log does not reach to where it was left."""
        super().go_on_from(topic, offset)
        if topic == self._topic:
            self._aligned = self._aligned.going_on_from(offset)

    def pass_over(self, positions: Mapping[str, int]) -> None:
        """Take note that everything before these positions was read."""
        self._aligned.pass_over_all(positions.get(self._topic, 0))
        super().pass_over({topic: each for topic, each in positions.items() if topic != self._topic})

    def _process(self, catalog: Catalog, wall_ms: int) -> None:
        """Take in what was fetched, then turn what every source has passed."""
        aligned, records, at, topic = self._aligned, self._records, self._at, self._topic
        # What waited before a crash is read again as a whole, and was no more than that.
        # Whoever waits for a life reads on until it comes.
        while at < len(records) and (not aligned.is_crowded or not aligned.is_whole or self._held):
            record = records[at]
            if record.topic == topic and aligned.is_new(record) and (plain := self._plain_from(at)):
                at += aligned.add_new(plain, wall_ms, until_crowded=not self._held)
                continue
            at += 1
            if record.topic != topic:
                self._turn(catalog, record, wall_ms)
                if self.outgoing.is_full or perf_counter() >= self._until:
                    break
            elif is_plain(record) and not aligned.was_taken(record):
                aligned.add(record, wall_ms)
            else:
                self._take_in(record, wall_ms)
        self._at = at
        self._release(catalog, wall_ms)

    def _plain_from(self, at: int) -> list[KafkaRecord]:
        """Give the plain events of our topic that follow each other, without a word to each of them."""
        records = self._records if isinstance(self._records, list) else list(self._records)
        return records[at : at + plain_count(records, at, self._topic, ORIGIN_HEADER)]

    def _take_in(self, record: KafkaRecord, wall_ms: int) -> None:
        """Take in what is no plain event, or was processed before."""
        aligned, kind = self._aligned, kind_of(record)
        if record.key == CLOCK_KEY:
            if (letter := hear_tick(self.clock, record, wall_ms)) is not None:
                self.bury(letter)
        elif kind == LIFE:
            self._take_life(record)
        elif kind == CASE:
            self._take_brought(record)
        elif kind == OBJECTION:
            self._take_objection((record.key or b"").decode(), record.value or b"[]")
        elif not aligned.was_taken(record):
            if kind == WAIT:
                self._waited.add(decode_wait(record.value or b"").link)
            # The linker's keep their order, whatever this machine's clock makes of their times.
            aligned.add(record, max(wall_ms, record.timestamp) if is_linkers(record) else wall_ms)
        aligned.pass_over(record.offset + 1)

    def work(self, catalog: Catalog, ended: Collection[str], wall_ms: int, until: float = NEVER) -> None:
        """Turn what waited, then what was fetched; the clock may have gone on meanwhile."""
        self._lend_to(catalog)
        self._until = until
        self._release(catalog, wall_ms)
        if perf_counter() < until:
            super().work(catalog, ended, wall_ms, until)

    def _release(self, catalog: Catalog, wall_ms: int) -> None:
        aligned, sink, clock_ms = self._aligned, self.outgoing, self.clock.now_ms
        if not aligned.is_whole:
            return
        self._go_on(catalog, wall_ms)
        until_ms = self.clock.open_until(wall_ms)
        has_left_held = aligned.has_left_held
        while (key := aligned.next_key) is not None:
            is_plain_run = not (self._held or has_left_held or sink.is_full or key <= aligned.mark)
            if is_plain_run and self._run(until_ms, wall_ms):
                if perf_counter() >= self._until:
                    return
                continue
            next_ms = key[0]
            # What is late goes with whatever it came with: a commit in between could not tell it from what was done.
            if key > aligned.mark:
                if (next_ms > until_ms and not aligned.is_crowded) or sink.is_full:
                    break
                if not self._pass(catalog, next_ms if next_ms < clock_ms else clock_ms, wall_ms):
                    return
            record = aligned.look()
            # Of a plain event that nobody waits before, nearly each, there is no more to ask.
            if (self._held or not is_plain(record)) and self._must_wait(record):
                self._hold(wall_ms)
                continue
            aligned.take()
            if has_left_held and aligned.was_held(record):
                self._wake_before(catalog, (record.key or b"").decode(), self._now_of(record, wall_ms), wall_ms)
            self._turn(catalog, record, wall_ms)
            if perf_counter() >= self._until and not aligned.is_late:
                return
        if aligned.next_ms is not None and aligned.next_ms <= clock_ms:
            return
        # Behind the last record of any source it is the wall clock that passes, as `now` then says.
        if not self._pass(catalog, min(self.clock.logged_ms, clock_ms), wall_ms):
            return
        if self._pass(catalog, clock_ms, wall_ms, clock_ms) and self._unsettled and self.clock.is_live:
            self._settle(catalog, clock_ms, wall_ms)

    def _run(self, until_ms: int, wall_ms: int) -> bool:
        """Let what is compiled take records up to a time; False where the next one is for Python."""
        if not self._shortcut.is_open:
            return False
        records, at = self._aligned.ahead(until_ms)
        clock = Clock(self._turned_ms, wall_ms, self.clock.now_ms)
        left, self._turned_ms = self._shortcut.run(records, at, clock, self._until, self.outgoing, self.tally)
        self._aligned.take_ahead(left - at)
        return left > at

    def _pass(self, catalog: Catalog, instant_ms: int, wall_ms: int, now_ms: int | None = None) -> bool:
        """Let the turns go on to an instant that all sources have passed, timers first."""
        if self._timers.next_ms < instant_ms and not self._fire(catalog, instant_ms, now_ms, wall_ms):
            return False
        if instant_ms > self._turned_ms:
            self._turned_ms = instant_ms
        return True

    def _turn(self, catalog: Catalog, record: KafkaRecord, wall_ms: int) -> None:
        self._turn_at(catalog, record, self._now_of(record, wall_ms), wall_ms)

    def _now_of(self, record: KafkaRecord, wall_ms: int) -> int:
        """Give the instant of a record's turn; that of one which was held before a crash has been its own."""
        at_ms = record.timestamp if record.timestamp <= wall_ms else 0
        if at_ms and self._aligned.was_held(record):
            return at_ms
        return max(at_ms, self._turned_ms) or wall_ms

    def _origin_of(self, record: KafkaRecord) -> tuple[str, int]:
        """Tell where its producer put a record, before resolve passed it on."""
        passed_on = None if record.topic == self._receipts else origin_of(record)
        return passed_on or super()._origin_of(record)

    def _turn_at(self, catalog: Catalog, record: KafkaRecord, now_ms: int, wall_ms: int) -> None:
        self.outgoing.facts += 1
        if record.topic == self._receipts:
            self._take_receipt(catalog, record, now_ms, wall_ms)
            return
        try:
            if is_plain(record):
                event = read(record.value or b"", record.timestamp)
            elif (kind := kind_of(record)) is not None:
                self._take_message(catalog, kind, record, now_ms, wall_ms)
                return
            else:
                event = event_of(record, came_of(record))
                if (who := who_of(record)) is not None:
                    event.customer_id, event.identifiers = who.customer_id, who.identifiers
        except EventError as error:
            self._bury_record(record, error, wall_ms)
            return
        if event.type in catalog.wanted or event.identifiers:
            self._take(catalog, event, record, now_ms, wall_ms)
        else:
            self.tally.events[OTHER_TYPES, "ignored"] += 1
            self.outgoing.facts -= 1  # as in `Partition`

    def _identify(
        self, catalog: Catalog, event: Event, record: KafkaRecord
    ) -> tuple[str, Sequence[RefusedLink | Unnamed]]:
        """Name the profile that resolve, or the linker, sent the event to; the linker has said what names nobody."""
        if record.key and (self._links or not event.identifiers):
            return record.key.decode(), ()
        return super()._identify(catalog, event, record)

    def _miss(self, record: KafkaRecord) -> None:
        """Ask the linker after the customer of a receipt, who may have been merged meanwhile."""
        if self._links and record.topic == self._receipts:
            key = record.key or b""
            self.outgoing.links.append((key, record.value or b"", record.timestamp, [(KIND_HEADER, RECEIPT)]))

    def _unname(self, profile_id: str, now_ms: int) -> None:
        """Have the linker forget by which names the customer was known."""
        if self._links:
            self.outgoing.links.append((profile_id.encode(), b"", now_ms, [(KIND_HEADER, FORGET)]))

    # Lives that are one

    def _take_life(self, record: KafkaRecord) -> None:
        """Keep a life that was handed over until the one who waits for it is at that point."""
        life = decode_life(record.value or b"")
        if len(life.record) >= codec.HEADER_BYTES:
            # Before it is taken: merged by whoever does not read it, it would be lost.
            codec.check_format(life.record[codec.HEADER_BYTES - 1], record.topic)
        # Whoever waits stands before it in the log; where nobody does any more, this is read again after a crash.
        if life.link in self._waited:
            self._keep_at(_place_of(life.link, life.loser), beside(life.record))
            if (key := record.key or b"") in self._held and key not in self._ready:
                self._ready.append(key)

    def _take_brought(self, record: KafkaRecord) -> None:
        """Keep a case that comes with a life, until that is merged."""
        brought = decode_brought(record.value or b"")
        if brought.link in self._waited:
            self._keep_at(self._next_place(brought.link, brought.loser), beside(brought.file))

    def _may_go(self, record: KafkaRecord) -> bool:
        """Whether a record may be taken: one that waits for lives only when all of them are here."""
        if kind_of(record) != WAIT:
            return True
        wait = decode_wait(record.value or b"")
        return all(self.state.get(_place_of(wait.link, loser)) is not None for loser in wait.losers)

    def _must_wait(self, record: KafkaRecord) -> bool:
        """Whether a record's customer waits for a life, or begins to, with this one; the others go on meanwhile."""
        return record.key in self._held or not self._may_go(record)

    def _hold(self, wall_ms: int) -> None:
        """Set aside what a customer does while a life that is theirs is on its way, for its own instant."""
        record = self._aligned.hold()
        self._held.setdefault(record.key or b"", deque()).append((record, self._now_of(record, wall_ms)))

    def _go_on(self, catalog: Catalog, wall_ms: int) -> None:
        """Let those go on whose lives have come, each in their own order."""
        while self._ready and not self.outgoing.is_full:
            key = self._ready.popleft()
            queue, profile_id = self._held[key], key.decode()
            while queue and self._may_go(queue[0][0]):
                record, now_ms = queue.popleft()
                self._wake_before(catalog, profile_id, now_ms, wall_ms)
                self._aligned.let_go(record)
                self._turn_at(catalog, record, now_ms, wall_ms)
            if not queue:
                self._unhold(key)

    def _wake_before(self, catalog: Catalog, profile_id: str, now_ms: int, wall_ms: int) -> None:
        """Fire what became due of a customer who waited, before what they did next."""
        record = self.state.get(profile_id)
        while record is not None and 0 < (due_ms := codec.due_of(record)) < now_ms:
            self._wake(catalog, profile_id, record, due_ms, due_ms, wall_ms)
            before, record = record, self.state.get(profile_id)
            if record is before:  # it failed, and is told
                return

    def _unhold(self, key: bytes) -> None:
        """Let a customer's timers fire again."""
        del self._held[key]
        record = self.state.get(key.decode())
        if record is not None and (due_ms := codec.due_of(record)):
            self._timers.put_back(key.decode(), due_ms)

    def _take_message(self, catalog: Catalog, kind: bytes, record: KafkaRecord, now_ms: int, wall_ms: int) -> None:
        if kind == MOVE:
            self._hand_over(record)
        elif kind == WAIT:
            self._meet(catalog, record, now_ms, wall_ms)
        else:
            self._take_receipt(catalog, record, now_ms, wall_ms)

    def _hand_over(self, record: KafkaRecord) -> None:
        """Send the life of a profile that is another's now after it; nothing of it stays here."""
        move = decode_move(record.value or b"")
        loser, key = (record.key or b"").decode(), move.root.encode()
        life = self.state.get(loser)
        if life is not None:
            self.state.drop(loser)
            self.outgoing.changes[loser] = None
            self._occupancy.leave([entry.journey for entry in codec.decode(life).entries])
        brought = [(CASE, encode(Brought(move.link, loser, file))) for file in self._cases.leave(loser)]
        for kind, message in [*brought, (LIFE, encode(Life(move.link, loser, life or b"")))]:
            self.outgoing.forwards[partition_of(key, self._count)].append(
                (key, message, record.timestamp, [(KIND_HEADER, kind)])
            )
            self.outgoing.bytes += len(message)

    def _meet(self, catalog: Catalog, record: KafkaRecord, now_ms: int, wall_ms: int) -> None:
        """Merge the lives that were handed over, and put on record what was merged and refused."""
        wait = decode_wait(record.value or b"")
        profile_id = (record.key or b"").decode()
        places = [_place_of(wait.link, loser) for loser in wait.losers]
        lives = [content_of(kept) for place in places if (kept := self.state.get(place)) is not None]
        lives = [life for life in lives if life]
        self._waited.discard(wait.link)
        files = [file for loser in wait.losers for file in self._brought(wait.link, loser)]
        for place in places:
            self._keep_at(place, None)
        refused = [RefusedLink(*no) if no[1] else Unnamed(no[0], no[2]) for no in wait.refused]
        if not lives and not refused:
            return
        old = self.state.get(profile_id)
        event = Event(wait.event_id, "", record.timestamp, wait.customer_id)
        try:
            turned = turn.on_meeting(catalog, event, profile_id, old, Meeting(lives, refused), now_ms)
            entries = [entry.journey for life in lives for entry in codec.decode(life).entries]
        except Exception as error:  # noqa: BLE001 - one customer's bug holds up nobody else; it is told
            text = "".join(traceback.format_exception(error))
            message = "lives could not be merged, and those that were handed over are lost"
            self.bury(dead_letter(record, "failure", message, wall_ms, profile_id=profile_id, traceback=text))
            return
        self._occupancy.arrive(entries)
        self._apply(catalog, profile_id, turned, 0 if old is None else codec.due_of(old), wall_ms, record)
        for file in files:
            customer_id = wait.customer_id or turn.customer_of(self.state.get(profile_id))
            self._cases.adopt(file, profile_id, customer_id)

    def _next_place(self, link: str, loser: str) -> str:
        """Find the first place that is free for a case of a life on its way; they are numbered without a gap."""
        return next(place for number in count() if self.state.get(place := _brought_by(link, loser, number)) is None)

    def _brought(self, link: str, loser: str) -> Iterator[bytes]:
        """Take the cases out of their places that came with a life."""
        for number in count():
            place = _brought_by(link, loser, number)
            kept = self.state.get(place)
            if kept is None:
                return
            self._keep_at(place, None)
            yield content_of(kept)

    def take_outgoing(self) -> tuple[Outgoing, Header]:
        """Hand the buffers over; the group's offset is the first that a restart has to read again."""
        aligned = self._aligned
        if self._topic in self._offsets:
            self._offsets[self._topic] = self.outgoing.offsets[self._topic] = aligned.position
        taken, header = super().take_outgoing()
        self.clock.note_in(header)
        aligned.note_in(header)
        return taken, header

    def forget_fetched(self) -> None:
        """Drop what was fetched, and what waits: it will be read again."""
        super().forget_fetched()
        self._aligned.clear()
        self._waited.clear()
        self._ready.clear()
        for key in list(self._held):
            self._unhold(key)
