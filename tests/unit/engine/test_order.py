"""The order of work: profile, endings, waits, entering; by priority, id and age; emitted events after their cause."""

from shop import (
    Customer,
    const,
    emit,
    event_field,
    exits,
    goal,
    journey,
    leave,
    on,
    prop,
    repeat,
    says,
    send,
    set_to,
    trait,
    value,
    wait,
    wait_for,
)


def test_one_event_does_its_work_in_order():
    entering = journey(leave("in", "in"), id="a-entering", enter=on("ordered"), priority=99)
    waiting = journey(wait_for("order", on("ordered"), within="1d"), id="b-waiting", priority=50)
    ending = journey(wait("settle", "1d"), id="c-ending", exits=[exits("ordered")], goals=[goal("ordered")], priority=1)
    ana = Customer(entering, waiting, ending)
    ana.does("cart_updated")
    ana.forget()
    ana.does("ordered", "1h")
    assert ana.told_by_journey == [
        ("c-ending", "converted", "goal", "settle", "1h"),
        ("c-ending", "exited", "ordered", "settle", "1h"),
        ("b-waiting", "resumed", "event_came", "order", "1h"),
        ("b-waiting", "exited", "completed", None, "1h"),
        ("a-entering", "entered", "event", None, "1h"),
        ("a-entering", "exited", "in", "in", "1h"),
    ]


def test_what_an_event_tells_about_the_profile_counts_for_that_very_event():
    flow = journey(leave("in", "in"), enter=on("profile_updated", where=says("tier", "gold")))
    ana = Customer(flow)
    ana.forget()
    ana.does("profile_updated", "1m", tier="gold")
    assert ana.told == [("entered", "event", None, "1m"), ("exited", "in", "in", "1m")]


def test_journeys_go_by_priority_highest_first_then_by_id():
    flows = [
        journey(leave("in", "in"), id="b", priority=10),
        journey(leave("in", "in"), id="a", priority=10),
        journey(leave("in", "in"), id="z", priority=90),
    ]
    ana = Customer(*flows)
    ana.does("cart_updated")
    assert [one.journey for one in ana.decisions if one.verdict == "entered"] == ["z", "a", "b"]


def test_entries_of_one_journey_go_by_age():
    ana = Customer(journey(wait_for("order", on("ordered"), within="1d"), key="cart_id", again="always"))
    for number in range(5):
        ana.does("cart_updated", f"{number}m", cart_id=f"c{9 - number}")
    by_age = [one.entry_id for one in ana.decisions if one.verdict == "entered"]
    ana.forget()
    ana.does("ordered", "1h")
    assert [one.entry_id for one in ana.decisions if one.verdict == "exited"] == by_age


def test_timers_of_one_instant_go_by_priority_id_and_age():
    flows = [
        journey(wait("settle", "1h"), id="b", priority=10, again="always"),
        journey(wait("settle", "1h"), id="a", priority=10),
        journey(wait("settle", "1h"), id="z", priority=90),
    ]
    ana = Customer(*flows)
    ana.does("cart_updated")
    ana.does("cart_updated", "0m", event_id="again")
    first, second = (one.entry_id for one in ana.decisions if (one.journey, one.verdict) == ("b", "entered"))
    ana.forget()
    ana.until("1h")
    ended = [(one.journey, one.entry_id) for one in ana.decisions if one.verdict == "exited"]
    assert [journey_id for journey_id, _ in ended] == ["z", "a", "b", "b"]
    assert [entry_id for _, entry_id in ended[2:]] == [first, second]


def test_of_timers_that_a_late_worker_finds_due_the_earliest_fires_first():
    early = journey(wait("settle", "1h"), id="early", priority=1)
    late = journey(wait("settle", "2h"), id="late", priority=99)
    ana = Customer(early, late)
    ana.does("cart_updated")
    ana.forget()
    ana.wake_at("5h")
    assert [one.journey for one in ana.decisions if one.verdict == "exited"] == ["early", "late"]


def test_a_timer_that_is_ended_by_the_one_before_it_does_not_fire():
    teller = journey(wait("settle", "1h"), emit("tell", "stopped"), id="teller", priority=90)
    listener = journey(
        wait("settle", "1h"), send("late", "hello"), id="listener", exits=[exits("stopped")], priority=10
    )
    ana = Customer(teller, listener)
    ana.does("cart_updated")
    ana.forget()
    ana.until("1h")
    assert ana.told_by_journey == [
        ("teller", "resumed", "time_passed", "settle", "1h"),
        ("teller", "emitted", "emit", "tell", "1h"),
        ("teller", "exited", "completed", None, "1h"),
        ("listener", "exited", "stopped", "settle", "1h"),
    ]


def test_a_timer_that_an_emitted_event_started_again_waits_on():
    teller = journey(wait("settle", "1h"), emit("tell", "poked"), id="teller", priority=90)
    listener = journey(wait("settle", "1h", restart_on=["poked"]), id="listener", priority=10)
    ana = Customer(teller, listener)
    ana.does("cart_updated")
    ana.until("3h")
    ended = [told for told in ana.told_by_journey if told[1] == "exited"]
    assert ended == [
        ("teller", "exited", "completed", None, "1h"),
        ("listener", "exited", "completed", None, "2h"),
    ]


