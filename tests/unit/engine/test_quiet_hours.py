"""Quiet hours: what is held, until when, and what is asked again then."""

import pytest

from shop import (
    EMAIL_AND_SMS,
    EMAIL_ONLY,
    NIGHT,
    Customer,
    journey,
    on,
    project,
    purpose,
    quiet,
    remind,
    reminded,
    repeat,
    send,
    value,
    wait,
)


def at_night(*nodes, start="2026-03-02T22:00", shop=None, **fields):
    shop = shop or project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    ana = Customer(journey(*nodes, **fields), project=shop, start=start, zone="Europe/Madrid")
    ana.does("cart_updated")
    return ana


def test_a_message_in_quiet_hours_is_held_to_their_end():
    ana = at_night(send("remind", "cart-reminder", "email"))
    assert ana.state.entries[0].step == "remind"
    assert ana.state.entries[0].results["remind"].status == "held"
    ana.until("2026-03-03T12:00")
    assert ana.told == [
        ("entered", "event", None, "2026-03-02T22:00"),
        ("held", "quiet_hours", "remind", "2026-03-02T22:00"),
        ("sent", "allowed", "remind", "2026-03-03T08:30"),
        ("exited", "completed", None, "2026-03-03T08:30"),
    ]


@pytest.mark.parametrize(
    ("start", "sent_at"),
    [
        ("2026-03-02T21:29", "2026-03-02T21:29"),
        ("2026-03-02T21:30", "2026-03-03T08:30"),
        ("2026-03-03T00:00", "2026-03-03T08:30"),
        ("2026-03-03T08:29", "2026-03-03T08:30"),
        ("2026-03-03T08:30", "2026-03-03T08:30"),
        # over the nights in which the clocks change
        ("2026-03-28T23:00", "2026-03-29T08:30"),
        ("2026-10-24T23:00", "2026-10-25T08:30"),
    ],
)
def test_quiet_hours_hold_from_their_beginning_until_just_before_their_end(start, sent_at):
    ana = at_night(send("remind", "cart-reminder", "email"), start=start)
    ana.until("2026-12-01T00:00")
    assert ana.messages == [("cart-reminder", "email", sent_at)]


def test_a_message_that_expires_at_or_before_the_end_of_quiet_hours_is_not_held():
    ana = at_night(send("remind", "cart-reminder", "email", expires="10h30m"), wait("calm", "1h"))
    assert ana.told == [
        ("entered", "event", None, "2026-03-02T22:00"),
        ("suppressed", "expired", "remind", "2026-03-02T22:00"),
        ("waited", "time", "calm", "2026-03-02T22:00"),
    ]
    assert ana.state.entries[0].results["remind"].status == "expired"


def test_a_message_that_expires_just_after_the_end_of_quiet_hours_is_held():
    ana = at_night(send("remind", "cart-reminder", "email", expires="10h30m1s"))
    ana.until("2026-03-03T12:00")
    assert ana.messages == [("cart-reminder", "email", "2026-03-03T08:30")]
    assert ana.actions[0].expires_at == "2026-03-03T07:30:01.000Z"


def test_a_held_message_whose_worker_comes_too_late_has_expired():
    ana = at_night(send("remind", "cart-reminder", "email", expires="11h"))
    ana.wake_at("2026-03-03T09:00")
    assert ana.told[-2:] == [
        ("suppressed", "expired", "remind", "2026-03-03T09:00"),
        ("exited", "completed", None, "2026-03-03T09:00"),
    ]
    assert ana.messages == []


def test_consent_withdrawn_while_a_message_is_held_means_it_is_never_sent():
    ana = at_night(send("remind", "cart-reminder", "email"))
    ana.consents_to("2026-03-03T07:00", granted=False)
    ana.until("2026-03-04T00:00")
    assert ana.told[-2:] == [
        ("suppressed", "no_consent", "remind", "2026-03-03T08:30"),
        ("exited", "completed", None, "2026-03-03T08:30"),
    ]


