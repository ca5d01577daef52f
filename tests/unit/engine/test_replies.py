"""Replies: what a person answers in a case, whether it may leave, and what becomes of it."""

import pytest

from orchestrator.engine import merging
from orchestrator.model import codec
from orchestrator.model.profile import Profile
from orchestrator.model.state import State
from shop import Customer, exits, hand_off, journey, wait


def handed_over(*exit_rules):
    ana = Customer(journey(hand_off("care"), wait("on", "9d"), exits=list(exit_rules)))
    ana.does("cart_updated")
    return ana, ana.state.cases[0].id


def answer(ana, case_id, at="1h", **said):
    said = {"case_id": case_id, "agent": "eva", "channel": "email", "text": "Here I am", **said}
    ana.does("case_answered", at, **said)
    return [action for action in ana.actions if action.kind == "message"]


def test_an_answer_leaves_by_its_channel_under_the_case_that_it_answers():
    ana, case_id = handed_over()
    [action] = answer(ana, case_id, subject="Your lamp")
    assert (action.channel, action.to, action.message, action.purpose) == ("email", "ana@shop.example", None, None)
    assert action.data["answer"] == {"text": "Here I am", "subject": "Your lamp", "agent": "eva"}
    assert (action.journey, action.step) == (ana.state.entries[0].journey, "care")
    assert ana.told[-1] == ("sent", "case_answered", "care", "1h")
    assert ana.decisions[-1].action_id == action.id


@pytest.mark.parametrize(
    ("before", "said", "reason"),
    [
        ({"type": "profile_updated", "email": None}, {}, "unreachable"),
        ({"type": "message_bounced", "channel": "email", "kind": "hard"}, {}, "unreachable"),
        ({"type": "seen"}, {"channel": "pigeon"}, "unreachable"),
        ({"type": "consent_changed", "channel": "email", "granted": False}, {}, "no_consent"),
    ],
)
def test_an_answer_that_may_not_leave_is_on_record_with_its_reason(before, said, reason):
    ana, case_id = handed_over()
    ana.does(before.pop("type"), "30m", **before)
    assert answer(ana, case_id, **said) == []
    assert ana.told[-1] == ("suppressed", reason, "care", "1h")


def test_an_answer_goes_to_no_address_that_bounced_in_any_life_nor_to_a_device_that_is_gone():
    ana, case_id = handed_over()
    gone = merging_with(ana, unreachable={"email": "ana@shop.example\nolder@shop.example", "push": "p1"})
    ana.record = gone
    assert answer(ana, case_id) == []
    assert ana.told[-1] == ("suppressed", "unreachable", "care", "1h")
    ana.does("profile_updated", "2h", device_token=["p1", "p2"])
    [action] = answer(ana, case_id, "3h", channel="push")
    assert action.to == ["p2"]


def merging_with(ana: Customer, **profile: object) -> bytes:
    """Merge another life into a customer's, and give the record."""
    state = ana.state
    merging.join(ana.catalog, state, State(Profile("q", **profile)))
    return codec.encode(state)


def test_a_no_to_one_purpose_is_no_no_to_a_persons_answer():
    ana, case_id = handed_over()
    ana.does("consent_changed", "30m", channel="email", purpose="marketing", granted=False)
    assert len(answer(ana, case_id)) == 1


@pytest.mark.parametrize("text", ["", "  ", None, 7])
def test_nothing_is_said_without_words(text):
    ana, case_id = handed_over()
    assert answer(ana, case_id, text=text) == []
    assert "case_answered" not in [reason for _, reason, _, _ in ana.told]


def test_an_answer_stands_whoever_leaves_and_is_taken_back_by_a_no_to_everything():
    ana, case_id = handed_over(exits("order_placed", reason="bought"))
    [action] = answer(ana, case_id)
    ana.does("order_placed", "2h")
    assert [one for one in ana.actions if one.kind == "cancel"] == []
    ana.does("consent_changed", "3h", channel="email", granted=False)
    assert [one.data["action_id"] for one in ana.actions if one.kind == "cancel"] == [action.id]


def test_who_closed_a_case_and_how_is_on_record_once():
    ana, case_id = handed_over()
    for at in ("2h", "3h"):
        ana.does("case_closed", at, case_id=case_id, agent="eva", outcome="solved")
    closings = [one for one in ana.decisions if one.reason == "case_closed"]
    assert [(one.step, one.saw["agent"], one.saw["outcome"]) for one in closings] == [("care", "eva", "solved")]


def test_a_case_tells_by_which_channels_its_customer_can_be_answered_the_last_used_first():
    ana = Customer(journey(hand_off("care")))
    ana.does("preference_changed", channels=["sms", "push"])
    ana.does("cart_updated", "1h", channel="push")
    [case] = [action for action in ana.actions if action.kind == "handoff"]
    told = case.data["channels"]
    assert (told["last"], told["prefers"]) == ("push", ["sms", "push"])
    assert told["usable"] == ["push", "sms", "email"]
