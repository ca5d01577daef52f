"""Topics: what a customer writes about, by the words they say it with.

Owns the topics that come with the product, in English and Spanish, and the counting. A project may write its own; then
they are the only ones. Must never guess: a text that no word places is about something `other`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from orchestrator.model.expression import Scope
from orchestrator.model.project import Judgement, Scorer
from orchestrator.scorers.port import Setup
from orchestrator.scorers.texts import LANGUAGES, language_of, stem, words

OTHER = "other"
_MOST_REASONS = 5
Phrases = dict[tuple[str, ...], list[str]]


def open_scorer(setup: Setup) -> Scorer:
    """Make the scorer: `label` the topic most said, `value` its share, `items` all topics found, `why` their words."""
    own: Mapping[str, Mapping[str, list[str]]] | None = setup.settings.get("topics")
    lines = _own(own) if own else _ours()
    phrases: dict[str, Phrases] = {language: {} for language in LANGUAGES}
    order: dict[str, int] = {}
    for topic, language, said in lines:
        order.setdefault(topic, len(order))
        if language in phrases:
            key = tuple(stem(language, word) for word in said.split())
            named = phrases[language].setdefault(key, [])
            if topic not in named:  # forms of one stem are listed for whoever reads the file
                named.append(topic)

    def judge(given: Any, scope: Scope) -> Judgement | None:
        found = words(given) if isinstance(given, str) else []
        language = language_of(found, scope) if found else None
        if language is None:
            return None
        hits = list(_hits(phrases[language], language, found))
        if not hits:
            return Judgement(value=0.0, label=OTHER, items=[], why=[])
        counts = Counter(topic for topic, _ in hits)
        # What is said most; of two that are said as often, the one that the author wrote first.
        ranked = sorted(counts, key=lambda topic: (-counts[topic], order[topic]))
        said = dict.fromkeys(text.lower() for topic, text in hits if topic == ranked[0])
        return Judgement(
            value=round(counts[ranked[0]] / len(hits), 4),
            label=ranked[0],
            items=list(ranked),
            why=list(said)[:_MOST_REASONS],
        )

    return judge


def _hits(known: Phrases, language: str, found: list[str]) -> Iterator[tuple[str, str]]:
    """Find each topic that is said, with the words that say it; the longest phrase at a place counts alone."""
    longest = max((len(key) for key in known), default=1)
    stems = [stem(language, word) for word in found]
    at = 0
    while at < len(found):
        count = next((n for n in range(longest, 0, -1) if tuple(stems[at : at + n]) in known), 0)
        for topic in known[tuple(stems[at : at + count])] if count else ():
            yield topic, " ".join(found[at : at + count])
        at += count or 1


def _own(topics: Mapping[str, Mapping[str, list[str]]]) -> Iterator[tuple[str, str, str]]:
    for topic, languages in topics.items():
        for language, listed in languages.items():
            yield from ((topic, language, said) for said in listed)


def _ours() -> Iterator[tuple[str, str, str]]:
    for line in files(__package__).joinpath("topics.txt").read_text(encoding="utf-8").splitlines():
        if line and line[0] != "#":
            head, _, listed = line.partition(":")
            topic, language = head.split()
            yield from ((topic, language, said.strip()) for said in listed.split(","))