def test_a_refusal_that_is_on_record_is_not_recorded_twice_when_a_held_message_is_asked_again():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    flow = journey(send("remind", "cart-reminder", "push", "email"))
    ana = Customer(flow, project=shop, profile=EMAIL_ONLY, start="2026-03-02T22:00")
    ana.does("cart_updated")
    ana.until("12h")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("suppressed", "unreachable", "remind", "0m"),
        ("held", "quiet_hours", "remind", "0m"),
        ("sent", "allowed", "remind", "10h30m"),
        ("exited", "completed", None, "10h30m"),
    ]


def test_own_quiet_hours_that_end_when_they_begin_hold_nothing_up():
    ana = Customer(journey(send("remind", "cart-reminder", "email")))
    ana.does("preference_changed", quiet_hours={"from": "00:00", "to": "00:00"})
    ana.does("cart_updated")
    assert ana.messages == [("cart-reminder", "email", "0m")]


def test_a_message_whose_repeat_ends_while_it_is_held_is_held_no_more():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    rounds = repeat("daily", send("remind", "hello", "email"), every="1d", at_most=3, until_event=on("ordered"))
    ana = Customer(journey(rounds, wait("rest", "2d")), project=shop, start="2026-03-02T22:00")
    ana.does("cart_updated")
    ana.does("ordered", "1h")
    ana.until("1d")
    (entry,) = ana.state.entries
    assert (entry.step, entry.results, ana.messages) == ("rest", {}, [])


def test_a_held_message_is_rendered_anew_when_it_leaves():
    flow = journey(
        send("remind", "cart-reminder", "email", name=value("name", lambda s: s.state.profile.value("name")))
    )
    shop = project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    ana = Customer(flow, project=shop, start="2026-03-02T22:00", profile={**EMAIL_ONLY, "name": "Ana"})
    ana.does("cart_updated")
    ana.does("profile_updated", "1h", name="Anna", email="anna@shop.example")
    ana.until("1d")
    (action,) = ana.actions
    assert (action.to, action.data) == ("anna@shop.example", {"data": {"name": "Anna"}})


def test_a_channel_that_is_not_quiet_is_taken_and_those_that_are_stand_on_record_in_order():
    night = (quiet("21:30", "08:30", channel="email"), quiet("21:30", "08:30", channel="push"))
    shop = project(purpose("marketing", "opt_in", quiet_hours=night))
    ana = reminded("email", "push", "sms", shop=shop, start="2026-03-02T22:00")
    assert ana.withheld == [("remind", "email", "quiet_hours"), ("remind", "push", "quiet_hours")]
    assert ana.messages == [("cart-reminder", "sms", "0m")]


def test_refusals_stand_on_record_in_the_order_of_the_channels():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(quiet("21:30", "08:30", channel="email"),)))
    ana = reminded("email", "push", "sms", shop=shop, start="2026-03-02T22:00", customer=EMAIL_AND_SMS)
    assert ana.withheld == [("remind", "email", "quiet_hours"), ("remind", "push", "unreachable")]


def test_when_all_that_may_are_quiet_the_end_of_the_first_ones_quiet_hours_counts():
    windows = (quiet("21:30", "08:30", channel="email"), quiet("21:30", "06:00", channel="sms"))
    shop = project(purpose("marketing", "opt_in", quiet_hours=windows))
    ana = reminded("push", "email", "sms", shop=shop, start="2026-03-02T22:00", customer=EMAIL_AND_SMS)
    ana.until("1d")
    assert ana.withheld == [("remind", "push", "unreachable"), ("remind", "email", "quiet_hours")]
    assert ana.messages == [("cart-reminder", "email", "10h30m")]


def test_quiet_hours_of_some_days_begin_on_those_days_only():
    weekend = quiet("20:00", "10:00", days=(5, 6))
    shop = project(purpose("marketing", "opt_in", quiet_hours=(weekend,)))
    friday = at_night(send("say", "hello", "email"), shop=shop, start="2026-03-06T22:00")
    sunday = at_night(send("say", "hello", "email"), shop=shop, start="2026-03-08T22:00")
    sunday.until("2026-03-10T00:00")
    assert friday.messages == [("hello", "email", "2026-03-06T22:00")]
    assert sunday.messages == [("hello", "email", "2026-03-09T10:00")]


