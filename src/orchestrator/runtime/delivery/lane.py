"""A lane: one channel's way out, with its own pace and patience, so that a slow provider holds up no other.

Owns the life of an action between the outbox and its outcome. In order, for each:

1. wait for the lane: the breaker, the rate
2. ask again: still ours, cancelled, expired, stale, quiet, today's allowance
3. hand it over
4. settle: the outcome and its receipts, in one commit; only then is it out of our hands

Dying anywhere before the end of 4 leaves it in the outbox, and it goes again under the same key. What waits for long
(a retry, quiet hours) waits in the outbox and not here. Must never hold more than a bounded number in memory.
"""

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from msgspec.structs import replace

from orchestrator.errors import Bounced, ChannelError, TryLater, Unavailable, WindowClosed
from orchestrator.model.decision import Reason
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.runtime import faults
from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.coupons import NoCoupon, NotClaimed
from orchestrator.runtime.delivery.outbox import Outbox, Outcome
from orchestrator.runtime.delivery.pace import Manners, Ramp, Rate
from orchestrator.runtime.delivery.patience import Backoff, Breaker
from orchestrator.runtime.delivery.roads import NotRendered, PartlyTaken, Road
from orchestrator.runtime.wall_clock import Clock
from orchestrator.storage import Pending, Settled

# The outbox is looked at again after so long whatever happens: clocks are set, machines sleep.
LOOK_EVERY = 1.0
# A lane that was told to stop waits so long for what is being handed over: after clients that hang, within 10 s.
GRACE_SECONDS = 4.0
# So many are fetched ahead, and more when only a share of them is left: the outbox is asked seldom, and senders never
# wait for it.
QUEUED_PER_SENDER = 32
FETCHED_AT = 0.25

# A sender goes on while outcomes are written; after a crash at most so many are sent again, under the same keys. Many
# only where the other side can tell: anywhere else, each is a message that somebody gets twice.
UNSETTLED_PER_SENDER = 4
UNSETTLED_WHERE_REPEATS_ARE_KNOWN = 16
# While more waits to be sent, outcomes are written together, for a commit costs as much as thirty of them: when they
# take half of the places, or when the first has waited for so long.
SETTLE_EVERY = 0.02
# Outcomes of what was given up on until somebody lets it be tried again: dead letters of delivery.
GIVEN_UP = frozenset({"refused", "not_rendered", "failure"})

# Providers quote whom a message was for, and logs name nobody.
_ADDRESS = re.compile(r"[^\s<>@:;,'\"()]+@[^\s<>@:;,'\"()]+")

Observe = Callable[[str, str, float], None]
_decode, _encode = msgspec.json.Decoder(Action).decode, msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Handled:
    """An action that is out of a sender's hands: its outcome, what to call it, and how long it took."""

    outcome: Outcome
    name: str
    seconds: float


