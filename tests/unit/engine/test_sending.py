"""Sending: which channel wins, and every reason why a message does not leave."""

import pytest

from shop import (
    EMAIL_ONLY,
    NIGHT,
    NO,
    YES,
    Customer,
    channel,
    const,
    journey,
    message,
    project,
    purpose,
    remind,
    reminded,
    says,
    send,
    set_to,
    step_field,
    wait,
)


def test_the_first_channel_that_is_reachable_consented_and_allowed_wins():
    ana = reminded("push", "email", "sms", customer=EMAIL_ONLY)
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("suppressed", "unreachable", "remind", "0m"),
        ("sent", "allowed", "remind", "0m"),
        ("exited", "completed", None, "0m"),
    ]
    assert ana.messages == [("cart-reminder", "email", "0m")]
    assert ana.withheld == [("remind", "push", "unreachable")]


def test_a_channel_that_the_message_has_no_content_for_is_never_tried():
    shop = project(messages=(message("cart-reminder", "email"),))
    ana = reminded("preferred", shop=shop)
    assert (ana.messages, ana.withheld) == ([("cart-reminder", "email", "0m")], [])


def test_preferred_stands_for_the_customers_own_order():
    ana = Customer(remind("preferred"))
    ana.does("preference_changed", channels=["sms", "email"])
    ana.does("cart_updated")
    assert ana.messages == [("cart-reminder", "sms", "0m")]


def test_preferred_stands_for_the_projects_order_where_the_customer_has_none():
    assert reminded("preferred").messages == [("cart-reminder", "push", "0m")]


def test_preferred_falls_back_along_the_whole_list():
    ana = reminded("preferred", customer=EMAIL_ONLY)
    assert (ana.messages, ana.withheld) == ([("cart-reminder", "email", "0m")], [("remind", "push", "unreachable")])


def test_doubles_among_the_channels_are_dropped():
    ana = reminded("email", "preferred", "email", "push", customer={})
    assert ana.withheld == [("remind", "email", "unreachable"), ("remind", "push", "unreachable")]


def test_same_stands_for_the_channel_of_the_entrys_last_event():
    ana = Customer(remind("same", "email"))
    ana.does("cart_updated", channel="sms")
    assert ana.messages == [("cart-reminder", "sms", "0m")]


def test_same_is_passed_over_where_the_event_came_by_no_channel_of_ours():
    ana = Customer(remind("same", "email"))
    ana.does("cart_updated", channel="till")
    assert (ana.messages, ana.withheld) == ([("cart-reminder", "email", "0m")], [])


def test_a_send_that_finds_no_channel_at_all_says_so():
    ana = Customer(journey(send("remind", "cart-reminder", "same"), wait("calm", "1h")))
    ana.does("cart_updated")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("suppressed", "unreachable", "remind", "0m"),
        ("waited", "time", "calm", "0m"),
    ]
    assert ana.state.entries[0].results["remind"].status == "suppressed"


def test_when_all_channels_are_refused_the_journey_goes_on():
    ana = Customer(
        journey(send("remind", "cart-reminder"), set_to("mark", outcome=step_field("remind", "status"))), profile={}
    )
    ana.does("cart_updated")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("suppressed", "unreachable", "remind", "0m"),
        ("suppressed", "unreachable", "remind", "0m"),
        ("suppressed", "unreachable", "remind", "0m"),
        ("changed", "set", "mark", "0m"),
        ("exited", "completed", None, "0m"),
    ]
    assert ana.state.profile.traits == {"outcome": "suppressed"}


def test_an_address_may_be_a_list_of_devices_and_one_message_goes_to_all():
    ana = reminded("push", customer={"device_token": ["t1", "", "t2"]})
    assert ana.actions[0].to == ["t1", "t2"]


@pytest.mark.parametrize("address", [None, "", "  ", [], [""], True, 1.5, {"to": "x"}])
def test_what_is_no_address_is_unreachable(address):
    shop = project(channels=(channel("email", address=const(address)),))
    assert reminded("email", shop=shop).withheld == [("remind", "email", "unreachable")]


def test_a_number_is_a_telephone_number():
    assert reminded("sms", customer={"phone": 34600000001}).actions[0].to == "34600000001"


