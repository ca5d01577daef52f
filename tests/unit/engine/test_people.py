"""Surveys, cases, calls and scores: what is asked of people and programs, and what their answers do."""

import pytest

from orchestrator.model.project import Judgement
from shop import (
    Customer,
    ask,
    call,
    hand_off,
    journey,
    leave,
    message,
    project,
    prop,
    purpose,
    quiet,
    score,
    send,
    step_field,
    wait,
)

SURVEYS = project(messages=(message("survey"),))


def answered(customer, **said):
    return customer.does("survey_answered", "2h", **said)


@pytest.mark.parametrize(
    ("survey", "given", "group"),
    [
        *(("nps", number, "detractor") for number in (0, 6)),
        *(("nps", number, "passive") for number in (7, 8)),
        *(("nps", number, "promoter") for number in (9, 10)),
        *(("csat", number, "negative") for number in (1, 2)),
        ("csat", 3, "neutral"),
        *(("csat", number, "positive") for number in (4, 5)),
        *(("ces", number, "negative") for number in (1, 3)),
        ("ces", 4, "neutral"),
        *(("ces", number, "positive") for number in (5, 7)),
    ],
)
def test_an_answer_has_the_group_of_its_score(survey, given, group):
    ana = Customer(journey(ask("how", survey, then=[wait("on", "1d")])), project=SURVEYS)
    ana.does("cart_updated")
    answered(ana, score=given, comment="so so")
    (entry,) = ana.state.entries
    assert entry.results["how"].values == {"score": given, "comment": "so so", "group": group}
    assert ("resumed", "answered", "how", "2h") in ana.told


@pytest.mark.parametrize(("survey", "given"), [("nps", 11), ("nps", -1), ("csat", 0), ("csat", 6), ("ces", "7")])
def test_a_score_off_the_scale_is_on_record_and_no_answer(survey, given):
    ana = Customer(journey(ask("how", survey)), project=SURVEYS)
    ana.does("cart_updated")
    answered(ana, score=given)
    assert ana.told[-1] == ("waited", "condition_false", "how", "2h")
    assert [entry.step for entry in ana.state.entries] == ["how"]


def test_a_survey_without_an_answer_times_out_after_it_was_sent():
    ana = Customer(journey(ask("how", "nps", within="3d", on_timeout=[leave("quit", "silent")])), project=SURVEYS)
    ana.does("cart_updated")
    ana.until("4d")
    assert ana.told[-2:] == [("resumed", "timed_out", "how", "3d"), ("exited", "silent", "quit", "3d")]


def test_a_survey_that_cannot_be_sent_times_out_at_once():
    steps = ask("how", "nps", then=[leave("glad", "answered")], on_timeout=[leave("quit", "silent")])
    ana = Customer(journey(steps), project=SURVEYS, consents=())
    ana.does("cart_updated")
    assert ana.told[-4:] == [
        ("suppressed", "no_consent", "how", "0m"),
        ("suppressed", "no_consent", "how", "0m"),
        ("resumed", "not_sent", "how", "0m"),
        ("exited", "silent", "quit", "0m"),
    ]


def test_a_survey_held_over_the_night_waits_for_its_answer_from_the_morning_on():
    nights = project(purpose("marketing", quiet_hours=(quiet("21:30", "08:30"),)), messages=(message("survey"),))
    ana = Customer(
        journey(ask("how", "nps", "email", within="1d")), project=nights, start="2026-03-02T22:00", zone="UTC"
    )
    ana.does("cart_updated", "2026-03-02T22:00")
    ana.does("survey_answered", "2026-03-02T23:00", score=9)  # to what? nothing was sent yet
    assert [entry.step for entry in ana.state.entries] == ["how"]
    ana.until("2026-03-04T09:00")
    assert [told for told in ana.told if told[0] in ("sent", "resumed")] == [
        ("sent", "allowed", "how", "2026-03-03T08:30"),
        ("resumed", "timed_out", "how", "2026-03-04T08:30"),
    ]


