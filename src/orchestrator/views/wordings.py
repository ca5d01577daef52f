"""Wordings: what a language needs to say decisions as sentences.

Owns that shape. Must never hold a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model.decision import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Wording:
    """One language. In braces stands what a decision is about or saw.

    Sentences that begin with `not_sent` are about messages; about what is no message they begin as `not_done` says, by
    the first of its names that the decision saw. `of_cases` are told of a step that handed over,
    `unbounded` of one that waits for its case however long it takes, and `unsent` behind an exit, of the message that
    was held then. `by_verdict` and `whatever` are for reasons that no sentence knows, `unnamed` for what a decision did
    not see. `in_caps` are the words in a cap's own text, such as 2 per 1d by email.
    """

    sentences: Mapping[tuple[Verdict, Reason], str]
    not_sent: str
    not_done: Mapping[str, str]
    of_cases: Mapping[tuple[Verdict, Reason], str]
    unbounded: str
    unsent: str
    by_verdict: Mapping[str, str]
    whatever: str
    unnamed: Mapping[str, str]
    missing: str
    in_caps: Mapping[str, str]
