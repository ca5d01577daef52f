"""Laws of expressions: the compiled one equals a slow one, and nothing makes anything but an answer or a Mistake.

The slow evaluator is made from the language's page, over Python's own tree, for reading; it must never import the
operators it checks.
"""

import ast
import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.language.expressions import Compiled, Mistake, Surroundings, compile_text
from orchestrator.model.event import KeptEvent
from orchestrator.model.expression import Scope
from orchestrator.model.profile import Profile
from orchestrator.model.project import Project
from orchestrator.model.state import State

AROUND = Surroundings().where()
NAMES = ("a", "b", "c", "d.x")
LARGEST = 2**63 - 1

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, LARGEST)
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=6,
)
properties = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), json_values, max_size=4)
literals = (
    st.integers(-5, 50).map(repr)
    | st.floats(-100, 100).map(repr)
    | st.text("ab'\"\\", max_size=3).map(repr)
    | st.booleans().map(repr)
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    return st.one_of(
        st.tuples(inner, comparisons, inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        inner.map("(not {})".format),
        inner.map("(-{})".format),
        inner.map("exists({})".format),
        inner.map("lower({})".format),
        inner.map("length({})".format),
        st.tuples(inner, inner).map("contains({0[0]}, {0[1]})".format),
        st.tuples(inner, inner).map("starts_with({0[0]}, {0[1]})".format),
    )


expressions = st.recursive(st.sampled_from(NAMES) | literals, combined, max_leaves=8)


def kind(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return {str: "text", list: "list", dict: "map"}[type(value)]


def same(left: Any, right: Any) -> bool:
    if kind(left) != kind(right) or left is None:
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(alike(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, dict):
        return set(left) == set(right) and all(alike(left[key], right[key]) for key in left)
    return bool(left == right)


def alike(left: Any, right: Any) -> bool:
    return (left is None and right is None) or same(left, right)


def holds(left: Any, operator: ast.cmpop, right: Any) -> bool:
    if isinstance(operator, ast.In | ast.NotIn):
        wanted = isinstance(operator, ast.In)
        if kind(left) == "missing" or kind(right) not in ("text", "list"):
            return False
        if kind(right) == "text":
            return kind(left) == "text" and (left in right) == wanted
        return any(same(left, item) for item in right) == wanted
    if kind(left) != kind(right) or left is None:
        return False
    if isinstance(operator, ast.Eq | ast.NotEq):
        return same(left, right) == isinstance(operator, ast.Eq)
    if kind(left) not in ("text", "number"):
        return False
    before, equal = left < right, left == right
    return bool(
        {ast.Lt: before, ast.LtE: before or equal, ast.Gt: not before and not equal, ast.GtE: not before}[
            type(operator)
        ]
    )


def reckon(left: Any, operator: ast.operator, right: Any) -> Any:
    if isinstance(operator, ast.Add) and kind(left) == kind(right) == "text":
        return left + right if len(left + right) <= 10_000 else None
    if kind(left) != "number" or kind(right) != "number":
        return None
    try:
        value = {
            ast.Add: lambda: left + right,
            ast.Sub: lambda: left - right,
            ast.Mult: lambda: left * right,
            ast.Div: lambda: left / right,
        }[type(operator)]()
    except (ZeroDivisionError, OverflowError):
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if abs(value) <= LARGEST else None


def call(name: str, values: list[Any]) -> Any:
    first = values[0]
    if name == "exists":
        return first is not None
    if name == "lower":
        return first.lower() if kind(first) == "text" else None
    if name == "length":
        return len(first) if kind(first) in ("text", "list", "map") else None
    if name == "contains":
        return holds(values[1], ast.In(), first)
    return kind(first) == kind(values[1]) == "text" and first.startswith(values[1])


def slowly(node: ast.expr, at_hand: dict[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return at_hand.get(node.id)
        case ast.Attribute():
            owner = slowly(node.value, at_hand)
            return owner.get(node.attr) if isinstance(owner, dict) else None
        case ast.List():
            return [slowly(item, at_hand) for item in node.elts]
        case ast.BoolOp():
            value = None
            for part in node.values:
                value = slowly(part, at_hand)
                if bool(value) != isinstance(node.op, ast.And):
                    return value
            return value
        case ast.UnaryOp():
            value = slowly(node.operand, at_hand)
            return (not value) if isinstance(node.op, ast.Not) else reckon(0, ast.Sub(), value)
        case ast.BinOp():
            return reckon(slowly(node.left, at_hand), node.op, slowly(node.right, at_hand))
        case ast.Compare():
            return holds(slowly(node.left, at_hand), node.ops[0], slowly(node.comparators[0], at_hand))
        case ast.Call():
            assert isinstance(node.func, ast.Name)
            return call(node.func.id, [slowly(argument, at_hand) for argument in node.args])
    raise AssertionError(ast.dump(node))


def scope_of(at_hand: dict[str, Any]) -> Scope:
    return Scope(Project("shop"), State(Profile("p")), 0, KeptEvent("e", "t", 0, None, at_hand))


def attempt(text: str) -> Compiled | Mistake:
    try:
        return compile_text(text, AROUND)
    except Mistake as mistake:
        return mistake


def check(found: Compiled | Mistake, text: str) -> None:
    if isinstance(found, Mistake):
        assert found.code.startswith(("E3", "E4", "E9"))
        assert 0 <= found.offset <= len(text)
        assert found.fix
    else:
        found.expression.evaluate(scope_of({"a": [1, {"x": "y"}]}))


@example("-0.0", {})
@given(expressions, properties)
def test_the_compiled_expression_equals_the_slow_one(text, at_hand):
    compiled = attempt(text)
    if isinstance(compiled, Mistake):
        assert compiled.code == "E410"  # too large is the only thing that can be wrong here
        return
    fast = compiled.expression.evaluate(scope_of(at_hand))
    slow = slowly(ast.parse(text, mode="eval").body, at_hand)
    assert (type(fast), repr(fast)) == (type(slow), repr(slow))


@given(st.text(max_size=60))
def test_no_text_makes_anything_but_an_expression_or_a_mistake(text):
    check(attempt(text), text)


PIECES = [
    "a",
    "(",
    ")",
    "[",
    "]",
    "not",
    "-",
    "==",
    "in",
    ".",
    ",",
    "'x'",
    "1",
    "1e9",
    "**",
    "lambda:",
    "f'",
    "{",
    "}",
    ":",
    "#",
    "exists(",
    "event",
    "profile",
    "steps",
    "now",
    "None",
    "\\",
    '"',
    "async",
    "ß",
    "__class__",
    "if",
    "else",
    "for",
    "yield",
    "*",
    "=",
    "!",
    "<",
    "is",
]


@given(
    st.lists(st.sampled_from([*PIECES, " ", "\n", "\r", "\x0c", "\x00", "\ud800"]), max_size=40),
    st.sampled_from(["", " "]),
)
def test_no_heap_of_python_makes_anything_but_an_expression_or_a_mistake(pieces, between):
    text = between.join(pieces)
    check(attempt(text), text)


@given(st.sampled_from(["(", "[", "not ", "-", "a.", "a+", "exists(", "a and ", "[0,"]), st.integers(1, 2500))
def test_no_repetition_overflows_anything(piece, count):
    text = piece * count + "a"
    check(attempt(text), text)
