"""The words by which customers leave and come back, and what is new in a reply."""

import time

import pytest

from orchestrator.channels.inbound.keywords import keywords_of
from orchestrator.channels.inbound.quoting import MAX_CHARACTERS, reply_in

SPANISH = keywords_of(["es", "en"])


@pytest.mark.parametrize(
    "said",
    ["STOP", "stop", " Stop. ", "STOPALL", "Stop all", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"],
)
def test_what_networks_mandate_is_heard_in_every_project(said):
    for languages in (["es"], ["en"], ["ja"], []):
        assert keywords_of(languages).meaning(said) == "stop"


@pytest.mark.parametrize("said", ["BAJA", "Baja!", "«baja»", "ALTO", "PARAR", "Ｂａｊａ", "¡BAJA!", "/stop"])
def test_spanish_words_leave(said):
    assert SPANISH.meaning(said) == "stop"


@pytest.mark.parametrize("said", ["START", "unstop", "ALTA", "Alta."])
def test_words_that_come_back(said):
    assert SPANISH.meaning(said) == "start"


@pytest.mark.parametrize(
    "said",
    [
        "please stop by tomorrow",
        "no stop",
        "STOP " * 20,
        "",
        "  ",
        "...",
        "yes",
        "YES",
        "SI",
        "baja el precio",
        "/start",
        "🛑",
    ],
)
def test_other_messages_are_messages(said):
    assert SPANISH.meaning(said) is None


def test_words_are_those_of_the_languages_that_the_project_writes_in():
    assert keywords_of(["en"]).meaning("baja") is None
    assert keywords_of(["fr-FR"]).meaning("ARRÊT") == "stop"
    assert keywords_of(["de"]).meaning("Abmelden") == "stop"


def test_a_project_has_words_of_its_own_and_says_what_they_mean():
    words = keywords_of(["es"], stop=["Basta ya"], start=["parar", "¡Volver!"])
    assert [words.meaning(said) for said in ("basta  YA", "volver", "parar", "baja")] == [
        "stop",
        "start",
        "start",
        "stop",
    ]
    both = keywords_of(["es"], stop=["eco"], start=["eco"])
    assert both.meaning("eco") == "stop"


@pytest.mark.parametrize(
    ("mail", "new"),
    [
        ("Gracias\n\nAna", "Gracias\n\nAna"),
        ("No lo sé\nEl lun, 5 ene 2026 a las 10:00, Tienda (<a@b.c>)\nescribió:\n> Hola", "No lo sé"),
        ("No quiero 3 lámparas\n\nOn Mon, Jan 5, 2026 at 10:00 AM Shop <a@b.c> wrote:\n> Hi", "No quiero 3 lámparas"),
        ("Oui\n\nLe lun. 5 janv. 2026 à 10:00, Boutique <a@b.c> a écrit :\n> Bonjour", "Oui"),
        ("Ja\n\nAm 05.01.2026 um 10:00 schrieb Laden:\n> Hallo", "Ja"),
        ("Ok\n\nDe: Tienda <a@b.c>\nEnviado el: lunes, 5 de enero\nPara: Ana", "Ok"),
        ("Ok\n\n-----Original Message-----\nFrom: x", "Ok"),
        ("Ok\n________________________________\nFrom: x", "Ok"),
        ("Ok\n-- \nAna Ruiz\n+34 600", "Ok"),
        ("Ok\n\nSent from my iPhone", "Ok"),
        ("Ok\n\nEnviado desde mi iPhone\n\n> Hola", "Ok"),
        ("De: aquí no paso\nNi hoy ni mañana", "De: aquí no paso\nNi hoy ni mañana"),
        ("On the 3rd I wrote to you.\nNobody answered.", "On the 3rd I wrote to you.\nNobody answered."),
        ("> Hola\nNo", ""),
        ("Uno\r\nDos\r\r\n", "Uno\nDos"),
    ],
)
def test_what_is_new_in_a_reply(mail, new):
    assert reply_in(mail) == new


@pytest.mark.parametrize(
    "unit",
    ["On 1 ", "On 1\n", "El 5 wrote", "_" * 19 + "\n", "From: a\n", "- " * 9, "sent from my \n", "Am 1 wrote \n"],
)
def test_a_hostile_mail_is_read_in_no_time(unit):
    began = time.process_time()
    reply_in(unit * (2 * MAX_CHARACTERS // len(unit)))
    assert time.process_time() - began < 2  # the library that this stands for takes minutes
