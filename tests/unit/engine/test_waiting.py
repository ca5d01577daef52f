"""Waits: what arms them, what wakes an entry, and what it takes along."""

import pytest

from shop import (
    KEEPS_ALL,
    Customer,
    choose,
    const,
    emit,
    entry_field,
    event_field,
    journey,
    leave,
    on,
    prop,
    repeat,
    send,
    set_to,
    step_field,
    value,
    wait,
    wait_for,
)


def latest(step, name):
    """Say `steps.<step>.event.properties.<name>`."""
    return value(f"steps.{step}.event", lambda s: (found := s.step_event(step)) and found.properties.get(name))


def all_of(step, name):
    """Say the property of every event the step took."""
    return value(f"steps.{step}.events", lambda s: [event.properties.get(name) for event in s.step_events(step)])


def marked(ana):
    """Gather what `set` steps have left on the profile."""
    return {name: found for name, found in ana.state.profile.traits.items() if name.startswith("mark")}


def test_a_wait_lasts_as_long_as_it_says():
    ana = Customer(journey(wait("settle", "1h"), send("remind", "cart-reminder", "email")))
    ana.does("cart_updated")
    ana.until("59m59s999ms")
    assert ana.told == [("entered", "event", None, "0m"), ("waited", "time", "settle", "0m")]
    ana.until("1h")
    assert ana.told[2:] == [
        ("resumed", "time_passed", "settle", "1h"),
        ("sent", "allowed", "remind", "1h"),
        ("exited", "completed", None, "1h"),
    ]


def test_a_day_is_24_hours_in_a_wait_also_when_the_clocks_change():
    ana = Customer(journey(wait("settle", "1d")), start="2026-03-28T12:00", zone="Europe/Madrid")
    ana.does("cart_updated")
    ana.until("2026-03-30T00:00")
    assert ana.told[-1] == ("exited", "completed", None, "2026-03-29T13:00")


def test_an_event_taken_by_a_wait_for_moves_the_entry_to_the_next_wait():
    ana = Customer(journey(wait_for("answer", on("clicked"), within="1d"), wait("calm", "2h")))
    ana.does("cart_updated")
    ana.does("clicked", "1h")
    ana.until("1d")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("waited", "for_event", "answer", "0m"),
        ("resumed", "event_came", "answer", "1h"),
        ("waited", "time", "calm", "1h"),
        ("resumed", "time_passed", "calm", "3h"),
        ("exited", "completed", None, "3h"),
    ]


def test_a_wait_that_an_event_restarts_counts_from_the_last_one():
    ana = Customer(journey(wait("settle", "1h", restart_on=["cart_updated", "cart_shared"])))
    ana.does("cart_updated")
    ana.does("cart_updated", "50m")
    ana.does("cart_shared", "1h40m")
    ana.until("1d")
    assert ana.told == [
        ("entered", "event", None, "0m"),
        ("waited", "time", "settle", "0m"),
        ("waited", "restarted", "settle", "50m"),
        ("not_entered", "already_inside", None, "50m"),
        ("waited", "restarted", "settle", "1h40m"),
        ("resumed", "time_passed", "settle", "2h40m"),
        ("exited", "completed", None, "2h40m"),
    ]


def test_a_restart_concerns_the_entries_of_its_key():
    ana = Customer(journey(wait("settle", "1h", restart_on=["cart_updated"]), key="cart_id"))
    ana.does("cart_updated", cart_id="c1")
    ana.does("cart_updated", "10m", cart_id="c2")
    ana.does("cart_updated", "30m", cart_id="c1")
    ana.until("1d")
    assert [told for told in ana.told if told[0] == "exited"] == [
        ("exited", "completed", None, "1h10m"),
        ("exited", "completed", None, "1h30m"),
    ]