def test_an_answer_goes_to_the_entry_whose_survey_it_is():
    ana = Customer(journey(ask("how", "nps"), again="always"), project=SURVEYS)
    ana.does("cart_updated")
    ana.does("cart_updated", "1h")
    first, second = (action.id for action in ana.actions)
    answered(ana, score=9, action_id=second)
    assert [entry.results["how"].action_id for entry in ana.state.entries] == [first]


def test_an_answer_to_a_survey_that_was_given_up_on_is_none_to_the_one_after_it():
    ana = Customer(journey(ask("old", "nps", within="1d"), ask("new", "csat", within="3d")), project=SURVEYS)
    ana.does("cart_updated")
    ana.until("1d")
    old, new = (action.id for action in ana.actions)
    ana.does("survey_answered", "25h", score=3, action_id=old)
    assert [entry.step for entry in ana.state.entries] == ["new"]
    ana.does("survey_answered", "26h", score=4, action_id=new)
    assert ana.told[-2:] == [("resumed", "answered", "new", "1d2h"), ("exited", "completed", None, "1d2h")]


def test_a_case_tells_the_person_who_it_is_what_happened_and_what_was_sent():
    steps = (send("remind", "cart-reminder", "email"), hand_off("care", priority="urgent", skill="returns"))
    ana = Customer(journey(*steps, wait("on", "1d")))
    ana.does("cart_updated", cart_id="c1", total=40)
    (case,) = [action for action in ana.actions if action.kind == "handoff"]
    told = case.data
    assert (case.to, told["case_id"], told["priority"], told["skill"]) == ("care", case.id, "urgent", "returns")
    assert told["customer"]["traits"]["email"] == "ana@shop.example"
    assert told["entry"] == {"cart_id": "c1", "total": 40}
    assert [(sent["message"], sent["channel"]) for sent in told["sent"]] == [("cart-reminder", "email")]
    assert told["steps"]["remind"]["status"] == "sent"
    assert ana.told[-2:] == [("handed_off", "case_opened", "care", "0m"), ("waited", "time", "on", "0m")]


def test_a_case_that_is_waited_for_leads_on_when_it_is_closed():
    steps = hand_off("care", until_closed=True, within="2d", then=[leave("done", "helped")])
    ana = Customer(journey(steps))
    ana.does("cart_updated")
    ana.does("case_closed", "1h", case_id="somebody-else's")
    assert [entry.step for entry in ana.state.entries] == ["care"]
    ana.does("case_closed", "2h", outcome="refunded", agent="eva")
    assert ana.told[-2:] == [("resumed", "answered", "care", "2h"), ("exited", "helped", "done", "2h")]


def test_of_several_open_cases_the_newest_is_closed_without_an_id_and_only_whoever_waits_for_it_leads_on():
    ana = Customer(journey(hand_off("care", until_closed=True, within="2d"), key="order", again="after_exit"))
    ana.does("cart_updated", order="a")
    ana.does("cart_updated", "1h", order="b")
    ana.does("case_closed", "2h", outcome="refunded")
    assert [entry.key for entry in ana.state.entries] == ["a"]
    assert [case.entry_id for case in ana.state.cases] == [ana.state.entries[0].id]
    ana.does("case_closed", "3h", outcome="solved")
    assert ana.state.entries == ana.state.cases == []


@pytest.mark.parametrize("waiting", [{}, {"until_closed": True, "within": "1h"}])
def test_how_a_case_ended_can_be_asked_although_nobody_waits_for_it_any_more(waiting):
    ana = Customer(journey(hand_off("care", **waiting), wait("on", "3d")))
    ana.does("cart_updated")
    ana.does("case_closed", "1d", outcome="refunded", agent="eva")
    (entry,) = ana.state.entries
    found = entry.results["care"]
    assert [found.value(name) for name in ("status", "outcome", "agent")] == ["closed", "refunded", "eva"]


def test_a_case_that_nobody_closes_times_out():
    ana = Customer(journey(hand_off("care", until_closed=True, within="2d", on_timeout=[leave("late", "nobody")])))
    ana.does("cart_updated")
    ana.until("3d")
    assert ana.told[-1] == ("exited", "nobody", "late", "2d")