# Emitted events


def test_an_emitted_event_is_handled_after_the_event_that_caused_it_at_the_same_instant():
    first = journey(emit("tell", "told", n=const(1)), leave("out", "out"), id="a-first")
    second = journey(leave("in", "in"), id="b-second")
    hears = journey(leave("in", "in"), id="c-hears", enter=on("told"), priority=99)
    ana = Customer(first, second, hears)
    ana.does("cart_updated", "5m")
    assert ana.told_by_journey == [
        ("a-first", "entered", "event", None, "5m"),
        ("a-first", "emitted", "emit", "tell", "5m"),
        ("a-first", "exited", "out", "out", "5m"),
        ("b-second", "entered", "event", None, "5m"),
        ("b-second", "exited", "in", "in", "5m"),
        ("c-hears", "entered", "event", None, "5m"),
        ("c-hears", "exited", "in", "in", "5m"),
    ]


def test_emitted_events_are_handled_in_the_order_in_which_they_were_emitted():
    tells = journey(emit("one", "told", n=const(1)), emit("two", "told", n=const(2)), id="tells")
    hears = journey(set_to("keep", heard=event_field("id"), n=prop("n")), id="hears", enter=on("told"), again="always")
    ana = Customer(tells, hears)
    ana.does("cart_updated")
    events = [action.id for action in ana.actions]
    assert [one.cause for one in ana.decisions if (one.journey, one.verdict) == ("hears", "entered")] == events
    assert (ana.state.profile.traits["heard"], ana.state.profile.traits["n"]) == (events[1], 2)


def test_an_emitted_event_leaves_as_an_action_for_others():
    ana = Customer(journey(emit("tell", "cart_given_up", cart=prop("cart_id"), nothing=prop("missing"))))
    ana.does("cart_updated", cart_id="c1")
    (action,) = ana.actions
    assert (action.kind, action.message, action.data, action.step) == (
        "event",
        "cart_given_up",
        {"cart": "c1", "nothing": False},
        "tell",
    )
    assert (action.customer_id, action.at) == ("ana", "2026-01-05T10:00:00.000Z")
    assert [one.action_id for one in ana.decisions if one.verdict == "emitted"] == [action.id]


def test_a_property_of_an_emitted_event_whose_value_is_missing_is_left_out():
    ana = Customer(journey(emit("tell", "told", here=const(1), gone=trait("nothing"))))
    ana.does("cart_updated")
    assert ana.actions[0].data == {"here": 1}


def test_an_entry_may_wait_for_what_it_has_emitted_itself():
    ana = Customer(journey(emit("tell", "told"), wait_for("hear", on("told"), within="1h")))
    ana.does("cart_updated")
    assert ana.told[-2:] == [("resumed", "event_came", "hear", "0m"), ("exited", "completed", None, "0m")]


def test_a_loop_of_emitted_events_ends_with_the_hundredth():
    flow = journey(emit("echo", "cart_updated"), again="always")
    ana = Customer(flow)
    ana.does("cart_updated")
    assert len(ana.actions) == 100
    assert ana.told[-2:] == [("entered", "event", None, "0m"), ("parked", "emit_limit", "echo", "0m")]
    assert [(entry.step, entry.parked) for entry in ana.state.entries] == [("echo", "emit_limit")]


def test_every_timer_has_its_own_hundred_events():
    flows = [journey(wait("settle", "1h"), emit("tell", "told"), id=name, key="n") for name in ("one", "two")]
    ana = Customer(*flows)
    for number in range(60):
        ana.does("cart_updated", "0m", event_id=f"e{number}", n=number)
    ana.wake_at("1h")
    assert len(ana.actions) == 120
    assert ana.state.entries == []


def test_the_same_story_has_the_same_ids_and_no_id_twice():
    flow = journey(
        repeat("daily", emit("tell", "told"), send("say", "hello", "email"), every="1d", at_most=3), again="always"
    )
    stories = []
    for _ in range(2):
        ana = Customer(flow)
        ana.does("cart_updated")
        ana.does("cart_updated", "1h")
        ana.until("9d")
        stories.append(([one.id for one in ana.decisions], [one.id for one in ana.actions]))
    assert stories[0] == stories[1]
    decisions, actions = stories[0]
    assert len(set(decisions)) == len(decisions) > 12
    assert len(set(actions)) == len(actions) == 12


def test_set_steps_see_what_the_ones_before_them_set():
    twice = value("profile.n * 2", lambda s: s.state.profile.value("n") * 2)
    flow = journey(set_to("mark", n=const(1), m=twice), set_to("more", n=twice))
    ana = Customer(flow, profile={})
    ana.does("cart_updated")
    assert ana.state.profile.traits == {"n": 2, "m": 2}
