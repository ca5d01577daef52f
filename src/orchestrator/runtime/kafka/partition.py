"""The turns of one partition: its state and timers, and what events and time do to them.

Owns the order of work: timers that the clock has passed go before the record that passed it, each with its own due
instant as `now`; those that the wall clock passed are given the wall clock, so that a worker that comes late respects
the quiet hours of now.
Must never decide anything about a customer, nor talk to Kafka.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from time import perf_counter

from orchestrator.engine.linking import RefusedLink
from orchestrator.errors import EventError
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.effects import Action
from orchestrator.model.envelopes import read
from orchestrator.model.event import Event
from orchestrator.model.identity import CUSTOMER_ID, Unnamed
from orchestrator.model.rights import ERASE
from orchestrator.runtime import turn
from orchestrator.runtime.identity import by_itself
from orchestrator.runtime.kafka import cases, letters
from orchestrator.runtime.kafka.cases import Cases
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.runtime.kafka.letters import TIMER_SOURCE
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.objections import PLACE, Objections
from orchestrator.runtime.kafka.occupancy import Occupancy
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.records import KafkaRecord, check_key, dead_letter, event_of, receipt_of, source_of
from orchestrator.runtime.kafka.resolved import KIND_HEADER, OBJECTION, kind_of
from orchestrator.runtime.kafka.shortcut import MOST_AT_ONCE, Clock, Shortcut
from orchestrator.runtime.kafka.state import Checkpoint, PartitionState
from orchestrator.runtime.kafka.unit import NEVER, OTHER_TYPES, Unit
from orchestrator.runtime.kafka.unsettled import Unsettled
from orchestrator.runtime.limits import Ledger
from orchestrator.runtime.objections import renewed
from orchestrator.runtime.timers import Timers

# So many instants at which a journey with a limit took somebody are told apart: they are in the header of each commit.
MOST_INSTANTS = 1_000
# How long closed cases are kept, where nobody says otherwise.
KEEPS_CASES_MS = 7 * instants.DAY_MS


class Partition(Unit):
    """The customers of one partition number, of `count`. `receipts` is the input that delivery writes."""

    def __init__(
        self,
        number: int,
        count: int,
        inputs: Inputs,
        state: PartitionState,
        clock: PartitionClock,
        header: Header,
        *,
        checks_keys: bool,
        most_facts: int,
        receipts: str | None = None,
        objections: Objections | None = None,
        keeps_cases_ms: int = KEEPS_CASES_MS,
    ) -> None:
        super().__init__(number, inputs, clock, header.offsets, most_facts)
        self.revision = header.revision
        self.state = self.remembered = state
        self._objections = objections or Objections()
        self._count = count
        self._checks_keys = checks_keys
        self._receipts = receipts
        found: list[str] = []
        self._timers = Timers(self._found_due(state, found.append))
        self._shortcut = Shortcut(
            state, self._timers, receipts, self._objections, (number, count) if checks_keys else None
        )
        self._cases = Cases(state, found, self._keep_at, self._measure, keeps_cases_ms)
        # What customers wait with until a life comes that is theirs, by the profile's key; behind resolve only.
        self._held: dict[bytes, deque[tuple[KafkaRecord, int]]] = {}
        self._ended_ms = 0
        self._occupancy = Occupancy(header.entries)
        self._unsettled = Unsettled(header.settled)
        self._may_settle = False
        self._ledger = Ledger(header.admitted, number, count, MOST_INSTANTS)
        newest = max(header.format, codec.written_format())  # it stays among the records, whatever is written later
        self._about = header.count, header.is_behind_resolve, header.log, newest

    def _found_due(self, state: PartitionState, found: Callable[[str], None]) -> Iterator[tuple[int, str]]:
        """Look at everything that is kept, once: who is due when, and the noes and cases among it."""
        due_of = codec.due_of
        for name, record in state:
            if due_ms := due_of(record):
                yield due_ms, name
            if name[:1] == "@":
                if name.startswith(PLACE):
                    self._objections.restore(name, record)
                elif name.startswith(cases.PLACE):
                    found(name)

    @property
    def waiting(self) -> int:
        """Count the timers that wait, those included that will come to nothing."""
        return len(self._timers)

    @property
    def entries(self) -> dict[str, int]:
        """Count the customers inside each journey that anybody is in."""
        self._count_decisions()
        return self._occupancy.entries

    @property
    def has_work(self) -> bool:
        """Tell whether a record waits, or a timer that the end of the log has passed."""
        return (
            self.backlog > 0 or self._timers.next_ms <= self._ended_ms or (bool(self._unsettled) and self._may_settle)
        )

    def wants_end(self, wall_ms: int) -> bool:
        """Tell whether somebody waits for the wall clock: a timer that it has passed, or new definitions."""
        return self._timers.next_ms <= wall_ms or bool(self._unsettled)

    def take_up(self, catalog: Catalog, revision: int) -> None:
        """Go by these definitions from now on, and look for those whom they move."""
        super().take_up(catalog, revision)
        if not self._shortcut.goes_by(catalog):
            self._count_decisions()  # those by the definitions before
            self._shortcut.take_up(catalog)
        self._unsettled.take_up(catalog, self.state)

    def reach_end(self, asked_ms: int) -> None:
        """Let the clock, and the timers that are due, go on to the instant at which the end was asked for."""
        if self.clock.pass_end(asked_ms):
            self._ended_ms = self.clock.now_ms
            self._may_settle = bool(self._unsettled)

    def committed(self, outgoing: Outgoing, checkpoint: Checkpoint) -> None:
        """Tell the state what the changelog holds."""
        self.state.commit(outgoing.changes, checkpoint)

    def close(self) -> None:
        """Let go of the state's files."""
        self.state.close()

    def _lend_to(self, catalog: Catalog) -> None:
        """Let turns ask what this partition remembers; partitions share the catalog, and take turns."""
        catalog.admissions = self._ledger
        catalog.recall = self._objections.recall(catalog.project.identity)

    def work(self, catalog: Catalog, ended: Collection[str], wall_ms: int, until: float = NEVER) -> None:
        """Fire what an end of the log has passed, then process what was fetched."""
        self._lend_to(catalog)
        self._cases.teams = catalog.project.teams
        self._until = until
        # Before records that came after that end.
        if not self._fire(catalog, self._ended_ms + 1, self._ended_ms, wall_ms):
            return
        if self._unsettled and self._may_settle:
            self._settle(catalog, self.clock.now_ms, wall_ms)
        super().work(catalog, ended, wall_ms, until)

    def take_outgoing(self) -> tuple[Outgoing, Header]:
        """Hand the buffers over, with what of the definitions is settled with everybody."""
        taken, header = super().take_outgoing()
        header.settled = list(self._unsettled.settled)
        header.admitted = self._ledger.copy()
        header.count, header.is_behind_resolve, header.log, header.format = self._about
        return taken, header

    def _process(self, catalog: Catalog, wall_ms: int) -> None:
        # What is compiled takes all that it can; then Python takes the one record that it could not.
        records, sink = self._records, self.outgoing
        while self._at < len(records) and sink.facts < sink.most_facts:
            clock, before = Clock(self.clock.now_ms, wall_ms), sink.facts
            at, self.clock.now_ms = self._shortcut.run(records, self._at, clock, self._until, sink, self.tally)
            self._at = at
            if not sink.is_full and (sink.facts == before or perf_counter() < self._until):
                self._take_records(catalog, wall_ms, at + 1 if self._shortcut.is_open else len(records))
            if self._at == at or perf_counter() >= self._until:
                return

    def _take_records(self, catalog: Catalog, wall_ms: int, end: int) -> None:
        # The hot loop: an event that nobody asks for must cost little more than the reading of it.
        records, clock, sink, timers = self._records, self.clock, self.outgoing, self._timers
        wanted, at, ignored, until = catalog.wanted, self._at, 0, self._until
        event: Event | None = None
        while at < min(end, len(records)) and sink.facts < sink.most_facts:
            record = records[at]
            now_ms = clock.pass_record(record.timestamp, wall_ms)
            # Timers go before the record; where they fill the transaction, the record waits for the next.
            if timers.next_ms < clock.now_ms and not self._fire(catalog, clock.now_ms, None, wall_ms):
                break
            at += 1
            sink.facts += 1
            if record.topic == self._receipts:
                self._take_receipt(catalog, record, now_ms, wall_ms)
            else:
                try:
                    # Nearly all have no headers, and then the value says all.
                    value = record.value
                    event = event_of(record) if record.headers or value is None else read(value, record.timestamp)
                except EventError as error:
                    self._bury_record(record, error, wall_ms)
                    continue
                if event.type not in wanted and not event.identifiers:
                    ignored += 1
                    sink.facts -= 1  # a transaction carries nothing of it
                    continue
                self._take(catalog, event, record, now_ms, wall_ms)
            # By its bytes: a few large customers are as much as thousands of others.
            if sink.is_full or perf_counter() >= until:
                break
        self.tally.end_go(event, ignored)
        self._at = at

    def _take(self, catalog: Catalog, event: Event, record: KafkaRecord, now_ms: int, wall_ms: int) -> None:
        """Turn one event that somebody may ask for."""
        try:
            profile_id, refused = self._identify(catalog, event, record)
            old = self.state.get(profile_id)
            if old is None and self._checks_keys:
                check_key(record, self.number, self._count)
            if event.type == ERASE:
                self._erase(catalog, profile_id, old, now_ms)
                return
            outcome = None if refused else self._shortcut.on_event(event, profile_id, old, now_ms, self.outgoing)
            if outcome is not None:
                self._tally_event(catalog, event, outcome)
                return
            if refused:
                turned = turn.on_meeting(catalog, event, profile_id, old, turn.Meeting((), refused), now_ms)
                self._apply(catalog, profile_id, turned, 0 if old is None else codec.due_of(old), wall_ms, record)
                old = self.state.get(profile_id)
            if self._objections.known:
                old = self._object(catalog, event, record, profile_id, now_ms, wall_ms)
            turned = self._let_hear(catalog, event, profile_id, old, now_ms, wall_ms, record)
        except EventError as error:
            self._bury_record(record, error, wall_ms)
            return
        self._tally_event(catalog, event, turned.outcome)

    def _tally_event(self, catalog: Catalog, event: Event, outcome: str) -> None:
        """Count an event by its type, where somebody asks for that."""
        self.tally.events[event.type if event.type in catalog.named else OTHER_TYPES, outcome] += 1

    def _identify(
        self, catalog: Catalog, event: Event, record: KafkaRecord
    ) -> tuple[str, Sequence[RefusedLink | Unnamed]]:
        """Name the profile that an event belongs to, and give the values that name nobody; the others stay on it."""
        rules = catalog.project.identity
        if not event.identifiers and CUSTOMER_ID not in rules.never:
            return turn.profile_of(catalog.project, event), ()
        found = by_itself(rules, event)
        return found.profile_id, found.refused

    def _object(
        self, catalog: Catalog, event: Event, record: KafkaRecord, profile_id: str, now_ms: int, wall_ms: int
    ) -> bytes | None:
        """Let the noes of whoever was erased under an address of this event hold for whoever comes back under it."""
        self._objections.identity = catalog.project.identity
        old = self.state.get(profile_id)
        for said in renewed(self._objections, catalog.project, event, profile_id):
            turned = turn.on_objection(catalog, said, old, now_ms, profile_id)
            self._apply(catalog, profile_id, turned, 0 if old is None else codec.due_of(old), wall_ms, record)
            old = self.state.get(profile_id)
        return old

    def _take_objection(self, place: str, told: bytes) -> None:
        """Remember the noes of somebody who was erased, here or elsewhere."""
        self._keep_at(place, self._objections.keep(place, told))

    def _erase(self, catalog: Catalog, profile_id: str, old: bytes | None, now_ms: int) -> None:
        """Erase a profile: its record, with its timers, and by a tombstone what the changelog holds of it."""
        self.tally.events[ERASE, "applied"] += 1
        if old is not None:
            self._forget(catalog, profile_id, old, now_ms)

    def _take_receipt(self, catalog: Catalog, record: KafkaRecord, now_ms: int, wall_ms: int) -> None:
        """Turn what became of a message; nobody is known by a receipt alone."""
        if kind_of(record) == OBJECTION:  # without resolve, that is how partitions tell each other
            self._take_objection((record.key or b"").decode(), record.value or b"[]")
            return
        profile_id = (record.key or b"").decode(errors="replace")
        try:
            event, old = receipt_of(record), self.state.get(profile_id)
            if old is None:
                self._tally_event(catalog, event, "ignored")
                self._miss(record)
                if not self._checks_keys:  # without resolve all partitions hear of everybody
                    self._spread(self._objections.by_link(event), now_ms)
                return
            if event.type in (cases.ASKED, cases.TASK):
                self._take_asking(catalog, event, profile_id, old, now_ms, wall_ms, record)
                return
            turned = self._let_hear(catalog, event, profile_id, old, now_ms, wall_ms, record)
        except EventError as error:
            self._bury_record(record, error, wall_ms)
            return
        self._tally_event(catalog, event, turned.outcome)

    def _let_hear(
        self,
        catalog: Catalog,
        event: Event,
        profile_id: str,
        old: bytes | None,
        now_ms: int,
        wall_ms: int,
        record: KafkaRecord,
    ) -> turn.Turned:
        """Let a customer's journeys and cases hear of an event of theirs."""
        is_heard = self._cases.listens(event)
        is_asked = is_heard or event.type in catalog.wanted or event.identifiers  # most receipts are not: no write each
        turned = turn.on_event(catalog, event, old, now_ms, profile_id) if is_asked else turn.IGNORED
        # Before a case is opened by it: what it says is in that one already.
        if is_heard and turned.outcome != "duplicate":
            self._cases.hear(event, profile_id, turned.decisions, now_ms)
        if turned.record is not None or turned.decisions:
            self._apply(catalog, profile_id, turned, 0 if old is None else codec.due_of(old), wall_ms, record)
        return turned

    def _take_asking(
        self,
        catalog: Catalog,
        event: Event,
        profile_id: str,
        old: bytes,
        now_ms: int,
        wall_ms: int,
        record: KafkaRecord,
    ) -> None:
        """Do what an agent asks of a case; what it leads to is a turn in the same transaction."""
        if (said := self._cases.take(event, profile_id, now_ms)) is not None:
            self._let_hear(catalog, said, profile_id, old, now_ms, wall_ms, record)
            self._cases.settle(event)

    def _measure(self, team: str, what: str, seconds: float) -> None:
        self.tally.took.append((team, what, seconds))

    def _keep_at(self, place: str, kept: bytes | None) -> None:
        """Keep what is no customer's state in a place of its own, or let go of it."""
        if kept is None:
            self.state.drop(place)
        else:
            before = self.state.get(place)
            self._timers.schedule(place, 0 if before is None else codec.due_of(before), codec.due_of(kept))
            self.state.put(place, kept)
        self.outgoing.changes[place] = kept
        self.outgoing.bytes += len(kept or b"")

    def _miss(self, record: KafkaRecord) -> None:
        """Do nothing about a receipt for nobody: without links, nobody is somebody else now."""

    def _fire(self, catalog: Catalog, before_ms: int, now_ms: int | None, wall_ms: int) -> bool:
        """Wake what is due before an instant, at `now_ms` or each at its own; False when that is enough for now."""
        timers, sink, until = self._timers, self.outgoing, self._until
        few = 0
        while timers.next_ms < before_ms:
            if sink.is_full:
                return False
            if few or self._held:  # whoever is held wakes in their own order, when they go on
                few = max(0, few - 1)
                self._take_wake(catalog, now_ms, wall_ms)
            else:
                # What is compiled stops before a wake that is for Python; where it could take none, others may follow.
                if not self._shortcut.fire(before_ms, now_ms, wall_ms, until, sink, self.tally):
                    few = MOST_AT_ONCE
                    continue
                few = 1
            if perf_counter() >= until:
                return timers.next_ms >= before_ms
        return True

    def _take_wake(self, catalog: Catalog, now_ms: int | None, wall_ms: int) -> None:
        """Wake whoever is next, if they are due."""
        due_ms, profile_id = self._timers.take()
        if self._held and profile_id.encode() in self._held:
            return
        record = self.state.get(profile_id)
        real_ms = 0 if record is None else codec.due_of(record)
        if record is None or real_ms != due_ms:
            if real_ms > due_ms:
                self._timers.put_back(profile_id, real_ms)
            return
        if now_ms is not None:
            # What the log passes is on time, however long ago that was.
            self.tally.lateness_ms.append(max(0, wall_ms - due_ms))
        # Its wake has been taken, so whatever it is due at next needs a new one.
        self._wake(catalog, profile_id, record, 0, due_ms if now_ms is None else now_ms, wall_ms)

    def _settle(self, catalog: Catalog, now_ms: int, wall_ms: int) -> None:
        """Let some of those go on whom new definitions move."""
        sink = self.outgoing
        while self._unsettled and not sink.is_full:
            for profile_id, record in self._unsettled.look(self.state, sink.most_facts - sink.facts):
                self._wake(catalog, profile_id, record, codec.due_of(record), now_ms, wall_ms)
            if perf_counter() >= self._until:
                break
        self._may_settle = bool(self._unsettled)

    def _wake(
        self, catalog: Catalog, profile_id: str, record: bytes, awaited_ms: int, now_ms: int, wall_ms: int
    ) -> None:
        """Let a profile know what time it is; it has a wake at `awaited_ms` or before (0: none)."""
        self.outgoing.facts += 1
        if profile_id.startswith(cases.PLACE):
            self._cases.expire(profile_id)
            return
        if self._shortcut.on_timers(profile_id, record, awaited_ms, now_ms, self.outgoing):
            return
        due_ms = codec.due_of(record) or now_ms
        try:
            turned = turn.on_timers(catalog, record, now_ms)
            if turned.erased:
                self._forget(catalog, profile_id, record, now_ms)
                self._unname(profile_id, now_ms)
                return
            self._apply(catalog, profile_id, turned, awaited_ms, wall_ms, due_ms)
        except Exception as error:  # noqa: BLE001 - one profile's bug holds up nobody else; it is kept and told
            self.bury(letters.of_timer(profile_id, due_ms, error, wall_ms))

    def _forget(self, catalog: Catalog, profile_id: str, record: bytes, now_ms: int) -> None:
        """Leave nothing of a customer but a tombstone, here and with delivery; their noes hold on, everywhere."""
        self._objections.identity = catalog.project.identity
        forgetting = turn.on_forgetting(catalog, record, now_ms)
        self._occupancy.leave(forgetting.journeys)
        self.state.drop(profile_id)
        self.outgoing.changes[profile_id] = None
        self._cases.forget(profile_id)
        self._ask(profile_id, forgetting.actions)
        self._spread(self._objections.hashed(forgetting.noes), now_ms)

    def _spread(self, noes: Mapping[str, bytes], now_ms: int) -> None:
        """Remember noes here, and have all other partitions remember them."""
        for place, told in noes.items():
            self._take_objection(place, told)
            forward = (place.encode(), told, now_ms, [(KIND_HEADER, OBJECTION)])
            for number in range(self._count):
                if number != self.number:
                    self.outgoing.forwards[number].append(forward)

    def _unname(self, profile_id: str, now_ms: int) -> None:
        """Let go of the names of a customer who is forgotten though nobody asked; without links there are none."""

    def _ask(self, profile_id: str, actions: Sequence[Action]) -> None:
        """Write actions; what takes back one of a profile that was merged goes where that one's actions are."""
        sink, tally = self.outgoing, self.tally
        own = actions
        if any(action.profile_id != profile_id for action in actions):
            own = [action for action in actions if action.profile_id == profile_id]
            for action in actions:
                if action.profile_id != profile_id:
                    key = action.profile_id.encode()
                    sink.write(sink.elsewhere[partition_of(key, self._count)], key, action)
        sink.write_all(sink.actions, profile_id.encode(), own)
        for action in actions:
            tally.actions[action.journey, action.channel or ""] += 1

    def _apply(
        self,
        catalog: Catalog,
        profile_id: str,
        turned: turn.Turned,
        old_due_ms: int,
        wall_ms: int,
        cause: KafkaRecord | int,
    ) -> None:
        """Take over what a turn came to; its cause is a record, or a timer's due instant."""
        sink = self.outgoing
        record = turned.record
        if record is not None:
            self.state.put(profile_id, record)
            sink.changes[profile_id] = record
            sink.bytes += len(record)
            self._timers.schedule(profile_id, old_due_ms, codec.due_of(record))
        if catalog.limited:
            self._ledger.note(catalog, turned.decisions)
        if turned.decisions:
            sink.write_all(sink.decisions, profile_id.encode(), turned.decisions)
            self._occupancy.note(turned.decisions)
        if turned.actions:
            self._ask(profile_id, turned.actions)
            self._cases.hand_over(turned.actions)
        for failure in turned.failures:
            origin = (TIMER_SOURCE, cause) if isinstance(cause, int) else self._origin_of(cause)
            self.bury(letters.of_entry(failure, profile_id, origin, wall_ms))

    def _count_decisions(self) -> None:
        """Count what was decided since the last time, and who came into a journey or left it by that."""
        self.tally.decisions.update(self._occupancy.count(self._shortcut.counted(self.tally)))

    def _bury_record(self, record: KafkaRecord, error: EventError, wall_ms: int) -> None:
        self.tally.events[OTHER_TYPES, "dead"] += 1
        self.bury(dead_letter(record, error.reason, error.message, wall_ms, self._origin_of(record)))

    def _origin_of(self, record: KafkaRecord) -> tuple[str, int]:
        """Tell where its producer put a record, as source and offset."""
        return source_of(record), record.offset
