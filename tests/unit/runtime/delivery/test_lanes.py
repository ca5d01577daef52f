"""Lanes that lead elsewhere by now."""

import asyncio
import random

from orchestrator.errors import Unavailable
from orchestrator.runtime.delivery.lanes import Lanes, Route
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.roads import MessageRoad
from orchestrator.runtime.delivery.timing import RELEASE_OVER_MS
from providers import action, preparer
from providers.deliveries import NOW_MS
from providers.outboxes import OutboxInMemory, ToldChannel
from providers.virtual_clock import VirtualClock

MINUTE, HOUR = 60_000, 3_600_000
QUIET = {"zone": "UTC", "windows": [{"from": "09:00", "to": "11:00"}]}  # it is 10:00


class Setting:
    """One lane, whose road is `old`, and whose next one is to `new`."""

    def __init__(self, *script):
        self.clock, self.outbox = VirtualClock(NOW_MS), OutboxInMemory()
        self.old, self.new = ToldChannel(self.clock, *script), ToldChannel(self.clock)
        self.lanes = Lanes(
            {"email": self._route(self.old, "old")},
            self.outbox,
            self.clock,
            dice=random.Random(1),
            observe=lambda *told: None,
            fail=lambda error: None,
        )

    def _route(self, channel, origin):
        return Route(MessageRoad(channel, preparer), Manners(concurrency=1), origin)

    async def move(self, release_over_ms=RELEASE_OVER_MS):
        await self.lanes.take_up({"email": self._route(self.new, "new")}, release_over_ms)

    async def __aenter__(self):
        await self.lanes.start()
        return self

    async def __aexit__(self, *exc):
        await self.lanes.stop(grace_seconds=0)


def keys(channel):
    return [key for key, _ in channel.sent]


async def test_what_is_being_handed_over_is_finished_and_the_rest_goes_where_the_lane_leads_by_now():
    async with Setting(1.0) as shop:
        shop.outbox.put(action(1), action(2), action(3))
        shop.lanes.wake(["email"])
        await shop.clock.advance(100)
        moving = asyncio.create_task(shop.move())
        await shop.clock.advance(MINUTE)
        await moving
        await shop.clock.advance(MINUTE)
        assert (keys(shop.old), keys(shop.new)) == ([action(1).id], [action(2).id, action(3).id])
        assert (shop.old.closed, shop.lanes.origins) == (True, {"email": "new"})


async def test_what_waits_for_a_provider_in_trouble_goes_to_the_new_one_at_once():
    async with Setting(Unavailable(None, "down")) as shop:
        shop.outbox.put(*(action(number) for number in range(8)))
        shop.lanes.wake(["email"])
        await shop.clock.advance(10 * MINUTE)
        assert shop.lanes.by_name["email"].breaker.is_open
        await shop.move()
        await shop.clock.advance(20 * MINUTE)
        assert (len(shop.new.sent), shop.lanes.by_name["email"].breaker.is_open) == (8, False)


async def test_what_is_held_is_spread_as_the_project_says_by_now():
    async with Setting() as shop:
        await shop.lanes.take_up({}, 0)
        shop.outbox.put(*(action(number, quiet=QUIET) for number in range(5)))
        shop.lanes.wake(["email"])
        await shop.clock.advance(HOUR)
        assert len(shop.old.sent) == 5


async def test_lanes_that_end_open_no_others():
    async with Setting(1.0) as shop:
        shop.outbox.put(action(1))
        shop.lanes.wake(["email"])
        await shop.clock.advance(100)
        moving = asyncio.create_task(shop.move())
        ending = asyncio.create_task(shop.lanes.stop())
        await shop.clock.advance(MINUTE)
        await asyncio.gather(moving, ending)
        assert shop.lanes.origins == {"email": "old"}
