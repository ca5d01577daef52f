"""Delivery on Kafka: committed actions taken in once, sent by their lanes, their outcomes durable before they count.

An action is taken in when its row is in delivery's own compacted changelog; only then is it acknowledged to Kafka, so
a slow provider or a long retry holds up no partition, and a restart sends nothing again that is known to be done. The
outcome and its receipt, an event for the customer's turn partition, are one transaction. Deciding is exactly-once;
sending is at-least-once with the action's id as the provider's idempotency key.
Owns the port between Kafka and the lanes. Must never send, nor look at an action that is not committed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from aiokafka.errors import MessageSizeTooLargeError

from orchestrator.model import instants
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.runtime.dead_letters import DeadLetter, quote
from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.outbox import Outcome
from orchestrator.runtime.delivery.roads import lane_of, message_failed
from orchestrator.runtime.kafka.journal import Journal
from orchestrator.runtime.kafka.outgoing import Forward
from orchestrator.runtime.kafka.pendings import NOTE, Pendings, Row, decode_row, encode_row
from orchestrator.runtime.kafka.records import receipt_line
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics, largest_batch
from orchestrator.runtime.kafka.writer import is_fenced
from orchestrator.runtime.wall_clock import wall_clock_ms
from orchestrator.storage import Pending, Settled

log = logging.getLogger(__name__)

RETRY_S = 1.0
# A record may be here before the group has told us that its partition is ours, or after it was somebody else's.
ASSIGNING_S = 30.0
# So many actions done are remembered by partition; Kafka hands over at most what one commit interval brought.
MARKS = 20_000
# Of what a row adds to its action: names, counts, and why it is tried again.
ROOM_BYTES = 16 << 10
TOO_LARGE = "too_large"

Result = TypeVar("Result")

_decode = msgspec.json.Decoder(Action).decode


class NotOursError(Exception):
    """A partition that another process delivers now: what came of it here comes there."""


class KafkaOutbox:
    """The outbox of the partitions that this process delivers; `bury` is told of each dead letter, by its reason."""

    def __init__(
        self, settings: KafkaSettings, topics: Topics, release_over_ms: int, bury: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._topics = topics
        self.release_over_ms = release_over_ms
        self._bury = bury
        self._pendings = Pendings()
        self._journals: dict[int, Journal] = {}
        self._opening: dict[int, asyncio.Task[None]] = {}
        # By partition: how often one was opened until then, and what is noted there of each lane.
        self._notes: dict[int, tuple[int, dict[str, bytes]]] = {}
        self._opened = 0
        # Whether the group has told us what is ours since it took everything from us.
        self._is_assigned = False
        # How many bytes a record of our changelog may have; asked for before a partition is opened, None until then.
        self._largest: int | None = None
        self._changed = asyncio.Event()
        self._at_work: dict[str, asyncio.Event] = {}

    # Partitions

    def assign(self, partitions: Iterable[int]) -> None:
        """Begin to open partitions that are ours now; in tasks, because a rebalance must not wait for a restore."""
        self._is_assigned = True
        for number in partitions:
            if number not in self._journals and number not in self._opening:
                self._begin(number)

    def _begin(self, number: int, after_s: float = 0.0) -> None:
        self._opening[number] = asyncio.create_task(self._open(number, after_s), name=f"open delivery {number}")
        self._tell()

    def _tell(self) -> None:
        """Let everybody look again who waits for a partition."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Let go of partitions: whoever has them next reads what is durable."""
        self._is_assigned = False
        for number in list(partitions):
            if (opening := self._opening.pop(number, None)) is not None:
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)
            self._pendings.drop_partition(number)
            if (journal := self._journals.pop(number, None)) is not None:
                await journal.close()
        self._tell()

    async def close(self) -> None:
        """Let go of everything."""
        await self.revoke({*self._journals, *self._opening})

    @property
    def is_ready(self) -> bool:
        """Tell whether every partition that is ours is open."""
        return self._is_assigned and not self._opening

    @property
    def partitions(self) -> Collection[int]:
        """Name the partitions that are ours."""
        return self._journals.keys() | self._opening.keys()

    async def _open(self, number: int, after_s: float) -> None:
        journal, kept = None, dict[str, bytes]()
        while journal is None:
            await asyncio.sleep(after_s)
            journal = Journal(self._settings, self._topics, number, lambda error: self._reopen(number, error))
            try:
                if self._largest is None:
                    self._largest = await largest_batch(self._settings, self._topics.delivery_changelog)
                kept = await journal.open()
            except Exception as error:  # noqa: BLE001 - nothing of the partition is sent before it is open
                log.warning("delivery of partition %d cannot begin: %r", number, error)
                await journal.discard()
                journal, after_s = None, RETRY_S
            except asyncio.CancelledError:
                await journal.discard()
                raise
        self._opened += 1
        notes = {key.removeprefix(NOTE): value for key, value in kept.items() if key.startswith(NOTE)}
        self._notes[number] = self._opened, notes
        for key, value in kept.items():
            if not key.startswith(NOTE):
                self._pendings.put(decode_row(value))
        self._journals[number] = journal
        self._opening.pop(number, None)
        self._tell()
        log.info("delivery of partition %d begins with %d rows", number, len(kept))

    def _reopen(self, number: int, error: BaseException) -> None:
        """Begin a partition anew after an error; what was not durable is handed over again."""
        log.warning("delivery of partition %d ends after %r and is opened again", number, error)
        if isinstance(error, MessageSizeTooLargeError):
            self._largest = None  # it was set lower
        if self._journals.pop(number, None) is not None:
            self._pendings.drop_partition(number)
            # After a heartbeat: a member whose session is over learns so before it fences the new owner.
            self._begin(number, self._settings.heartbeat_interval_ms / 1000 if is_fenced(error) else 0.0)

    async def _journal(self, number: int) -> Journal:
        """Wait for a partition to be open; raises NotOursError where it is not ours, and does not become so soon."""
        loop = asyncio.get_running_loop()
        until = loop.time() + ASSIGNING_S
        while (journal := self._journals.get(number)) is None:
            changed = self._changed.wait()
            try:
                await (changed if number in self._opening else asyncio.wait_for(changed, until - loop.time()))
            except TimeoutError as error:
                raise NotOursError(f"partition {number} is not delivered here") from error
        return journal

    # Actions in

    async def accept(self, number: int, offset: int, raw: bytes) -> tuple[str | None, Sequence[str]]:
        """Take an action in; on return it is durable, and may be acknowledged.

        Return the lane to wake, if any, and the ids of actions that must not be sent any more. What is no action is a
        dead letter. Raises NotOursError for a partition that is somebody else's.
        """
        try:
            action = _decode(raw)
            lane = lane_of(action)
            due_ms = 0 if lane is None else timing.first_due(action, self.release_over_ms)
        except Exception as error:
            log.exception("%s/%d holds no action at %d", self._topics.actions, number, offset)
            letter = self._no_action(number, offset, raw, error)
            await self._until_durable(number, lambda journal: journal.write({}, (), [letter]))
            self._bury(letter.reason)
            return None, ()
        if action.kind == "cancel" and action.data.get("action_id") is None:
            forgotten = list[str]()
            await self._until_durable(number, lambda journal: self._forget(journal, action.profile_id, forgotten))
            return None, forgotten
        is_about_another = action.kind in ("cancel", "redeliver")
        named = str(action.data.get("action_id")) if is_about_another else action.id

        async def take_in(journal: Journal) -> tuple[str | None, Sequence[str]]:
            known = self._pendings.get(named)
            if action.kind == "cancel":
                return None if known is None else await self._cancel(journal, known), [named]
            if action.kind == "redeliver":
                return None if known is None else await self._revive(journal, known, offset), ()
            if lane is not None and known is None:
                row = Row(action.id, number, offset, action.profile_id, lane, due_ms, action=msgspec.Raw(raw))
                if self._is_too_large(row):
                    await self._refuse(journal, row, action)
                    return None, ()
                await self._put(journal, row)
            return lane, ()

        async with self._alone(named):
            return await self._until_durable(number, take_in)

    def _is_too_large(self, row: Row) -> bool:
        return self._largest is not None and len(row.action) + ROOM_BYTES > self._largest

    async def _refuse(self, journal: Journal, row: Row, action: Action) -> None:
        """Give an action up whose row would be refused again and again, with all others of its partition behind it."""
        now_ms = wall_clock_ms()
        why = (
            f"the action has {len(row.action)} bytes, and {self._topics.delivery_changelog} takes {self._largest}, "
            "its row included; raise max.message.bytes there, or put less into data"
        )
        receipts = message_failed(action, TOO_LARGE, None, now_ms) if action.kind == "message" else ()
        letters = self._letters(row, Settled(row.id, reason=TOO_LARGE, why=why), now_ms)
        await self._put(journal, Row(row.id, row.partition, row.offset), self._lines(row, receipts, now_ms), letters)
        self._bury(TOO_LARGE)

    def _lines(self, row: Row, receipts: Sequence[Event], now_ms: int) -> list[Forward]:
        key = row.profile_id.encode()
        return [(key, receipt_line(event), now_ms, list[tuple[str, bytes]]()) for event in receipts]

    async def _until_durable(self, number: int, change: Callable[[Journal], Awaitable[Result]]) -> Result:
        """Change a partition's rows; where it had to be opened anew meanwhile, there once more.

        Nobody would hand over a second time what was not taken in.
        """
        while True:
            journal = await self._journal(number)
            try:
                return await change(journal)
            except ConnectionError as error:
                log.warning("what came to partition %d is taken in again: %s", number, error)

    def _no_action(self, number: int, offset: int, raw: bytes | None, error: Exception) -> DeadLetter:
        reason = "bad_envelope" if isinstance(error, msgspec.ValidationError) else "not_json"
        source, at = f"{self._topics.actions}/{number}", instants.to_text(wall_clock_ms())
        return DeadLetter(reason, f"delivery knows no such action: {error}", source, offset, at, **quote(raw or b""))

    async def _cancel(self, journal: Journal, row: Row) -> str | None:
        """Mark a row as cancelled: due at once where it waits, and where it was given up on, for whoever revives it."""
        if row.is_done:
            return None
        await self._put(journal, msgspec.structs.replace(row, cancelled=True, due_ms=0))
        return row.lane

    async def _forget(self, journal: Journal, profile_id: str, forgotten: list[str]) -> None:
        """Leave nothing of a customer's actions but their marks, of those that were given up on too; tell the ids."""
        # What came before is being taken in beside this.
        for taken in list(self._at_work.values()):
            await taken.wait()
        for held in self._pendings.of_profile(profile_id):
            async with self._alone(held) as action_id:
                row = self._pendings.get(action_id)
                if row is not None and not row.is_done:
                    await self._put(journal, Row(row.id, row.partition, row.offset))
                    forgotten.append(action_id)

    async def _revive(self, journal: Journal, row: Row, offset: int) -> str | None:
        """Let what was given up on be tried again, under the same key."""
        again = row.again(offset, wall_clock_ms())
        if again is None:
            return None
        await self._put(journal, again)
        return row.lane

    @asynccontextmanager
    async def _alone(self, action_id: str) -> AsyncIterator[str]:
        """Change an action's row with nobody else about it: a cancelling waits for what it cancels, and for outcomes.

        Actions are taken in side by side, in the order in which they came; whoever comes first gets here first.
        """
        while (other := self._at_work.get(action_id)) is not None:
            await other.wait()
        mine = self._at_work[action_id] = asyncio.Event()
        try:
            yield action_id
        finally:
            del self._at_work[action_id]
            mine.set()

    async def _put(
        self,
        journal: Journal,
        row: Row,
        receipts: Sequence[Forward] = (),
        letters: Sequence[DeadLetter] = (),
        **more: bytes,
    ) -> None:
        changes: dict[str, bytes | None] = {row.id: encode_row(row), **more}
        old = self._pendings.oldest_mark(journal.number, MARKS) if row.is_done else None
        if old is not None:
            changes[old] = None
        await journal.write(changes, receipts, letters)
        if self._journals.get(journal.number) is journal:
            self._pendings.put(row)
            if old is not None:
                self._pendings.drop(old)

    # The lanes' port

    async def due(self, lane: str, until_ms: int, limit: int, but: Collection[str]) -> list[Pending]:
        """Give what is due on a lane."""
        return self._pendings.due(lane, until_ms, limit, but)

    async def next_due(self, lane: str, after_ms: int) -> int | None:
        """Tell when the next of a lane is due."""
        return self._pendings.next_due(lane, after_ms)

    def holds(self, pending: Pending) -> bool:
        """Tell whether its row is still here, and as it was: its partition may be somebody else's, or opened anew."""
        row = self._pendings.get(pending.action_id)
        return row is not None and row.waits and row.attempts == pending.attempts

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Make outcomes durable with their receipts; nothing to do for a partition that is somebody else's now."""
        await asyncio.gather(*map(self._settle, outcomes))

    async def _settle(self, outcome: Outcome) -> None:
        settled, notes = outcome.settled, outcome.notes
        now_ms = wall_clock_ms()
        more = {f"{NOTE}{name}": value for name, value in notes.items()}
        async with self._alone(outcome.pending.action_id) as action_id:
            row = self._pendings.get(action_id)
            journal = None if row is None else self._journals.get(row.partition)
            if row is None or journal is None:
                return
            lines = self._lines(row, outcome.receipts, now_ms)
            try:
                await self._put(journal, row.settled(settled), lines, self._letters(row, settled, now_ms), **more)
            except ConnectionError as error:
                # It was sent, and nobody knows: whoever has the partition next sends it again, under the same key.
                log.warning("the outcome of an action could not be kept: %s", error)
                return

    def _letters(self, row: Row, settled: Settled, now_ms: int) -> list[DeadLetter]:
        """Tell people of an action that was given up on; the action itself is where the letter says."""
        if settled.reason is None:
            return []
        source, at = f"{self._topics.actions}/{row.partition}", instants.to_text(now_ms)
        return [DeadLetter(settled.reason, settled.why or "", source, row.offset, at, profile_id=row.profile_id)]

    async def recall(self, note: str) -> dict[str, bytes]:
        """Give a note as it stood in each partition when that was opened; what came since, the lanes know."""
        held = ((f"{number}/{opened}", notes.get(note)) for number, (opened, notes) in self._notes.items())
        return {part: noted for part, noted in held if noted is not None}
