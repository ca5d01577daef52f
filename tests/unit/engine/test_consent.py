"""Consent: who said yes, to what, and which statement decides."""

import pytest

from orchestrator.errors import EventError
from orchestrator.runtime import turn
from shop import (
    CONFIRMED,
    NO,
    YES,
    Customer,
    exits,
    journey,
    prop,
    remind,
    send,
    wait,
)

SENT, REFUSED = [("sent", "allowed")], [("suppressed", "no_consent")]


@pytest.mark.parametrize(
    ("rule", "said", "expected"),
    [
        ("marketing", (), REFUSED),
        ("marketing", (YES,), SENT),
        ("marketing", (YES, NO), REFUSED),
        ("marketing", (NO, YES), SENT),
        ("marketing", ({"granted": "agreed"},), REFUSED),
        ("news", (), REFUSED),
        ("news", (YES,), REFUSED),
        ("news", (CONFIRMED,), SENT),
        ("news", (CONFIRMED, NO), REFUSED),
        ("tips", (), SENT),
        ("tips", (NO,), REFUSED),
        ("tips", (NO, YES), SENT),
        ("service", (), SENT),
        ("service", (NO,), SENT),
    ],
)
def test_consent_is_asked_by_the_rule_of_the_purpose(rule, said, expected):
    ana = Customer(remind("email", purpose=rule), consents=())
    for second, statement in enumerate(said):
        ana.consents_to(f"{second + 1}s", **statement)
    ana.does("cart_updated", "1m")
    assert [told[:2] for told in ana.told if told[2] == "remind"] == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # one statement covers what it names, and all where it names nothing
        (({"channel": "email", "purpose": "marketing", **YES},), SENT),
        (({"channel": "email", **YES},), SENT),
        (({"purpose": "marketing", **YES},), SENT),
        (({"channel": "push", **YES},), REFUSED),
        (({"purpose": "news", **YES},), REFUSED),
        # the latest that covers decides, however narrow or wide
        (({"channel": "email", "purpose": "marketing", **YES}, NO), REFUSED),
        ((NO, {"channel": "email", "purpose": "marketing", **YES}), SENT),
        (({"channel": "email", **YES}, {"channel": "push", **NO}), SENT),
        (({"channel": "email", **NO}, {"purpose": "marketing", **YES}), SENT),
        ((YES, {"purpose": "news", **NO}), SENT),
    ],
)
def test_the_latest_statement_that_covers_channel_and_purpose_decides(said, expected):
    ana = Customer(remind("email"), consents=())
    for second, statement in enumerate(said):
        ana.consents_to(f"{second + 1}s", **statement)
    ana.does("cart_updated", "1m")
    assert [told[:2] for told in ana.told if told[2] == "remind"] == expected


def test_a_statement_without_channel_covers_channels_that_come_later_too():
    ana = Customer(remind("sms"), consents=(YES,), profile={})
    ana.does("profile_updated", "1h", phone="+34600000001")
    ana.does("cart_updated", "2h")
    assert ana.messages == [("cart-reminder", "sms", "2h")]


def test_a_statement_that_arrives_late_does_not_undo_a_later_one():
    ana = Customer(remind("email"), consents=())
    ana.consents_to("2h", **NO)
    late = ana.event("consent_changed", "1h", properties=YES)
    ana.take(late)
    ana.does("cart_updated", "3h")
    assert ana.withheld == [("remind", "email", "no_consent")]


@pytest.mark.parametrize("meant", ["true", " Yes", 1])
def test_what_is_meant_as_a_yes_and_is_none_is_refused_and_takes_nothing_back(meant):
    ana = Customer(remind("email"), consents=(YES,))
    with pytest.raises(EventError, match="a yes is `true`, without quotes"):
        ana.consents_to("1s", granted=meant)
    ana.does("cart_updated", "1m")
    assert ana.messages == [("cart-reminder", "email", "1m")]


@pytest.mark.parametrize("about", [{"channel": ["push"]}, {"purpose": ["news"]}, {"channel": {"name": "push"}}])
def test_a_yes_to_what_is_no_text_is_refused_and_is_none_to_everything(about):
    ana = Customer(remind("email"), consents=())
    with pytest.raises(EventError, match="name one as text, in an event for each"):
        ana.consents_to("1s", **about, **YES)
    ana.does("cart_updated", "1m")
    assert ana.withheld == [("remind", "email", "no_consent")]


def test_a_no_to_what_is_no_text_is_one_to_everything():
    ana = Customer(remind("email"), consents=(YES,))
    ana.consents_to("1s", channel=["push"], **NO)
    ana.does("cart_updated", "1m")
    assert ana.withheld == [("remind", "email", "no_consent")]


