"""Migration: what an entry takes along when it moves to a newer version, and that nothing is sent again."""

from shop import (
    Customer,
    ask,
    call,
    journey,
    message,
    on,
    project,
    purpose,
    quiet,
    repeat,
    send,
    step_field,
    wait,
    wait_for,
    wait_until,
)
from shop.journeys import choose
from shop.stories import FAILS

V1 = journey(wait("settle", "1h"), send("remind", "hello", "email"), wait("rest", "1d"), send("offer", "hello", "push"))


SURVEYS = project(messages=(message("survey"), message("hello")))


def moved(before, after, at="10m", **fields):
    """Publish a version that migrates, while a customer stands somewhere in the one before."""
    ana = Customer(before, **fields)
    ana.does("cart_updated")
    ana.until(at)
    ana.forget()
    ana.under(after, older=(before,))
    return ana


def of(*nodes, moves=(), version=2, **fields):
    return journey(*nodes, version=version, moves=dict(moves), **fields)


def test_an_entry_moves_to_the_step_of_the_same_id_and_keeps_its_timer():
    ana = moved(V1, of(wait("settle", "5h"), send("shout", "hello", "email")))
    ana.until("1d")
    assert ana.told == [
        ("moved", "new_version", "settle", "1h"),
        ("resumed", "time_passed", "settle", "1h"),
        ("sent", "allowed", "shout", "1h"),
        ("exited", "completed", None, "1h"),
    ]
    assert ana.decisions[0].saw == {"from_version": 1, "from_step": "settle"}
    assert {one.version for one in ana.decisions} == {2}


def test_an_entry_moves_as_moves_says():
    ana = moved(V1, of(wait("calm", "5h"), send("shout", "hello", "email"), moves={"settle": "calm"}))
    ana.until("1d")
    assert [one.step for one in ana.decisions] == ["calm", "calm", "shout", None]


def test_an_entry_moves_before_the_event_that_the_new_version_asks_for():
    after = of(wait_for("settle", on("page_viewed"), within="2d"), send("shout", "hello", "email"))
    ana = moved(journey(wait_for("settle", on("ordered"), within="1d")), after)
    ana.does("page_viewed", "20m")
    assert ana.told[:3] == [
        ("moved", "new_version", "settle", "20m"),
        ("resumed", "event_came", "settle", "20m"),
        ("sent", "allowed", "shout", "20m"),
    ]


def test_a_step_that_has_become_another_kind_begins_at_the_move():
    ana = moved(V1, of(send("settle", "hello", "email"), wait("rest", "1d")))
    ana.wake_at("20m")
    assert ana.told == [
        ("moved", "new_version", "settle", "20m"),
        ("sent", "allowed", "settle", "20m"),
        ("waited", "time", "rest", "20m"),
    ]


def test_a_message_that_is_held_stays_held_and_is_rendered_by_the_new_version():
    before = journey(send("remind", "hello", "email"))
    ana = Customer(before, start="2026-01-05T22:00", project=project(purpose(quiet_hours=(quiet("21:00", "08:00"),))))
    ana.does("cart_updated")
    ana.forget()
    ana.under(of(send("shout", "hello", "email"), moves={"remind": "shout"}), older=(before,))
    ana.until("2d")
    assert [(one[0], one[2]) for one in ana.told] == [("moved", "shout"), ("sent", "shout"), ("exited", None)]


def test_what_has_been_sent_is_not_sent_again_where_the_step_now_stands_behind():
    after = of(wait("settle", "1h"), wait("rest", "1d"), send("remind", "hello", "email"))
    ana = moved(V1, after, at="2h")
    ana.until("3d")
    assert ana.told == [
        ("moved", "new_version", "rest", "1d1h"),
        ("resumed", "time_passed", "rest", "1d1h"),
        ("suppressed", "already_sent", "remind", "1d1h"),
        ("exited", "completed", None, "1d1h"),
    ]


def test_nor_where_it_was_renamed():
    after = of(wait("rest", "1d"), send("shout", "hello", "email"), moves={"remind": "shout"})
    ana = moved(V1, after, at="2h")
    ana.until("3d")
    assert ana.messages == []


def test_nor_after_a_second_move():
    second = of(wait("rest", "1d"), wait("more", "1d"), send("remind", "hello", "email"))
    ana = moved(V1, second, at="2h")
    ana.wake_at("3h")
    third = of(wait("rest", "1d"), send("shout", "hello", "email"), moves={"remind": "shout"}, version=3)
    ana.under(third, older=(V1, second))
    ana.until("5d")
    assert ana.messages == []


def test_what_could_not_be_sent_may_be_sent_by_the_new_version():
    before = journey(send("remind", "hello", "sms"), wait("rest", "1d"))
    ana = Customer(before, profile={"email": "ana@shop.example"})
    ana.does("cart_updated")
    ana.under(of(wait("rest", "1d"), send("remind", "hello", "email")), older=(before,))
    ana.until("3d")
    assert ana.messages == [("hello", "email", "1d")]


def test_results_stay_readable_by_the_new_names():
    said = step_field("shout", "status")
    after = of(wait("rest", "1d"), choose("look", (said, [send("thanks", "hello", "push")])), moves={"remind": "shout"})
    ana = moved(V1, after, at="2h")
    ana.until("3d")
    assert ana.messages == [("hello", "push", "1d1h")]


