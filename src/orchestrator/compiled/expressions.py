"""An author's expression as nested lists: the operator's name, then what it is about.

Owns the translation from the text that `language.expressions.generation` leaves at every function it makes. What is not
listed here stays with the engine in Python. Must never guess: an unknown form is refused.
"""

import ast
from collections.abc import Callable
from typing import Any

from orchestrator.errors import OrchestratorError
from orchestrator.language.expressions.generation import COMPARISONS
from orchestrator.model.expression import Expression, Scope
from orchestrator.model.project import Project

Code = list[Any]

_METHODS = {
    ("properties", "get"): "property",
    ("scope", "event_value"): "event",
    ("scope", "entry_value"): "entry",
    ("scope.state.profile", "value"): "profile",
    ("scope", "step_value"): "step",
    ("scope", "bought"): "bought",
}
# What takes values, all of them translated.
_OPERATORS = frozenset(
    ("eq", "ne", "lt", "le", "gt", "ge", "among", "not_among", "contains", "add", "sub", "mul", "div")
) | {"length", "starts_with", "instant_text"}


# What holds names and values, no other code.
_LEAVES = frozenset(("constant", "property", "event", "entry", "profile", "step", "step_event", "step_events", "count"))


class UntranslatableError(OrchestratorError):
    """An expression, and so whatever asks for it, is for the engine in Python."""


def code_of(function: Callable[[Scope], Any], project: Project) -> Code:
    """Translate a function that was generated from an expression of a project; raises UntranslatableError."""
    try:
        tree = ast.parse(function.__doc__ or "", mode="eval").body
    except SyntaxError as error:
        raise UntranslatableError(f"a function without its text: {error}") from error
    return _with_keys(_translated(tree), project)


def asked(expression: Expression, project: Project) -> dict[str, Any]:
    """Translate a condition, with what a decision shows of it."""
    return {
        "source": expression.source,
        "code": code_of(expression.evaluate, project),
        "saw": [[name, code_of(get, project)] for name, get in expression.saw],
    }


def reads_profile(code: Code) -> bool:
    """Tell whether a translated expression may read what is known of a customer, beside their past."""
    return code[0] == "profile" or any(reads_profile(each) for each in code if isinstance(each, list) and each)


def _with_keys(code: Code, project: Project) -> Code:
    """Put the keys of segments, by which a state knows them, in the place of their names."""
    if code[0] == "in_segment":
        segment = project.segments.get(code[1])
        return ["in_segment", None if segment is None else segment.key]
    if code[0] in _LEAVES:
        return code
    return [_with_keys(each, project) if isinstance(each, list) and each else each for each in code]


def _translated(node: ast.expr) -> Code:
    match node:
        case ast.Constant(value):
            return ["constant", value]
        case ast.Name("properties"):
            return ["properties"]
        case ast.Attribute(ast.Name("scope"), "now_ms"):
            return ["now"]
        case ast.List(items):
            return ["list", *map(_translated, items)]
        case ast.UnaryOp(ast.Not(), operand):
            return ["not", _translated(operand)]
        case ast.BoolOp(ast.And(), [ast.Compare(ast.Attribute(ast.NamedExpr()), _, _) as kind, ast.Compare() as told]):
            return _of_one_kind(kind, told)
        case ast.BoolOp(operator, values):
            return ["and" if isinstance(operator, ast.And) else "or", *map(_translated, values)]
        case ast.Compare(left, [operator], [right]):
            return _compared(left, operator, right)
        case ast.Call(function, arguments):
            return _called(ast.unparse(function), arguments)
    raise UntranslatableError(ast.unparse(node))


def _of_one_kind(kind: ast.Compare, told: ast.Compare) -> Code:
    """Translate a comparison with a literal: the test of its kind is part of what comparing means."""
    comparison = COMPARISONS.get(type(told.ops[0]))
    if comparison is None or not isinstance(kind.left, ast.Attribute) or not isinstance(kind.left.value, ast.NamedExpr):
        raise UntranslatableError(ast.unparse(kind))
    return [comparison, _translated(kind.left.value.value), _translated(told.comparators[0])]


def _compared(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Code:
    match operator, right:
        case ast.IsNot(), ast.Constant(None):
            return ["exists", _translated(left)]
        case ((ast.Is() | ast.Eq()), ast.Constant(bool() | str() as told)):
            return ["same", _translated(left), told]
        case ast.In(), ast.Tuple(items):
            return ["one_of", _translated(left), [ast.literal_eval(item) for item in items]]
    raise UntranslatableError(ast.unparse(left))


def _called(name: str, arguments: list[ast.expr]) -> Code:
    owner, _, method = name.rpartition(".")
    if (owner, method) in _METHODS:
        return [_METHODS[owner, method], *map(ast.literal_eval, arguments)]
    match name, arguments:
        case "inside", [value, *names]:
            return ["inside", _translated(value), [ast.literal_eval(each) for each in names]]
        case "event_data", [ast.Call(function, [step])] if ast.unparse(function) == "scope.step_event":
            return ["step_event", ast.literal_eval(step)]
        case "events_data", [ast.Call(function, [step])] if ast.unparse(function) == "scope.step_events":
            return ["step_events", ast.literal_eval(step)]
        case (("last_seen" | "in_segment"), [ast.Name("scope"), ast.Constant(about)]):
            return [name, about]
        case "count", [ast.Name("scope"), ast.Constant(event), ast.Constant(within_ms)]:
            return ["count", event, within_ms]
    if name in _OPERATORS:
        return [name, *map(_translated, arguments)]
    raise UntranslatableError(name)
