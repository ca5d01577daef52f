"""One message to several addresses: what is reported of those that took it, and of those that are gone."""

import random
from datetime import timedelta

import pytest

from orchestrator.channels.port import Receipt
from orchestrator.errors import Bounced, Refused, TryLater
from orchestrator.model.catalog import UNREACHABLE
from orchestrator.runtime.delivery.lanes import Lanes, Route
from orchestrator.runtime.delivery.roads import MessageRoad, PartlyTaken
from providers import action, preparer
from providers.deliveries import NOW_MS
from providers.outboxes import OutboxInMemory
from providers.virtual_clock import VirtualClock

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
    one, receipts = await sent({"t1": GONE, "t2": Receipt("r2", {"parts": 2}), "t3": FULL, "t4": NO, "t5": GONE})
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


class Phones:
    """Devices of one customer, by address: each answers from its own script, the last answer for all that follow."""

    def __init__(self, **scripts):
        self.scripts = scripts
        self.tried = []

    async def send(self, delivery):
        self.tried.append((delivery.to, delivery.key))
        script = self.scripts[delivery.to]
        told = script.pop(0) if len(script) > 1 else script[0]
        if told is None:
            return Receipt()
        raise told

    async def close(self):
        pass


async def handed_over(phones, milliseconds=3_600_000, **fields):
    """Hand one message to a customer's devices through a lane; give its action, the outbox and the outcomes."""
    one = action(1, channel="push", to=list(phones.scripts), **fields)
    clock, outbox, outcomes = VirtualClock(NOW_MS), OutboxInMemory(), []
    delivery = Lanes(
        {"push": Route(MessageRoad(phones, preparer))},
        outbox,
        clock,
        dice=random.Random(1),
        observe=lambda lane, outcome, seconds: outcomes.append(outcome),
        fail=outcomes.append,
        look_every=30,
    )
    outbox.put(one)
    await delivery.start()
    await clock.advance(milliseconds)
    await delivery.stop(grace_seconds=0)
    return one, outbox, outcomes


async def test_a_device_that_fails_for_now_is_tried_again_and_none_that_took_the_message():
    phones = Phones(t1=[None], t2=[BUSY, BUSY, None], t3=[GONE])
    one, outbox, outcomes = await handed_over(phones)
    assert phones.tried == [("t1", one.id), ("t2", f"{one.id}-2"), ("t3", f"{one.id}-3")] + [("t2", f"{one.id}-2")] * 2
    assert outbox.receipts == [
        ("message_sent", {"action_id": one.id, "channel": "push"}),
        (UNREACHABLE, {"action_id": one.id, "channel": "push", "addresses": ["t3"]}),
    ]
    assert outcomes == ["sent", "retried", "sent"]
    assert outbox.store.lanes() == {}


async def test_what_becomes_of_the_last_devices_is_not_said_of_a_message_that_left():
    for last, receipts in ((GONE, [(UNREACHABLE, ["t2"])]), (NO, []), (FULL, []), (BUSY, [])):
        _, outbox, _ = await handed_over(Phones(t1=[None], t2=[BUSY, last]), milliseconds=30 * 3_600_000)
        told = [(what, said.get("addresses")) for what, said in outbox.receipts]
        assert told == [("message_sent", None), *receipts]
        assert (outbox.store.lanes(), outbox.store.given_up()) == ({}, [])


async def test_a_message_that_left_and_is_taken_back_goes_to_no_further_device_and_has_still_left():
    phones = Phones(t1=[None], t2=[LATER])
    one = action(1, channel="push", to=["t1", "t2"])
    road = MessageRoad(phones, preparer)
    with pytest.raises(PartlyTaken) as caught:
        await road.send(one, NOW_MS)
    assert (caught.value.left.to, caught.value.after) == (["", "t2"], timedelta(seconds=1))
    assert road.failed(caught.value.left, "cancelled", None, NOW_MS) == []
    assert [each.type for each in road.failed(one, "cancelled", None, NOW_MS)] == ["message_failed"]
