"""Turns: a batch of events, receipts and timers, through the engine and into one commit.

Owns the order within a batch: timers that are due, then what came in, in the order in which it came. Belongs to one
thread, the store's. Must never wait for anything but the disk.

1. whom new journeys move goes on or moves, and timers due before now fire, at now
2. events and receipts are read and taken through their turns, at now
3. everything is committed: records, decisions, actions for delivery, outcomes of delivery, dead letters
4. only then is anybody told

Dying before the end of 3 has changed nothing; whoever sent an event got no answer and sends it again, and what did
get in is known by its id.
"""

import time
import traceback
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec
import structlog

from orchestrator.errors import EventError, InvariantError
from orchestrator.model import codec, envelopes, instants
from orchestrator.model.casework import CaseFile, Streamed
from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event
from orchestrator.model.rights import ERASE
from orchestrator.runtime import addressing, faults, rights, settling, turn
from orchestrator.runtime.dead_letters import DeadLetter, quote
from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.roads import lane_of
from orchestrator.runtime.desk import CLAIM_MS, Ask, Desk, NotDone
from orchestrator.runtime.identity import Resolved, Resolver
from orchestrator.runtime.inside import INSIDE, Inside
from orchestrator.runtime.limits import LIMITS, Ledger
from orchestrator.runtime.live import Refusal
from orchestrator.runtime.misnamed import Misnamed
from orchestrator.runtime.objections import TELLING, by_link, recalled, renewed
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.scrubbing import Scrubbing
from orchestrator.runtime.timers import Timers
from orchestrator.runtime.turn import Meeting, Turned
from orchestrator.storage import Batch, Pending, Settled, Store

# Timers that came due while nobody ran are worked off in portions, so that events do not wait for all of them.
TIMERS_A_BATCH = 1_000
# Types of events that journeys ask for have a label of their own, up to so many; all others share one.
OTHER = "other"
# What a sender is told of a bug of ours; the dead letter holds the rest.
FAILED = "a fault of ours; the event is kept as a dead letter, for whoever runs this service to look at"

_log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


@dataclass(slots=True)
class Records:
    """Raw events from one source, as they came."""

    lines: Sequence[bytes]
    source: str


@dataclass(slots=True)
class Told:
    """Events about profiles that are known by their id: receipts, and what customers said on a page.

    `settled` is the delivery's outcome that they go with, `notes` what its lane wants to know again.
    """

    profile_id: str
    events: Sequence[Event]
    settled: Settled | None = None
    notes: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Asked:
    """What an agent asks to be done about a case; `file` is the case afterwards, `refusal` why nothing was done."""

    ask: Ask
    file: CaseFile | None = None
    refusal: NotDone | None = None


@dataclass(slots=True)
class Placed:
    """What a channel of ours was handed: messages for the company's own apps, call tasks for people."""

    streamed: Sequence[Streamed] = ()
    cases: Sequence[CaseFile] = ()


# What one caller waits for: its events, what it told of profiles, what an agent asks, what a channel was handed.
Item = Records | Sequence[Told] | Asked | Placed


@dataclass(slots=True)
class Worked:
    """What a batch came to: refusals by item, lanes with something new, and ids of actions that were cancelled."""

    refusals: list[list[Refusal]]
    lanes: set[str]
    cancelled: list[str]


