"""Versions and statuses: who is inside while a journey is paused, drained, changed or gone."""

import pytest

from shop import Customer, ask, call, exits, goal, hand_off, journey, leave, message, project, repeat, send, wait

REMINDS = (wait("settle", "1h"), send("remind", "hello", "email"))
GLAD, SAD = [leave("glad", "glad")], [leave("sad", "sad")]


def inside(**fields):
    ana = Customer(journey(*REMINDS, **fields))
    ana.does("cart_updated")
    ana.forget()
    return ana


def test_those_inside_finish_the_version_they_entered():
    ana = inside()
    ana.under(journey(leave("gone", "gone"), version=2), older=(journey(*REMINDS),))
    ana.until("1d")
    assert [(one.verdict, one.version) for one in ana.decisions] == [("resumed", 1), ("sent", 1), ("exited", 1)]


def test_while_drained_nobody_enters_and_those_inside_finish():
    ana = inside()
    ana.under(journey(*REMINDS, status="draining", again="always"))
    ana.does("cart_updated", "10m")
    ana.until("1d")
    assert ana.told == [
        ("not_entered", "not_live", None, "10m"),
        ("resumed", "time_passed", "settle", "1h"),
        ("sent", "allowed", "remind", "1h"),
        ("exited", "completed", None, "1h"),
    ]


def test_while_paused_those_inside_stand_still():
    ana = inside()
    ana.under(journey(*REMINDS, status="paused"))
    ana.until("9d")
    assert (ana.told, [entry.step for entry in ana.state.entries]) == ([], ["settle"])


def test_while_paused_no_event_moves_anybody():
    flow = (repeat("daily", wait("settle", "1h", restart_on=["poked"]), every="1d", at_most=3),)
    ana = Customer(journey(*flow))
    ana.does("cart_updated")
    ana.under(journey(*flow, status="paused"))
    assert ana.does("poked", "10m").outcome == "ignored"


def test_while_paused_exits_and_goals_still_count():
    rules = {"exits": [exits("left")], "goals": [goal("ordered", ends=False)]}
    ana = inside(**rules)
    ana.under(journey(*REMINDS, status="paused", **rules))
    ana.does("ordered", "10m")
    ana.does("left", "2h")
    assert ana.told == [("converted", "goal", "settle", "10m"), ("exited", "left", "settle", "2h")]


def test_when_a_paused_journey_is_live_again_what_was_due_meanwhile_fires():
    ana = inside()
    ana.under(journey(*REMINDS, status="paused"))
    ana.until("1h")
    ana.under(journey(*REMINDS))
    ana.wake_at("2d")
    assert ana.told == [
        ("resumed", "time_passed", "settle", "2d"),
        ("sent", "allowed", "remind", "2d"),
        ("exited", "completed", None, "2d"),
    ]


@pytest.mark.parametrize(
    ("step", "event", "said"),
    [
        (ask("wait", "nps", "email", then=GLAD, on_timeout=SAD), "survey_answered", {"score": 9}),
        (hand_off("wait", until_closed=True, then=GLAD, on_timeout=SAD), "case_closed", {"outcome": "solved"}),
        (hand_off("wait", until_closed=True, within="2d", then=GLAD, on_timeout=SAD), "case_closed", {}),
        (call("wait", then=GLAD, on_timeout=SAD), "call_answered", {"status": 200}),
    ],
)
@pytest.mark.parametrize("after", ["7s", "5d"])
def test_an_answer_that_comes_during_a_pause_is_kept_and_leads_on_when_it_is_over(step, event, said, after):
    surveys = project(messages=(message("survey"),))
    ana = Customer(journey(step), project=surveys)
    ana.does("cart_updated")
    ana.under(journey(step, status="paused"))
    ana.until("4s")
    ana.does(event, "5s", **said)
    ana.does(event, "6s", **said)
    assert [entry.step for entry in ana.state.entries] == ["wait"]
    ana.under(journey(step))
    ana.does("page_viewed", after)
    assert [told[1] for told in ana.told].count("answered") == 1
    assert ana.told[-1][:3] == ("exited", "glad", "glad")


def test_what_was_due_during_a_pause_fires_before_the_next_event():
    ana = inside(exits=[exits("ordered")])
    ana.under(journey(*REMINDS, exits=[exits("ordered")], status="paused"))
    ana.until("1h")
    ana.under(journey(*REMINDS, exits=[exits("ordered")]))
    ana.does("ordered", "2d")
    assert ana.told[0] == ("resumed", "time_passed", "settle", "2d")
    assert ana.state.entries == []


def test_a_pause_that_ends_in_time_changes_nothing():
    ana = inside()
    ana.under(journey(*REMINDS, status="paused"))
    ana.does("page_viewed", "10m")
    ana.under(journey(*REMINDS))
    ana.until("1d")
    assert ana.messages == [("hello", "email", "1h")]


def test_an_entry_whose_version_is_gone_stands_still_and_its_timer_says_why():
    ana = inside()
    ana.under(journey(*REMINDS, version=2))
    ana.until("1d")
    assert ana.told == [("parked", "version_missing", "settle", "1h")]
    assert [(one.journey, one.version) for one in ana.decisions] == [("cart", 1)]


def test_an_entry_whose_version_is_back_goes_on():
    ana = inside()
    ana.under(journey(*REMINDS, version=2))
    ana.until("1d")
    ana.under(journey(*REMINDS, version=2), older=(journey(*REMINDS),))
    ana.wake_at("2d")
    assert ana.messages == [("hello", "email", "2d")]


def test_an_entry_that_stands_on_a_step_that_is_gone_is_parked():
    ana = inside()
    ana.under(journey(leave("other", "other")))
    ana.until("1d")
    assert ana.told == [("parked", "failure", "settle", "1h")]
    assert "KeyError" in ana.failures[0].traceback


@pytest.mark.parametrize("status", ["live", "paused"])
def test_an_entry_of_an_older_version_follows_the_status_of_the_current_one(status):
    ana = inside()
    ana.under(journey(*REMINDS, version=2, status=status), older=(journey(*REMINDS),))
    ana.until("1d")
    assert len(ana.messages) == (1 if status == "live" else 0)
