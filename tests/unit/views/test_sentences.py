"""Decisions as sentences."""

import string

import pytest
from msgspec.structs import replace

from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.views.sentences import SENTENCES, WORDINGS, sentence, story_of


def decided(verdict, reason, step="remind", **saw):
    return Decision(
        id="d1",
        at="2026-03-03T07:30:00.000Z",
        profile_id="p1",
        journey="abandoned-cart",
        version=3,
        entry_id="e1",
        step=step,
        verdict=verdict,
        reason=reason,
        cause="timer",
        saw=saw,
    )


def test_a_message_that_left_says_why_it_could():
    decision = decided("sent", "allowed", channel="email", message="cart-reminder", purpose="marketing")
    assert sentence(decision, "UTC") == (
        "Sent cart-reminder (marketing) by email at remind: reachable, consented and allowed."
    )


@pytest.mark.parametrize(
    ("saw", "text"),
    [
        ({"webhook": "crm"}, "Did not call crm at remind: they are held out, to measure the rest."),
        ({"team": "care"}, "Did not hand over to care at remind: they are held out, to measure the rest."),
        (
            {"channel": "email", "message": "m", "purpose": "p"},
            "Did not send m (p) by email at remind: they are held out, to measure the rest.",
        ),
    ],
)
def test_what_was_not_done_for_who_is_held_out_is_called_what_it_is(saw, text):
    assert sentence(decided("suppressed", "holdout", **saw), None) == text


def test_a_wait_is_told_in_the_customers_local_time():
    decision = decided("waited", "time", step="settle", until="2026-03-03T07:30:00.000Z")
    assert sentence(decision, "Europe/Madrid") == "Waits at settle until Tue 3 Mar 2026, 08:30."


def test_what_was_looked_at_and_not_named_stands_behind():
    decision = decided("not_entered", "condition_false", step=None, total=12.5, currency=None, name="Ana")
    assert sentence(decision, "UTC") == (
        "Did not enter abandoned-cart: the condition to enter did not hold "
        '(total = 12.5, currency = missing, name = "Ana").'
    )


def test_a_property_called_like_a_field_of_the_decision_is_still_shown():
    decision = decided("branched", "condition_true", step="pick", **{"if": "step == 2"}, journey="x")
    text = sentence(decision, None)
    assert text == 'At pick took the way whose condition holds (if = "step == 2", journey = "x").'


def test_the_authors_own_exit_reason_is_said_in_the_authors_word():
    assert sentence(decided("exited", "bought"), None) == "Left abandoned-cart: bought."


def test_a_decision_of_a_newer_release_is_still_told():
    assert sentence(decided("postponed", "full_moon"), None) == "Postponed at remind: full moon."


def test_a_long_value_is_cut():
    text = sentence(decided("branched", "none_true", note="x" * 500), None)
    assert len(text) < 160
    assert "…" in text


@pytest.mark.parametrize("language", WORDINGS)
@pytest.mark.parametrize("pair", SENTENCES, ids="-".join)
def test_every_sentence_stands_without_what_it_names(pair, language):
    text = sentence(decided(*pair, step=None), None, language)
    assert text[0].isupper()
    assert "{" not in text
    assert "None" not in text
    assert text.endswith(".")


def test_every_verdict_and_every_reason_has_a_sentence():
    assert {verdict for verdict, _reason in SENTENCES} == set(Verdict)
    assert {reason for _verdict, reason in SENTENCES} == set(Reason)


def test_every_language_says_the_same_things_about_the_same_names():
    english = WORDINGS["en"]
    for wording in WORDINGS.values():
        assert set(wording.sentences) == set(english.sentences)
        for pair, text in wording.sentences.items():
            assert names_in(text) == names_in(english.sentences[pair]), pair
        for tables in ("not_done", "of_cases", "by_verdict", "unnamed"):
            assert set(getattr(wording, tables)) == set(getattr(english, tables))


def names_in(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_a_decision_in_spanish():
    held = decided(
        "held", "quiet_hours", message="offer", purpose="news", channel="sms", until="2026-03-04T07:30:00.000Z"
    )
    assert sentence(held, "Europe/Madrid", "es") == (
        "Se retuvo offer (news) en remind hasta mié 4 mar 2026, 08:30: son horas de silencio para sms."
    )
    told = sentence(decided("suppressed", "no_consent", webhook="crm", total=None), None, "es")
    assert told == "No se llamó a crm en remind: no ha dado su consentimiento (total = falta)."
    capped = decided("suppressed", "cap_reached", message="offer", purpose="news", channel="sms", cap="2 per 1d by sms")
    assert sentence(capped, None, "es") == (
        "No se envió offer (news) por sms en remind: ya ha recibido cuantos puede, 2 cada 1d por sms."
    )
    assert sentence(decided("exited", "bored"), None, "es") == "Salió de abandoned-cart: bored."
    assert sentence(decided("exited", "bored"), None, "gl") == "Left abandoned-cart: bored."


def test_no_sentence_names_a_word_that_nobody_knows():
    known = {"journey", "version", "step", "channel", "message", "purpose", "event", "until", "branch", "field"}
    known |= {"round", "rounds", "team", "webhook", "model", "kind", "kinds", "profile", "segment", "lacks", "cap"}
    known |= {"agent", "outcome"}
    named = {name for text in SENTENCES.values() for _, name, _, _ in string.Formatter().parse(text) if name}
    assert named <= known


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            [
                "Waits at care for the case to be closed, until Tue 3 Mar 2026, 08:30 at the latest.",
                "Waits at care for the case to be closed.",
                "Went on from care, as the case was closed: solved.",
                "Went on from care: the case was not closed in time.",
            ],
        ),
        (
            "es",
            [
                "Espera en care a que se cierre el caso, como mucho hasta mar 3 mar 2026, 08:30.",
                "Espera en care a que se cierre el caso.",
                "Siguió desde care, al cerrarse el caso: solved.",
                "Siguió desde care: el caso no se cerró a tiempo.",
            ],
        ),
    ],
)
def test_who_was_handed_over_waits_for_the_case_to_be_closed(language, told):
    decisions = [
        decided("handed_off", "case_opened", step="care", team="care"),
        decided("waited", "for_answer", step="care", until="2026-03-03T07:30:00.000Z"),
        decided("waited", "for_answer", step="care"),
        decided("resumed", "answered", step="care", outcome="solved"),
        decided("resumed", "timed_out", step="care"),
    ]
    story = story_of(decisions)
    assert [sentence(one, "Europe/Madrid", language, story) for one in decisions[1:]] == told
    survey = decided("waited", "for_answer", step="survey", until="2026-03-03T07:30:00.000Z")
    assert sentence(survey, "UTC", "en", story) == "Waits at survey for the answer, until Tue 3 Mar 2026, 07:30."


def test_an_exit_says_that_what_was_held_is_not_sent_any_more():
    held = decided("held", "quiet_hours", message="offer")
    left = replace(decided("exited", "bought", step=None, total=3), id="d2")
    story = story_of([held, decided("converted", "goal"), left])
    assert sentence(left, None, "en", story) == (
        "Left abandoned-cart: bought (total = 3); offer, which was held, is not sent any more."
    )
    assert sentence(left, None, "es", story) == (
        "Salió de abandoned-cart: bought (total = 3); offer, que se retuvo, ya no se envía."
    )
    assert sentence(left, None, "en", story_of([held, decided("sent", "allowed", message="offer"), left])) == (
        "Left abandoned-cart: bought (total = 3)."
    )
