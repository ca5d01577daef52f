"""The intake: what comes in from many sides at once, into one batch after the other.

Owns group commit: while one batch is worked on and written, whatever arrives waits and becomes the next one, so that
a hundred callers share one write to the disk. Owns the thread that store and turns belong to, and the bound on what
may wait. Must never answer for anything that is not durable.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from orchestrator.errors import StorageError
from orchestrator.model.event import Event
from orchestrator.runtime.delivery.outbox import Outcome
from orchestrator.runtime.live import Busy, Refusal
from orchestrator.runtime.serving.clock import SteadyClock
from orchestrator.runtime.serving.turns import Asked, Item, Placed, Records, Told, Turns
from orchestrator.runtime.timers import NEVER_MS
from orchestrator.runtime.wall_clock import Clock
from orchestrator.storage import Batch, Pending, SqliteStore, Store

# What may wait for its batch. Beyond it callers are told to come back: memory is not where load goes.
MAX_WAITING_BYTES = 64 << 20
# A batch ends after so many records, so that the first of them is not answered much later than its own work takes.
MAX_RECORDS_A_BATCH = 4_000
# Timers are looked at this often whatever the loop's clock says: machines sleep, and their clocks are set.
LOOK_EVERY = 1.0
# A store that failed is tried again after so long.
REST_SECONDS = 1.0
# Nobody is answered while a commit copies the log into the file: of a short log that takes milliseconds.
CHECKPOINT_BYTES = 4 << 20
# What is written to see that anything can be.
_WRITABLE = "delivery.writable"

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


def open_store(path: Path) -> SqliteStore:
    """Open a store whose every commit somebody waits for."""
    return SqliteStore(path, checkpoint_bytes=CHECKPOINT_BYTES)


class Intake:
    """Takes events in and answers once they are durable.

    `on_worked(lanes, cancelled)` is called after every commit that gave delivery something to do.
    """

    def __init__(self, clock: Clock, on_worked: Callable[[set[str], list[str]], None]) -> None:
        self._clock = SteadyClock(clock)
        self._sleep = clock.sleep
        self._on_worked = on_worked
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._waiting: list[tuple[Item, asyncio.Future[list[Refusal]]]] = []
        self._waiting_bytes = 0
        self._something = asyncio.Event()
        self._turns: Turns | None = None
        self._store: Store | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.trouble: str | None = None

    async def start(self, open_store: Callable[[], Store], make_turns: Callable[[Store], Turns]) -> Store:
        """Open the store in its thread, and begin."""
        self._store = await self.run(open_store)
        store = self._store
        self._turns = await self.run(lambda: make_turns(store))
        self._task = asyncio.create_task(self._work())
        return store

    async def run(self, call: Callable[[], Result]) -> Result:
        """Call something in the store's thread, between two batches."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    @property
    def turns(self) -> Turns:
        """The turns; only for calls in their thread."""
        if self._turns is None:
            raise StorageError("the store is not open yet")
        return self._turns

    @property
    def store(self) -> Store:
        """The store; only for calls in its thread."""
        if self._store is None:
            raise StorageError("the store is not open yet")
        return self._store

    async def take(self, lines: Sequence[bytes], source: str) -> list[Refusal]:
        """Take raw events; returns once they are durable, with those that were refused.

        Raises Busy when too much waits already, StorageError when nothing was kept.
        """
        size = sum(map(len, lines))
        if self._waiting_bytes + size > MAX_WAITING_BYTES and self._waiting:
            raise Busy("more events wait than may; come back in a second")
        self._waiting_bytes += size
        try:
            return await self._put(Records(lines, source))
        finally:
            self._waiting_bytes -= size

    async def hear(self, profile_id: str, events: Sequence[Event]) -> None:
        """Take events about a profile that is known by its id; returns once they are durable."""
        await self._put([Told(profile_id, events)])

    async def settle(self, told: Sequence[Told]) -> None:
        """Take deliveries' outcomes with their receipts; also while stopping, or they would be sent again."""
        await self._offer(told, is_last=True)

    def now_ms(self) -> int:
        """Tell the instant as the next batch will see it."""
        return self._clock.now_ms()

    async def put(self, item: Item) -> None:
        """Have something worked on; returns once what it came to is durable."""
        await self._put(item)

    async def _put(self, item: Item) -> list[Refusal]:
        return await self._offer(item)

    def _offer(self, item: Item, is_last: bool = False) -> asyncio.Future[list[Refusal]]:
        if self._stopping and not is_last:
            raise Busy("this process is stopping; come back in a second")
        done: asyncio.Future[list[Refusal]] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        self._something.set()
        return done

    async def _work(self) -> None:
        """Work on one batch after the other, until stopped and nothing waits."""
        while not (self._stopping and not self._waiting):
            now_ms = self._clock.now_ms()
            next_ms = self.turns.next_ms
            if not self._waiting and next_ms >= now_ms:
                if self.trouble is not None:
                    await self._try_again()
                await self._rest(LOOK_EVERY if next_ms == NEVER_MS else min((next_ms - now_ms) / 1000, LOOK_EVERY))
                continue
            await self._work_on(self._next_batch(), now_ms)

    async def _try_again(self) -> None:
        """Ask the store whether it writes again: who is not ready may be sent nothing that would show it."""
        try:
            await self.run(lambda: self.store.commit(Batch(positions={_WRITABLE: b""})))
        except StorageError as error:
            self.trouble = str(error)
        else:
            self.trouble = None
            _log.info("what comes is kept again")

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[list[Refusal]]]]:
        count = records = 0
        for item, _ in self._waiting:
            count += 1
            records += 1 if isinstance(item, Asked | Placed) else len(item.lines if isinstance(item, Records) else item)
            if records >= MAX_RECORDS_A_BATCH:
                break
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _work_on(self, batch: list[tuple[Item, asyncio.Future[list[Refusal]]]], now_ms: int) -> None:
        items = [item for item, _ in batch]
        try:
            worked = await self.run(lambda: self.turns.work(items, now_ms))
        except Exception as error:  # noqa: BLE001 - whatever it is, callers must hear that nothing was kept
            if len(batch) > 1 and not isinstance(error, StorageError):
                _log.exception("a batch failed; each of its items is tried by itself", items=len(items))
                for each in batch:  # a bug that one of them meets is not everybody's
                    await self._work_on([each], now_ms)
                return
            # Anybody may ask whether we are ready, and a bug may quote what it met.
            if isinstance(error, StorageError):  # which says what to do; a disk that is full needs no long lines
                self.trouble = str(error)
                _log.error("a batch was not kept", items=len(items), why=self.trouble)
            else:
                self.trouble = "a fault of ours; the log says more"
                _log.exception("a batch was not kept", items=len(items))
            for _, done in batch:
                if not done.done():
                    failed = StorageError(f"nothing was kept: {error}")
                    failed.__cause__ = error  # by which is told whether another try may do better
                    done.set_exception(failed)
            await self.rest()
            return
        self.trouble = None
        for (_, done), refusals in zip(batch, worked.refusals, strict=True):
            if not done.done():  # a caller that went away meanwhile
                done.set_result(refusals)
        if worked.lanes or worked.cancelled:
            self._on_worked(worked.lanes, worked.cancelled)

    async def rest(self) -> None:
        """Let a store that failed alone for a while."""
        await self._sleep(REST_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until something comes."""
        self._something.clear()
        if self._waiting or self._stopping:
            return
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._something.wait()
        except TimeoutError:
            return

    async def stop(self) -> None:
        """Take nothing more, work off what waits, and close the store."""
        self._stopping = True
        self._something.set()
        if self._task is not None:
            await self._task
        if self._store is not None:
            await self.run(self._store.close)
        self._thread.shutdown()


class StoreOutbox:
    """Delivery's outbox in the store: what it settles is committed with everything else.

    A disk that is full, or that fails, is waited for, with outcomes in hand and before anything is handed out: what
    cannot be settled would be sent once more by every process that follows, until there is room.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._is_writable = False

    async def due(self, lane: str, until_ms: int, limit: int, but: Collection[str]) -> list[Pending]:
        """Give what is due on a lane."""
        if not self._is_writable:
            await self._asked(lambda: self._intake.store.commit(Batch(positions={_WRITABLE: b""})))
            self._is_writable = True
        return await self._asked(lambda: self._intake.store.due(lane, until_ms, limit, but))

    async def next_due(self, lane: str, after_ms: int) -> int | None:
        """Tell when the next of a lane is due."""
        return await self._asked(lambda: self._intake.store.next_due(lane, after_ms))

    def holds(self, pending: Pending) -> bool:
        """Tell that nobody else sends what is in the store."""
        return True

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes with their receipts."""
        told = [Told(each.pending.profile_id, each.receipts, each.settled, each.notes) for each in outcomes]
        while True:
            try:
                return await self._intake.settle(told)
            except StorageError as error:
                if not isinstance(error.__cause__, StorageError):
                    raise  # a bug of ours stays one

    async def recall(self, note: str) -> dict[str, bytes]:
        """Give a note as it was settled last; there is one part, and it is open."""
        found = await self._asked(lambda: self._intake.store.position(note))
        return {} if found is None else {"": found}

    async def _asked(self, call: Callable[[], Result]) -> Result:
        while True:
            try:
                return await self._intake.run(call)
            except StorageError as error:
                _log.error("the outbox cannot be read or written", why=str(error))
                await self._intake.rest()
