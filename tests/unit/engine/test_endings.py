"""Endings: exits and goals, which take effect at the event whatever the entry waits for."""

from dataclasses import replace

import pytest

from shop import (
    NIGHT,
    Customer,
    exits,
    goal,
    journey,
    leave,
    on,
    project,
    prop,
    purpose,
    repeat,
    send,
    split,
    step_field,
    value,
    wait,
    wait_for,
    wait_until,
)

BOUGHT = exits("order_placed", reason="bought")
WENT_LEFT = replace(step_field("ways", "name"), evaluate=lambda scope: scope.step_value("ways", "name") == "left")


@pytest.mark.parametrize(
    "step",
    [
        wait("here", "30d"),
        wait("here", "30d", restart_on=["order_placed"]),
        wait_for("here", on("order_placed"), within="30d"),
        wait_until("here", "03:00"),
        repeat("here", every="30d", at_most=2, until_event=on("order_placed")),
    ],
    ids=["wait", "restart", "wait_for", "wait_until", "repeat"],
)
def test_an_exit_during_any_wait_takes_effect_at_the_event(step):
    ana = Customer(journey(step, send("late", "hello"), exits=[BOUGHT]))
    ana.does("cart_updated")
    ana.forget()
    ana.does("order_placed", "20m")
    ana.until("90d")
    assert ana.told == [("exited", "bought", "here", "20m")]
    assert ana.state.entries == []


def test_an_exit_while_a_message_is_held_means_it_is_never_sent():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(NIGHT,)))
    ana = Customer(journey(send("remind", "cart-reminder"), exits=[BOUGHT]), project=shop, start="2026-03-02T22:00")
    ana.does("cart_updated")
    ana.does("order_placed", "1h")
    ana.until("2d")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("held", "quiet_hours", "remind", "0m"),
        ("exited", "bought", "remind", "1h"),
    ]


def test_an_exits_reason_is_by_default_the_events_name():
    ana = Customer(journey(wait("settle", "1h"), exits=[exits("order_placed")]))
    ana.does("cart_updated")
    ana.does("order_placed", "20m")
    assert ana.told[-1] == ("exited", "order_placed", "settle", "20m")


def test_an_exit_whose_condition_is_false_is_on_record_and_ends_nothing():
    ana = Customer(journey(wait("settle", "1h"), exits=[exits("order_placed", where=prop("paid"))]))
    ana.does("cart_updated")
    ana.forget()
    ana.does("order_placed", "20m", paid=False)
    assert ana.told == [("waited", "condition_false", "settle", "20m")]
    assert ana.saw == [{"paid": False}]


def test_of_several_exits_the_first_that_matches_names_the_reason():
    rules = [exits("order_placed", where=prop("total", lambda total: total > 99), reason="big"), BOUGHT]
    ana = Customer(journey(wait("settle", "1h"), exits=rules))
    ana.does("cart_updated")
    ana.does("order_placed", "20m", total=5)
    assert ana.told[-1] == ("exited", "bought", "settle", "20m")


