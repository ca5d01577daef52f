"""Where a customer stands, as sentences."""

import pytest

from orchestrator.model.profile import Profile
from orchestrator.model.state import Entry
from orchestrator.views.standing import awaited, standing, unreachable

DUE = 1_772_523_000_000  # 2026-03-03T07:30:00Z


def entry(step, due_ms=DUE, **more):
    return Entry("e1", "abandoned-cart", 3, "c1", 0, step, due_ms, **more)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("settle", "waits at settle until Tue 3 Mar 2026, 08:30; cart_updated starts the wait again"),
        ("pause", "waits at pause until Tue 3 Mar 2026, 08:30"),
        (
            "answer",
            "waits at answer for message_clicked or message_opened where not machine, "
            "until Tue 3 Mar 2026, 08:30 at the latest",
        ),
        ("survey", "waits at survey for the answer to how-was-it, until Tue 3 Mar 2026, 08:30 at the latest"),
        ("check", "waits at check for the answer of crm, until Tue 3 Mar 2026, 08:30 at the latest"),
        ("care", "waits at care for care to close the case, until Tue 3 Mar 2026, 08:30 at the latest"),
        ("daily", "waits at daily for the next round, until Tue 3 Mar 2026, 08:30"),
    ],
)
def test_each_kind_of_waiting_has_its_words(every_verb, step, words):
    assert standing(every_verb, entry(step), "Europe/Madrid") == f"abandoned-cart (c1): {words}."


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("settle", "espera en settle hasta mar 3 mar 2026, 08:30; cart_updated vuelve a empezar la espera"),
        (
            "answer",
            "espera en answer message_clicked o message_opened con not machine, como mucho hasta mar 3 mar 2026, 08:30",
        ),
        ("survey", "espera en survey la respuesta a how-was-it, como mucho hasta mar 3 mar 2026, 08:30"),
        ("check", "espera en check la respuesta de crm, como mucho hasta mar 3 mar 2026, 08:30"),
        ("care", "espera en care a que care cierre el caso, como mucho hasta mar 3 mar 2026, 08:30"),
        ("daily", "espera en daily la próxima vuelta, hasta mar 3 mar 2026, 08:30"),
    ],
)
def test_each_kind_of_waiting_in_spanish(every_verb, step, words):
    assert standing(every_verb, entry(step), "Europe/Madrid", "es") == f"abandoned-cart (c1): {words}."


def test_a_held_message_is_named(every_verb):
    text = standing(every_verb, entry("remind", held_ms=1), "Europe/Madrid")
    assert text == "abandoned-cart (c1): holds cart-reminder at remind until Tue 3 Mar 2026, 08:30."


def test_without_the_journey_at_hand_the_step_is_named(every_verb):
    assert standing(None, entry("answer"), "UTC") == "abandoned-cart (c1): waits at answer until Tue 3 Mar 2026, 07:30."
    assert awaited(None, entry("answer")) == []


def test_an_entry_of_a_paused_journey_stands_still(every_verb):
    assert (
        standing(every_verb, entry("pause", 0), "UTC")
        == "abandoned-cart (c1): waits at pause until the journey goes on."
    )


def test_a_parked_entry_says_why(every_verb):
    text = standing(every_verb, entry("answer", parked="emit_limit"), "UTC")
    assert text == "abandoned-cart (c1): stopped at answer, because of emit limit."


def test_the_events_that_would_move_an_entry_on_are_named(every_verb):
    assert awaited(every_verb, entry("settle")) == ["cart_updated"]
    assert awaited(every_verb, entry("answer")) == ["message_clicked", "message_opened"]
    assert awaited(every_verb, entry("survey")) == ["survey_answered"]
    assert awaited(every_verb, entry("care")) == ["case_closed"]
    assert awaited(every_verb, entry("pause")) == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "email does not reach ana@example.com: the address bounced, or is gone."),
        ("es", "email no llega a ana@example.com: la dirección rebotó o ya no existe."),
    ],
)
def test_an_address_that_bounced_is_named(language, words):
    profile = Profile("p1", unreachable={"email": "ana@example.com", "push": "t1\n" + "t" * 100})
    told = unreachable(profile, language)
    assert told[0] == words
    assert told[1].startswith("push ")
    assert "t" * 79 + "…" in told[2]
    assert unreachable(Profile("p2"), language) == []
