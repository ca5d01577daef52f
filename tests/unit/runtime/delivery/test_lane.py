"""Lanes on a virtual clock: what becomes of each action, and when."""

import asyncio
import itertools
import random
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from orchestrator.errors import Bounced, OptedOut, Refused, StorageError, TryLater, Unavailable, WindowClosed
from orchestrator.runtime.delivery.lane import FETCHED_AT, QUEUED_PER_SENDER, Lane
from orchestrator.runtime.delivery.lanes import Lanes, Route
from orchestrator.runtime.delivery.pace import Manners, Rate
from orchestrator.runtime.delivery.roads import MessageRoad, UnsetRoad, message_failed
from orchestrator.storage import Batch
from providers import action, preparer
from providers.deliveries import NOW_MS
from providers.outboxes import OutboxInMemory, ToldChannel
from providers.virtual_clock import VirtualClock

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
BUSY, DOWN = TryLater(None, "busy"), Unavailable(None, "down")
QUIET = {"zone": "UTC", "windows": [{"from": "09:00", "to": "11:00"}]}  # it is 10:00


class Setting:
    """Lanes for email and push over one outbox; `failures` is what would end the process."""

    def __init__(self, *script, manners=None, push=(), content=None, after=None):
        self.clock = after.clock if after else VirtualClock(NOW_MS)
        self.outbox = after.outbox if after else OutboxInMemory()
        self.email, self.push = ToldChannel(self.clock, *script), ToldChannel(self.clock, *push)
        self.outcomes, self.failures = [], []
        self.prepare = preparer(content)
        routes = {
            "email": Route(MessageRoad(self.email, lambda: self.prepare), manners or Manners()),
            "push": Route(MessageRoad(self.push, lambda: self.prepare), manners or Manners()),
        }
        self.delivery = Lanes(
            routes,
            self.outbox,
            self.clock,
            dice=random.Random(1),
            observe=lambda lane, outcome, seconds: self.outcomes.append((lane, outcome)),
            fail=self.failures.append,
            look_every=30,
        )

    async def run(self, *actions, milliseconds=0):
        self.outbox.put(*actions)
        await self.delivery.start()
        await self.clock.advance(milliseconds)
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await self.delivery.stop(grace_seconds=0)


async def test_an_action_is_sent_once_and_leaves_a_receipt():
    async with Setting() as shop:
        await shop.run(action(1), milliseconds=HOUR)
        assert shop.email.sent == [(action(1).id, NOW_MS)]
        assert shop.outbox.receipts == [
            ("message_sent", {"action_id": action(1).id, "channel": "email", "reference": "ref-1"})
        ]
        assert shop.outbox.store.lanes() == {}
    assert shop.email.closed


async def test_what_fails_for_now_is_tried_again_later_and_later_under_the_same_key():
    async with Setting(BUSY, BUSY, BUSY, None) as shop:
        await shop.run(action(1), milliseconds=MINUTE)
        waits = [after - before for (_, before), (_, after) in itertools.pairwise(shop.email.tried)]
        assert {key for key, _ in shop.email.tried} == {action(1).id}
        assert [500 <= waits[0] <= 1100, 1000 <= waits[1] <= 2100, 2000 <= waits[2] <= 4100] == [True] * 3
        assert shop.outcomes == [("email", "retried")] * 3 + [("email", "sent")]


async def test_a_provider_that_says_when_is_not_asked_before():
    async with Setting(TryLater(timedelta(seconds=90), "later"), None) as shop:
        await shop.run(action(1), milliseconds=5 * MINUTE)
        [(_, first), (_, second)] = shop.email.tried
        assert 90 * SECOND <= second - first <= 101 * SECOND


async def test_too_many_requests_holds_up_the_whole_lane_and_no_other():
    async with Setting(Unavailable(timedelta(seconds=60), "429"), None) as shop:
        await shop.run(action(1), action(2, channel="push", to="t"), milliseconds=SECOND)
        shop.outbox.put(action(3))
        shop.delivery.wake(["email"])
        await shop.clock.advance(30 * SECOND)
        assert len(shop.email.tried) == 1
        assert len(shop.push.sent) == 1
        await shop.clock.advance(2 * MINUTE)
        assert len(shop.email.sent) == 2


async def test_what_a_provider_quotes_of_a_customer_stays_out_of_the_log():
    why = "the server answered 421 4.7.0 <ana+x@mail.example.com>: too many connections for ana@example.com"
    with capture_logs() as logs:
        async with Setting(Unavailable(None, why), None) as shop:
            await shop.run(action(1), milliseconds=SECOND)
    [told] = [each["why"] for each in logs if each["event"] == "a provider is in trouble"]
    assert told == "the server answered 421 4.7.0 <…@…>: too many connections for …@…"