def test_an_identifier_serves_as_address_where_no_trait_does():
    ana = Customer(remind("email"), profile={})
    ana.does("cart_updated", identifiers={"email": "ana@home.example"})
    assert ana.actions[0].to == "ana@home.example"


def everything_against(**without):
    """Make a purpose and a customer with every reason against a message at once, but for those taken away."""
    against = {"only_if": const(False), "holdout": 100.0, "caps": ((0, "1d"),), "quiet": (NIGHT,)} | without
    return project(
        purpose("marketing", "opt_in", caps=against["caps"], quiet_hours=against["quiet"], only_if=against["only_if"]),
        holdout_percent=against["holdout"],
    )


NOTHING_LEFT = {"only_if": None, "holdout": 0.0, "caps": (), "quiet": ()}


@pytest.mark.parametrize(
    ("reason", "profile", "said", "taken_away"),
    [
        ("unreachable", {}, (), ()),
        ("no_consent", EMAIL_ONLY, (), ()),
        ("not_allowed", EMAIL_ONLY, (YES,), ()),
        ("holdout", EMAIL_ONLY, (YES,), ("only_if",)),
        ("cap_reached", EMAIL_ONLY, (YES,), ("only_if", "holdout")),
        ("quiet_hours", EMAIL_ONLY, (YES,), ("only_if", "holdout", "caps")),
        ("allowed", EMAIL_ONLY, (YES,), ("only_if", "holdout", "caps", "quiet")),
    ],
)
def test_reasons_are_asked_in_order_and_the_first_is_told(reason, profile, said, taken_away):
    shop = everything_against(**{name: NOTHING_LEFT[name] for name in taken_away})
    ana = reminded("email", shop=shop, customer=profile, consents=said, start="2026-01-05T23:00")
    assert [told[1] for told in ana.told if told[2] == "remind"] == [reason]


def test_a_customer_who_withdrew_at_night_is_refused_for_consent_not_held():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    ana = reminded("email", shop=shop, consents=(NO,), start="2026-01-05T23:00")
    assert ana.withheld == [("remind", "email", "no_consent")]


def test_only_if_sees_the_profile_and_the_entry():
    shop = project(purpose("marketing", "opt_in", only_if=says("tier", "gold")))
    ana = Customer(remind("email"), project=shop, profile={"email": "a@b.example", "tier": "gold"})
    ana.does("cart_updated")
    assert ana.messages == [("cart-reminder", "email", "0m")]


def test_held_out_customers_pass_all_steps_and_get_nothing():
    flow = journey(send("remind", "cart-reminder", "email"), set_to("mark", seen=const(True)), holdout_percent=100.0)
    ana = Customer(flow)
    ana.does("cart_updated")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("suppressed", "holdout", "remind", "0m"),
        ("changed", "set", "mark", "0m"),
        ("exited", "completed", None, "0m"),
    ]


def test_the_universal_holdout_never_applies_to_a_purpose_without_consent():
    ana = reminded("email", purpose="service", shop=project(holdout_percent=100.0))
    assert ana.messages == [("cart-reminder", "email", "0m")]


def test_a_journeys_own_holdout_applies_to_all_purposes():
    ana = Customer(journey(send("remind", "cart-reminder", "email", purpose="service"), holdout_percent=100.0))
    ana.does("cart_updated")
    assert ana.withheld == [("remind", "email", "holdout")]


def test_the_universal_holdout_holds_out_the_same_customers_of_every_journey():
    shop = project(holdout_percent=30.0)
    flows = [journey(send("say", "hello", "email"), id=f"journey-{number}") for number in range(3)]
    reached = []
    for number in range(60):
        someone = Customer(*flows, project=shop, name=f"customer-{number}")
        someone.does("cart_updated")
        reached.append(len(someone.messages))
    assert set(reached) == {0, 3}
    assert 8 <= reached.count(0) <= 28


def test_a_journeys_holdout_is_sticky_over_entries_and_versions():
    for number in range(20):
        someone = Customer(
            journey(send("say", "hello", "email"), again="always", holdout_percent=50.0), name=f"customer-{number}"
        )
        someone.does("cart_updated")
        someone.does("cart_updated", "1h")
        someone.under(journey(send("hi", "hello", "email"), again="always", holdout_percent=50.0, version=2))
        someone.does("cart_updated", "2h")
        assert len(someone.messages) in (0, 3)
