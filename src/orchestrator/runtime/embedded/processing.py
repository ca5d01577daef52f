"""The loop: records and timers in the order of their time, through turns, into batches.

Owns the clock of an embedded run, and what a batch holds. Must never decide anything about a customer.

For every record: timers due strictly before its time fire first, earliest first, each at its own due
instant; then the event, at its time, or at the clock's where that is later: the clock never goes back.
What turns lead to is collected and committed with the position of the last record that is part of it,
so a batch may end after any record, and between two timers.
"""

import traceback
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.errors import EventError, InvariantError, StorageError
from orchestrator.model import codec, envelopes, ids, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.envelopes import NOBODY_ELSE
from orchestrator.model.event import Event
from orchestrator.model.identity import CUSTOMER_ID
from orchestrator.model.rights import ERASE
from orchestrator.runtime import inside, rights, settling, turn
from orchestrator.runtime.dead_letters import DeadLetter, quote
from orchestrator.runtime.embedded.outputs import Outputs
from orchestrator.runtime.embedded.reading import Feed, Positions
from orchestrator.runtime.embedded.sources import Chunk, Origin
from orchestrator.runtime.embedded.summary import SHOWN_DEAD_LETTERS, Summary
from orchestrator.runtime.embedded.written import Written
from orchestrator.runtime.identity import Resolved, Resolver
from orchestrator.runtime.limits import LIMITS, Ledger
from orchestrator.runtime.misnamed import Misnamed
from orchestrator.runtime.objections import recalled, renewed
from orchestrator.runtime.timers import NEVER_MS, Timers
from orchestrator.runtime.turn import Failure, Meeting, Turned
from orchestrator.storage import Batch, Store

# A batch ends after so many records, or so many turns of timers: measured, SQLite writes a page that changed several
# times in a batch only once, and beyond this there is little left to win.
BATCH_RECORDS = 24_000
BATCH_TURNS = 8_000

CLOCK = "clock"

# Where a dead letter comes from that no record led to.
_TIMER = Origin("timer", 0, 0)