async def test_a_dead_provider_is_left_alone_and_tried_with_one_message_at_a_time():
    async with Setting(*[DOWN] * 8, None, manners=Manners(concurrency=1)) as shop:
        await shop.run(*(action(number) for number in range(40)), milliseconds=2 * SECOND)
        assert len(shop.email.tried) == 5
        await shop.clock.advance(30 * MINUTE)
        assert len(shop.email.sent) == 40
        assert len(shop.email.tried) == 48
        assert not shop.delivery.by_name["email"].breaker.is_open


async def test_a_slow_provider_holds_up_nobody_else():
    async with Setting(3600.0) as shop:
        actions = [action(number) for number in range(100)]
        await shop.run(*actions, action(200, channel="push", to="t"), milliseconds=SECOND)
        assert len(shop.push.sent) == 1
        assert shop.email.sent == []
        assert shop.email.most_at_once == 20


@pytest.mark.parametrize(
    ("error", "receipt", "dead"),
    [
        (Refused("no such template"), ("message_failed", {"reason": "refused", "why": "no such template"}), "refused"),
        (Bounced("no such user", True), ("message_bounced", {"kind": "hard", "why": "no such user"}), None),
        (Bounced("full", False), ("message_bounced", {"kind": "soft", "why": "full"}), None),
        (RuntimeError("our bug"), ("message_failed", {"reason": "failure"}), "failure"),
    ],
)
async def test_what_is_refused_is_not_tried_again(error, receipt, dead):
    async with Setting(error) as shop:
        await shop.run(action(1), milliseconds=HOUR)
        [(event_type, properties)] = shop.outbox.receipts
        about = {"action_id": action(1).id, "channel": "email"}
        assert (event_type, properties) == (receipt[0], {**about, **receipt[1]})
        assert [each.reason for each in shop.outbox.store.given_up()] == ([dead] if dead else [])
        assert len(shop.email.tried) == 1


async def test_a_template_that_fails_is_a_dead_letter_that_can_be_sent_again_once_it_is_mended():
    async with Setting(content={"email": {"text": "{{ 1 | divided_by: 0 }}"}}) as shop:
        await shop.run(action(1), action(2, channel="email"), milliseconds=MINUTE)
        assert [properties["reason"] for _, properties in shop.outbox.receipts] == ["not_rendered"] * 2
        assert shop.email.tried == []
        shop.prepare = preparer()
        assert shop.outbox.store.revive(shop.clock.now_ms(), "not_rendered") == 2
        await shop.clock.advance(MINUTE)
        assert len(shop.email.sent) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"expires_at": "2026-01-01T10:00:00.000Z"}, "expired"),
        ({"at": "2025-12-31T10:00:00.000Z", "stale_after": "1d"}, "stale"),
        ({"at": "2025-12-31T10:00:00.000Z"}, "stale"),
        ({"quiet": QUIET, "expires_at": "2026-01-01T10:30:00.000Z"}, "expired"),
    ],
)
async def test_what_is_too_old_is_not_sent_and_says_so(fields, reason):
    async with Setting() as shop:
        await shop.run(action(1, **fields), milliseconds=HOUR)
        assert shop.outbox.receipts == [
            ("message_failed", {"action_id": action(1).id, "channel": "email", "reason": reason})
        ]
        assert shop.email.tried == []


async def test_what_ends_while_it_is_tried_again_says_so_at_its_end():
    async with Setting(BUSY) as shop:
        await shop.run(action(1, expires_at="2026-01-01T12:00:00.000Z"), milliseconds=3 * HOUR)
        [(_, properties)] = shop.outbox.receipts
        assert properties["reason"] == "expired"
        assert shop.email.tried[-1][1] < NOW_MS + 2 * HOUR


async def test_what_comes_to_its_turn_at_night_waits_for_the_morning_spread_over_a_quarter_of_an_hour():
    async with Setting() as shop:
        await shop.run(*(action(number, quiet=QUIET) for number in range(50)), milliseconds=HOUR - SECOND)
        assert shop.email.tried == []
        await shop.clock.advance(15 * MINUTE + 2 * SECOND)
        instants = [at - NOW_MS - HOUR for _, at in shop.email.sent]
        assert len(instants) == 50
        assert min(instants) < 2 * MINUTE
        assert max(instants) > 13 * MINUTE


