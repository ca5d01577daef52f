"""Several devices of one customer: one that is dead makes only itself unreachable."""

import pytest

from shop import Customer, channel, journey, project, send
from shop.expressions import const

PHONE = {"endpoint": "https://push.example/1", "keys": {"auth": "a", "p256dh": "p"}}
WRITTEN = '{"endpoint":"https://push.example/1","keys":{"auth":"a","p256dh":"p"}}'


def shop_of(*devices):
    return project(channels=(channel("push", address=const(list(devices))),))


def reminded(*devices):
    ana = Customer(journey(send("say", "hello", "push", "email"), again="always"), project=shop_of(*devices))
    ana.does("cart_updated")
    return ana


def test_a_dead_device_is_left_out_the_next_time():
    ana = reminded("t1", "t2", "t3")
    ana.does("address_unreachable", "1h", channel="push", addresses=["t2"])
    ana.does("cart_updated", "2h")
    assert [one.to for one in ana.actions] == [["t1", "t2", "t3"], ["t1", "t3"]]
    assert ana.withheld == []


def test_who_has_only_dead_devices_is_unreachable_until_there_is_another():
    ana = reminded("t1", "t2")
    for at, gone in (("1h", "t1"), ("2h", "t2")):
        ana.does("address_unreachable", at, channel="push", addresses=[gone])
    ana.does("cart_updated", "3h")
    assert ana.withheld == [("say", "push", "unreachable")]
    ana.under(*ana.catalog.current, project=shop_of("t2", "t3"))
    ana.does("cart_updated", "4h")
    assert ana.actions[-1].to == ["t3"]


def test_a_device_that_the_customer_no_longer_has_is_forgotten():
    ana = reminded("t1", "t2")
    ana.does("address_unreachable", "1h", channel="push", addresses=["t1"])
    ana.under(*ana.catalog.current, project=shop_of("t2", "t3"))
    ana.does("address_unreachable", "2h", channel="push", addresses=["t2"])
    assert ana.state.profile.unreachable == {"push": "t2"}


def test_a_bounce_is_about_all_of_the_devices_it_went_to():
    ana = reminded("t1", "t2")
    ana.does("message_bounced", "1h", action_id=ana.actions[0].id, kind="hard")
    ana.under(*ana.catalog.current, project=shop_of("t1", "t2", "t3"))
    ana.does("cart_updated", "2h")
    assert ana.actions[-1].to == ["t3"]


def test_a_browsers_subscription_is_an_address():
    ana = reminded("t1", PHONE, {"no": "endpoint"})
    assert ana.actions[0].to == ["t1", WRITTEN]
    alone = Customer(
        journey(send("say", "hello", "push")), project=project(channels=(channel("push", address=const(PHONE)),))
    )
    alone.does("cart_updated")
    assert alone.actions[0].to == WRITTEN


@pytest.mark.parametrize(
    "said", [{}, {"channel": "push"}, {"channel": "push", "addresses": [7]}, {"addresses": ["t1"]}]
)
def test_a_report_that_names_no_address_changes_nothing(said):
    ana = reminded("t1")
    ana.does("address_unreachable", "1h", **said)
    assert ana.state.profile.unreachable == {}
