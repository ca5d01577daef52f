"""Texts: their words, their language, and the stems that words share.

Owns what sentiment and topics both ask of a text in English or Spanish. Must never judge one.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import snowballstemmer

from orchestrator.model.expression import Scope

LANGUAGES = {"en": "english", "es": "spanish"}
# A comment is judged by its beginning; the work must stay bounded whatever somebody pastes.
LONGEST = 5_000
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]+")


def _together(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that nearly every sentence of one language has and the other does not.
_FREQUENT = {
    "en": _together(
        "the and is was are were be been it its this that with for of to in on at from my your our their have has had "
        "not very but they we you he she would will can an as so if or all there what when who how out up do did does "
        "don't didn't isn't wasn't i'm it's"
    ),
    "es": _together(
        "el los las un una unos unas de del al y e o que es son era fue ser estar esta este esto muy pero con sin para "
        "por como su sus mi mis nos se lo le les ha han he hay si ya más mas cuando donde quien todo todos también "
        "porque desde hasta yo tu usted ellos está están estoy qué"
    ),
}
_SPANISH_SIGNS = frozenset("ñ¿¡áéíóú")


def words(text: str) -> list[str]:
    """Split a text into its words and, on their own, the signs between them."""
    return _WORD.findall(text[:LONGEST])


def plain(word: str) -> str:
    """Give a word in lower case and without accents, as half of all customers write it."""
    parts = unicodedata.normalize("NFD", word.lower().replace("’", "'"))
    return "".join(part for part in parts if not unicodedata.combining(part))


@lru_cache(maxsize=20_000)
def stem(language: str, word: str) -> str:
    """Give what all forms of a word have in common: perfecto and perfecta, arrive and arrived."""
    return plain(str(_stemmer(language).stemWord(word.lower())))


@cache
def _stemmer(language: str) -> Any:
    return snowballstemmer.stemmer(LANGUAGES[language])


def language_of(found: Iterable[str], scope: Scope) -> str | None:
    """Tell the language of a text by its words: en or es, None where it is another.

    Where the words do not tell, the customer's language does, then the project's first.
    """
    lower = [word.lower() for word in found]
    counts = {name: sum(word in known for word in lower) for name, known in _FREQUENT.items()}
    counts["es"] += any(sign in _SPANISH_SIGNS for word in lower for sign in word)
    spoken = str(scope.state.profile.value("language") or scope.project.languages[0])[:2].lower()
    ahead = counts["es"] - counts["en"]
    # A customer who writes to us in French uses a word or two that Spanish has as well.
    if abs(ahead) > (0 if spoken in LANGUAGES else 1):
        return "es" if ahead > 0 else "en"
    return spoken if spoken in LANGUAGES else None