def test_the_event_of_a_wait_is_the_latest_restart_else_the_opening_one():
    flow = journey(
        wait("settle", "1h", restart_on=["cart_updated"], kept=KEEPS_ALL),
        set_to("mark", mark=latest("settle", "total"), marks=all_of("settle", "total")),
    )
    quiet, busy = Customer(flow, name="ana"), Customer(flow, name="bea")
    for someone in (quiet, busy):
        someone.does("cart_updated", total=10)
    busy.does("cart_updated", "5m", total=20)
    busy.does("cart_updated", "9m", total=30)
    for someone in (quiet, busy):
        someone.until("1d")
    assert marked(quiet) == {"mark": 10, "marks": [10]}
    assert marked(busy) == {"mark": 30, "marks": [10, 20, 30]}


def test_the_newest_hundred_events_of_a_wait_are_kept():
    flow = journey(
        wait("settle", "1h", restart_on=["cart_updated"], kept=KEEPS_ALL),
        set_to("mark", marks=all_of("settle", "n")),
    )
    ana = Customer(flow)
    for number in range(150):
        ana.does("cart_updated", f"{number}s", n=number)
    ana.until("1d")
    assert marked(ana) == {"marks": list(range(50, 150))}


def test_a_wait_that_is_reached_later_begins_with_the_opening_event_too():
    flow = journey(
        wait("settle", "1h"),
        wait("digest", "1h", restart_on=["page_viewed"], kept=KEEPS_ALL),
        set_to("mark", mark=latest("digest", "total")),
    )
    ana = Customer(flow)
    ana.does("cart_updated", total=10)
    ana.until("1d")
    assert marked(ana) == {"mark": 10}


def test_an_event_of_our_own_is_not_taken_for_the_opening_one():
    flow = journey(
        emit("tell", "told", total=const(99)),
        wait_for("hear", on("told"), within="1h"),
        wait("digest", "1h", restart_on=["page_viewed"], kept=KEEPS_ALL),
        set_to("mark", mark=latest("digest", "total")),
    )
    ana = Customer(flow)
    ana.does("cart_updated", total=10)
    ana.until("1d")
    assert marked(ana) == {"mark": 10}


def test_nothing_is_kept_of_events_that_nobody_reads():
    flow = journey(wait("settle", "1h", restart_on=["cart_updated"]), keeps_event=False, entry_reads=frozenset())
    ana = Customer(flow)
    ana.does("cart_updated", total=10)
    ana.does("cart_updated", "5m", total=20)
    (entry,) = ana.state.entries
    assert (entry.event, entry.properties, entry.results) == (None, {}, {})


