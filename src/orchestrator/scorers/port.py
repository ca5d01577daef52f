"""What a scorer is given, and what it gives.

Owns the port that every kind is made through, ours and those that other packages bring. Must never know a kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import OrchestratorError
from orchestrator.model.expression import Expression
from orchestrator.model.project import Judgement, Scorer, Table

__all__ = ["Judgement", "Open", "Rule", "Scorer", "Setup", "Table", "Unusable"]

Read = Callable[[str], str | None]


class Unusable(OrchestratorError):  # noqa: N818 - it names the thing found, and reads as it is said
    """The settings of a model make no scorer: what is wrong with them, and what to write instead."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition, the points that it is worth where it holds, and how it is said."""

    condition: Expression
    points: float
    why: str


@dataclass(frozen=True, slots=True)
class Setup:
    """What a scorer is made from: the model's name and its settings.

    `settings` are as written in orchestrator.yaml, under the model; its `rules` and `features` come compiled. The
    project gives its `languages`, the first one first, and its catalogs as `tables`, by name. `read` gives the text of
    a file of the project, None where there is none.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    features: tuple[tuple[str, Expression], ...] = ()
    languages: tuple[str, ...] = ("en",)
    tables: Mapping[str, Table] = field(default_factory=dict)
    read: Read = lambda _name: None


# Makes a scorer; raises Unusable. What it makes must be pure: the engine asks it inside a turn.
Open = Callable[[Setup], Scorer]
