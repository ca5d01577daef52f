"""Sentiment: how a customer feels, read from what they wrote.

Owns the words that VADER, the library whose rules weigh them, does not know: Spanish, and what customers of a shop say
in English. A Spanish text keeps its own judging words and lends VADER's names to the words that turn them (no, muy,
pero), so that negation, degree, "but", capitals, exclamation marks and emoji count alike in both languages.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer, SentiText

from orchestrator.model.expression import Scope
from orchestrator.model.project import Judgement, Scorer
from orchestrator.scorers.port import Setup
from orchestrator.scorers.texts import language_of, plain, stem, words

# Between these a text is neutral; the library's own bounds.
POSITIVE, NEGATIVE = 0.05, -0.05
_MOST_REASONS = 5
# What VADER's rules go by, and the Spanish words that do the same.
_TURNS = {
    "not": "no, nunca, jamas, tampoco, ni, sin, nada, ningun, ninguna, nadie, poco, poca, pocos, pocas",
    "very": "muy, super, tan, demasiado, totalmente, realmente, mucho, mucha, muchos, muchas, mas",
    "extremely": "extremadamente, increiblemente, muchisimo, absolutamente, completamente",
    "slightly": "algo, casi, apenas, ligeramente, un poco, un poquito",
    "but": "pero",
}
# What stands for a word that nobody judges by: no word of VADER's, whatever the original looks like in English.
_OTHER = "w"
_PAUSE = ((_OTHER, _OTHER),) * 3
_ENDS_CLAUSE = frozenset(",;.:!?")
_SUPERLATIVE = re.compile(r"(qu)?[ií]sim[oa](s|mente)?$")


class Analyser:
    """The words of both languages, and the library that weighs them."""

    def __init__(self) -> None:
        self._library = SentimentIntensityAnalyzer()
        self._phrases: dict[tuple[str, ...], str] = {}
        self._longest = 1
        for language in ("en", "es"):
            for word, strength in _words_of(language):
                self._learn(language, word, strength)
        for turn, listed in _TURNS.items():
            for word in listed.split(", "):
                self._phrases["es", *word.split()] = turn

    def _learn(self, language: str, word: str, strength: float) -> None:
        if not word[0].isalnum():
            self._library.lexicon[_sign(word)] = strength
            return
        parts = tuple(plain(part) for part in word.split())
        if len(parts) > 1:
            key = "_".join((language, *parts))
            self._phrases[language, *parts] = key
            self._longest = max(self._longest, len(parts))
        else:
            key = f"{language}_{stem(language, word)}" if language == "es" else word
        # The first line that has a stem counts: the strongest praise stands first.
        self._library.lexicon[key] = self._library.lexicon.get(key, strength) if language == "es" else strength

    def polarity(self, language: str, found: list[str]) -> tuple[float, list[tuple[str, float]]]:
        """Weigh the words of a text: from -1 to 1, and each word that counts with its own weight."""
        told = list(self._told(language, found))
        text = " ".join(word for word, _ in told)
        compound: float = self._library.polarity_scores(text)["compound"]
        return compound, self._reasons(text, {word.lower(): written for word, written in told})

    def _told(self, language: str, found: list[str]) -> Iterator[tuple[str, str]]:
        """Tell a text in words that the library knows, each with what the customer wrote."""
        plains = [plain(word) for word in found]
        at = 0
        while at < len(found):
            written, count, known = found[at], 1, None
            for count in range(min(self._longest, len(found) - at), 0, -1):
                known = self._phrases.get((language, *plains[at : at + count]))
                if known is not None:
                    written = " ".join(found[at : at + count])
                    break
            at += count
            if not written[0].isalnum():
                yield from self._signs(written)
                # The library's rules look three words back: what turns a word must not reach over a comma.
                yield from _PAUSE if _ENDS_CLAUSE.intersection(written) else ()
                continue
            word = known or (self._spanish(written) if language == "es" else written)
            yield word.upper() if written.isupper() and len(written) > 1 else word, written

    def _signs(self, signs: str) -> Iterator[tuple[str, str]]:
        """Tell emoji one by one, and leave punctuation and emoticons to the library."""
        emoji = [sign for sign in signs if _sign(sign) in self._library.lexicon]
        yield from ((_sign(sign), sign) for sign in emoji)
        rest = "".join(sign for sign in signs if sign not in emoji)
        if rest:
            yield rest, rest

    def _spanish(self, word: str) -> str:
        for form in (word, _SUPERLATIVE.sub(lambda end: "co" if end[1] else "o", word.lower())):
            key = f"es_{stem('es', form)}"
            if key in self._library.lexicon:
                return key
        return _OTHER

    def _reasons(self, text: str, written: dict[str, str]) -> list[tuple[str, float]]:
        spoken = SentiText(text)
        weights = []
        for place, word in enumerate(spoken.words_and_emoticons):
            told = self._library.sentiment_valence(0, spoken, word, place, [])
            if told[0]:
                weights.append((written.get(word.lower(), word), told[0]))
        return weights


def _sign(sign: str) -> str:
    return f"sign_{ord(sign[0]):x}"


def _words_of(language: str) -> Iterator[tuple[str, float]]:
    name = {"en": "english.txt", "es": "spanish.txt"}[language]
    for line in files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines():
        if line and line[0] != "#":
            strength, _, listed = line.partition(":")
            for word in listed.split(","):
                yield word.strip(), float(strength)


@cache
def analyser() -> Analyser:
    """Give the analyser; its words are read once a process."""
    return Analyser()


def open_scorer(setup: Setup) -> Scorer:
    """Make the scorer: `value` from -1 to 1, `label` positive, neutral or negative, `why` the words that count."""
    known = analyser()

    def judge(given: Any, scope: Scope) -> Judgement | None:
        found = words(given) if isinstance(given, str) else []
        language = language_of(found, scope) if found else None
        if language is None:
            return None
        value, weights = known.polarity(language, found)
        label = "positive" if value >= POSITIVE else "negative" if value <= NEGATIVE else "neutral"
        # What speaks for the label comes first, the strongest before the weaker.
        ranked = sorted(weights, key=lambda pair: (pair[1] * value < 0, -abs(pair[1]), pair[0]))
        why = list(dict.fromkeys(f"{word} ({weight:+.1f})" for word, weight in ranked))
        return Judgement(value=round(value, 4), label=label, why=why[:_MOST_REASONS])

    return judge
