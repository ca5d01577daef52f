"""Expressions without the language: what an author's text would compile to, written as Python.

Owns the few forms that engine tests need; each keeps the promise of compiled expressions: a missing value is None,
and a comparison with it is false. Like those, each function has the text of what it evaluates.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestrator.model.expression import Expression, Scope


def _told(text: str, evaluate: Callable[[Scope], Any]) -> Callable[[Scope], Any]:
    evaluate.__doc__ = text
    return evaluate


def value(
    source: str, evaluate: Callable[[Scope], Any], *, names_machine: bool = False, text: str | None = None
) -> Expression:
    """Make an expression of any function of the scope; its decision shows the value under its own source."""
    evaluate.__doc__ = text
    return Expression(source, evaluate, ((source, evaluate),), names_machine)


def const(constant: Any) -> Expression:
    """Say a constant, of which a decision has nothing to show."""
    return Expression(repr(constant), _told(repr(constant), lambda scope: constant))


def prop(name: str, test: Callable[[Any], Any] = lambda found: found, text: str | None = None) -> Expression:
    """Test a bare name: a property of the event at hand. False where it is missing."""
    return Expression(
        name,
        _told(text or "", lambda scope: (found := scope.properties.get(name)) is not None and test(found)),
        ((name, _told(f"properties.get({name!r})", lambda scope: scope.properties.get(name))),),
        names_machine=name == "machine",
    )


def trait(name: str) -> Expression:
    """Say `profile.<name>`."""
    text = f"scope.state.profile.value({name!r})"
    return value(f"profile.{name}", lambda scope: scope.state.profile.value(name), text=text)


def says(name: str, expected: Any) -> Expression:
    """Test `profile.<name> == expected`."""
    found = f"scope.state.profile.value({name!r})"
    return Expression(
        f"profile.{name} == {expected!r}",
        _told(f"{found} == {expected!r}", lambda scope: scope.state.profile.value(name) == expected),
        ((f"profile.{name}", _told(found, lambda scope: scope.state.profile.value(name))),),
    )


def entry_field(name: str) -> Expression:
    """Say `entry.<name>`."""
    return value(f"entry.{name}", lambda scope: scope.entry_value(name), text=f"scope.entry_value({name!r})")


def event_field(name: str) -> Expression:
    """Say `event.<name>`: of the envelope."""
    return value(f"event.{name}", lambda scope: scope.event_value(name))


def step_field(step_id: str, name: str) -> Expression:
    """Say `steps.<id>.<name>`."""
    text = f"scope.step_value({step_id!r}, {name!r})"
    found = value(f"steps.{step_id}.{name}", lambda scope: scope.step_value(step_id, name), text=text)
    return replace(found, steps=frozenset({step_id}))


def _raise(scope: Scope) -> Any:
    raise ZeroDivisionError("an expression with a bug of ours")


# What no compiled expression should ever do; the engine parks whoever meets it.
FAILS = Expression("a bug", _raise)
