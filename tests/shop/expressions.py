"""Expressions without the language: what an author's text would compile to, written as Python.

Owns the few forms that engine tests need; each keeps the promise of compiled expressions: a missing value is None,
and a comparison with it is false.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestrator.model.expression import Expression, Scope


def value(source: str, evaluate: Callable[[Scope], Any], *, names_machine: bool = False) -> Expression:
    """Make an expression of any function of the scope; its decision shows the value under its own source."""
    return Expression(source, evaluate, ((source, evaluate),), names_machine)


def const(constant: Any) -> Expression:
    """Say a constant, of which a decision has nothing to show."""
    return Expression(repr(constant), lambda scope: constant)


def prop(name: str, test: Callable[[Any], Any] = lambda found: found) -> Expression:
    """Test a bare name: a property of the event at hand. False where it is missing."""
    return Expression(
        name,
        lambda scope: (found := scope.properties.get(name)) is not None and test(found),
        ((name, lambda scope: scope.properties.get(name)),),
        names_machine=name == "machine",
    )


def trait(name: str) -> Expression:
    """Say `profile.<name>`."""
    return value(f"profile.{name}", lambda scope: scope.state.profile.value(name))


def says(name: str, expected: Any) -> Expression:
    """Test `profile.<name> == expected`."""
    return Expression(
        f"profile.{name} == {expected!r}",
        lambda scope: scope.state.profile.value(name) == expected,
        ((f"profile.{name}", lambda scope: scope.state.profile.value(name)),),
    )


def entry_field(name: str) -> Expression:
    """Say `entry.<name>`."""
    return value(f"entry.{name}", lambda scope: scope.entry_value(name))


def event_field(name: str) -> Expression:
    """Say `event.<name>`: of the envelope."""
    return value(f"event.{name}", lambda scope: scope.event_value(name))


def step_field(step_id: str, name: str) -> Expression:
    """Say `steps.<id>.<name>`."""
    found = value(f"steps.{step_id}.{name}", lambda scope: scope.step_value(step_id, name))
    return replace(found, steps=frozenset({step_id}))


def _raise(scope: Scope) -> Any:
    raise ZeroDivisionError("an expression with a bug of ours")


# What no compiled expression should ever do; the engine parks whoever meets it.
FAILS = Expression("a bug", _raise)