def test_a_wait_for_that_nothing_answers_times_out():
    flow = journey(
        wait_for(
            "answer", (None, on("clicked"), [leave("yes", "engaged")]), within="1d", on_timeout=[leave("no", "cold")]
        )
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.until("2d")
    assert ana.told[1:] == [
        ("waited", "for_event", "answer", "0m"),
        ("resumed", "timed_out", "answer", "1d"),
        ("exited", "cold", "no", "1d"),
    ]


def test_both_ways_of_a_wait_for_carry_on_where_they_say_nothing():
    flow = journey(wait_for("answer", on("clicked"), within="1d"), leave("end", "after"))
    answered, silent = Customer(flow), Customer(flow)
    for someone in (answered, silent):
        someone.does("cart_updated")
    answered.does("clicked", "1h")
    silent.until("1d")
    assert answered.told[-1] == ("exited", "after", "end", "1h")
    assert silent.told[-1] == ("exited", "after", "end", "1d")


def test_an_event_at_the_very_instant_of_the_timeout_comes_first():
    ana = Customer(journey(wait_for("answer", on("clicked"), within="1d")))
    ana.does("cart_updated")
    ana.does("clicked", "1d")
    assert ana.told[-2:] == [("resumed", "event_came", "answer", "1d"), ("exited", "completed", None, "1d")]


def test_an_event_after_the_timeout_is_too_late():
    ana = Customer(journey(wait_for("answer", on("clicked"), within="1d"), leave("end", "cold")))
    ana.does("cart_updated")
    ana.does("clicked", "1d1ms")
    assert ana.told[-1] == ("exited", "cold", "end", "1d")


def test_a_wait_for_stays_when_its_condition_is_false_and_says_what_it_saw():
    ana = Customer(journey(wait_for("answer", on("rated", where=prop("score", lambda score: score > 3)), within="1d")))
    ana.does("cart_updated")
    ana.forget()
    ana.does("rated", "1h", score=2)
    ana.does("rated", "2h", score=5)
    assert ana.told == [
        ("waited", "condition_false", "answer", "1h"),
        ("resumed", "event_came", "answer", "2h"),
        ("exited", "completed", None, "2h"),
    ]
    assert ana.saw[:2] == [{"score": 2}, {"event": "rated", "score": 5}]


def test_of_several_branches_that_match_the_first_is_taken_and_its_name_kept():
    flow = journey(
        wait_for(
            "answer",
            ("good", on("rated", where=prop("score", lambda score: score > 8)), []),
            ("fine", on("rated", where=prop("score", lambda score: score > 3)), []),
            ("any", on("rated"), []),
            within="1d",
        ),
        set_to("mark", mark=step_field("answer", "name")),
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("rated", "1h", score=5)
    assert marked(ana) == {"mark": "fine"}


def test_a_wait_for_keeps_the_event_that_it_took():
    flow = journey(
        wait_for("answer", on("rated"), within="1d", kept=KEEPS_ALL), set_to("mark", mark=latest("answer", "score"))
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("rated", "1h", score=5)
    assert marked(ana) == {"mark": 5}


def test_a_wait_for_in_a_later_round_has_forgotten_what_it_took_before():
    asks = wait_for("answer", ("yes", on("rated"), []), within="1h", kept=KEEPS_ALL)
    flow = journey(
        repeat(
            "ask",
            asks,
            set_to("mark", marks=value("m", lambda s: str(s.step_value("answer", "name")))),
            every="1d",
            at_most=2,
        )
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("rated", "5m")
    assert marked(ana) == {"marks": "yes"}
    ana.until("2d")
    assert marked(ana) == {"marks": "None"}


def test_a_wait_for_concerns_the_entries_of_its_key():
    flow = journey(wait_for("paid", on("paid"), within="1d"), key="order_id", enter=on("ordered"))
    ana = Customer(flow)
    ana.does("ordered", order_id=1)
    ana.does("ordered", "1m", order_id=2)
    ana.does("paid", "1h", order_id="2")
    assert [entry.key for entry in ana.state.entries] == ["1"]


def test_an_event_moves_an_entry_by_one_wait_only():
    flow = journey(wait_for("one", on("ping"), within="1d"), wait_for("two", on("ping"), within="1d"))
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("ping", "1m")
    assert [entry.step for entry in ana.state.entries] == ["two"]
    ana.does("ping", "2m")
    assert ana.state.entries == []


def test_an_entry_knows_its_last_event_and_the_channel_that_it_came_by():
    flow = journey(
        wait_for("answer", on("replied"), within="1d"),
        set_to(
            "mark", mark_type=event_field("type"), mark_channel=event_field("channel"), mark_cart=entry_field("cart")
        ),
        send("say", "hello", "same"),
    )
    ana = Customer(flow)
    ana.does("cart_updated", channel="email", cart="c1")
    ana.does("replied", "1h", channel="sms")
    assert marked(ana) == {"mark_type": "replied", "mark_channel": "sms", "mark_cart": "c1"}
    assert ana.messages == [("hello", "sms", "1h")]


def test_a_condition_after_a_wait_for_sees_the_event_that_was_taken():
    flow = journey(
        wait_for("answer", on("rated"), within="1d"),
        choose(
            "pick", (prop("score", lambda score: score > 3), [leave("good", "happy")]), (None, [leave("bad", "sad")])
        ),
    )
    ana = Customer(flow)
    ana.does("cart_updated")
    ana.does("rated", "1h", score=5)
    assert ana.told[-1] == ("exited", "happy", "good", "1h")


@pytest.mark.parametrize("late", ["1h", "5h", "3d"])
def test_a_worker_that_comes_late_goes_on_from_the_instant_at_which_it_came(late):
    ana = Customer(journey(wait("settle", "1h"), wait("calm", "2h")))
    ana.does("cart_updated")
    ana.wake_at(late)
    assert ana.told[2:] == [("resumed", "time_passed", "settle", late), ("waited", "time", "calm", late)]
