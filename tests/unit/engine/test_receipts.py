"""Receipts: what comes back about a message, whom it concerns and what it changes."""

import pytest

from shop import (
    EMAIL_ONLY,
    Customer,
    channel,
    const,
    exits,
    goal,
    journey,
    on,
    project,
    prop,
    purpose,
    remind,
    reminded,
    repeat,
    send,
    set_to,
    step_field,
    wait,
    wait_for,
)


def answered(*ways, **fields):
    """Send to a customer who then has a day to answer."""
    wait_for_answer = wait_for("answer", *ways, within="1d")
    return journey(send("remind", "cart-reminder", "email"), wait_for_answer, **fields)


def test_a_receipt_with_an_action_id_matches_only_the_entry_whose_message_it_is_about():
    ana = Customer(answered(on("message_clicked"), key="cart_id", again="always"))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1m", cart_id="c2")
    ana.forget()
    about_second = ana.state.sent[1].action_id
    ana.does("message_clicked", "1h", action_id=about_second)
    assert ana.told == [("resumed", "event_came", "answer", "1h"), ("exited", "completed", None, "1h")]
    assert [entry.key for entry in ana.state.entries] == ["c1"]


def test_a_receipt_without_an_action_id_matches_all_entries_of_the_customer():
    ana = Customer(answered(on("message_clicked"), key="cart_id", again="always"))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1m", cart_id="c2")
    ana.does("message_clicked", "1h")
    assert ana.state.entries == []


def test_a_receipt_about_a_message_of_another_journey_is_nobodys_answer():
    ana = Customer(answered(on("message_clicked")), journey(send("say", "hello", "email"), id="other"))
    ana.does("cart_updated")
    ana.forget()
    other = next(sent.action_id for sent in ana.state.sent if sent.journey == "other")
    ana.does("message_clicked", "1h", action_id=other)
    assert ana.told == []


def test_a_click_on_the_message_of_an_earlier_round_is_about_the_entry_too():
    nag = repeat("nag", send("nudge", "hello", "email"), every="1d", at_most=3, until_event=on("message_clicked"))
    ana = Customer(journey(nag))
    ana.does("cart_updated")
    first = ana.actions[0].id
    ana.until("1d")
    ana.forget()
    ana.does("message_clicked", "1d1h", action_id=first)
    assert ana.told == [("resumed", "until_event", "nag", "1d1h"), ("exited", "completed", None, "1d1h")]


def test_a_click_on_a_message_whose_step_was_refused_since_is_about_the_entry_too():
    nag = repeat("nag", send("nudge", "hello", "email"), every="1d", at_most=3)
    ana = Customer(journey(nag, exits=[exits("message_clicked", reason="clicked")]))
    ana.does("cart_updated")
    first = ana.actions[0].id
    ana.consents_to("1h", granted=False)
    ana.until("1d")
    ana.does("message_clicked", "1d1h", action_id=first)
    assert ana.told[-1] == ("exited", "clicked", "nag", "1d1h")


def test_a_receipt_is_filled_in_with_what_we_know_of_the_message():
    known = prop("step", lambda step: step == "remind")
    ana = Customer(answered(on("message_clicked", where=known)))
    ana.does("cart_updated")
    ana.forget()
    ana.does("message_clicked", "1h", action_id=ana.state.sent[0].action_id)
    assert ana.told[0] == ("resumed", "event_came", "answer", "1h")
    assert ana.saw[0] == {"event": "message_clicked", "step": "remind"}


@pytest.mark.parametrize("type", ["message_opened", "message_clicked"])
def test_what_a_machine_opens_or_clicks_is_no_answer(type):
    ana = Customer(answered(on(type)))
    ana.does("cart_updated")
    ana.forget()
    ana.does(type, "1h", machine=True)
    assert ana.told == [("waited", "condition_false", "answer", "1h")]
    assert ana.state.entries[0].step == "answer"


def test_what_a_machine_opens_matches_where_somebody_asks_for_machines():
    ana = Customer(answered(on("message_opened", where=prop("machine"))))
    ana.does("cart_updated")
    ana.forget()
    ana.does("message_opened", "1h", machine=True)
    assert ana.told[0] == ("resumed", "event_came", "answer", "1h")