def test_what_is_meant_as_a_confirmation_and_is_none_is_refused_and_takes_none_back():
    ana = Customer(remind("email"), consents=(CONFIRMED,))
    with pytest.raises(EventError, match="`confirmed` is 'true'; a yes is `true`, without quotes"):
        ana.consents_to("1s", granted=True, confirmed="true")
    assert [said.confirmed for said in ana.state.profile.consents] == [True]
    ana.consents_to("2s", granted=False, confirmed="true")
    assert [said.granted for said in ana.state.profile.consents] == [False]


@pytest.mark.parametrize("meant", ["false", "no", 0, "withdrawn", [], None])
def test_whatever_else_there_is_in_the_place_of_a_no_is_one(meant):
    ana = Customer(remind("email"), consents=(YES,))
    ana.consents_to("1s", granted=meant)
    ana.does("cart_updated", "1m")
    assert ana.withheld == [("remind", "email", "no_consent")]


def asked_to_confirm(**profile):
    """Ask a customer by e-mail; gives them, who wait to confirm, and what the link in the message says."""
    asks = journey(
        send("ask", "hello", "email", purpose="service"),
        wait("patience", "7d"),
        exits=(exits("consent_changed", where=prop("confirmed"), reason="confirmed"),),
    )
    ana = Customer(asks, consents=({"purpose": "news", **YES},), profile=profile)
    ana.does("cart_updated", "1m")
    [asked] = ana.actions
    return ana, {"channel": "email", "purpose": "news", **CONFIRMED, "evidence": {"action_id": asked.id}}


@pytest.mark.parametrize(
    ("then", "confirmed"),
    [
        ({}, True),
        ({"email": "ANA@shop.example"}, True),
        ({"email": ["ana@home.example", "ana@shop.example"]}, True),
        ({"email": "ana@home.example"}, False),
        ({"email": None}, False),
    ],
)
def test_a_link_confirms_the_address_that_it_was_sent_to_and_no_other(then, confirmed):
    ana, link = asked_to_confirm(email="ana@shop.example")
    ana.does("profile_updated", "1h", **then)
    ana.consents_to("2h", **link)
    said = ana.state.profile.consent_for("email", "news")
    assert (said.granted, said.confirmed) == (True, confirmed)
    # Nor does a journey take it for a confirmation.
    assert (ana.told[-1][:2] == ("exited", "confirmed")) is confirmed


def test_an_old_link_takes_nothing_back_that_the_new_address_has_confirmed():
    ana, link = asked_to_confirm(email="ana@shop.example")
    ana.does("profile_updated", "1h", email="ana@home.example")
    ana.consents_to("2h", channel="email", purpose="news", **CONFIRMED)
    ana.consents_to("3h", **link)
    assert ana.state.profile.consent_for("email", "news").confirmed


def test_consent_is_recorded_with_its_evidence():
    ana = Customer(
        remind("email"),
        consents=(
            {
                "channel": "email",
                "purpose": "marketing",
                "granted": True,
                "confirmed": True,
                "source": "checkout",
                "wording": "v2",
                "method": "box",
                "evidence": {"ip": "10.0.0.1"},
            },
        ),
    )
    (consent,) = ana.state.profile.consents
    assert (consent.channel, consent.purpose, consent.granted, consent.confirmed) == ("email", "marketing", True, True)
    assert (consent.source, consent.wording, consent.method) == ("checkout", "v2", "box")
    assert (consent.evidence, consent.at_ms) == ({"ip": "10.0.0.1"}, ana.start_ms - 1)


def test_statements_that_can_never_decide_again_are_forgotten():
    ana = Customer(remind("email"), consents=())
    for second in range(50):
        ana.consents_to(f"{second}s", channel="email", purpose="marketing", granted=second % 2 == 0)
    ana.consents_to("1h", **NO)
    assert [consent.granted for consent in ana.state.profile.consents] == [False]


def test_a_yes_from_a_clock_that_is_ahead_does_not_outlive_a_no():
    ana = Customer(remind("email"), consents=())
    ahead = ana.event("consent_changed", "900d", properties=YES)
    turned = turn.on_event(ana.catalog, ahead, ana.record, ana.start_ms)
    assert turned.record is not None
    ana.record = turned.record
    assert [said.at_ms for said in ana.state.profile.consents] == [ana.start_ms]
    ana.consents_to("1h", **NO)
    ana.does("cart_updated", "2h")
    assert ana.withheld == [("remind", "email", "no_consent")]