class Processor:
    """Takes records in order and moves time on.

    `targets` and `keeps_decisions` say where the lines of a batch go: see `Written`.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        outputs: Outputs,
        targets: dict[str, str],
        *,
        keeps_decisions: bool,
        report: Callable[["Processor", Feed | None], None],
        newer: Callable[[], Catalog | None] = lambda: None,
    ) -> None:
        self._catalog = catalog
        self._store = store
        inside.forget(store)
        self._outputs = outputs
        self._written = Written(targets, keeps_decisions=keeps_decisions)
        self._report = report
        self._newer = newer
        self._timers = Timers(store.waiting())
        self._resolver = Resolver(catalog.project, store)
        self._objections = rights.StoredObjections(store, catalog.project.identity)
        stored = store.position(CLOCK)
        self.clock_ms = instants.EARLIEST_MS if stored is None else int(stored)
        self._arrived_ms = 0
        self._misnamed = Misnamed(catalog.named)
        self.summary = Summary(misnamed=self._misnamed.found)
        self.records = 0
        self._batch_ends_at = BATCH_RECORDS
        # What the batch holds so far: cleared by each commit, never replaced, because the loop has them at hand.
        self._changed: dict[str, bytes] = {}
        self._ledger = Ledger.of(store.position(LIMITS))
        self._lend_to(catalog)
        # Whom nothing was heard of for too long, and whether the file is to be rewritten because of such.
        self._forgotten: list[str] = []
        self._scrubs = False
        # Who waits for what does not recur for ever; looked after only while draining.
        self._unsettled: set[str] | None = None

    def run(self, feed: Feed) -> None:
        """Process all records of a feed, and commit that it is finished."""
        for chunk in feed.chunks():
            self._take(feed, chunk)
            if self.records >= self._batch_ends_at or chunk.live:
                self._commit(feed.position(len(chunk.lines)), feed)
                self._follow()
        self._commit(feed.finished(), feed)

    def _follow(self) -> None:
        """Take up what has been published meanwhile."""
        catalog = self._newer()
        if catalog is not None:
            self._catalog = catalog
            self._lend_to(catalog)
            self._resolver.follow(catalog.project)
            self._misnamed.follow(catalog.named)
            self.settle()

    def _lend_to(self, catalog: Catalog) -> None:
        """Let turns ask what this run remembers."""
        catalog.admissions = self._ledger
        catalog.recall = lambda address: recalled(self._objections, address)

    def settle(self) -> None:
        """Let those go on or move whom the journeys in force move since this store was last settled."""
        for profile_id in settling.unsettled(self._catalog, self._store):
            record = self._record(profile_id)
            if record is not None:
                self._fire(profile_id, record)
            if max(self._written.turns, len(self._changed)) >= BATCH_TURNS:
                self._commit({}, None)
        positions = settling.noted(self._catalog, self._store)
        if positions or self._forgotten:
            self._commit(positions, None)
            self._forget()

    def wake_until(self, instant_ms: int) -> None:
        """Move the clock to an instant; what is due at it wakes too."""
        self._wake(instant_ms + 1, lambda: self._commit({}, None))
        self.clock_ms = max(self.clock_ms, instant_ms)
        self._commit({}, None)

    def drain(self) -> None:
        """Move the clock on until nothing waits any more but what recurs for ever."""

        def commit() -> None:
            self._commit({}, None)

        if self._catalog.audiences is None:
            self._wake(NEVER_MS, commit)
        else:
            commit()
            self._unsettled = {name for name, record in self._store.records() if codec.decode(record).settling_ms()}
            while self._unsettled and self._timers.next_ms < NEVER_MS:
                self._wake(self._timers.next_ms + 1, commit)
        commit()

    def finish(self) -> Summary:
        """Commit that all lines are where they belong, and say what came of the run."""
        if self._outputs.behind:
            self._outputs.commit(Batch())
        kept_ms = self._catalog.project.retention.decisions_ms
        if kept_ms and self.clock_ms > instants.EARLIEST_MS + kept_ms:
            self._scrubs |= self._store.drop_decisions(instants.to_text(self.clock_ms - kept_ms)) > 0
        if self._scrubs:
            self._store.scrub()
        self.summary.clock_ms = self.clock_ms if self.clock_ms > instants.EARLIEST_MS else None
        self.summary.customers = self._store.profiles()
        self.summary.waiting = sum(1 for _ in self._store.waiting())
        return self.summary

    def _take(self, feed: Feed, chunk: Chunk) -> None:
        """Process a chunk's records.

        The loop that everything else waits for: an event that nobody asks about costs its decoding and
        little more, so what it needs is at hand under local names.
        """
        read, on_event, name_of, is_direct = envelopes.read, turn.on_event, ids.profile_id_of, self._resolver.is_direct
        catalog, wanted = self._catalog, self._catalog.wanted
        timers, clock_ms, changed, read_record = self._timers, self.clock_ms, self._changed, self._store.read
        self._arrived_ms = arrived_ms = feed.arrived_ms
        outcomes, ignored, met = self.summary.events, 0, self._misnamed.met
        for index, raw in enumerate(chunk.lines):
            try:
                event = read(raw, arrived_ms)
                if event.type not in met:
                    self._misnamed.meet(event.type)
                if event.time_ms > clock_ms:
                    if timers.next_ms < event.time_ms:
                        self._wake(event.time_ms, lambda: self._commit(feed.position(index), feed))  # noqa: B023 - called at once
                    self.clock_ms = clock_ms = event.time_ms
                if event.type not in wanted and not event.identifiers:
                    ignored += 1
                    continue
                if is_direct and not event.identifiers and event.customer_id is not None:
                    profile_id = name_of(CUSTOMER_ID, event.customer_id)
                else:
                    resolved = self._identify(event, clock_ms, chunk, index)
                    profile_id = resolved.profile_id
                    if resolved.is_known and self._record(profile_id) is not None:
                        if event.type not in wanted:
                            ignored += 1
                            continue
                        if not self._objections.known:
                            event.identifiers = NOBODY_ELSE
                if event.type == ERASE:
                    self._erase(profile_id, feed.position(index), feed)
                    continue
                if self._objections.known:
                    self._object(event, profile_id)
                record = changed.get(profile_id) or read_record(profile_id)
                turned = on_event(catalog, event, record, clock_ms, profile_id)
            except EventError as error:
                self._resolver.untold()
                self._refuse(chunk, index, error)
                continue
            if turned.outcome == "duplicate":
                self._resolver.untold()
            self._keep(profile_id, record, turned)
            outcomes[turned.outcome] += 1
            if turned.failures:
                self._park(turned.failures, profile_id, chunk.origin(index))
        outcomes["ignored"] += ignored
        self.records += len(chunk.lines)

    def _identify(self, event: Event, now_ms: int, chunk: Chunk, index: int) -> Resolved:
        """Find whose event it is; lives that it makes one are one before it is taken."""
        resolved = self._resolver.resolve(event)
        profile_id = resolved.profile_id
        if resolved.needs_meeting:
            lives = [life for merged in resolved.merged if (life := self._record(merged)) is not None]
            meeting = Meeting(lives, resolved.refused)
            for merged in resolved.merged:
                self._changed[merged] = b""
            record = self._record(profile_id)
            if record is not None or lives or resolved.refused:
                turned = turn.on_meeting(self._catalog, event, profile_id, record, meeting, now_ms)
                self._keep(profile_id, record, turned)
                if turned.failures:
                    self._park(turned.failures, profile_id, chunk.origin(index))
        return resolved

    def _erase(self, profile_id: str, positions: Positions, feed: Feed) -> None:
        """Erase a profile, once everything before is committed; it may be asked for again, and does no harm then."""
        self._commit(positions, feed)
        rights.erase(self._store, self._catalog.project, profile_id, self.clock_ms)
        self._resolver.forget(profile_id)
        self._objections = rights.StoredObjections(self._store, self._catalog.project.identity)
        self.summary.events["applied"] += 1

    def _forget(self) -> None:
        """Erase those of whom nothing was heard for too long, once everything before is committed."""
        for profile_id in self._forgotten:
            rights.erase(self._store, self._catalog.project, profile_id, self.clock_ms, scrubs=False)
            self._resolver.forget(profile_id)
            self._scrubs = True
        if self._forgotten:
            self._objections = rights.StoredObjections(self._store, self._catalog.project.identity)
        self._forgotten.clear()

    def _object(self, event: Event, profile_id: str) -> None:
        """Let the noes of whoever was erased under an address of this event hold for whoever comes back under it."""
        for said in renewed(self._objections, self._catalog.project, event, profile_id):
            record = self._record(profile_id)
            turned = turn.on_objection(self._catalog, said, record, self.clock_ms, profile_id)
            self._keep(profile_id, record, turned)

    def _record(self, profile_id: str) -> bytes | None:
        """Give a profile's record; None for one that is another's now, too."""
        changed = self._changed.get(profile_id)
        return (changed or None) if changed is not None else self._store.read(profile_id)

    def _wake(self, before_ms: int, commit: Callable[[], None]) -> None:
        """Wake whoever is due strictly before an instant, each at its own due instant."""
        timers = self._timers
        for due_ms, profile_id in timers.take_before(before_ms):
            record = self._record(profile_id)
            record_due_ms = 0 if record is None else codec.due_of(record)
            if record is None or record_due_ms != due_ms:
                if record_due_ms:
                    timers.put_back(profile_id, record_due_ms)
                continue
            # What was overdue already, because its journey was paused for one, wakes at the clock: it never goes back.
            self.clock_ms = max(due_ms, self.clock_ms)
            self._fire(profile_id, record)
            if self._written.turns >= BATCH_TURNS or self._forgotten:
                commit()
                self._forget()

    def _fire(self, profile_id: str, record: bytes) -> None:
        """Wake what is due of one profile; a bug of ours keeps the profile as it was and holds up nobody else."""
        try:
            turned = turn.on_timers(self._catalog, record, self.clock_ms)
            if not turned.erased and 0 < codec.due_of(turned.record or record) <= self.clock_ms:
                raise InvariantError(f"profile {profile_id} was woken and is still due; please report this")
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is kept where somebody can look at it
            message = f"a timer could not be handled, and its profile is as it was: {error}"
            text = "".join(traceback.format_exception(error))
            self._bury("failure", message, _TIMER, profile_id=profile_id, traceback=text)
            return
        if turned.erased:
            self._forgotten.append(profile_id)
            return
        self._keep(profile_id, None, turned)  # its wake is used up
        self.summary.timers += 1
        if turned.failures:
            self._park(turned.failures, profile_id, _TIMER)

    def _keep(self, profile_id: str, before: bytes | None, turned: Turned) -> None:
        """Add what a turn came to to the batch; a wake for what the record `before` waited for is there already."""
        record = turned.record
        if record is not None:
            self._changed[profile_id] = record
            due_ms = codec.due_of(record)
            if due_ms:
                self._timers.schedule(profile_id, 0 if before is None else codec.due_of(before), due_ms)
            if self._unsettled is not None:
                waits = codec.decode(record).settling_ms()
                (self._unsettled.add if waits else self._unsettled.discard)(profile_id)
        if self._catalog.limited:
            self._ledger.note(self._catalog, turned.decisions)
        self._written.add(profile_id, turned)

    def _refuse(self, chunk: Chunk, index: int, error: EventError) -> None:
        """Put a record that is no event into the dead letters; a blank line is nothing at all."""
        raw = chunk.lines[index]
        if not raw.strip():
            return
        self.summary.events["refused"] += 1
        self._bury(error.reason, error.message, chunk.origin(index), **quote(raw))

    def _park(self, failures: Sequence[Failure], profile_id: str, origin: Origin) -> None:
        """Put what failed within a turn into the dead letters: a bug of ours, its entry parked."""
        for each in failures:
            message = f"entry {each.entry_id} of {each.journey} is parked"
            about = {"profile_id": profile_id, "entry_id": each.entry_id, "journey": each.journey}
            self._bury(each.reason, message, origin, traceback=each.traceback, **about)

    def _bury(self, reason: str, message: str, origin: Origin, **about: Any) -> None:
        # Before the first event there is no time but that of arrival.
        at = instants.to_text(self.clock_ms if self.clock_ms > instants.EARLIEST_MS else self._arrived_ms)
        source, line, offset = origin.source, origin.line, origin.offset
        letter = DeadLetter(reason, message, source=source, line=line, offset=offset, at=at, **about)
        self._written.bury(letter)
        self.summary.dead_letters[reason] += 1
        if len(self.summary.first_dead_letters) < SHOWN_DEAD_LETTERS:
            self.summary.first_dead_letters.append(letter)

    def _commit(self, positions: Positions, feed: Feed | None) -> None:
        """Commit everything since the last commit, with the position that belongs to it."""
        merged = self._resolver.merged
        batch = Batch(positions={**positions, CLOCK: b"%d" % self.clock_ms})
        batch.records = {who: record for who, record in self._changed.items() if record} if merged else self._changed
        batch.names, batch.merged = self._resolver.changes(), list(merged)
        if self._ledger.changed:
            batch.positions[LIMITS], self._ledger.changed = self._ledger.written(), False
        self._written.fill(batch)
        self._outputs.commit(batch)
        self._written.clear(self.summary.actions, self.summary.decisions)
        self._resolver.committed()
        self._changed.clear()
        self._batch_ends_at = self.records + BATCH_RECORDS
        self._report(self, feed)
