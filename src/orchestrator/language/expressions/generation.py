"""From a checked syntax tree to a Python function of a Scope.

Owns the white list: what is not named here cannot be written. Literals are compared in place (measured: half the time
of a call), everything else goes through `operators`. Must never let a name of Python's own into the generated code: its
globals are the operators and nothing else.
"""

import ast
import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.language import durations
from orchestrator.language.definitions.fields import nearest, suggest
from orchestrator.language.definitions.meant import sent_as
from orchestrator.language.expressions import paths
from orchestrator.language.expressions.operators import OPERATORS, utc
from orchestrator.language.expressions.parsing import Mistake, Source
from orchestrator.language.expressions.paths import Lookup, Path, Read, call
from orchestrator.language.expressions.surroundings import Surroundings
from orchestrator.model import instants
from orchestrator.model.expression import Scope
from orchestrator.model.values import LARGEST_INTEGER

# Functions: how many arguments each takes.
FUNCTIONS = {
    "exists": 1,
    "contains": 2,
    "lower": 1,
    "starts_with": 2,
    "length": 1,
    "days_since": 1,
    "hours_since": 1,
    "consents": 2,
    "in_segment": 1,
}
_NAMES = (*FUNCTIONS, "count")
_WITH_SCOPE = frozenset({"days_since", "hours_since", "consents", "in_segment"})
# What a rule of the project goes into: its time zone, where a date has none, and what its purposes ask for.
_OF_PROJECT = frozenset({"days_since", "hours_since", "consents"})
_UNITS = {"days_since": instants.DAY_MS, "hours_since": instants.HOUR_MS}
_TIMES = re.compile(r"now|event\.time|steps\.\w+\.event\.time|profile\.last_seen\.\w+")
_WATCHABLE = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.In: "among",
    ast.NotIn: "not_among",
}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_SIGNS: dict[type[ast.unaryop], str] = {ast.USub: "neg", ast.UAdd: "pos"}
_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.IfExp: ("`... if ... else ...`", "a choose step"),
    ast.Subscript: ("square brackets after a name", "a dot and a name, such as address.city"),
    ast.Lambda: ("lambda", "the condition itself"),
    ast.NamedExpr: ("`:=`", "=="),
    ast.Dict: ("a map", "a single value or a list"),
    ast.Set: ("a set", "a list: [...]"),
    ast.JoinedStr: ("an f-text", "'a ' + profile.name"),
    ast.ListComp: ("a loop", "contains(...)"),
    ast.GeneratorExp: ("a loop", "contains(...)"),
    ast.Starred: ("`*`", "the list itself"),
    ast.Tuple: ("several values", "a list: [...]"),
}


@dataclass
class Generated:
    """What came of an expression besides its code."""

    reads: set[Read] = field(default_factory=set)
    shown: dict[str, Lookup] = field(default_factory=dict)
    names_machine: bool = False
    # Comparisons under a `not`, with the names they compare: those let a missing value pass.
    negated: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)
    # Names that were subtracted without a space around the minus, as one name with a dash would be: where, and both.
    dashed: list[tuple[int, str]] = field(default_factory=list)
    # What gives the instants at which time alone may change the value.
    moments: list[ast.expr] = field(default_factory=list)
    asks_project: bool = False