def test_quiet_hours_that_follow_each_other_hold_until_the_last_one_ends():
    windows = (quiet("20:00", "00:00"), quiet("00:00", "06:00"))
    shop = project(purpose("marketing", "opt_in", quiet_hours=windows))
    ana = at_night(send("say", "hello", "email"), shop=shop)
    ana.until("2026-03-04T00:00")
    assert ana.messages == [("hello", "email", "2026-03-03T06:00")]


def test_the_customers_own_quiet_hours_hold_too():
    ana = Customer(remind("email"), start="2026-03-02T13:00")
    ana.does("preference_changed", quiet_hours={"from": "12:00", "to": "14:00"})
    ana.does("cart_updated")
    ana.until("1d")
    assert ana.messages == [("cart-reminder", "email", "1h")]


@pytest.mark.parametrize("odd", [["noon"], {"from": 12, "to": "14:00"}, {"from": "25:00", "to": "14:00"}, "always", 7])
def test_quiet_hours_that_cannot_be_read_hold_nothing_up(odd):
    ana = Customer(remind("email"), start="2026-03-02T13:00")
    ana.does("preference_changed", quiet_hours=odd)
    ana.does("cart_updated")
    assert ana.messages == [("cart-reminder", "email", "0m")]


def test_the_customers_own_quiet_hours_do_not_hold_up_what_needs_no_consent():
    ana = Customer(remind("email", purpose="service"), start="2026-03-02T13:00")
    ana.does("preference_changed", quiet_hours={"from": "12:00", "to": "14:00"})
    ana.does("cart_updated")
    assert ana.messages == [("cart-reminder", "email", "0m")]


@pytest.mark.parametrize("channels", [("email",), ("email", "sms")])
def test_own_quiet_hours_that_leave_no_time_beside_the_projects_refuse_the_channel_and_hold_nothing(channels):
    shop = project(purpose("marketing", "opt_in", quiet_hours=(quiet("21:30", "08:30", channel="email"),)))
    ana = Customer(journey(send("say", "hello", *channels), wait("calm", "1h")), project=shop, start="2026-03-02T13:00")
    ana.does("preference_changed", quiet_hours={"from": "08:30", "to": "21:30"})
    ana.does("cart_updated")
    if "sms" in channels:  # which waits for the end of the customer's own
        assert ana.state.entries[0].results["say"].channel == "sms"
        held = [("held", "quiet_hours", "say", "0m")]
    else:
        held = [("waited", "time", "calm", "0m")]
    assert [each[:3] for each in ana.told][1:] == [("suppressed", "quiet_hours", "say"), *(each[:3] for each in held)]


def test_a_held_message_is_refused_once_the_customers_own_quiet_hours_leave_no_time():
    ana = at_night(send("remind", "cart-reminder", "email"))
    ana.does("preference_changed", quiet_hours={"from": "08:30", "to": "21:30"})
    ana.until("2026-03-05T12:00")
    assert ana.told[1:] == [
        ("held", "quiet_hours", "remind", "2026-03-02T22:00"),
        ("suppressed", "quiet_hours", "remind", "2026-03-03T08:30"),
        ("exited", "completed", None, "2026-03-03T08:30"),
    ]


def test_an_action_tells_delivery_the_quiet_hours_to_ask_again():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(quiet("21:30", "08:30", days=(5, 6)),)))
    ana = at_night(send("say", "hello", "email"), shop=shop, start="2026-03-02T12:00")
    window = {"from": "21:30", "to": "08:30", "days": ["sat", "sun"]}
    assert ana.actions[0].quiet == {"zone": "Europe/Madrid", "windows": [window]}


def test_a_repeat_left_while_its_message_is_held_leaves_nothing_of_the_hold_behind():
    inner = repeat(
        "nag", send("nudge", "hello", "push", "email", expires="1d"), every="1d", at_most=3, until_event=on("calm_down")
    )
    shop = project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    flow = journey(repeat("outer", inner, wait("calm", "3d"), every="1h", at_most=2))
    ana = Customer(flow, project=shop, profile=EMAIL_ONLY, start="2026-03-02T22:00")
    ana.does("cart_updated")
    ana.does("calm_down", "1h")
    ana.forget()
    ana.until("3d2h")
    assert [told for told in ana.told if told[2] == "nudge"] == [
        ("suppressed", "unreachable", "nudge", "3d1h"),
        ("held", "quiet_hours", "nudge", "3d1h"),
    ]