async def test_a_cancelled_action_is_not_sent_and_says_so_at_once():
    async with Setting(BUSY) as shop:
        await shop.run(action(1), action(2, quiet=QUIET), milliseconds=SECOND // 4)
        shop.outbox.store.commit(Batch(cancelled=[action(1).id, action(2).id]))
        shop.delivery.cancel([action(1).id, action(2).id])
        await shop.clock.advance(SECOND // 4)
        assert sorted(properties["reason"] for _, properties in shop.outbox.receipts) == ["cancelled"] * 2
        assert len(shop.email.tried) == 1
        assert shop.outbox.store.lanes() == {}


async def test_cancelling_what_is_on_its_way_to_the_provider_is_too_late():
    async with Setting(10.0) as shop:
        await shop.run(action(1), milliseconds=SECOND)
        shop.outbox.store.commit(Batch(cancelled=[action(1).id]))
        shop.delivery.cancel([action(1).id])
        await shop.clock.advance(MINUTE)
        assert [event_type for event_type, _ in shop.outbox.receipts] == ["message_sent"]


async def test_whoever_told_the_provider_to_stop_has_told_us():
    async with Setting(OptedOut("code 21610")) as shop:
        await shop.run(action(1), milliseconds=MINUTE)
        about = {"action_id": action(1).id, "channel": "email", "why": "code 21610"}
        assert shop.outbox.receipts == [("message_bounced", {**about, "kind": "soft"}), ("message_unsubscribed", about)]
        assert shop.outbox.store.lanes() == {}


async def test_no_more_than_the_rate_and_no_more_than_so_many_at_once():
    async with Setting(manners=Manners(concurrency=3, rate=10)) as shop:
        await shop.run(*(action(number) for number in range(30)), milliseconds=10 * SECOND)
        instants = sorted(at for _, at in shop.email.sent)
        assert len(instants) == 30
        assert all(after - before >= 99 for before, after in itertools.pairwise(instants))
        assert shop.email.most_at_once <= 3


async def test_a_rate_of_less_than_one_a_minute_holds_and_outlives_a_restart():
    shop, manners = Setting(manners=Manners(rate=1 / 3_600)), Manners(rate=1 / 3_600)
    actions = [action(number, stale_after="90d") for number in range(50)]
    await shop.run(*actions, milliseconds=6 * HOUR)
    instants = [at for _, at in shop.email.sent]
    assert [at - NOW_MS for at in instants] == [number * HOUR for number in range(7)]
    await shop.delivery.stop()
    again = Setting(manners=manners, after=shop)
    async with again:
        await again.run(milliseconds=HOUR - 1)
        assert again.email.sent == []
        await shop.clock.advance(HOUR + 1)
        assert len(again.email.sent) == 2


async def test_what_is_taken_back_while_it_waits_for_its_turn_is_on_record_at_once():
    async with Setting(manners=Manners(rate=1 / 3_600)) as shop:
        await shop.run(action(1), action(2), milliseconds=SECOND)
        shop.outbox.store.commit(Batch(cancelled=[action(2).id]))
        shop.delivery.cancel([action(2).id])
        await shop.clock.advance(MINUTE)
        assert shop.outcomes == [("email", "sent"), ("email", "cancelled")]


def test_a_clock_that_is_set_back_does_not_hold_up_a_rate():
    rate = Rate(1 / 60)
    assert [rate.reserve(DAY), rate.reserve(DAY)] == [0, MINUTE]
    assert rate.reserve(DAY - HOUR) == 2 * MINUTE
    assert rate.reserve(2 * DAY) == 0


async def test_a_new_sender_doubles_day_by_day_also_over_a_restart():
    shop = Setting(manners=Manners(ramp=10))
    actions = [action(number, stale_after="90d") for number in range(60)]
    await shop.run(*actions, milliseconds=HOUR)
    assert len(shop.email.sent) == 10
    await shop.delivery.stop()
    again = Setting(manners=Manners(ramp=10), after=shop)
    async with again:
        await again.run(milliseconds=HOUR)
        assert again.email.sent == []
        await shop.clock.advance(DAY)
        assert len(again.email.sent) == 20
        await shop.clock.advance(DAY)
        assert len(again.email.sent) == 50


async def test_a_part_of_the_outbox_that_opens_late_is_heard_about_what_was_sent_today():
    shop = Setting(manners=Manners(ramp=10))
    await shop.run(*(action(number, stale_after="90d") for number in range(8)), milliseconds=HOUR)
    await shop.delivery.stop()
    noted = shop.outbox.store.position("ramp email")
    again, parts = Setting(manners=Manners(ramp=10), after=shop), {}

    async def recall(note):
        return parts

    again.outbox.recall = recall
    async with again:
        await again.run(action(20), milliseconds=HOUR)  # of a part that knows of nothing yet
        parts["3/2"] = noted
        again.outbox.put(*(action(number, stale_after="90d") for number in range(30, 40)))
        again.delivery.wake(["email"])
        await shop.clock.advance(HOUR)
        assert len(again.email.sent) == 3


async def test_what_waits_is_fetched_once_and_many_at_a_time():
    shop, fetched = Setting(manners=Manners(concurrency=2)), []
    due = shop.outbox.due

    async def counted(*asked):
        fetched.append(await due(*asked))
        return fetched[-1]

    shop.outbox.due = counted
    async with shop:
        await shop.run(*(action(number) for number in range(300)))
        for _ in range(100):
            await shop.clock.advance(1)
        assert len(shop.email.sent) == len({key for key, _ in shop.email.sent}) == 300
    emails = [each.action_id for found in fetched for each in found]
    assert len(emails) == len(set(emails)) == 300
    assert len([found for found in fetched if found]) <= 300 / (QUEUED_PER_SENDER * 2 * (1 - FETCHED_AT)) + 1


async def test_all_of_a_customers_devices_get_it_and_one_that_takes_it_is_enough():
    async with Setting(push=(Refused("gone"), None)) as shop:
        await shop.run(action(1, channel="push", to=["t1", "t2"]), milliseconds=MINUTE)
        assert [key for key, _ in shop.push.tried] == [action(1).id, f"{action(1).id}-2"]
        assert [event_type for event_type, _ in shop.outbox.receipts] == ["message_sent"]


async def test_a_lane_that_nobody_set_up_waits_and_says_what_is_missing():
    shop = Setting()
    shop.delivery.by_name["email"].road = UnsetRoad("set it up", message_failed)
    async with shop:
        await shop.run(action(1), milliseconds=23 * HOUR)
        [row] = shop.outbox.store.due("email", NOW_MS + 2 * DAY, 10)
        assert row.why == "set it up"
        await shop.clock.advance(2 * HOUR)
        assert [properties["reason"] for _, properties in shop.outbox.receipts] == ["stale"]


@pytest.mark.parametrize(("knows_repeats", "at_most"), [(False, 4), (True, 16)])
async def test_only_where_repeats_are_known_many_are_on_their_way_to_the_record(knows_repeats, at_most):
    shop = Setting(manners=Manners(concurrency=1))
    shop.email.knows_repeats = knows_repeats
    road = MessageRoad(shop.email, lambda: shop.prepare)
    lane = Lane(
        "email", road, shop.outbox, shop.clock,
        manners=Manners(concurrency=1), dice=random.Random(1), observe=lambda *told: None, fail=shop.failures.append,
    )  # fmt: skip
    written = asyncio.Event()

    async def settle(outcomes):
        await written.wait()

    shop.outbox.settle = settle
    shop.outbox.put(*(action(number) for number in range(40)))
    await lane.start()
    await shop.clock.advance(MINUTE)
    assert len(shop.email.sent) == at_most
    await lane.stop(grace_seconds=0)


async def test_stopping_finishes_what_is_on_its_way_and_leaves_the_rest():
    shop = Setting(manners=Manners(concurrency=2))
    gate = ToldChannel(shop.clock, 0.05)
    shop.delivery.by_name["email"].road = MessageRoad(gate, lambda: shop.prepare)
    await shop.run(*(action(number) for number in range(10)))
    assert gate.at_once == 2
    stopping = asyncio.create_task(shop.delivery.stop())
    await shop.clock.advance(SECOND)
    await stopping
    assert len(gate.sent) == 2
    assert len(shop.outbox.store.due("email", NOW_MS + DAY, 100)) == 8


async def test_an_outbox_that_breaks_ends_the_lane_and_is_told():
    shop = Setting()

    async def settle(*told):
        raise StorageError("no space")

    shop.outbox.settle = settle
    await shop.run(action(1), milliseconds=SECOND)
    assert [str(error) for error in shop.failures] == ["no space"]
    await shop.delivery.stop(grace_seconds=0)


async def test_a_window_that_has_closed_meanwhile_is_reported_and_is_no_dead_letter():
    async with Setting(WindowClosed("too late")) as shop:
        await shop.run(action(1), milliseconds=HOUR)
        told = {"action_id": action(1).id, "channel": "email", "reason": "window_closed", "why": "too late"}
        assert shop.outbox.receipts == [("message_failed", told)]
        assert shop.outcomes == [("email", "window_closed")]
        assert shop.outbox.store.lanes() == {}


async def test_what_went_to_another_process_while_it_waited_here_is_not_sent_here_too():
    async with Setting(manners=Manners(concurrency=2, rate=1 / 60)) as shop:
        await shop.run(*(action(number, stale_after="1d") for number in range(4)), milliseconds=SECOND)
        assert [key for key, _ in shop.email.sent] == [action(0).id]
        shop.outbox.elsewhere = {action(1).id, action(2).id}
        await shop.clock.advance(10 * MINUTE)
        assert [key for key, _ in shop.email.sent] == [action(0).id, action(3).id]
        shop.outbox.elsewhere.clear()  # and back, as it was
        shop.delivery.wake(["email"])
        await shop.clock.advance(10 * MINUTE)
        assert {key for key, _ in shop.email.sent} == {action(number).id for number in range(4)}
        assert len(shop.email.sent) == 4
