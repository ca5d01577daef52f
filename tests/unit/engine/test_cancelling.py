"""Cancelling: what is taken back of messages that may still be on their way, by whom, and until when."""

import pytest

from orchestrator.engine import cancelling
from orchestrator.engine.merging import join
from orchestrator.engine.turn import Turn
from orchestrator.model import codec, ids
from orchestrator.model.event import Event
from orchestrator.model.identity import Identity
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.state import State
from orchestrator.runtime.turn import Meeting, on_meeting
from shop import (
    CONFIRMED,
    EMAIL_AND_SMS,
    NO,
    Customer,
    channel,
    exits,
    goal,
    journey,
    leave,
    on,
    project,
    purpose,
    reminded,
    send,
    wait,
    wait_for,
)

ORDERED = exits("order_placed", reason="bought")


def taken_back(ana):
    """List what was cancelled, as (why, at)."""
    return [(one.data["reason"], ana.clock(one.at)) for one in ana.actions if one.kind == "cancel"]


def waiting(*nodes, expires=None, shop=None, **fields):
    """Remind a customer who then waits."""
    flow = journey(send("remind", "cart-reminder", "email", expires=expires), *nodes, **fields)
    ana = Customer(flow, project=shop)
    ana.does("cart_updated")
    return ana


def test_an_exit_takes_back_the_message_that_may_still_wait():
    ana = waiting(wait("calm", "9d"), exits=[ORDERED])
    ana.does("order_placed", "1h")
    message, cancel = ana.actions
    assert (cancel.id, cancel.kind, cancel.profile_id) == (
        ids.derive("cancel", message.id),
        "cancel",
        message.profile_id,
    )
    assert cancel.data == {"action_id": message.id, "reason": "exit"}
    assert (cancel.journey, cancel.version, cancel.entry_id, cancel.step) == (
        message.journey,
        message.version,
        message.entry_id,
        message.step,
    )


def test_a_goal_that_ends_the_entry_does_too():
    ana = waiting(wait("calm", "9d"), goals=[goal("order_placed", within="3d")])
    ana.does("order_placed", "1h")
    assert taken_back(ana) == [("exit", "1h")]


@pytest.mark.parametrize(("expires", "at"), [(None, "1d"), ("2h", "2h")])
def test_what_is_past_its_end_needs_no_taking_back(expires, at):
    ana = waiting(wait("calm", "9d"), expires=expires, exits=[ORDERED])
    ana.does("order_placed", at)
    assert taken_back(ana) == []


@pytest.mark.parametrize("receipt", ["delivered", "opened", "clicked", "bounced"])
def test_what_has_arrived_is_not_taken_back(receipt):
    ana = waiting(wait("calm", "9d"), exits=[ORDERED], reads_receipts=True)
    ana.does(f"message_{receipt}", "5m", action_id=ana.actions[0].id)
    ana.does("order_placed", "1h")
    assert taken_back(ana) == []


def test_only_the_entrys_own_messages_are_taken_back():
    flow = journey(
        send("remind", "cart-reminder", "email"), wait("calm", "9d"), key="cart_id", again="always", exits=[ORDERED]
    )
    ana = Customer(flow)
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1m", cart_id="c2")
    second = ana.actions[1].id
    ana.does("order_placed", "1h", cart_id="c2")
    assert [one.data["action_id"] for one in ana.actions if one.kind == "cancel"] == [second]


def test_steps_that_run_out_or_say_exit_take_nothing_back():
    ana = waiting()
    assert ana.told[-1][:2] == ("exited", "completed")
    assert taken_back(ana) == []
    ben = waiting(wait_for("answer", (None, on("seen"), [leave("out", "engaged")]), within="1d"))
    ben.does("seen", "1h")
    assert ben.told[-1][:2] == ("exited", "engaged")
    assert taken_back(ben) == []


def test_a_withdrawn_consent_takes_back_what_it_covered_also_when_the_entry_is_over():
    ana = waiting()
    ana.consents_to("1h", **NO, channel="email", purpose="marketing")
    assert taken_back(ana) == [("no_consent", "1h")]


def test_a_withdrawn_consent_for_something_else_takes_nothing_back():
    ana = waiting()
    ana.consents_to("1h", **NO, channel="sms", purpose="marketing")
    ana.consents_to("2h", **NO, purpose="news")
    ana.consents_to("3h", **CONFIRMED)
    assert taken_back(ana) == []


def test_an_unsubscribe_takes_back_the_others_and_not_what_the_customer_just_read():
    ana = waiting(again="always")
    ana.does("cart_updated", "1m")
    first, second = (one.id for one in ana.actions)
    ana.does("message_unsubscribed", "1h", action_id=first, channel="email", purpose="marketing")
    assert [one.data["action_id"] for one in ana.actions if one.kind == "cancel"] == [second]


def test_nothing_is_taken_back_twice():
    ana = waiting(wait("calm", "9d"), exits=[ORDERED])
    ana.does("order_placed", "1h")
    ana.consents_to("2h", **NO)
    ana.consents_to("3h", **NO)
    assert taken_back(ana) == [("exit", "1h")]


def test_who_is_to_be_forgotten_gets_nothing_that_is_on_its_way():
    ana = waiting()
    turn = Turn(ana.catalog, ana.state, ana.start_ms + 60_000, {})
    cancelling.of_everything(turn)
    message = ana.actions[0]
    assert [(one.kind, one.profile_id, one.customer_id, one.data) for one in turn.actions] == [
        ("cancel", message.profile_id, None, {"action_id": message.id, "reason": "erased"}),
        ("cancel", message.profile_id, None, {"action_id": None, "reason": "erased"}),
    ]