class Generator:
    """Checks a tree node by node and rewrites it."""

    def __init__(self, source: Source, around: Surroundings) -> None:
        self._source = source
        self._around = around
        self._temporaries = 0
        # What tells time and stands where it may: alone on one side of a comparison.
        self._timed: set[ast.expr] = set()
        self.found = Generated()

    def generate(self, node: ast.expr) -> ast.expr:
        """Rewrite one node; raises Mistake where it is not allowed."""
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name() | ast.Attribute():
                return self._name(node).code
            case ast.List():
                return ast.List([self.generate(item) for item in node.elts], ast.Load())
            case ast.BoolOp():
                return ast.BoolOp(node.op, [self.generate(value) for value in node.values])
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                self._note_dash(node)
                return call(_ARITHMETIC[type(node.op)], self.generate(node.left), self.generate(node.right))
            case ast.Compare():
                return self._compare(node)
            case ast.Call():
                return self._call(node)
        raise self._refused(node)

    def _refused(self, node: ast.expr) -> Mistake:
        what, fix = _REFUSED.get(type(node), ("this", "comparisons, and, or, not, + - * /, and the functions"))
        if isinstance(node, ast.BinOp):
            what, fix = f"the operator of `{ast.unparse(node)[:40]}`", "one of + - * /"
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            name = node.slice.value
            fix = f"{ast.unparse(node.value)}.{name if name.isidentifier() else sent_as(name)}"
        return self._mistake(node, "E402", f"{what} cannot stand in an expression", fix)

    def _mistake(self, node: ast.AST, code: str, message: str, fix: str) -> Mistake:
        return Mistake(code, message, self._source.offset(node), fix)

    def _constant(self, node: ast.Constant) -> ast.expr:
        value: Any = node.value
        if isinstance(value, bool):
            return ast.Constant(value)
        if value is None:
            raise self._mistake(node, "E411", "None is no value; what is missing is asked for", "exists(...)")
        if isinstance(value, int) and value <= LARGEST_INTEGER:
            return ast.Constant(value)
        if isinstance(value, float) and math.isfinite(value):
            return ast.Constant(value)
        if (isinstance(value, str) and value.isascii()) or (isinstance(value, str) and _is_text(value)):
            return ast.Constant(value)
        raise self._mistake(node, "E402", "this value cannot stand in an expression", "a number, or a text in quotes")

    def _name(self, node: ast.expr) -> Lookup:
        path = self._path(node)
        lookup = paths.resolve(path, self._around)
        if self._around.is_watched and node not in self._timed and self._tells_time(node):
            raise self._alone(node, path.written)
        if lookup.read is not None:
            self.found.reads.add(lookup.read)
        if lookup.is_shown:
            self.found.shown.setdefault(path.written, lookup)
        if path.parts in (("machine",), ("event", "properties", "machine")):
            self.found.names_machine = True
        return lookup

    def _path(self, node: ast.expr) -> Path:
        parts: list[str] = []
        offsets: list[int] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            offsets.append(self._source.end(node) - len(node.attr))
            node = node.value
        if isinstance(node, ast.Subscript):
            raise self._refused(node)
        if not isinstance(node, ast.Name):
            raise self._mistake(node, "E402", "only a name has something after its dot", "a name such as profile.tier")
        names = (node.id, *reversed(parts))
        quoted = self._source.quoted(".".join(names))
        return Path(names, (self._source.offset(node), *reversed(offsets)), quoted)

    def _unary(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.Not):
            self._note_negated(node.operand)
            return ast.UnaryOp(ast.Not(), self.generate(node.operand))
        if type(node.op) not in _SIGNS:
            raise self._mistake(node, "E402", "`~` cannot stand in an expression", "not")
        operand = self.generate(node.operand)
        if isinstance(operand, ast.Constant) and type(operand.value) in (int, float):
            # As `neg` reckons: 0 less the number, so that -0.0 is no value of its own.
            return ast.Constant(0 - operand.value if isinstance(node.op, ast.USub) else operand.value)  # type: ignore[operator]
        return call(_SIGNS[type(node.op)], operand)

    def _note_dash(self, node: ast.BinOp) -> None:
        """Note two names with nothing but a minus between them: `profile.first-name` subtracts."""
        begins, ends = self._source.offset(node.right), self._source.end(node.left)
        are_names = isinstance(node.left, ast.Name | ast.Attribute) and isinstance(node.right, ast.Name | ast.Attribute)
        if isinstance(node.op, ast.Sub) and are_names and begins == ends + 1:
            written = self._source.text[self._source.offset(node.left) : self._source.end(node.right)]
            self.found.dashed.append((self._source.offset(node.left), written))

    def _note_negated(self, node: ast.expr) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Compare):
                names = frozenset(_names_in(inner))
                if names:
                    self.found.negated.append((self._source.offset(inner), names))

    def _compare(self, node: ast.Compare) -> ast.expr:
        sides = [node.left, *node.comparators]
        pairs = [
            self._comparison(left, operator, right)
            for left, operator, right in zip(sides, node.ops, node.comparators, strict=False)
        ]
        return pairs[0] if len(pairs) == 1 else ast.BoolOp(ast.And(), pairs)

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
        name = COMPARISONS.get(type(operator))
        if name is None:
            raise self._mistake(left, "E402", "`is` cannot stand in an expression", "== or exists(...)")
        if self._around.is_watched:
            self._watch(left, operator, right)
        if isinstance(right, ast.Tuple):  # `x in ('a', 'b')` is Python's own way to write it
            right = ast.copy_location(ast.List(right.elts, ast.Load()), right)
        first, second = self.generate(left), self.generate(right)
        if type(operator) in _WATCHABLE and _is_time(left) != _is_time(right):
            first, second = (first, _as_time(second)) if _is_time(left) else (_as_time(first), second)
        return self._in_place(first, operator, second) or call(name, first, second)

    def _watch(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> None:
        """Note at which instants a comparison of time with something else may turn."""
        for timed, bound in ((left, right), (right, left)):
            if self._tells_time(timed) and isinstance(operator, _WATCHABLE):
                self._timed.add(timed)
                self.found.moments.append(self._moments(timed, self._steady(bound)))
                return

    def _steady(self, bound: ast.expr) -> ast.expr:
        inner = next((node for node in ast.walk(bound) if isinstance(node, ast.expr) and self._tells_time(node)), None)
        if inner is not None:
            raise self._mistake(
                inner, "E412", "two lengths of time are compared", "a number, or a field of the profile"
            )
        return self.generate(bound)

    def _moments(self, timed: ast.expr, bound: ast.expr) -> ast.expr:
        scope = ast.Name("scope", ast.Load())
        if isinstance(timed, ast.Call) and isinstance(timed.func, ast.Name):
            if len(timed.args) != 1:
                return ast.List([], ast.Load())  # refused when the call itself is looked at
            return call(
                "since_moments", scope, self.generate(timed.args[0]), ast.Constant(_UNITS[timed.func.id]), bound
            )
        return call("now_moments" if isinstance(timed, ast.Name) else "recency_moments", scope, bound)

    def _tells_time(self, node: ast.expr) -> bool:
        """Whether a node's value changes with every instant."""
        if isinstance(node, ast.Call):
            return isinstance(node.func, ast.Name) and node.func.id in _UNITS
        if isinstance(node, ast.Attribute):
            return self._around.has_purchases and ast.unparse(node) == "profile.recency"
        return isinstance(node, ast.Name) and node.id == "now"

    def _alone(self, node: ast.expr, written: str) -> Mistake:
        why = f"`{written}` changes all the time; a segment must know at which moment"
        return self._mistake(node, "E412", why, f"a comparison of it alone: {written} > 30")

    def _in_place(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr | None:
        """Compare with a literal without a call, where that means the same for every value."""
        if isinstance(left, ast.Constant):
            return None
        if isinstance(operator, ast.In) and isinstance(right, ast.List):
            # A text equals nothing but the same text, so Python's own `in` is right; 1 equals true, so not for numbers.
            if right.elts and all(isinstance(item, ast.Constant) and type(item.value) is str for item in right.elts):
                return ast.Compare(left, [ast.In()], [ast.Tuple(right.elts, ast.Load())])
            return None
        if not isinstance(right, ast.Constant) or isinstance(operator, ast.In | ast.NotIn):
            return None
        kind = type(right.value)
        if kind is bool:
            return ast.Compare(left, [ast.Is()], [right]) if isinstance(operator, ast.Eq) else None
        if kind is str and isinstance(operator, ast.Eq):
            return ast.Compare(left, [operator], [right])
        temporary = f"value_{self._temporaries}"
        self._temporaries += 1
        kept = ast.NamedExpr(ast.Name(temporary, ast.Store()), left)
        its_kind = ast.Attribute(kept, "__class__", ast.Load())
        # The text "" stands for its own class: the generated code must not name `str`.
        known = (
            ast.Compare(its_kind, [ast.Is()], [ast.Attribute(ast.Constant(""), "__class__", ast.Load())])
            if kind is str
            else ast.Compare(its_kind, [ast.In()], [ast.Name("NUMBERS", ast.Load())])
        )
        compared = ast.Compare(ast.Name(temporary, ast.Load()), [operator], [right])
        return ast.BoolOp(ast.And(), [known, compared])

    def _call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name):
            fix = "one of " + ", ".join(_NAMES)
            if isinstance(node.func, ast.Attribute) and (close := nearest(node.func.attr, _NAMES)):
                fix = f"{close}({', '.join(map(ast.unparse, (node.func.value, *node.args)))})"
            raise self._mistake(node, "E402", "only functions are called", fix)
        name = node.func.id
        if name == "count":
            return self._count(node)
        if self._around.is_watched and name in _UNITS and node not in self._timed:
            raise self._alone(node, f"{name}(...)")
        count = FUNCTIONS.get(name)
        if count is None:
            fix = suggest(name, _NAMES)
            raise self._mistake(node, "E403", f"there is no function `{name}`", fix)
        if node.keywords or len(node.args) != count:
            given = len(node.args) + len(node.keywords)
            plural = "" if count == 1 else "s"
            raise self._mistake(
                node,
                "E404",
                f"`{name}` takes {count} value{plural}, this has {given}",
                f"{name}({', '.join('xy'[:count])})",
            )
        if name in ("exists", "length") and isinstance(node.args[0], ast.Name | ast.Attribute):
            return self._about(name, node.args[0])
        if name in _OF_PROJECT:
            self.found.asks_project = True
        if name == "consents":
            self._check_consents(node)
        if name == "in_segment":
            self._check_segment(node)
        arguments = [self.generate(argument) for argument in node.args]
        if name == "exists":
            return _is_given(arguments[0])
        return call(name, *([ast.Name("scope", ast.Load())] if name in _WITH_SCOPE else []), *arguments)

    def _count(self, node: ast.Call) -> ast.expr:
        """Count events of one type: which, and for how long, must be known before any of them comes."""
        within = next((keyword.value for keyword in node.keywords if keyword.arg == "within"), None)
        if len(node.args) != 1 or len(node.keywords) != 1 or within is None:
            raise self._mistake(
                node, "E404", "`count` takes an event and `within`", "count('order_placed', within='30d')"
            )
        event = node.args[0]
        if not isinstance(event, ast.Constant) or not isinstance(event.value, str) or not event.value.strip():
            raise self._mistake(event, "E413", "what is counted is no event's name", "a name in quotes: 'order_placed'")
        length = within.value if isinstance(within, ast.Constant) else None
        within_ms = durations.milliseconds(length) if isinstance(length, str) else None
        if not within_ms:
            fix = durations.suggest(length) if isinstance(length, str) else "a length in quotes: '30d'"
            raise self._mistake(within, "E413", "`within` is no length of time", fix)
        self.found.reads.add(("count", event.value, str(within_ms)))
        asked = (ast.Name("scope", ast.Load()), ast.Constant(event.value), ast.Constant(within_ms))
        self.found.moments.append(call("count_moments", *asked))
        counted = call("count", *asked)
        self.found.shown.setdefault(f"count({event.value!r}, within={length!r})", Lookup(counted))
        return counted

    def _check_segment(self, node: ast.Call) -> None:
        name, known = node.args[0], self._around.segments
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            raise self._mistake(name, "E413", "a segment is named by its name", "a name in quotes: in_segment('vip')")
        if known is not None and name.value not in known:
            fix = suggest(name.value, known) if known else f"{name.value}: {{if: ...}} in segments.yaml"
            raise self._mistake(name, "E330", f"segments.yaml has no segment {name.value!r}", fix)
        self.found.reads.add(("segment", name.value))

    def _about(self, name: str, node: ast.expr) -> ast.expr:
        """Ask whether something is there, or how much of it; an event's own properties need not be kept for that."""
        before = set(self.found.reads)
        lookup = self._name(node)
        path = self._path(node)
        if lookup.read is not None and lookup.read[0] == "steps" and lookup.read[-1] in ("event", "events"):
            self.found.reads = before | {(*lookup.read, "id")}
        if name == "exists":
            self.found.checked.add(path.written)
            return _is_given(lookup.code)
        return call("length", lookup.code)

    def _check_consents(self, node: ast.Call) -> None:
        known = (self._around.channels, self._around.purposes)
        for argument, names, what in zip(node.args, known, ("channel", "purpose"), strict=True):
            if isinstance(argument, ast.Constant) and argument.value not in names:
                code = "E305" if what == "channel" else "E306"
                message = f"orchestrator.yaml has no {what} {argument.value!r}"
                raise self._mistake(argument, code, message, suggest(str(argument.value), names))


def _names_in(node: ast.AST) -> Iterator[str]:
    """List the names with their dots, but not the functions' names."""
    if isinstance(node, ast.Name | ast.Attribute):
        yield ast.unparse(node)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            yield from _names_in(argument)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names_in(child)


def _is_time(node: ast.expr) -> bool:
    """Tell whether a name stands for an instant of ours, which is written as text in UTC."""
    return isinstance(node, ast.Name | ast.Attribute) and _TIMES.fullmatch(ast.unparse(node)) is not None


def _as_time(code: ast.expr) -> ast.expr:
    """Let a text that is compared with such an instant be written as that is: others write the same one otherwise."""
    if isinstance(code, ast.Constant):
        return ast.Constant(utc(code.value))
    return call("utc", code)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_given(code: ast.expr) -> ast.expr:
    return ast.Compare(code, [ast.IsNot()], [ast.Constant(None)])


def function(code: ast.expr) -> Callable[[Scope], Any]:
    """Make the function of a scope that evaluates this code."""
    body: list[ast.stmt] = []
    if any(isinstance(node, ast.Name) and node.id == "properties" for node in ast.walk(code)):
        body.append(ast.Assign([ast.Name("properties", ast.Store())], paths.attribute("scope", "properties")))
    body.append(ast.Return(code))
    arguments = ast.arguments([], [ast.arg("scope")], None, [], [], None, [])
    definition = ast.FunctionDef("evaluate", arguments, body, [], None, None)
    module = ast.fix_missing_locations(ast.Module([definition], []))
    names: dict[str, Any] = {"__builtins__": {}, **OPERATORS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `exists('x')` asks whether a literal is None, which Python finds odd
        compiled = compile(module, "<expression>", "exec")
    exec(compiled, names)  # noqa: S102 - the tree holds only what this module wrote
    made: Callable[[Scope], Any] = names["evaluate"]
    made.__doc__ = ast.unparse(code)  # for who evaluates it in another way: `compiled`
    return made
