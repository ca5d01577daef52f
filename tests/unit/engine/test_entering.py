"""Entering: who may, and the order in which it is said why not."""

import pytest

from shop import Customer, journey, leave, on, prop, step_field, wait, wait_for

STAYS = wait("settle", "1d")
BIG = on("cart_updated", where=prop("total", lambda total: total >= 30))


def refusals(ana):
    return [told[1] for told in ana.told if told[0] == "not_entered"]


def test_an_event_that_the_rule_takes_opens_an_entry():
    ana = Customer(journey(STAYS, enter=BIG))
    ana.does("cart_updated", total=40)
    assert ana.told == [("entered", "event", None, "0m"), ("waited", "time", "settle", "0m")]
    assert ana.saw[0] == {"total": 40}


def test_a_decision_says_what_it_is_about_and_what_caused_it():
    ana = Customer(journey(STAYS, enter=BIG, version=3))
    ana.does("cart_updated", event_id="e-1", total=40)
    entered, waited = ana.decisions
    assert (entered.journey, entered.version, entered.cause, entered.at) == (
        "cart",
        3,
        "e-1",
        "2026-01-05T10:00:00.000Z",
    )
    assert (entered.entry_id, entered.profile_id) == (waited.entry_id, ana.state.profile.id)
    assert entered.id != waited.id


def test_a_rule_may_name_several_events():
    ana = Customer(journey(STAYS, enter=on("cart_updated", "cart_shared")))
    ana.does("cart_shared")
    assert ana.told[0] == ("entered", "event", None, "0m")


def test_of_several_rules_the_first_that_takes_the_event_opens_one_entry():
    rules = (BIG, on("cart_updated", where=prop("vip")), on("wishlist_shared"))
    ana = Customer(journey(STAYS, enter=rules))
    ana.does("cart_updated", total=5, vip=True)
    assert ana.told[0] == ("entered", "event", None, "0m")
    assert ana.saw[0] == {"total": 5, "vip": True}
    assert len(ana.state.entries) == 1


@pytest.mark.parametrize("properties", [{"total": 29}, {"total": None}, {}])
def test_a_condition_that_is_false_or_about_something_missing_lets_nobody_in(properties):
    ana = Customer(journey(STAYS, enter=BIG))
    ana.does("cart_updated", **properties)
    assert ana.told == [("not_entered", "condition_false", None, "0m")]
    assert ana.saw == [{"total": properties.get("total")}]


def test_a_draft_does_nothing_and_says_nothing():
    ana = Customer(journey(STAYS, status="draft"))
    ana.does("cart_updated")
    assert ana.told == []


@pytest.mark.parametrize("status", ["paused", "draining"])
def test_a_journey_that_is_not_live_lets_nobody_in(status):
    ana = Customer(journey(STAYS, status=status))
    ana.does("cart_updated")
    assert ana.told == [("not_entered", "not_live", None, "0m")]


def test_the_reasons_come_in_order_and_only_the_first_is_said():
    rule = on("cart_updated", where=prop("total"))
    shape = {"enter": rule, "key": "cart_id", "again": "once"}
    ana = Customer(journey(STAYS, status="paused", **shape))
    ana.does("cart_updated", "1m")
    ana.under(journey(STAYS, **shape))
    ana.does("cart_updated", "2m")
    ana.does("cart_updated", "3m", total=1)
    ana.does("cart_updated", "4m", total=1, cart_id="c1")
    ana.does("cart_updated", "5m", total=1, cart_id="c1")
    ana.until("2d")
    ana.does("cart_updated", "3d", total=1, cart_id="c1")
    assert refusals(ana) == ["not_live", "condition_false", "key_missing", "already_inside", "not_again"]


def test_without_a_key_there_is_one_entry_per_customer():
    ana = Customer(journey(STAYS, again="after_exit"))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1h", cart_id="c2")
    assert refusals(ana) == ["already_inside"]


def test_with_a_key_there_is_one_entry_per_key():
    ana = Customer(journey(STAYS, key="cart_id"))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1h", cart_id="c2")
    ana.does("cart_updated", "2h", cart_id="c1")
    assert [entry.key for entry in ana.state.entries] == ["c1", "c2"]
    assert refusals(ana) == ["already_inside"]


@pytest.mark.parametrize("other", ["7", 7, 7.0])
def test_keys_compare_as_text(other):
    ana = Customer(journey(STAYS, key="cart_id"))
    ana.does("cart_updated", cart_id=7)
    ana.does("cart_updated", "1h", cart_id=other)
    assert refusals(ana) == ["already_inside"]


