"""Coupons at the moment of sending: what is claimed, what is shown, and what becomes of a message without a code."""

import random

import pytest

from orchestrator.channels.coupons import AskedCodes, samples
from orchestrator.runtime.delivery.coupons import NoCoupon, NotClaimed, Pool
from orchestrator.runtime.delivery.lanes import Lanes, Route
from orchestrator.runtime.delivery.roads import MessageRoad
from providers import action, preparer
from providers.deliveries import NOW_MS
from providers.outboxes import OutboxInMemory, ToldChannel
from providers.virtual_clock import VirtualClock

GIFT = {"email": {"subject": "For you", "text": "{{ coupon.gift }}"}}


class PoolClaims:
    """Claims over a pool in memory; `trouble` is raised once."""

    def __init__(self, trouble: Exception | None = None, **coupons: list[str]) -> None:
        self.pool, self.has, self.trouble = Pool(), {}, trouble
        self.pool.stock_all(coupons)

    async def claim(self, action, coupons):
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        lacking = [coupon for coupon in coupons if (action.entry_id, coupon) not in self.has]
        for coupon, code in self.pool.take(lacking).items():
            self.has[action.entry_id, coupon] = code
        return {coupon: self.has[action.entry_id, coupon] for coupon in coupons}


class Seen(ToldChannel):
    """A channel that keeps what customers read."""

    def __init__(self, clock, *script) -> None:
        super().__init__(clock, *script)
        self.read: list[str] = []

    async def send(self, delivery):
        self.read.append(delivery.rendered.body)
        return await super().send(delivery)


async def delivered(content, claims, *actions, script=(), hours=0):
    clock, outbox = VirtualClock(NOW_MS), OutboxInMemory()
    channel, prepare, outcomes = Seen(clock, *script), preparer(content), []
    delivery = Lanes(
        {"email": Route(MessageRoad(channel, lambda: prepare, claims))},
        outbox,
        clock,
        dice=random.Random(1),
        observe=lambda _lane, outcome, _seconds: outcomes.append(outcome),
        fail=lambda error: pytest.fail(repr(error)),
        look_every=30,
    )
    outbox.put(*actions)
    await delivery.start()
    await clock.advance(hours * 3_600_000)
    await delivery.stop(grace_seconds=0)
    return channel, outbox, outcomes


async def test_every_entry_gets_a_code_of_its_own_and_keeps_it():
    claims = PoolClaims(gift=["A", "B", "C"])
    actions = [action(1, entry_id="e1"), action(2, entry_id="e2"), action(3, entry_id="e1")]
    channel, outbox, _ = await delivered(GIFT, claims, *actions)
    assert channel.read == ["A", "B", "A"]
    assert claims.pool.left == {"gift": 1}
    assert [event for event, _ in outbox.receipts] == ["message_sent"] * 3


async def test_a_message_that_is_tried_again_shows_the_same_code():
    channel, _, outcomes = await delivered(
        GIFT, PoolClaims(gift=["A", "B"]), action(1), script=[NotClaimed(None, "busy"), None], hours=1
    )
    assert channel.read == ["A", "A"]
    assert outcomes == ["retried", "sent"]


async def test_without_a_code_the_message_is_not_sent_and_the_receipt_says_why():
    claims = PoolClaims(gift=["A"])
    channel, outbox, outcomes = await delivered(GIFT, claims, action(1, entry_id="e1"), action(2, entry_id="e2"))
    assert channel.read == ["A"]
    assert outcomes == ["sent", "no_coupon"]
    told, properties = outbox.receipts[1]
    assert (told, properties["reason"], properties["why"]) == (
        "message_failed", "no_coupon", "no code of gift is left",
    )  # fmt: skip
    # It is no dead letter, and nobody sends it later: the customer has been told nothing, the journey something.
    assert outbox.store.given_up() == []
    assert outbox.store.lanes() == {}


async def test_when_a_code_cannot_be_claimed_now_the_message_is_tried_again():
    claims = PoolClaims(NotClaimed(None, "the disk is full"), gift=["A"])
    channel, _, outcomes = await delivered(GIFT, claims, action(1), hours=1)
    assert (channel.read, outcomes) == (["A"], ["retried", "sent"])


async def test_a_code_is_claimed_only_where_the_message_comes_to_it():
    content = {"email": {"subject": "For you", "text": "{% if profile.vip %}{{ coupon.gift }}{% else %}Hi{% endif %}"}}
    claims = PoolClaims(gift=["A"])
    channel, _, _ = await delivered(
        content, claims, action(1, data={"profile": {}}), action(2, data={"profile": {"vip": True}})
    )
    assert channel.read == ["Hi", "A"]


async def test_a_message_that_cannot_be_rendered_claims_nothing():
    claims = PoolClaims(gift=["A"])
    content = {"email": {"subject": "{{ 1 | divided_by: 0 }}", "text": "{{ coupon.gift }}"}}
    _, _, outcomes = await delivered(content, claims, action(1))
    assert (outcomes, claims.pool.left) == (["not_rendered"], {"gift": 1})


async def test_where_nobody_gives_codes_there_are_none():
    with pytest.raises(NoCoupon, match="nobody gives codes of gift here"):
        await MessageRoad(ToldChannel(None), lambda: preparer(GIFT)).send(action(1), NOW_MS)


def test_two_coupons_are_claimed_together_or_not_at_all():
    pool = Pool()
    pool.stock_all({"gift": ["A", "B"], "tea": ["T"]})
    assert pool.take(["gift", "tea"]) == {"gift": "A", "tea": "T"}
    with pytest.raises(NoCoupon, match="no code of tea is left"):
        pool.take(["gift", "tea"])
    assert pool.left == {"gift": 1, "tea": 0}
    assert pool.take(["gift"]) == {"gift": "B"}


def test_new_codes_are_taken_up_given_ones_never_come_back_and_removed_ones_are_not_given():
    pool = Pool(given=["A"])
    pool.stock("gift", ["A", "B", "C"])
    assert pool.take(["gift"]) == {"gift": "B"}
    pool.stock("gift", ["A", "B", "D"])
    assert pool.take(["gift"]) == {"gift": "D"}
    with pytest.raises(NoCoupon):
        pool.take(["gift"])


def test_a_code_that_moves_from_one_file_to_another_is_given_once():
    pool = Pool()
    pool.stock("gift", ["A", "B"])
    pool.stock("tea", ["A", "T"])
    assert pool.take(["gift", "tea"]) == {"gift": "A", "tea": "T"}


@pytest.mark.parametrize(
    ("codes", "sample"),
    [
        (("SALE-7KQ2", "SALE-M9XR"), "SALE-XXXX"),
        (("SALE-7KQ2",), "XXXX-XXXX"),
        (("ab-1",), "XX-X"),
        (("XX", "XY"), "XXX"),
        (("1", "12"), "1X"),
        ((), ""),
    ],
)
def test_a_sample_has_the_form_of_a_code_and_is_none(codes, sample):
    found = samples({"gift": codes})["gift"]
    assert found == sample
    assert found not in codes


def test_what_a_template_asks_for_is_noted_in_order_and_once():
    asked = AskedCodes()
    assert [asked[name] for name in ("b", "a", "b")] == ["b", "a", "b"]
    assert (list(asked), len(asked)) == (["b", "a"], 2)
