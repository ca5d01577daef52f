"""Fallback: a message that a provider refuses for good moves on to the next channel."""

import dataclasses

import pytest

from shop import (
    EMAIL_AND_SMS,
    FAILS,
    NIGHT,
    Customer,
    ask,
    exits,
    journey,
    message,
    on,
    project,
    purpose,
    repeat,
    send,
    wait,
    wait_for,
)

CALM = (wait("calm", "9d"),)


def waiting(*channels, shop=None, nodes=CALM, profile=None, **fields):
    """Send by the first of some channels to a customer who then waits."""
    expires = fields.pop("expires", None)
    flow = journey(send("say", "hello", *channels, expires=expires), *nodes, reads_receipts=True, **fields)
    ana = Customer(flow, project=shop, profile=profile)
    ana.does("cart_updated")
    return ana


def bounce(ana, at="1h", number=-1, **properties):
    return ana.does("message_bounced", at, action_id=ana.actions[number].id, **properties)


def test_a_message_that_bounces_goes_by_the_next_channel_and_the_entry_stays_where_it_is():
    ana = waiting("email", "push", "sms")
    bounce(ana, kind="hard")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("sent", "allowed", "say", "0m"),
        ("waited", "time", "calm", "0m"),
        ("sent", "allowed", "say", "1h"),
    ]
    assert ana.messages == [("hello", "email", "0m"), ("hello", "push", "1h")]
    assert len({action.id for action in ana.actions}) == 2
    (entry,) = ana.state.entries
    assert (entry.step, entry.results["say"].status, entry.results["say"].channel) == ("calm", "sent", "push")


def test_it_moves_on_channel_by_channel_until_there_is_none():
    ana = waiting("email", "push", "sms")
    for at in ("1h", "2h", "3h"):
        bounce(ana, at)
    assert [channel for _, channel, _ in ana.messages] == ["email", "push", "sms"]
    result = ana.state.entries[0].results["say"]
    assert (result.status, result.channel) == ("bounced", "sms")


def test_a_survey_that_bounces_on_its_last_channel_is_not_waited_for():
    # The wait that follows is armed by the bounce, and so does not take it.
    quits = wait_for("quit", on("message_bounced"), within="1d")
    surveys = project(messages=(message("survey"),))
    ana = Customer(journey(ask("how", "nps", "email", "push", on_timeout=[quits])), project=surveys)
    ana.does("cart_updated")
    bounce(ana, "1h")
    assert ana.told[-1] == ("sent", "allowed", "how", "1h")
    bounce(ana, "2h", kind="soft")
    bounce(ana, "3h")
    assert ana.told[-2:] == [("resumed", "not_sent", "how", "3h"), ("waited", "for_event", "quit", "3h")]


def test_a_soft_bounce_is_deliverys_to_try_again():
    ana = waiting("email", "push")
    bounce(ana, kind="soft")
    assert ana.messages == [("hello", "email", "0m")]


def test_a_channel_that_may_not_is_on_record_and_the_one_after_it_is_tried():
    ana = waiting("email", "push", "sms", profile=EMAIL_AND_SMS)
    bounce(ana)
    assert ana.messages == [("hello", "email", "0m"), ("hello", "sms", "1h")]
    assert ana.withheld == [("say", "push", "unreachable")]


def test_nothing_is_held_for_an_entry_that_has_gone_on():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    ana = waiting("email", "push", shop=shop)
    bounce(ana, "12h")
    assert ana.withheld == [("say", "push", "quiet_hours")]
    assert [entry.step for entry in ana.state.entries] == ["calm"]


def test_a_message_that_has_expired_meanwhile_does_not_move_on():
    ana = waiting("email", "push", expires="1h")
    bounce(ana, "1h")
    assert ana.withheld == [("say", "email", "expired")]
    assert len(ana.messages) == 1


def test_the_next_channel_keeps_the_expiry_counted_from_the_first():
    ana = waiting("email", "push", expires="12h")
    bounce(ana, "1h")
    assert [action.expires_at for action in ana.actions] == ["2026-01-05T22:00:00.000Z"] * 2


def test_the_same_bounce_reported_twice_moves_on_once():
    ana = waiting("email", "push", "sms")
    bounce(ana, "1h")
    bounce(ana, "2h", number=0)
    assert [channel for _, channel, _ in ana.messages] == ["email", "push"]


def test_a_bounce_that_names_only_its_channel_is_about_the_newest_message_there():
    ana = waiting("email", "push")
    ana.does("message_bounced", "1h", channel="email", kind="hard")
    assert ana.messages == [("hello", "email", "0m"), ("hello", "push", "1h")]


def test_a_bounce_of_a_message_nobody_knows_moves_nothing():
    ana = waiting("email", "push")
    ana.does("message_bounced", "1h", action_id="of somebody else")
    assert ana.messages == [("hello", "email", "0m")]


def test_a_bounce_of_an_earlier_round_does_not_send_that_round_again():
    daily = repeat("daily", send("say", "hello", "email", "push", purpose="tips"), every="1d", at_most=3)
    ana = Customer(journey(daily), profile={"email": "a@b.example"})
    ana.does("cart_updated")
    ana.until("1d")
    ana.does("profile_updated", "1d1h", device_token="t1")
    bounce(ana, "1d2h", number=0)
    assert [channel for _, channel, _ in ana.messages] == ["email", "email"]


def test_an_entry_that_the_bounce_itself_ends_sends_nothing_more():
    ana = waiting("email", "push", exits=[exits("message_bounced", reason="gone")])
    bounce(ana)
    assert ana.told[-1] == ("exited", "gone", "calm", "1h")
    assert len(ana.messages) == 1


def test_a_wait_for_the_bounce_takes_it_after_the_message_has_moved_on():
    ana = waiting("email", "push", nodes=(wait_for("back", on("message_bounced"), within="1d"),))
    bounce(ana)
    assert [told[:3] for told in ana.told[-3:]] == [
        ("sent", "allowed", "say"),
        ("resumed", "event_came", "back"),
        ("exited", "completed", None),
    ]


def test_who_has_left_the_journey_or_stands_still_in_it_gets_nothing_more():
    ended = waiting("email", "push", nodes=())
    bounce(ended)
    paused = waiting("email", "push")
    paused.under(dataclasses.replace(paused.catalog.current[0], status="paused"))
    bounce(paused)
    gone = waiting("email", "push")
    gone.under()
    bounce(gone)
    assert [len(someone.messages) for someone in (ended, paused, gone)] == [1, 1, 1]


@pytest.mark.parametrize("count", [1, 2])
def test_a_bug_met_while_moving_on_parks_the_entry(count):
    ana = waiting("email", "push")
    broken = {**ana.catalog.project.purposes, "marketing": purpose("marketing", "opt_in", only_if=FAILS)}
    ana.under(*ana.catalog.current, project=dataclasses.replace(ana.catalog.project, purposes=broken))
    ana.forget()
    for hour in range(count):
        ana.does("message_bounced", f"{hour + 1}h", channel="email")
    assert ana.told == [("parked", "failure", "calm", "1h")]


def test_a_cap_counts_the_message_that_bounced_too():
    shop = project(purpose("marketing", "opt_in", caps=((1, "1d"),)))
    ana = waiting("email", "push", shop=shop)
    bounce(ana)
    assert ana.withheld == [("say", "push", "cap_reached")]