def test_what_a_machine_clicks_does_not_start_a_wait_again():
    ana = Customer(journey(send("remind", "hello", "email"), wait("calm", "2h", restart_on=["message_clicked"])))
    ana.does("cart_updated")
    ana.does("message_clicked", "1h", machine=True)
    ana.until("2h")
    assert ana.told[-1] == ("exited", "completed", None, "2h")


@pytest.mark.parametrize(
    ("receipts", "status"),
    [
        (["message_sent"], "sent"),
        (["message_delivered"], "delivered"),
        (["message_delivered", "message_opened"], "opened"),
        (["message_opened", "message_clicked"], "clicked"),
        (["message_clicked", "message_opened"], "clicked"),
        (["message_opened", "message_delivered"], "opened"),
        (["message_failed"], "failed"),
        (["message_bounced"], "bounced"),
        (["message_bounced", "message_delivered"], "bounced"),
    ],
)
def test_a_steps_status_moves_on_with_its_receipts_and_never_back(receipts, status):
    ana = Customer(journey(send("remind", "hello", "email"), wait("calm", "1d"), reads_receipts=True))
    ana.does("cart_updated")
    for minute, receipt in enumerate(receipts):
        ana.does(receipt, f"{minute + 1}m", action_id=ana.actions[0].id)
    assert ana.state.entries[0].results["remind"].status == status


def test_what_a_machine_opened_does_not_count_as_opened():
    ana = Customer(journey(send("remind", "hello", "email"), wait("calm", "1d"), reads_receipts=True))
    ana.does("cart_updated")
    ana.does("message_opened", "1m", action_id=ana.actions[0].id, machine=True)
    assert ana.state.entries[0].results["remind"].status == "sent"


def test_conditions_can_ask_for_a_steps_status_and_channel():
    flow = journey(
        send("remind", "hello", "email"),
        wait("calm", "1d"),
        set_to("mark", status=step_field("remind", "status"), by=step_field("remind", "channel")),
        reads_receipts=True,
    )
    ana = Customer(flow, profile=EMAIL_ONLY)
    ana.does("cart_updated")
    ana.does("message_opened", "1h", action_id=ana.actions[0].id)
    ana.until("1d")
    assert ana.state.profile.traits == {**EMAIL_ONLY, "status": "opened", "by": "email"}


def twice(**fields):
    return Customer(journey(send("remind", "hello", "email", purpose="tips"), again="always"), **fields)


@pytest.mark.parametrize(
    ("receipt", "properties", "withheld"),
    [
        ("message_bounced", {"kind": "hard"}, ["unreachable"]),
        ("message_bounced", {}, ["unreachable"]),
        ("message_bounced", {"kind": "soft"}, []),
        ("message_complained", {}, ["unreachable"]),
        ("message_unsubscribed", {}, ["no_consent"]),
        ("message_failed", {}, []),
    ],
)
def test_bounces_complaints_and_unsubscriptions_stop_the_next_message(receipt, properties, withheld):
    ana = twice()
    ana.does("cart_updated")
    ana.does(receipt, "1h", action_id=ana.actions[0].id, **properties)
    ana.does("cart_updated", "2h")
    assert [reason for _, _, reason in ana.withheld] == withheld


def test_unreachable_lasts_until_the_address_changes():
    ana = twice()
    ana.does("cart_updated")
    ana.does("message_bounced", "1h", action_id=ana.actions[0].id, kind="hard")
    ana.does("cart_updated", "2h")
    ana.does("profile_updated", "3h", email="ana@home.example")
    ana.does("cart_updated", "4h")
    assert ana.withheld == [("remind", "email", "unreachable")]
    assert ana.actions[-1].to == "ana@home.example"


def test_a_bounce_that_names_only_its_channel_is_about_the_address_of_today():
    ana = twice(profile={"email": " ana@shop.example "})
    ana.does("message_bounced", "1h", channel="email", kind="hard")
    ana.does("cart_updated", "2h")
    assert ana.withheld == [("remind", "email", "unreachable")]