class Turns:
    """Takes batches through the engine. `catalog` may be replaced between two of them."""

    def __init__(
        self, catalog: Catalog, store: Store, metrics: Metrics, release_over_ms: int, claim_ms: int = CLAIM_MS
    ) -> None:
        self._catalog = catalog
        self.release_over_ms = release_over_ms
        self._store = store
        self._metrics = metrics
        # Whom new definitions move, in portions like timers, and what is settled once all of them have.
        self._unsettled: deque[str] = deque()
        self._settled: dict[str, bytes | None] = {}
        self._timers = Timers(store.waiting())
        self._resolver = Resolver(catalog.project, store)
        self._objections = rights.StoredObjections(store, catalog.project.identity)
        self._misnamed = Misnamed(catalog.named)
        self._ledger = Ledger.of(store.position(LIMITS))
        self._desk = Desk(store.casework, claim_ms)
        self._inside = Inside(store)
        self._scrubbing = Scrubbing(store)
        metrics.inside(self._inside.counts())
        # Whom nothing was heard of for too long; erased before the next event is taken.
        self._forgotten: list[str] = []
        self._pruned_ms = self._swept_ms = 0
        addressing.index(store, catalog.project)
        self._begin()

    @property
    def catalog(self) -> Catalog:
        """The journeys and the project in force."""
        return self._catalog

    @catalog.setter
    def catalog(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._resolver.follow(catalog.project)
        self._misnamed.follow(catalog.named)

    @property
    def next_ms(self) -> int:
        """When there is something to do again: at once while somebody is unsettled, else when a timer is due."""
        return 0 if self._unsettled else min(self._timers.next_ms, self._scrubbing.next_ms)

    def _begin(self) -> None:
        self._batch = Batch()
        self._changed: dict[str, bytes | None] = {}
        self._worked = Worked([], set(), [])
        self._events: Counter[tuple[str, str]] = Counter()
        self._sent_actions: Counter[tuple[str, str]] = Counter()
        self._decided: Counter[tuple[str, str, str]] = Counter()
        self._letters: list[DeadLetter] = []

    def work(self, items: Sequence[Item], now_ms: int) -> Worked:
        """Take timers and items through their turns and commit; raises StorageError, and then nothing was changed."""
        began = time.perf_counter()
        self.catalog.admissions = self._ledger
        self.catalog.recall = lambda address: recalled(self._objections, address)
        try:
            settled = self._settle(now_ms)
            self._wake(now_ms)
            if self._forgotten:
                self._forget(now_ms)
            for item in items:
                if isinstance(item, Records):
                    self._worked.refusals.append(self._take(item, now_ms))
                    continue
                self._worked.refusals.append([])
                if isinstance(item, Asked):
                    self._do(item, now_ms)
                elif isinstance(item, Placed):
                    self._place(item)
                else:
                    for told in item:
                        self._hear(told, now_ms)
            turned = time.perf_counter()
            self._commit()
            self._scrubbing.scrub(now_ms)
            self._prune(now_ms)
            for _ in range(settled):
                self._unsettled.popleft()
        except BaseException:
            # Wakes were taken off the heap for turns that now never happened.
            self._timers = Timers(self._store.waiting())
            self._resolver.undo()
            self._forgotten.clear()
            self._ledger = Ledger.of(self._store.position(LIMITS))
            self._inside = Inside(self._store)
            self._desk.undo()
            self._begin()
            raise
        self._metrics.batch_seconds.observe(turned - began)
        self._metrics.commit_seconds.observe(time.perf_counter() - turned)
        self._count()
        worked = self._worked
        self._begin()
        return worked

    def take_up(self, catalog: Catalog) -> None:
        """Go by these journeys from the next batch on, and let those go on or move whom they move."""
        self.catalog = catalog
        addressing.index(self._store, catalog.project)
        self._unsettled = deque(settling.unsettled(catalog, self._store))
        self._settled = settling.noted(catalog, self._store)
        if not self._unsettled and self._settled:
            self._store.commit(Batch(positions=self._settled))

    def _settle(self, now_ms: int) -> int:
        """Let some of those go on whom new journeys move, and say how many; the last of them settle it for good."""
        portion = list(islice(self._unsettled, TIMERS_A_BATCH))
        for profile_id in portion:
            record = self._record(profile_id)
            if record is not None:
                self._fire(profile_id, record, record, now_ms)
        if portion and len(portion) == len(self._unsettled):
            self._batch.positions.update(self._settled)
        return len(portion)

    def _record(self, profile_id: str) -> bytes | None:
        return self._changed[profile_id] if profile_id in self._changed else self._store.read(profile_id)

    def _wake(self, now_ms: int) -> None:
        fired = 0
        for due_ms, profile_id in self._timers.take_before(now_ms):
            record = self._record(profile_id)
            record_due_ms = 0 if record is None else codec.due_of(record)
            if record is None or record_due_ms != due_ms:
                if record_due_ms:
                    self._timers.put_back(profile_id, record_due_ms)
                continue
            if self._fire(profile_id, record, None, now_ms):
                self._metrics.timer_lateness.observe((now_ms - due_ms) / 1000)
                fired += 1
            if fired >= TIMERS_A_BATCH:
                return

    def _fire(self, profile_id: str, record: bytes, before: bytes | None, now_ms: int) -> bool:
        """Let a profile know what time it is; False when that failed, on record. `before` as for `_keep`."""
        try:
            turned = turn.on_timers(self.catalog, record, now_ms)
            if turned.erased:
                self._forgotten.append(profile_id)
                return True
            if 0 < codec.due_of(turned.record or record) <= now_ms:
                raise InvariantError(f"woken at {now_ms} and still due; please report this")
        except Exception as error:  # noqa: BLE001 - one customer's trouble; everybody else's timers go on
            text = "".join(traceback.format_exception(error))
            letter = DeadLetter("failure", str(error), "timer", 0, instants.to_text(now_ms))
            self._bury(msgspec.structs.replace(letter, profile_id=profile_id, traceback=text))
            return False
        self._keep(profile_id, before, turned)  # without a record before it: its wake is used up
        return True

    def _take(self, records: Records, now_ms: int) -> list[Refusal]:
        """Take raw events; give those that were refused."""
        catalog, refusals = self.catalog, list[Refusal]()
        wanted, met = catalog.wanted, self._misnamed.met
        for index, raw in enumerate(records.lines):
            try:
                event = envelopes.read(raw, now_ms)
                if event.type not in met and (asked := self._misnamed.meet(event.type)) is not None:
                    _log.warning("events come by nearly a name that journeys ask for", name=event.type, asked=asked)
                is_heard = self._desk.listens(event.type)
                if event.type not in wanted and not event.identifiers and not is_heard:
                    self._events[OTHER, "ignored"] += 1
                    continue
                resolved = self._identify(event, now_ms)
                profile_id = resolved.profile_id
                is_asked = event.type in wanted or is_heard
                if resolved.is_known and not is_asked and self._record(profile_id) is not None:
                    self._events[OTHER, "ignored"] += 1
                    continue
                if event.type == ERASE:
                    self._erase(profile_id, now_ms)
                    continue
                self._object(event, profile_id, now_ms)
                record = self._record(profile_id)
                turned = turn.on_event(catalog, event, record, now_ms, profile_id)
                if turned.outcome == "duplicate":
                    self._resolver.untold()
                elif is_heard:
                    self._desk.hear(event, profile_id, turned.decisions, now_ms)
            except EventError as error:
                self._resolver.untold()
                refusals.append(Refusal(index, error.reason, FAILED if error.reason == "failure" else error.message))
                self._events[OTHER, "refused"] += 1
                at = instants.to_text(now_ms)
                self._bury(DeadLetter(error.reason, error.message, records.source, index, at, **quote(raw)))
                continue
            self._events[event.type if event.type in catalog.named else OTHER, turned.outcome] += 1
            self._keep(profile_id, record, turned)
            if event.type == TELLING and turned.record is not None:
                self._address(profile_id, addressing.of_record(catalog.project, turned.record))
        return refusals

    def profile_of(self, profile_id: str) -> str:
        """Give the profile that one is now: it may have been merged since."""
        return self._resolver.profile_of(profile_id)

    def _identify(self, event: Event, now_ms: int) -> Resolved:
        """Find whose event it is; lives that it makes one are one before it is taken."""
        resolved = self._resolver.resolve(event)
        profile_id = resolved.profile_id
        lives = [life for merged in resolved.merged if (life := self._record(merged)) is not None]
        for merged in resolved.merged:
            self._changed[merged] = None
        if lives or resolved.refused:
            meeting, record = Meeting(lives, resolved.refused), self._record(profile_id)
            self._keep(profile_id, record, turn.on_meeting(self.catalog, event, profile_id, record, meeting, now_ms))
        for merged in resolved.merged if lives else ():
            self._desk.merge(merged, profile_id, event.customer_id or turn.customer_of(self._record(profile_id)))
        return resolved

    def _erase(self, profile_id: str, now_ms: int) -> None:
        """Erase a profile, once everything before is committed; it may be asked for again, and does no harm then."""
        self._scrubbing.ask(self._batch)
        self._commit()
        # The outbox forgets them with everything else; what a lane has in hand already is told to stay.
        self._worked.cancelled += [pending.action_id for pending in self._store.pending_of(profile_id)]
        # The file is rewritten once for all whom this batch erases: that holds everybody up, long where it is large.
        self._inside.leave(self._store.read(profile_id))
        receipt = rights.erase(self._store, self.catalog.project, profile_id, now_ms, scrubs=False)
        _log.info("a customer was erased", receipt=receipt.id, erased=receipt.erased)
        self._resolver.forget(profile_id)
        self._desk.forget(profile_id)
        self._objections = rights.StoredObjections(self._store, self.catalog.project.identity)
        self._events[ERASE, "applied"] += 1

    def _forget(self, now_ms: int) -> None:
        """Erase those of whom nothing was heard for too long, once everything before is committed."""
        self._scrubbing.ask(self._batch)
        self._commit()
        for profile_id in self._forgotten:
            self._inside.leave(self._store.read(profile_id))
            rights.erase(self._store, self.catalog.project, profile_id, now_ms, scrubs=False)
            self._resolver.forget(profile_id)
            self._desk.forget(profile_id)
        _log.info("customers were erased of whom nothing was heard for too long", customers=len(self._forgotten))
        self._forgotten.clear()
        self._objections = rights.StoredObjections(self._store, self.catalog.project.identity)

    def _prune(self, now_ms: int) -> None:
        """Let go of old decisions, once a day, and of messages that nobody may read any more."""
        if now_ms >= self._swept_ms + instants.HOUR_MS:
            self._store.casework.drop_streamed(now_ms)
            self._swept_ms = now_ms
        kept_ms = self.catalog.project.retention.decisions_ms
        if kept_ms and now_ms >= self._pruned_ms + instants.DAY_MS:
            self._store.drop_decisions(instants.to_text(now_ms - kept_ms))
            self._store.casework.drop(now_ms - kept_ms)
            self._pruned_ms = now_ms

    def _object(self, event: Event, profile_id: str, now_ms: int) -> None:
        """Let the noes of whoever was erased under an address of this event hold for whoever comes back under it."""
        if not self._objections.known:
            return
        for said in renewed(self._objections, self.catalog.project, event, profile_id):
            record = self._record(profile_id)
            self._keep(profile_id, record, turn.on_objection(self.catalog, said, record, now_ms, profile_id))

    def _hear(self, told: Told, now_ms: int) -> None:
        """Take what is known to be about a profile; one that was erased meanwhile has nothing to hear."""
        if told.settled is not None:
            self._batch.settled.append(told.settled)
        self._batch.positions.update(told.notes)
        for event in told.events:
            self._tell(told.profile_id, event, now_ms)

    def _tell(self, profile_id: str, event: Event, now_ms: int) -> None:
        """Take an event about a profile that is known, and its cases."""
        is_heard = self._desk.listens(event.type)
        # Most receipts are asked for by nobody: those cost no reading.
        if event.type not in self.catalog.wanted and not is_heard:
            self._events[event.type, "ignored"] += 1
            return
        # What was on its way when its customer was merged into another comes back to that one.
        profile_id = self._resolver.profile_of(profile_id)
        record = self._record(profile_id)
        if record is None:
            self._events[event.type, "ignored"] += 1
            if (said := by_link(event)) is not None:  # somebody was erased, and leaves by a message of before
                self._commit()
                self._objections = rights.remember(self._store, self.catalog.project, *said)
            return
        try:
            turned = turn.on_event(self.catalog, event, record, now_ms, profile_id)
            if is_heard and turned.outcome != "duplicate":
                self._desk.hear(event, profile_id, turned.decisions, now_ms)
        except EventError as error:
            self._bury(DeadLetter(error.reason, error.message, event.type, 0, instants.to_text(now_ms)))
            return
        self._events[event.type, turned.outcome] += 1
        self._keep(profile_id, record, turned)
        self._address(profile_id, addressing.of_receipt(self.catalog.project, event))

    def _do(self, asked: Asked, now_ms: int) -> None:
        """Do what an agent asks, and let the customer's journeys hear of it in the same commit."""
        try:
            asked.file, event = self._desk.do(asked.ask, now_ms)
        except NotDone as error:
            asked.refusal = error
            return
        if event is not None:
            self._tell(asked.file.profile_id, event, now_ms)

    def _place(self, placed: Placed) -> None:
        """Keep what a channel of ours was handed: for the one its customer is now, and for nobody who is erased."""
        for message in placed.streamed:
            message.profile_id = self._resolver.profile_of(message.profile_id)
            if self._record(message.profile_id) is not None:
                self._batch.streamed.append(message)
        for file in placed.cases:
            file.profile_id = self._resolver.profile_of(file.profile_id)
            if self._record(file.profile_id) is not None:
                self._desk.put(file)

    def _keep(self, profile_id: str, before: bytes | None, turned: Turned) -> None:
        """Add what a turn came to to the batch. `before` is the record whose wake, if it has one, still stands."""
        if turned.record is not None:
            self._changed[profile_id] = turned.record
            awaited_ms = 0 if before is None else codec.due_of(before)
            self._timers.schedule(profile_id, awaited_ms, codec.due_of(turned.record))
        for action in turned.actions:
            self._sent_actions[action.journey, action.channel or action.kind] += 1
            if action.kind == "cancel":
                self._worked.cancelled += [str(action.data.get("action_id"))]
                continue
            if action.kind == "handoff":
                self._desk.hand_over(action, instants.parse(action.at) or 0)
            lane = lane_of(action)
            if lane is None:
                continue  # `event` is for other systems; nobody but a log of actions hands those over
            self._worked.lanes.add(lane)
            self._address(profile_id, addressing.of_action(self.catalog.project, action))
            due_ms = timing.first_due(action, self.release_over_ms)
            self._batch.pending.append(Pending(action.id, lane, due_ms, profile_id, _encode(action)))
        if turned.decisions:
            self._ledger.note(self.catalog, turned.decisions)
            self._inside.note(turned.decisions)
            self._batch.decisions.append((profile_id, _encode_lines(turned.decisions)))
            for decision in turned.decisions:
                self._decided[decision.journey, decision.verdict, decision.reason] += 1
        for each in turned.failures:
            message = f"entry {each.entry_id} of {each.journey} is parked"
            letter = DeadLetter(each.reason, message, "turn", 0, "", profile_id=profile_id, traceback=each.traceback)
            self._bury(msgspec.structs.replace(letter, entry_id=each.entry_id, journey=each.journey))

    def _address(self, profile_id: str, names: Iterable[str]) -> None:
        """Note that a customer is found by these addresses from now on."""
        self._batch.addressed += [(name, profile_id) for name in names]

    def _bury(self, letter: DeadLetter) -> None:
        self._letters.append(letter)
        self._batch.dead_letters.append(_encode(letter))

    def _commit(self) -> None:
        batch = self._batch
        gone = {before for before, _ in self._resolver.merged}
        batch.records = {who: record for who, record in self._changed.items() if who not in gone}
        batch.names, batch.merged = self._resolver.changes(), list(self._resolver.merged)
        if self._ledger.changed:
            batch.positions[LIMITS], self._ledger.changed = self._ledger.written(), False
        if self._inside.changed:
            batch.positions[INSIDE], self._inside.changed = self._inside.written(), False
        batch.cancelled = self._worked.cancelled
        batch.cases = self._desk.changes()
        known = (batch.records, batch.decisions, batch.pending, batch.settled, batch.cancelled, batch.dead_letters)
        if not any((*known, batch.positions, batch.names, batch.merged, batch.cases, batch.streamed)):
            return  # nothing that anybody could lose
        faults.reach("serve.before_commit")
        self._store.commit(batch)
        self._resolver.committed()
        self._desk.committed(self._measure)
        self._batch, self._changed = Batch(), {}
        faults.reach("serve.after_commit")

    def _measure(self, team: str, what: str, seconds: float) -> None:
        # A contact centre may call its teams as it likes; a label is one of ours.
        self._metrics.took(team if team in self.catalog.project.teams else OTHER, what, seconds)

    def _count(self) -> None:
        self._metrics.count_events(self._events)
        for (journey, channel), count in self._sent_actions.items():
            self._metrics.actions.labels(journey, channel).inc(count)
        for (journey, verdict, reason), count in self._decided.items():
            self._metrics.decisions.labels(journey, verdict, reason).inc(count)
        for letter in self._letters:
            self._metrics.dead_letters.labels(letter.reason).inc()
        self._metrics.timers_waiting.set(len(self._timers))
        self._metrics.inside(self._inside.counts())