def test_an_event_that_ends_and_opens_ends_first():
    flow = journey(
        wait("settle", "1h"),
        enter=on("cart_updated"),
        exits=[exits("cart_updated", reason="fresh")],
        again="after_exit",
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.forget()
    ana.does("cart_updated", "20m")
    assert ana.told == [
        ("exited", "fresh", "settle", "20m"),
        ("entered", "event", None, "20m"),
        ("waited", "time", "settle", "20m"),
    ]


def test_an_exit_is_not_asked_of_the_entry_that_its_event_opens():
    ana = Customer(journey(wait("settle", "1h"), exits=[exits("cart_updated")]))
    ana.does("cart_updated")
    assert ana.told == [("entered", "event", None, "0m"), ("waited", "time", "settle", "0m")]


def test_an_entry_whose_steps_run_out_ends_as_completed():
    ana = Customer(journey(wait("settle", "1h")))
    ana.does("cart_updated")
    ana.until("1h")
    assert ana.told[-1] == ("exited", "completed", None, "1h")


def test_an_exit_step_ends_the_entry_with_its_reason():
    ana = Customer(journey(leave("stop", "engaged"), wait("never", "1h")))
    ana.does("cart_updated")
    assert ana.told[-1] == ("exited", "engaged", "stop", "0m")
    assert ana.state.entries == []


# Correlation: an event that carries the key matches only entries of that key.


def keyed(**fields):
    ana = Customer(journey(wait("settle", "1d"), key="cart_id", **fields))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1m", cart_id="c2")
    ana.forget()
    return ana


@pytest.mark.parametrize(
    ("properties", "left"),
    [
        ({"cart_id": "c1"}, ["c2"]),
        ({"cart_id": "c3"}, ["c1", "c2"]),
        ({}, []),
        ({"cart_id": None}, []),
    ],
)
def test_an_exit_concerns_the_entries_of_its_key_or_all_without_one(properties, left):
    ana = keyed(exits=[BOUGHT])
    ana.does("order_placed", "1h", **properties)
    assert [entry.key for entry in ana.state.entries] == left


@pytest.mark.parametrize(("properties", "left"), [({"cart_id": "c2"}, ["c1"]), ({}, [])])
def test_a_goal_concerns_the_entries_of_its_key_or_all_without_one(properties, left):
    ana = keyed(goals=[goal("order_placed")])
    ana.does("order_placed", "1h", **properties)
    assert [entry.key for entry in ana.state.entries] == left


def test_an_event_of_another_key_asks_nothing_of_anybody():
    ana = keyed(exits=[BOUGHT])
    assert ana.does("order_placed", "1h", cart_id="c9").outcome == "ignored"


# Goals


def test_a_goal_counts_a_conversion_and_ends_the_entry():
    ana = Customer(journey(wait("settle", "1d"), goals=[goal("order_placed")]))
    ana.does("cart_updated")
    ana.does("order_placed", "1h")
    assert ana.told[-2:] == [("converted", "goal", "settle", "1h"), ("exited", "goal", "settle", "1h")]


def test_a_goal_with_ends_false_only_counts_and_only_once():
    ana = Customer(journey(wait("settle", "1d"), goals=[goal("order_placed", ends=False)]))
    ana.does("cart_updated")
    ana.forget()
    ana.does("order_placed", "1h")
    ana.does("order_placed", "2h")
    ana.until("1d")
    assert ana.told == [
        ("converted", "goal", "settle", "1h"),
        ("resumed", "time_passed", "settle", "1d"),
        ("exited", "completed", None, "1d"),
    ]


def test_a_goal_that_ends_does_so_even_after_another_one_has_counted():
    goals = [goal("page_viewed", ends=False), goal("order_placed")]
    ana = Customer(journey(wait("settle", "1d"), goals=goals))
    ana.does("cart_updated")
    ana.does("page_viewed", "1h")
    ana.forget()
    ana.does("order_placed", "2h")
    assert ana.told == [("exited", "goal", "settle", "2h")]


def test_when_one_event_is_both_the_conversion_counts_and_the_exit_names_the_reason():
    ana = Customer(journey(wait("settle", "1d"), goals=[goal("order_placed")], exits=[BOUGHT]))
    ana.does("cart_updated")
    ana.does("order_placed", "1h")
    assert ana.told[-2:] == [("converted", "goal", "settle", "1h"), ("exited", "bought", "settle", "1h")]


def test_a_goal_whose_condition_is_false_is_on_record():
    ana = Customer(journey(wait("settle", "1d"), goals=[goal("order_placed", where=prop("paid"))]))
    ana.does("cart_updated")
    ana.forget()
    ana.does("order_placed", "1h")
    assert ana.told == [("waited", "condition_false", "settle", "1h")]


def test_a_conversion_says_its_value_and_what_the_condition_saw():
    total = value("total", lambda scope: scope.properties.get("total"))
    ana = Customer(journey(wait("settle", "1d"), goals=[goal("order_placed", where=prop("paid"), value=total)]))
    ana.does("cart_updated")
    ana.does("order_placed", "1h", paid=True, total=40)
    assert ana.saw[-2] == {"paid": True, "value": 40}


@pytest.mark.parametrize(("at", "verdicts"), [("3d", ["converted"]), ("3d1ms", [])])
def test_without_a_message_within_counts_from_the_start_also_after_the_end(at, verdicts):
    ana = Customer(journey(wait("settle", "1h"), goals=[goal("order_placed", within="3d")]))
    ana.does("cart_updated")
    ana.until("1h")
    ana.forget()
    ana.does("order_placed", at)
    assert [told[0] for told in ana.told] == verdicts


@pytest.mark.parametrize(("at", "verdicts"), [("3d1h", ["converted"]), ("3d1h1ms", [])])
def test_within_counts_from_the_last_message_also_after_the_end(at, verdicts):
    flow = journey(
        send("one", "hello"), wait("settle", "1h"), send("two", "hello"), goals=[goal("order_placed", within="3d")]
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.until("1h")
    ana.forget()
    ana.does("order_placed", at)
    assert [told[0] for told in ana.told] == verdicts
    assert [told[2] for told in ana.told] == [None] * len(verdicts)


@pytest.mark.parametrize(("at", "verdicts"), [("3d", ["converted", "exited"]), ("3d1ms", [])])
def test_within_closes_a_goal_while_the_entry_still_lives(at, verdicts):
    ana = Customer(journey(wait("settle", "9d"), goals=[goal("order_placed", within="3d")]))
    ana.does("cart_updated")
    ana.forget()
    ana.does("order_placed", at)
    assert [told[0] for told in ana.told] == verdicts


def test_a_goal_without_within_does_not_count_after_the_end():
    ana = Customer(journey(wait("settle", "1h"), goals=[goal("order_placed")]))
    ana.does("cart_updated")
    ana.until("1h")
    assert ana.does("order_placed", "2h").outcome == "ignored"


def test_a_goal_without_within_does_not_count_after_the_end_either_beside_one_that_has_it():
    goals = [goal("order_placed"), goal("signed_up", within="3d")]
    ana = Customer(journey(wait("settle", "1h"), goals=goals))
    ana.does("cart_updated")
    ana.until("1h")
    assert ana.does("order_placed", "1d").outcome == "ignored"
    assert [decision.verdict for decision in ana.does("signed_up", "2d").decisions] == ["converted"]


def test_after_the_end_a_goal_counts_once_and_for_its_key():
    flow = journey(wait("settle", "1h"), key="cart_id", goals=[goal("order_placed", within="3d")])
    ana = Customer(flow)
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1m", cart_id="c2")
    entered = {one.entry_id: one for one in ana.decisions if one.verdict == "entered"}
    ana.until("2h")
    ana.forget()
    ana.does("order_placed", "3h", cart_id="c2")
    ana.does("order_placed", "4h", cart_id="c2")
    (converted,) = ana.decisions
    assert (converted.verdict, converted.entry_id) == ("converted", list(entered)[1])


def test_an_entry_that_has_converted_does_not_count_again_after_its_end():
    ana = Customer(journey(wait("settle", "1h"), goals=[goal("order_placed", within="3d", ends=False)]))
    ana.does("cart_updated")
    ana.does("order_placed", "30m")
    ana.until("1h")
    assert ana.does("order_placed", "2h").outcome == "ignored"


def test_after_the_end_a_goals_condition_still_sees_the_opening_event():
    enough = value("entry.total", lambda scope: (scope.entry_value("total") or 0) >= 30)
    ana = Customer(journey(goals=[goal("order_placed", where=enough, within="3d")], again="after_exit"))
    ana.does("cart_updated", total=10)
    ana.does("cart_updated", "1h", total=40)
    ana.forget()
    ana.does("order_placed", "2h")
    assert [told[:2] for told in ana.told] == [("converted", "goal")]


@pytest.mark.parametrize(("who", "told"), [("ana", [("converted", "goal")]), ("leo", [])])
def test_after_the_end_a_goal_still_sees_what_its_steps_left_and_no_other_is_kept(who, told):
    ways = split("ways", ("left", 50, []), ("right", 50, []))
    flow = journey(ways, split("unread", ("all", 100, [])), goals=[goal("order_placed", where=WENT_LEFT, within="3d")])
    customer = Customer(flow, name=who)
    customer.does("cart_updated")
    (ended,) = customer.state.ended
    assert list(ended.results) == ["ways"]
    customer.forget()
    customer.does("order_placed", "1h")
    assert [one[:2] for one in customer.told] == told


def test_after_the_end_receipts_still_move_what_a_goal_asks_of_its_message():
    status = step_field("say", "status")
    flow = journey(
        send("say", "hello", "email"), goals=[goal("order_placed", within="3d", value=status)], reads_receipts=True
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("message_clicked", "1h", action_id=ana.actions[0].id)
    ana.does("order_placed", "2h")
    assert ana.saw[-1] == {"value": "clicked"}


def test_a_customer_remembers_a_bounded_number_of_ended_entries():
    ana = Customer(journey(again="always", goals=[goal("order_placed", within="30d")]))
    for second in range(200):
        ana.does("cart_updated", f"{second}s")
    assert len(ana.state.ended) <= 20


def test_who_is_pinned_to_a_version_that_is_gone_keeps_what_they_have_when_an_event_comes():
    ana = Customer(journey(wait("settle", "1h"), exits=[BOUGHT], goals=[goal("order_placed", within="3d")]))
    ana.does("cart_updated")
    ana.under()
    ana.forget()
    assert ana.does("order_placed", "20m").outcome == "ignored"
    assert [entry.step for entry in ana.state.entries] == ["settle"]