@pytest.mark.parametrize("address", [34600000001, ["token-1", "token-2"]], ids=["a number", "devices"])
def test_addresses_that_are_no_text_become_unreachable_too(address):
    shop = project(channels=(channel("email", address=const(address)),))
    ana = twice(project=shop)
    ana.does("cart_updated")
    ana.does("message_bounced", "1h", action_id=ana.actions[0].id, kind="hard")
    ana.does("cart_updated", "2h")
    assert ana.withheld == [("remind", "email", "unreachable")]


def test_a_complaint_is_a_no_to_all_purposes_of_its_channel():
    ana = Customer(journey(send("remind", "hello", "email", "push"), again="always"))
    ana.does("cart_updated")
    ana.does("message_complained", "1h", action_id=ana.actions[0].id)
    ana.does("profile_updated", "2h", email="ana@home.example")
    ana.does("cart_updated", "3h")
    assert ana.withheld == [("remind", "email", "no_consent")]
    assert ana.messages[-1] == ("hello", "push", "3h")
    (said,) = [one for one in ana.state.profile.consents if one.channel == "email"]
    assert (said.purpose, said.granted, said.source) == (None, False, "message_complained")


def test_an_unsubscription_is_a_no_to_one_purpose_of_one_channel():
    shop = project(purpose("marketing", "opt_in"))
    flow = journey(send("one", "hello", "email"), send("two", "hello", "email", purpose="tips"), again="always")
    ana = Customer(flow, project=shop)
    ana.does("cart_updated")
    ana.does("message_unsubscribed", "1h", action_id=ana.actions[0].id)
    ana.does("cart_updated", "2h")
    assert ana.withheld == [("one", "email", "no_consent")]


def test_an_unsubscription_from_a_message_that_nobody_remembers_is_a_no_everywhere():
    ana = Customer(journey(send("remind", "hello", "email", "push"), again="always"))
    ana.does("cart_updated")
    first = ana.actions[0].id
    for hour in range(1, 22):
        ana.does("cart_updated", f"{hour}h")
    assert first not in {sent.action_id for sent in ana.state.sent}
    ana.forget()
    ana.does("message_unsubscribed", "23h", action_id=first)
    ana.does("cart_updated", "24h")
    assert ana.withheld == [("remind", "email", "no_consent"), ("remind", "push", "no_consent")]


@pytest.mark.parametrize("channel", ["web", None])
def test_an_unsubscription_by_no_channel_of_ours_is_a_no_everywhere(channel):
    ana = Customer(journey(send("remind", "hello", "email", "push")))
    ana.does("message_unsubscribed", channel=channel)
    ana.does("cart_updated", "1h")
    assert ana.withheld == [("remind", "email", "no_consent"), ("remind", "push", "no_consent")]


def test_a_receipt_about_nothing_we_know_changes_nothing():
    ana = reminded("email")
    record = ana.record
    turned = ana.does("message_bounced", "1h", action_id="of somebody else", kind="hard")
    assert (turned.outcome, ana.record) == ("ignored", record)
    assert ana.does("message_complained", "2h").outcome == "ignored"


def test_a_goal_reached_by_a_click_after_the_end_counts_for_the_entry_whose_message_it_was():
    flow = journey(
        send("remind", "hello", "email"),
        key="cart_id",
        again="always",
        goals=[goal("message_clicked", within="3d")],
    )
    ana = Customer(flow)
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1m", cart_id="c2")
    second = ana.decisions[-1].entry_id
    about_second = ana.actions[1].id
    ana.forget()
    ana.does("message_clicked", "1h", action_id=about_second)
    assert [(one.verdict, one.entry_id) for one in ana.decisions] == [("converted", second)]


def test_a_machines_click_enters_nobody():
    ana = Customer(remind("email"), journey(wait("calm", "1h"), id="clicked", enter=on("message_clicked")))
    ana.does("message_clicked", machine=True)
    assert ana.told == [("not_entered", "condition_false", None, "0m")]