class Lane:
    """Hands over the actions of one lane.

    `observe` is told (lane, outcome, seconds) of each, `fail` of what ends it. `look_every` is how many seconds it
    sleeps at most.
    """

    def __init__(
        self,
        name: str,
        road: Road,
        outbox: Outbox,
        clock: Clock,
        *,
        manners: Manners,
        dice: random.Random,
        observe: Observe,
        fail: Callable[[BaseException], None],
        release_over_ms: int = timing.RELEASE_OVER_MS,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self.name = name
        self.road = road
        self.breaker = Breaker()
        self._outbox = outbox
        self._clock = clock
        self._manners = manners
        self._dice = dice
        self._observe = observe
        self._fail = fail
        self.release_over_ms = release_over_ms
        self._look_every = look_every
        self._rate = Rate(manners.rate)
        self._ramp = Ramp(manners.ramp)
        # What was noted of those two before, by the part of the outbox that said so.
        self._remembered: set[tuple[str, str]] = set()
        self._backoff = Backoff()
        self._queue: asyncio.Queue[Pending] = asyncio.Queue(QUEUED_PER_SENDER * manners.concurrency)
        self._in_hand: set[str] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._cancelled: set[str] = set()
        unsettled = UNSETTLED_WHERE_REPEATS_ARE_KNOWN if road.knows_repeats else UNSETTLED_PER_SENDER
        self._places = unsettled * manners.concurrency
        self._unsettled = asyncio.Semaphore(self._places)
        self._handled: list[_Handled] = []
        self._something, self._many = asyncio.Event(), asyncio.Event()
        self._wake = asyncio.Event()
        # Whether the outbox holds more that is due than there was room for.
        self._left_behind = False
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to hand over."""
        self._tasks = [asyncio.create_task(self._send_all()) for _ in range(self._manners.concurrency)]
        self._tasks += [asyncio.create_task(self._fetch()), asyncio.create_task(self._settle_all())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    @property
    def _ramp_note(self) -> str:
        return f"ramp {self.name}"

    @property
    def _rate_note(self) -> str:
        return f"rate {self.name}"

    def wake(self) -> None:
        """Look at the outbox: something may be due."""
        self._wake.set()

    def cancel(self, action_ids: Iterable[str]) -> None:
        """Take note that these must not go any more; the outbox knows it already."""
        self._cancelled.update(self._in_hand.intersection(action_ids))
        self._wake.set()

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Finish what is being handed over, and stop; whatever else was in hand is still in the outbox."""
        self._stopping = True
        self._wake.set()
        self._many.set()  # what is there is settled now
        while not self._queue.empty():
            self._let_go(self._queue.get_nowait())
        try:
            async with asyncio.timeout(grace_seconds):
                await self._empty.wait()
        except TimeoutError:
            _log.warning("stopped in the middle of handing over", lane=self.name, actions=len(self._in_hand))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.road.close()

    def _take(self, pending: Pending) -> None:
        self._in_hand.add(pending.action_id)
        self._empty.clear()

    def _let_go(self, pending: Pending) -> None:
        self._in_hand.discard(pending.action_id)
        self._cancelled.discard(pending.action_id)
        if not self._in_hand:
            self._empty.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Report a task that ended by itself: without its outbox a lane can do nothing."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._stopping = True
            self._fail(error)

    async def _fetch(self) -> None:
        """Keep the queue filled with what is due."""
        while not self._stopping:
            self._wake.clear()
            self._left_behind = False
            now_ms, seconds = self._clock.now_ms(), self._look_every
            room = self._queue.maxsize - self._queue.qsize()
            found = await self._outbox.due(self.name, now_ms, room, frozenset(self._in_hand)) if room else []
            if found:
                await self._remember()
            for pending in found:
                self._take(pending)
                self._queue.put_nowait(pending)
            self._left_behind = len(found) == room
            if self._left_behind and self._is_low:
                continue
            if not self._left_behind and (next_ms := await self._outbox.next_due(self.name, now_ms)) is not None:
                seconds = min((next_ms - now_ms) / 1000, seconds)
            await self._sleep(seconds, self._wake)

    async def _remember(self) -> None:
        """Go on from what is noted of this lane, before anything goes that was fetched with it."""
        for note, limit in ((self._ramp_note, self._ramp), (self._rate_note, self._rate)):
            for part, noted in (await self._outbox.recall(note) if limit.is_noted else {}).items():
                if (note, part) not in self._remembered:
                    self._remembered.add((note, part))
                    limit.remember(noted)

    @property
    def _is_low(self) -> bool:
        return self._queue.qsize() <= self._queue.maxsize * FETCHED_AT

    async def _sleep(self, seconds: float, event: asyncio.Event) -> None:
        """Wait so long, or until there is something to do."""
        sleeping = asyncio.ensure_future(self._clock.sleep(max(seconds, 0.001)))
        waking = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    async def _send_all(self) -> None:
        while True:
            pending = await self._queue.get()
            if self._left_behind and self._is_low:
                self._wake.set()
            # Before it goes, so that what is sent and not yet on record is never more than that.
            await self._unsettled.acquire()
            handled = None
            try:
                handled = await self._handle(pending)
            finally:
                if handled is None:
                    self._unsettled.release()
                    self._let_go(pending)
            if handled is not None:
                self._handled.append(handled)
                self._something.set()
                if len(self._handled) * 2 >= self._places:
                    self._many.set()

    async def _settle_all(self) -> None:
        """Settle whatever was handled meanwhile, together; the sender has gone on to the next action."""
        while True:
            await self._something.wait()
            if not self._queue.empty():
                await self._sleep(SETTLE_EVERY, self._many)
            self._something.clear()
            self._many.clear()
            handled, self._handled = self._handled, []
            faults.reach("delivery.before_settle")
            await self._outbox.settle([each.outcome for each in handled])
            faults.reach("delivery.after_settle")
            if any(each.outcome.settled.due_ms is not None for each in handled):
                self._wake.set()  # it may be due again before anything else is
            for each in handled:
                self._unsettled.release()
                self._let_go(each.outcome.pending)
                self._observe(self.name, each.name, each.seconds)

    async def _handle(self, pending: Pending) -> "_Handled | None":
        """Take one action through the first three steps; None when it is not ours to send, or the lane has stopped.

        A bug of ours ends here, as that action's outcome.
        """
        action = _decode(pending.action)
        if not await self._may_go(pending):
            return None
        if not self._outbox.holds(pending):
            # While it waited here its partition went to another process, which sends it.
            self.breaker.abandoned()
            return None
        now_ms = self._clock.now_ms()
        try:
            settled, receipts, outcome, notes = await self._outcome(pending, action, now_ms)
        except Exception as error:  # noqa: BLE001 - whatever a channel of anybody's does, the others go on
            _log.exception("an action could not be handled", lane=self.name, action_id=action.id)
            self.breaker.abandoned()
            reason, why = "failure", f"{type(error).__name__}: {error}"
            settled = Settled(action.id, attempts=pending.attempts + 1, reason=reason, why=why)
            receipts, outcome, notes = self.road.failed(action, reason, None, now_ms), reason, {}
        seconds = (self._clock.now_ms() - now_ms) / 1000
        return _Handled(Outcome(pending, settled, receipts, notes), outcome, seconds)

    async def _may_go(self, pending: Pending) -> bool:
        """Wait for the lane; False when it stopped meanwhile. One that will not go has nothing to wait for."""
        while not self._stopping:
            if self._will_not_go(pending):
                return True
            wait_ms = self.breaker.wait_ms(self._clock.now_ms())
            if not wait_ms:
                return await self._wait_turn(pending, self._rate.reserve(self._clock.now_ms()))
            await self._clock.sleep(min(wait_ms / 1000, self._look_every))
        return False

    async def _wait_turn(self, pending: Pending, wait_ms: int) -> bool:
        """Wait for a place that was taken, which may be hours away; whoever will not go leaves it unused."""
        while wait_ms > 0:
            if self._stopping:
                return False
            if self._will_not_go(pending):
                break
            a_while_ms = min(wait_ms, int(self._look_every * 1000))
            await self._clock.sleep(a_while_ms / 1000)
            wait_ms -= a_while_ms
        return True

    def _will_not_go(self, pending: Pending) -> bool:
        return self._is_cancelled(pending) or not self._outbox.holds(pending)

    def _is_cancelled(self, pending: Pending) -> bool:
        return pending.cancelled or pending.action_id in self._cancelled

    async def _outcome(
        self, pending: Pending, action: Action, now_ms: int
    ) -> tuple[Settled, Sequence[Event], str, dict[str, bytes]]:
        """Decide what becomes of an action now: its settlement, receipts, what to call it, and notes."""
        verdict = timing.check(action, now_ms, self.release_over_ms)
        if self._is_cancelled(pending):
            verdict = timing.Never("cancelled")
        elif verdict is None and (tomorrow_ms := self._ramp.reserve(now_ms)):
            verdict = timing.Later(min(tomorrow_ms, timing.end_of(action)[0]))
        if verdict is not None:
            self.breaker.abandoned()
        if isinstance(verdict, timing.Never):
            return Settled(action.id), self.road.failed(action, verdict.reason, None, now_ms), verdict.reason, {}
        if isinstance(verdict, timing.Later):
            return Settled(action.id, verdict.due_ms, pending.attempts), (), "held", {}
        try:
            receipts = await self.road.send(action, now_ms)
            settled = Settled(action.id)
        except PartlyTaken as part:
            receipts = part.receipts
            settled = replace(self._again(pending, action, part), action=_encode(part.left))
        except ChannelError as error:
            self._ramp.give_back()
            return self._refusal(pending, action, error)
        self.breaker.succeeded()
        notes = {self._ramp_note: self._ramp.note(), self._rate_note: self._rate.note(now_ms)}
        return settled, receipts, "sent", {name: noted for name, noted in notes.items() if noted is not None}

    def _again(self, pending: Pending, action: Action, error: TryLater) -> Settled:
        """Say when an action is tried again."""
        now_ms, attempts = self._clock.now_ms(), pending.attempts + 1
        # Looked at once more at its end, so that its end is on record when it comes.
        due_ms = min(now_ms + self._backoff.delay_ms(attempts, error.after, self._dice), timing.end_of(action)[0])
        return Settled(action.id, max(due_ms, now_ms + 1), attempts, why=str(error))

    def _refusal(
        self, pending: Pending, action: Action, error: ChannelError
    ) -> tuple[Settled, Sequence[Event], str, dict[str, bytes]]:
        now_ms = self._clock.now_ms()
        attempts = pending.attempts + 1
        why = str(error)
        if isinstance(error, TryLater):
            if isinstance(error, NotClaimed):
                self.breaker.abandoned()  # the provider was never asked
            elif isinstance(error, Unavailable):
                self.breaker.failed(now_ms, error.after, self._dice)
                _log.warning(
                    "a provider is in trouble", lane=self.name, why=_ADDRESS.sub("…@…", why), attempts=attempts
                )
            else:
                self.breaker.succeeded()
            return self._again(pending, action, error), (), "retried", {}
        if isinstance(error, NotRendered | NoCoupon):
            self.breaker.abandoned()  # the provider was never asked
        else:
            self.breaker.succeeded()
        if isinstance(error, Bounced | WindowClosed):
            outcome = "bounced" if isinstance(error, Bounced) else "window_closed"
            return Settled(action.id), self.road.failed(action, outcome, error, now_ms), outcome, {}
        if isinstance(error, NoCoupon):
            receipts = self.road.failed(action, Reason.NO_COUPON, error, now_ms)
            return Settled(action.id), receipts, Reason.NO_COUPON, {}
        reason = "not_rendered" if isinstance(error, NotRendered) else "refused"
        receipts = self.road.failed(action, reason, error, now_ms)
        return Settled(action.id, attempts=attempts, reason=reason, why=why), receipts, reason, {}
