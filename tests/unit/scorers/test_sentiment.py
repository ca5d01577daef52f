"""Sentiment: how right it is about sentences that people judged, and why it says so.

The words were written before the sentences here were looked at. Must never be tuned to them.
"""

from collections import Counter
from pathlib import Path

import pytest

from orchestrator.model.project import Judgement
from orchestrator.scorers.sentiment import analyser
from orchestrator.scorers.texts import LONGEST, words

ROWS = [
    row.split("\t")
    for row in (Path(__file__).parent / "hotel-comments.tsv").read_text(encoding="utf-8").splitlines()
    if not row.startswith("#")
]


def _judged(language: str) -> list[tuple[str, float]]:
    """Give people's judgement of each sentence, and the scorer's value."""
    known = analyser()
    return [(said, known.polarity(language, words(text))[0]) for name, said, text in ROWS if name == language]


@pytest.mark.parametrize(("language", "least"), [("en", 500), ("es", 440)])
def test_it_is_ten_points_better_than_always_saying_what_most_say(language, least):
    judged = _judged(language)
    (_, most), *_ = Counter(said for said, _ in judged).most_common(1)
    right = sum((value < 0) == (said == "negative") for said, value in judged)
    assert len(judged) >= least
    assert right / len(judged) >= most / len(judged) + 0.10


@pytest.mark.parametrize("language", ["en", "es"])
def test_it_is_ten_points_better_than_chance_where_both_are_as_many_and_neutral_is_a_miss(language):
    judged = _judged(language)
    bad = [value for said, value in judged if said == "negative"]
    good = [value for said, value in judged if said == "positive"][:: len(judged) // len(bad) - 1][: len(bad)]
    right = sum(value <= -0.05 for value in bad) + sum(value >= 0.05 for value in good)
    assert right / (len(bad) + len(good)) >= 0.60


@pytest.mark.parametrize(
    ("text", "label", "why"),
    [
        ("El pedido llegó ROTO y nadie contesta", "negative", ["ROTO (-3.0)", "nadie contesta (-2.3)"]),
        ("Todo perfecto, muchas gracias", "positive", ["perfecto (+3.2)", "gracias (+2.5)"]),
        ("No estoy contento", "negative", ["contento (-2.0)"]),
        ("No está nada mal", "positive", ["No está nada mal (+2.4)"]),
        ("buenísimo", "positive", ["buenísimo (+3.2)"]),
        ("Where is my parcel?", "neutral", []),
        ("The lamp never arrived and nobody answers", "negative", ["never arrived (-2.3)", "nobody answers (-2.3)"]),
        ("I am not happy with it", "negative", ["happy (-2.0)"]),
        ("It is great 👍🏽", "positive", ["great (+3.1)", "👍 (+2.5)"]),
        ("😡", "negative", ["😡 (-2.5)"]),
        ("The lamp is lovely, but the delivery was a disaster", "negative", ["disaster (-3.1)", "lovely (+2.8)"]),
        (
            "La lámpara es preciosa, pero el envío fue un desastre",
            "negative",
            ["un desastre (-3.3)", "preciosa (+3.2)"],
        ),
    ],
)
def test_it_says_which_words_count(judge, text, label, why):
    judgement = judge("sentiment", text)
    assert (judgement.label, judgement.why) == (label, why)


def test_what_turns_a_word_turns_it_in_both_languages(judge):
    for text in ("no me gusta", "I do not like it", "no es bueno", "it is not good"):
        assert judge("sentiment", text).label == "negative", text


def test_degree_and_exclamation_count_alike_in_both_languages(judge):
    for mild, strong in [("es bueno", "es muy bueno!!!"), ("it is good", "it is very good!!!")]:
        assert judge("sentiment", strong).value > judge("sentiment", mild).value


@pytest.mark.parametrize(
    ("text", "language", "label"),
    [
        ("fatal", "es", "negative"),
        ("genial", "es", "positive"),
        ("terrible", None, "negative"),
        ("très bien, merci", "fr", None),
        ("hervorragend", "de", None),
        ("I am very happy with it and you", "fr", "positive"),
    ],
)
def test_the_customers_language_decides_where_the_words_do_not(judge, seen, text, language, label):
    judgement = judge("sentiment", text, seen(language=language))
    assert (judgement and judgement.label) == label


@pytest.mark.parametrize("given", [None, 7, "", "   ", ["a"], {"text": "great"}])
def test_what_is_no_text_has_no_sentiment(judge, given):
    assert judge("sentiment", given) is None


def test_only_the_beginning_of_a_long_text_is_read(judge):
    assert judge("sentiment", "fatal " + "genial " * LONGEST) == judge("sentiment", "fatal " + "genial " * LONGEST * 2)
    assert len(words("genial " * LONGEST)) < LONGEST


def test_the_same_text_is_always_judged_the_same(judge):
    first = judge("sentiment", "Muy mal servicio, aunque la mesa es bonita")
    judge("sentiment", "Excelente")
    assert judge("sentiment", "Muy mal servicio, aunque la mesa es bonita") == first
    assert isinstance(first, Judgement)
