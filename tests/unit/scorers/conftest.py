"""Who is judged: a customer with whatever a test says of them, and the scorers of every kind.

Must never know what a judgement should be.
"""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.model.event import KeptEvent
from orchestrator.model.expression import Scope
from orchestrator.model.profile import Profile
from orchestrator.model.project import Judgement, Project
from orchestrator.model.state import State
from orchestrator.scorers import registry
from orchestrator.scorers.port import Setup

NOW_MS = 1_767_225_600_000  # 2026-01-01


def _scope_of(languages: tuple[str, ...] = ("es", "en"), event: KeptEvent | None = None, **traits: Any) -> Scope:
    """Make what a scorer sees: a customer with these fields, in a project of these languages."""
    state = State(Profile(id="p1", customer_id="ana", traits=traits, first_seen_ms=NOW_MS))
    return Scope(Project("shop", languages=languages), state, NOW_MS, event)


@pytest.fixture
def seen() -> Callable[..., Scope]:
    """Make what a scorer sees of a customer with these fields."""
    return _scope_of


@pytest.fixture
def judge() -> Callable[..., Judgement | None]:
    """Judge something by a kind, with these settings, seen from a customer."""

    def ask(kind: str, given: Any, scope: Scope | None = None, **settings: Any) -> Judgement | None:
        opener = registry.find(kind)
        assert opener is not None
        return opener(Setup(kind, settings))(given, scope or _scope_of())

    return ask
