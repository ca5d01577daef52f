"""One message to several addresses: what is reported of those that took it, and of those that are gone."""

from datetime import timedelta

import pytest

from orchestrator.channels.port import Receipt
from orchestrator.errors import Bounced, Refused, TryLater
from orchestrator.model.catalog import UNREACHABLE
from orchestrator.runtime.delivery.roads import MessageRoad
from providers import action, preparer
from providers.deliveries import NOW_MS

GONE, FULL, NO = Bounced("gone", hard=True), Bounced("full", hard=False), Refused("no")
BUSY, LATER = TryLater(None, "busy"), TryLater(timedelta(seconds=1), "later")


class Devices:
    """Answers each address as told."""

    def __init__(self, told):
        self.told = told

    async def send(self, delivery):
        answer = self.told[delivery.to]
        if isinstance(answer, Receipt):
            return answer
        raise answer

    async def close(self):
        pass


async def sent(told):
    one = action(1, channel="push", to=list(told))
    road = MessageRoad(Devices(told), preparer)
    return one, [(each.type, each.properties) for each in await road.send(one, NOW_MS)]


async def test_devices_that_are_gone_are_reported_beside_the_message_that_reached_the_others():
    one, receipts = await sent({"t1": GONE, "t2": Receipt("r2", {"parts": 2}), "t3": FULL, "t4": BUSY, "t5": GONE})
    assert receipts == [
        ("message_sent", {"action_id": one.id, "channel": "push", "reference": "r2", "parts": 2}),
        (UNREACHABLE, {"action_id": one.id, "channel": "push", "addresses": ["t1", "t5"]}),
    ]


async def test_where_all_took_it_there_is_nothing_else_to_report():
    one, receipts = await sent({"t1": Receipt("r1"), "t2": Receipt()})
    assert receipts == [("message_sent", {"action_id": one.id, "channel": "push", "reference": "r1"})]


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"t1": GONE, "t2": BUSY}, BUSY),
        ({"t1": NO, "t2": LATER}, LATER),
        # What one device's refusal of the content says of it must not make the other, or all, unreachable.
        ({"t1": GONE, "t2": NO}, NO),
        ({"t1": GONE, "t2": FULL}, FULL),
        ({"t1": GONE, "t2": GONE}, GONE),
    ],
)
async def test_nothing_is_final_while_one_of_them_may_still_take_it(told, error):
    with pytest.raises(type(error)) as caught:
        await sent(told)
    assert caught.value is error