def test_a_receipt_after_the_move_is_about_the_new_step():
    after = of(wait_for("rest", on("message_clicked"), within="9d"), moves={"remind": "shout"})
    before = journey(send("remind", "hello", "email"), wait_for("rest", on("page_viewed"), within="9d"))
    ana = moved(before, after)
    ana.does("message_clicked", "1h", action_id=ana.state.sent[0].action_id)
    assert ana.told[1] == ("resumed", "event_came", "rest", "1h")


def test_a_message_that_bounces_after_the_move_goes_on_by_the_new_step():
    before = journey(send("remind", "hello", "email"), wait("rest", "1d"))
    ana = moved(before, of(send("shout", "hello", "email", "push"), wait("rest", "1d"), moves={"remind": "shout"}))
    ana.does("message_bounced", "1h", channel="email", action_id=ana.state.sent[0].action_id)
    assert [(one.step, one.channel) for one in ana.actions] == [("shout", "push")]


def test_a_survey_that_waits_for_its_answer_goes_on_waiting():
    before = journey(ask("survey", "nps", within="3d"))
    after = of(ask("opinion", "nps", then=[send("thanks", "hello", "push")]), moves={"survey": "opinion"})
    ana = moved(before, after, project=SURVEYS)
    ana.does("survey_answered", "1h", score=9)
    assert [(one[0], one[2]) for one in ana.told] == [
        ("moved", "opinion"),
        ("resumed", "opinion"),
        ("sent", "thanks"),
        ("exited", None),
    ]


def test_a_survey_that_was_answered_is_not_asked_again_and_its_answer_counts():
    before = journey(ask("survey", "nps", within="3d"), wait("rest", "1d"))
    after = of(
        wait("rest", "1d"),
        ask("survey", "nps", then=[send("thanks", "hello", "push")], on_timeout=[send("sorry", "hello", "sms")]),
    )
    ana = Customer(before, project=SURVEYS)
    ana.does("cart_updated")
    ana.does("survey_answered", "1h", score=9)
    ana.under(after, older=(before,))
    ana.until("9d")
    assert [one.step for one in ana.actions] == ["survey", "thanks"]


def test_a_webhook_is_not_called_again():
    before = journey(call("ask-crm"), wait("rest", "1d"))
    ana = moved(before, of(wait("rest", "1d"), call("ask-crm", on_timeout=[send("sorry", "hello", "sms")])), at="1m")
    ana.until("9d")
    assert [one.step for one in ana.actions] == ["sorry"]


def test_the_rounds_of_a_repeat_go_on():
    def daily(id):
        return repeat(id, send("remind", "hello", "email"), every="1d", at_most=3)

    ana = moved(journey(daily("daily")), of(daily("each-day"), moves={"daily": "each-day"}))
    ana.until("9d")
    assert [one[2] for one in ana.messages] == ["1d", "2d"]


def test_who_moves_into_a_repeat_is_in_its_first_round():
    ana = moved(V1, of(repeat("daily", wait("settle", "1h"), send("remind", "hello", "email"), every="1d", at_most=2)))
    ana.until("9d")
    assert [one[2] for one in ana.messages] == ["1h", "1d2h"]


def test_an_entry_on_a_step_without_a_successor_stays_until_it_stands_on_another():
    ana = moved(V1, of(wait("rest", "3d"), send("shout", "hello", "push")))
    ana.until("9d")
    assert [(one.verdict, one.step, one.version) for one in ana.decisions if one.verdict in ("moved", "sent")] == [
        ("sent", "remind", 1),
        ("moved", "rest", 2),
        ("sent", "shout", 2),
    ]


def test_nobody_moves_while_the_journey_is_paused():
    after = {"moves": {"settle": "calm"}}
    ana = moved(V1, of(wait("calm", "5h"), status="paused", **after))
    ana.wake_at("2h")
    assert ana.told == []
    ana.under(of(wait("calm", "5h"), **after), older=(V1,))
    ana.wake_at("3h")
    assert [(one[0], one[2]) for one in ana.told] == [("moved", "calm"), ("resumed", "calm"), ("exited", None)]


def test_an_entry_moves_on_from_a_version_that_is_gone():
    ana = moved(V1, V1)
    ana.under(of(wait("settle", "1h"), send("shout", "hello", "email")))
    ana.until("1d")
    assert [one[2] for one in ana.told] == ["settle", "settle", "shout", None]


def test_an_entry_that_fails_while_it_moves_is_parked_and_the_other_goes_on():
    other = journey(wait("settle", "1h"), send("remind", "hello", "push"), id="other")
    ana = Customer(V1, other)
    ana.does("cart_updated")
    ana.under(of(choose("settle", (FAILS, []))), other, older=(V1,))
    ana.until("1d")
    assert [(one.journey, one.verdict) for one in ana.decisions if one.verdict in ("parked", "moved")] == [
        ("cart", "parked")
    ]
    assert ana.messages == [("hello", "push", "1h")]


def test_a_clock_time_that_has_become_another_kind_is_armed_anew():
    ana = moved(V1, of(wait_until("settle", "09:00"), send("shout", "hello", "email")))
    ana.wake_at("20m")
    ana.until("2d")
    assert ana.messages == [("hello", "email", "23h")]