def test_an_open_case_silences_what_it_names_until_it_is_closed():
    steps = (hand_off("care", pause=("marketing",)), send("remind", "cart-reminder", "email"), wait("on", "1d"))
    ana = Customer(journey(*steps, send("again", "cart-reminder", "email")))
    ana.does("cart_updated")
    assert ana.withheld == [("remind", "email", "case_open")]
    ana.does("case_closed", "1h")
    ana.until("2d")
    assert ana.messages == [("cart-reminder", "email", "1d")]


def test_a_purpose_may_pause_during_any_case_the_contact_centres_own_too():
    careful = project(purpose("marketing", pauses_during_case=True))
    ana = Customer(journey(send("remind", "cart-reminder", "email")), project=careful)
    ana.does("case_opened", "1h", case_id="7")
    ana.does("cart_updated", "2h")
    assert ana.withheld == [("remind", "email", "case_open")]


def test_an_open_case_comes_after_consent_and_before_the_holdout():
    held = project(purpose("marketing", pauses_during_case=True), holdout_percent=100.0)
    ana = Customer(journey(send("remind", "cart-reminder", "email")), project=held, consents=())
    ana.does("case_opened", "1h", case_id="7")
    ana.does("cart_updated", "2h")
    assert ana.withheld == [("remind", "email", "no_consent")]
    ben = Customer(journey(send("remind", "cart-reminder", "email")), project=held, name="ben")
    ben.does("case_opened", "1h", case_id="7")
    ben.does("cart_updated", "2h")
    assert ben.withheld == [("remind", "email", "case_open")]


def test_who_is_held_out_is_neither_called_nor_handed_over():
    held = project(holdout_percent=100.0)
    ana = Customer(journey(hand_off("care"), call("crm", on_timeout=[leave("out", "nothing")])), project=held)
    ana.does("cart_updated")
    assert [told[:3] for told in ana.told if told[0] == "suppressed"] == [
        ("suppressed", "holdout", "care"),
        ("suppressed", "holdout", "crm"),
    ]
    assert ana.told[-1] == ("exited", "nothing", "out", "0m")
    assert ana.actions == []


def test_a_call_waits_for_its_answer_and_keeps_it():
    ana = Customer(journey(call("crm", then=[wait("on", "1d")], cart=prop("cart_id"))))
    ana.does("cart_updated", cart_id="c1")
    (action,) = ana.actions
    assert (action.kind, action.to) == ("call", "crm")
    ana.does("call_answered", "5s", action_id="another", status=500)
    ana.does("call_answered", "6s", action_id=action.id, status=200, response={"tier": "gold"})
    (entry,) = ana.state.entries
    assert entry.results["crm"].values == {"status": 200, "response": {"tier": "gold"}}
    assert entry.step == "on"


def test_a_call_without_an_answer_times_out():
    ana = Customer(journey(call("crm", on_timeout=[leave("out", "no-answer")])))
    ana.does("cart_updated")
    ana.until("1m")
    assert ana.told[-2:] == [("resumed", "timed_out", "crm", "10s"), ("exited", "no-answer", "out", "10s")]


def shouting(text, scope):
    if not isinstance(text, str):
        return None
    return Judgement(value=float(text.isupper()), label="angry" if text.isupper() else "calm", why=["capitals"])


def test_a_score_keeps_its_value_its_label_and_why():
    loud = project(scorers={"mood": shouting})
    ana = Customer(journey(score("judge", "mood", save="mood"), wait("on", "1d")), project=loud)
    ana.does("cart_updated", text="WHERE IS IT")
    assert ana.state.entries[0].results["judge"].values == {"value": 1.0, "label": "angry", "why": ["capitals"]}
    profile = ana.state.profile
    assert (profile.traits["mood"], profile.said_ms["mood"]) == (1.0, ana.start_ms)
    assert ("scored", "model_answered", "judge", "0m") in ana.told


def test_a_scorer_without_an_answer_changes_nothing_and_says_so():
    loud = project(scorers={"mood": shouting})
    ana = Customer(
        journey(score("judge", "mood", step_field("nowhere", "x"), save="mood"), wait("on", "1d")), project=loud
    )
    ana.does("cart_updated", text="hello")
    assert ana.told[-2:] == [("scored", "no_answer", "judge", "0m"), ("waited", "time", "on", "0m")]
    assert "mood" not in ana.state.profile.traits
