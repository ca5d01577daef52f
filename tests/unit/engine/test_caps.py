"""Caps: how much is enough, in a window that slides."""

import pytest

from orchestrator.model.project import Cap
from shop import (
    EMAIL_ONLY,
    Customer,
    journey,
    ms,
    project,
    purpose,
    repeat,
    send,
    wait,
)


def capped(*caps, **fields):
    return project(purpose("marketing", "opt_in", caps=caps, **fields))


def test_a_capped_channel_is_refused_on_record_and_the_next_one_is_tried():
    ana = Customer(
        journey(send("remind", "cart-reminder", "email", "push"), again="always"), project=capped((1, "1d", "email"))
    )
    ana.does("cart_updated")
    ana.does("cart_updated", "1h")
    assert ana.messages == [("cart-reminder", "email", "0m"), ("cart-reminder", "push", "1h")]
    assert ana.withheld == [("remind", "email", "cap_reached")]
    assert [saw["cap"] for saw in ana.saw if "cap" in saw] == ["1 per 1d by email"]


@pytest.mark.parametrize(("at", "sent"), [("23h59m59s", 1), ("1d", 2)])
def test_a_caps_window_leaves_out_the_instant_a_whole_period_ago(at, sent):
    ana = Customer(journey(send("remind", "cart-reminder", "email"), again="always"), project=capped((1, "1d")))
    ana.does("cart_updated")
    ana.does("cart_updated", at)
    assert len(ana.messages) == sent


def test_a_cap_without_channel_counts_all_channels_of_its_purpose():
    flow = journey(send("one", "hello", "email"), send("two", "hello", "push"), send("three", "hello", "sms"))
    ana = Customer(flow, project=capped((2, "1d")))
    ana.does("cart_updated")
    assert ana.withheld == [("three", "sms", "cap_reached")]
    assert [saw["cap"] for saw in ana.saw if "cap" in saw] == ["2 per 1d"]


def test_a_cap_counts_messages_of_other_journeys_but_not_of_other_purposes():
    one = journey(send("one", "hello", "email"), id="a-one")
    service = journey(send("two", "hello", "email", purpose="service"), id="b-two")
    third = journey(send("three", "hello", "email"), id="c-three")
    ana = Customer(one, service, third, project=capped((1, "1d")))
    ana.does("cart_updated")
    assert (len(ana.messages), ana.withheld) == (2, [("three", "email", "cap_reached")])


def test_the_projects_own_cap_counts_all_purposes_that_have_policies():
    shared = Cap(2, ms("1d"), None, True)
    shop = project(
        purpose("marketing", "opt_in", caps=(shared,)),
        purpose("tips", "opt_out", caps=(shared,)),
        purpose("service", "none", has_policies=False),
    )
    flow = journey(
        send("free", "hello", "email", purpose="service"),
        send("one", "hello", "email"),
        send("two", "hello", "email", purpose="tips"),
        send("three", "hello", "email"),
        send("four", "hello", "email", purpose="service"),
    )
    ana = Customer(flow, project=shop)
    ana.does("cart_updated")
    assert (len(ana.messages), ana.withheld) == (4, [("three", "email", "cap_reached")])


def test_when_a_cap_lets_only_one_speak_priority_decides():
    low = journey(wait("settle", "1h"), send("say", "hello", "email"), id="a-low", priority=10)
    high = journey(wait("settle", "1h"), send("say", "hello", "email"), id="z-high", priority=90)
    ana = Customer(low, high, project=capped((1, "1d")))
    ana.does("cart_updated")
    ana.until("1h")
    said = [told for told in ana.told_by_journey if told[3] == "say"]
    assert said == [("z-high", "sent", "allowed", "say", "1h"), ("a-low", "suppressed", "cap_reached", "say", "1h")]


def test_a_cap_counts_messages_however_many_others_left_since():
    many = repeat("daily", send("say", "hello", "email", purpose="service"), every="1h", at_most=40)
    flow = journey(send("first", "hello", "email"), many, send("last", "hello", "email"))
    ana = Customer(flow, project=capped((1, "7d")))
    ana.does("cart_updated")
    ana.until("6d")
    assert ana.withheld == [("last", "email", "cap_reached")]


def test_what_was_withheld_does_not_count_toward_a_cap():
    flow = journey(send("one", "hello", "push"), send("two", "hello", "email"))
    ana = Customer(flow, project=capped((1, "1d")), profile=EMAIL_ONLY)
    ana.does("cart_updated")
    assert ana.messages == [("hello", "email", "0m")]