def test_what_left_to_a_customer_under_another_name_is_taken_back_under_that():
    ana, visitor = waiting(wait("calm", "9d"), exits=[ORDERED]), waiting(wait("calm", "9d"), exits=[ORDERED])
    merged, other = copy(ana.state), copy(visitor.state)
    other.profile_id = other.profile.id = "visitor"
    other.sent[0].action_id = "theirs"
    join(ana.catalog, merged, other)
    turn = Turn(ana.catalog, merged, ana.start_ms + 60_000, {})
    cancelling.of_everything(turn)
    assert [(one.data["action_id"], one.profile_id) for one in turn.actions] == [
        (ana.actions[0].id, ana.state.profile_id),
        ("theirs", "visitor"),
        (None, ana.state.profile_id),
        (None, "visitor"),
    ]


def meets(ana, other):
    lives, at_ms = Meeting([codec.encode(other)], ()), ana.start_ms + 60_000
    return on_meeting(ana.catalog, Event("e", "seen", at_ms), ana.state.profile_id, ana.record, lives, at_ms)


def test_a_no_of_another_life_takes_back_what_is_on_its_way():
    ana = waiting(wait("calm", "9d"))
    no = Consent(None, "marketing", granted=False, confirmed=False, at_ms=1)
    turned = meets(ana, State(Profile("visitor", consents=[no])))
    assert [(one.kind, one.profile_id, one.data) for one in turned.actions] == [
        ("cancel", ana.state.profile_id, {"action_id": ana.actions[0].id, "reason": "no_consent"})
    ]
    assert meets(ana, State(Profile("visitor"))).actions == []


def test_of_two_entries_for_the_same_the_one_that_ends_takes_its_message_back():
    ana, other = waiting(wait("calm", "9d")), copy(waiting(wait("calm", "9d")).state)
    other.profile_id = other.profile.id = "visitor"
    other.entries[0].id = other.sent[0].entry_id = "later"
    other.entries[0].entered_ms += 1
    other.sent[0].action_id = "theirs"
    turned = meets(ana, other)
    assert turned.decisions[-1].reason == "merged"
    assert [(one.kind, one.profile_id, one.data) for one in turned.actions] == [
        ("cancel", "visitor", {"action_id": "theirs", "reason": "exit"})
    ]


def test_who_is_forgotten_takes_nothing_from_whoever_is_known_by_what_links_nobody():
    ana = Customer(journey(wait("calm", "9d")), project=project(identity=Identity(kinds=("customer_id", "email"))))
    ana.does("cart_updated", identifiers={"email": "ana@shop.example", "tablet": "t1"})
    turn = Turn(ana.catalog, ana.state, ana.start_ms, {})
    cancelling.of_everything(turn)
    own = [ids.profile_id_of(*each) for each in (("customer_id", "ana"), ("email", "ana@shop.example"))]
    assert {one.profile_id for one in turn.actions} == {ana.state.profile_id, *own}


def copy(state):
    return codec.decode(codec.encode(state))


@pytest.mark.parametrize("reason", ["cancelled", "stale", "not_rendered", "refused", "failure"])
def test_what_delivery_could_not_send_is_on_record_with_its_reason(reason):
    ana = waiting(wait("calm", "9d"))
    action_id = ana.actions[0].id
    ana.does("message_failed", "1h", action_id=action_id, reason=reason)
    assert ana.told[-1] == ("suppressed", reason, "remind", "1h")
    assert ana.decisions[-1].action_id == action_id
    assert ana.saw[-1] == {"channel": "email", "message": "cart-reminder", "purpose": "marketing"}


@pytest.mark.parametrize("reason", ["gremlins", None, 421, ["stale"], {"code": 421}])
def test_a_failure_in_somebody_elses_words_is_only_a_receipt(reason):
    ana = waiting(wait("calm", "9d"))
    ana.does("message_failed", "1h", action_id=ana.actions[0].id, reason=reason)
    assert ana.told[-1][:2] == ("waited", "time")


@pytest.mark.parametrize(("reason", "count"), [("cancelled", 2), ("stale", 2), ("refused", 1)])
def test_what_never_left_counts_toward_no_cap(reason, count):
    shop = project(purpose("marketing", "opt_in", caps=((1, "7d"),)))
    ana = waiting(shop=shop, again="always")
    ana.does("message_failed", "1h", action_id=ana.actions[0].id, reason=reason)
    ana.does("cart_updated", "2h")
    assert len(ana.messages) == count


@pytest.mark.parametrize(("consents", "tracked"), [([], []), ([("email", True)], ["clicks"]), ([("sms", True)], [])])
def test_only_who_lets_themselves_be_measured_is(consents, tracked):
    shop = project(purpose("tracking", "opt_in"))
    said = [{**CONFIRMED, "purpose": "marketing"}]
    said += [{"granted": granted, "channel": name, "purpose": "tracking"} for name, granted in consents]
    ana = reminded("email", shop=shop, customer=EMAIL_AND_SMS, consents=tuple(said))
    assert ana.actions[0].track == tracked


def test_without_such_a_purpose_the_channel_says_what_is_tracked():
    assert reminded("email").actions[0].track == ["clicks"]
    assert channel("email").track == ("clicks",)