@pytest.mark.parametrize(("value", "key"), [(True, "true"), (False, "false"), (1.5, "1.5"), ("ñ", "ñ"), (0, "0")])
def test_any_plain_value_is_a_key(value, key):
    ana = Customer(journey(STAYS, key="cart_id"))
    ana.does("cart_updated", cart_id=value)
    assert [entry.key for entry in ana.state.entries] == [key]


@pytest.mark.parametrize("value", [None, "", [], ["c1"], {}, {"id": "c1"}])
def test_an_event_without_a_usable_key_does_not_enter(value):
    ana = Customer(journey(STAYS, key="cart_id"))
    ana.does("cart_updated", cart_id=value)
    assert refusals(ana) == ["key_missing"]
    assert ana.saw[-1] == {"lacks": "cart_id"}


@pytest.mark.parametrize(("shows", "saw"), [(True, {"key": "c1"}), (False, {})])
def test_whose_entry_it_is_shows_unless_the_key_is_an_identifier(shows, saw):
    ana = Customer(journey(STAYS, key="cart_id", shows_key=shows))
    ana.does("cart_updated", cart_id="c1")
    assert ana.saw[0] == saw


def test_once_means_never_a_second_time():
    ana = Customer(journey(wait("settle", "1h")))
    ana.does("cart_updated")
    ana.does("cart_updated", "400d")
    assert refusals(ana) == ["not_again"]


def test_once_counts_by_key():
    ana = Customer(journey(wait("settle", "1h"), key="cart_id"))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "2h", cart_id="c1")
    ana.does("cart_updated", "3h", cart_id="c2")
    assert refusals(ana) == ["not_again"]
    assert [entry.key for entry in ana.state.entries] == ["c2"]


def test_after_exit_lets_in_again_at_once():
    ana = Customer(journey(leave("done", "done"), again="after_exit"))
    ana.does("cart_updated")
    ana.does("cart_updated", "0m", event_id="another")
    assert [told[0] for told in ana.told] == ["entered", "exited", "entered", "exited"]


@pytest.mark.parametrize(("at", "expected"), [("7d59m59s", ["not_again"]), ("7d1h", [])])
def test_a_duration_counts_from_the_last_exit(at, expected):
    ana = Customer(journey(wait("settle", "1h"), again="7d"))
    ana.does("cart_updated")
    ana.does("cart_updated", at)
    assert refusals(ana) == expected


def test_always_lets_in_the_same_key_several_times_at_once():
    ana = Customer(journey(STAYS, key="cart_id", again="always"))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "1h", cart_id="c1")
    assert [entry.key for entry in ana.state.entries] == ["c1", "c1"]


def test_a_customer_has_at_most_a_hundred_live_entries_of_one_journey():
    ana = Customer(journey(STAYS, again="always"), journey(STAYS, id="other", again="always"))
    for second in range(101):
        ana.does("cart_updated", f"{second}s")
    assert [one.journey for one in ana.decisions if one.reason == "entry_limit"] == ["cart", "other"]
    assert len(ana.state.entries) == 200


def test_a_journey_without_steps_completes_at_once():
    ana = Customer(journey())
    ana.does("cart_updated")
    assert ana.told == [("entered", "event", None, "0m"), ("exited", "completed", None, "0m")]


def test_an_entry_keeps_what_its_journey_reads_of_the_opening_event_and_no_more():
    ana = Customer(journey(STAYS, entry_reads=frozenset(["total"]), keeps_event=False))
    ana.does("cart_updated", total=40, items=["a"] * 100)
    (entry,) = ana.state.entries
    assert (entry.properties, entry.event) == ({"total": 40}, None)


def test_the_event_that_opens_an_entry_is_not_taken_by_a_wait_that_it_armed():
    flow = journey(wait_for("more", on("cart_updated"), within="1h"), wait("settle", "1h", restart_on=["cart_updated"]))
    ana = Customer(flow)
    ana.does("cart_updated")
    assert ana.told == [("entered", "event", None, "0m"), ("waited", "for_event", "more", "0m")]


def test_the_result_of_a_step_that_nobody_has_been_to_is_missing():
    ana = Customer(journey(STAYS, enter=on("cart_updated", where=step_field("settle", "status"))))
    ana.does("cart_updated")
    assert ana.told == [("not_entered", "condition_false", None, "0m")]
