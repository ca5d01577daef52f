"""What an expression may say and hardly means: a missing value passes, a literal never matches, a word lacks quotes.

Owns the words of these doubts, and what is known of the values of functions. What is known of names is in the
Surroundings. Must never refuse anything.
"""

import ast
from collections.abc import Iterator
from itertools import pairwise, takewhile

from orchestrator.language.definitions.fields import nearest
from orchestrator.language.definitions.meant import sent_as
from orchestrator.language.expressions.generation import Generated
from orchestrator.language.expressions.parsing import Mistake, Source
from orchestrator.language.expressions.surroundings import LOWER, NAMESPACES, NUMBER, TRUTH, Surroundings, Values
from orchestrator.model.audience import BOUGHT

_OF_FUNCTIONS = {
    **dict.fromkeys(("count", "length", "days_since", "hours_since"), NUMBER),
    **dict.fromkeys(("exists", "contains", "starts_with", "consents", "in_segment"), TRUTH),
    "lower": LOWER,
}
_RECKONING = (ast.Sub, ast.Mult, ast.Div)
_MOST_NAMED = 9
_ALIKE = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
# Elsewhere these are truth values.
_WORDS = {"yes": "True", "on": "True", "no": "False", "off": "False"}
Literal = str | int | float | bool


def doubts(tree: ast.expr, source: Source, found: Generated, around: Surroundings) -> Iterator[Mistake]:
    """List what is doubtful about an expression that has been generated."""
    for offset, names in found.negated:
        if not names <= found.checked:
            why = "`not` of a comparison is true when a value is missing"
            yield Mistake("W401", why, offset, "the opposite comparison, or exists(...) and not ...")
    for offset, written in found.dashed:
        fix = f"{written.replace('-', '_')} where that is its name, or {written.replace('-', ' - ')}"
        yield Mistake("W402", f"`{written}` subtracts one from the other", offset, fix)
    if around.is_where:
        yield from _asks_nothing(tree, source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield from _settled(node, source)
            sides = [node.left, *node.comparators]
            for left, operator, right in zip(sides, node.ops, node.comparators, strict=False):
                yield from _never(left, right, source, around)
                if not isinstance(operator, ast.In | ast.NotIn):
                    yield from _never(right, left, source, around)
                if around.is_where and isinstance(operator, _ALIKE):
                    yield from _unquoted(left, right, source)
        elif isinstance(node, ast.BinOp):
            yield from _reckoned(node, source)
        elif isinstance(node, ast.BoolOp):
            yield from _always(node, source)
        elif isinstance(node, ast.Attribute):
            yield from _not_yet(node, source, around)
        elif isinstance(node, ast.Call):
            yield from _always_there(node, source)


def _asks_nothing(tree: ast.expr, source: Source) -> Iterator[Mistake]:
    """Find a whole condition that is a text, a number, or another language's word for a truth value."""
    literal = _literal(tree)
    if literal is not None and not isinstance(literal, bool):
        holds = "every event" if literal else "no event"
        yield Mistake("W411", f"this asks nothing, and holds for {holds}", source.offset(tree), "a comparison")
    elif isinstance(tree, ast.Name) and tree.id in _WORDS:
        why = f"`{tree.id}` without quotes is a property of the event"
        yield Mistake("W404", why, source.offset(tree), f"{_WORDS[tree.id]}, or event.properties.{tree.id}")


def _always_there(node: ast.Call, source: Source) -> Iterator[Mistake]:
    """Find a name in quotes where presence is asked for: a text is always there."""
    literal = _literal(node.args[0]) if node.args else None
    if ast.unparse(node.func) == "exists" and literal is not None:
        is_name = isinstance(literal, str) and all(part.isidentifier() for part in literal.split("."))
        why = f"`{ast.unparse(node)}` always holds: no name stands here"
        yield Mistake("W411", why, source.offset(node.args[0]), f"exists({literal if is_name else 'NAME'})")


def _settled(node: ast.Compare, source: Source) -> Iterator[Mistake]:
    """Find a comparison that asks nothing: 'Order Id' == 4 compares a text, not what a property holds."""
    sides = [node.left, *node.comparators]
    values = [each for side in sides for each in (side.elts if isinstance(side, ast.List | ast.Tuple) else [side])]
    if any(_literal(each) is None for each in values):
        return
    fix = "a name without quotes, such as total"
    if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
        name = node.left.value
        fix = name if name.isidentifier() else sent_as(name)
    yield Mistake("W411", "what never changes is compared with itself: no name stands here", source.offset(node), fix)


def _not_yet(node: ast.Attribute, source: Source, around: Surroundings) -> Iterator[Mistake]:
    if ast.unparse(node.value) == "steps" and around.comes_later(node.attr.replace("_", "-")):
        why = f"nobody has passed `steps.{node.attr}` here: it is always missing"
        yield Mistake("W406", why, source.offset(node), "a step that comes before this one")


def _always(node: ast.BoolOp, source: Source) -> Iterator[Mistake]:
    """Find a text or number that stands behind a comparison and asks nothing: country == 'ES' or 'PT'."""
    word, alike, among = ("or", ast.Eq, "in") if isinstance(node.op, ast.Or) else ("and", ast.NotEq, "not in")
    for before, told in pairwise(node.values):
        # Else it is what a missing value is replaced with: profile.name or 'friend'.
        if not isinstance(before, ast.Compare) or isinstance(_literal(told), bool | None):
            continue
        why = f"`{word} {ast.unparse(told)}` asks nothing: what is no truth value holds by itself"
        name, fix = source.text[source.offset(before.left) : source.end(before.left)], "a comparison of its own"
        if isinstance(before.ops[0], alike) and len(before.ops) == 1:
            behind = node.values[node.values.index(told) :]
            values = [before.comparators[0], *takewhile(lambda each: _literal(each) is not None, behind)]
            fix = f"{name} {among} [{', '.join(map(ast.unparse, values))}]"
        yield Mistake("W408", why, source.offset(told), fix)


def _unquoted(left: ast.expr, right: ast.expr, source: Source) -> Iterator[Mistake]:
    """Find words that are compared with and have no quotes: each names a property, hardly ever a second one."""
    listed = isinstance(right, ast.List | ast.Tuple)
    for word in right.elts if isinstance(right, ast.List | ast.Tuple) else [right]:
        if not isinstance(word, ast.Name) or word.id in NAMESPACES:
            continue
        # `profile.size == size` is meant; `profile.country == ES` is not.
        if listed or word.id.isupper() or word.id in _WORDS or _root(left) not in NAMESPACES:
            why = f"`{word.id}` without quotes is a property of the event, not a text"
            other = _WORDS.get(word.id, f"event.properties.{word.id}")
            yield Mistake("W404", why, source.offset(word), f"{word.id!r}, or {other}")


def _root(node: ast.expr) -> str:
    """Name what a value begins with, inside of functions too."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            node = node.value
        elif isinstance(node, ast.Call) and node.args:
            node = node.args[0]
        else:
            return "now"  # what is reckoned is no property
    return node.id


def _reckoned(node: ast.BinOp, source: Source) -> Iterator[Mistake]:
    for time, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(time, ast.Name) and time.id == "now":
            why = "a time is no number: what is reckoned with `now` is always missing"
            has_name = isinstance(other, ast.Name | ast.Attribute)
            fix = f"days_since({ast.unparse(other)})" if has_name else "days_since(...) or hours_since(...)"
            yield Mistake("W405", why, source.offset(time), fix)


def _never(asked: ast.expr, told: ast.expr, source: Source, around: Surroundings) -> Iterator[Mistake]:
    """Find the literals that what is asked can never be."""
    values = _known(asked, around)
    if values is None:
        return
    for item in told.elts if isinstance(told, ast.List | ast.Tuple) else [told]:
        literal = _literal(item)
        if literal is not None and not values.allow(literal):
            name = source.text[source.offset(asked) : source.end(asked)]
            why = f"`{name}` is never {literal!r}; it is {_described(values)}"
            yield Mistake("W403", why, source.offset(item), _instead(name, literal, values))


def _known(node: ast.expr, around: Surroundings) -> Values | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _OF_FUNCTIONS.get(node.func.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, _RECKONING):
        return NUMBER
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    name = ast.unparse(node)
    if around.has_purchases and name.removeprefix("profile.") in BOUGHT and name.startswith("profile."):
        return NUMBER
    return around.values.get(name)


def _literal(node: ast.expr) -> Literal | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _literal(node.operand)  # its kind is what counts
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, Literal) else None


def _described(values: Values) -> str:
    texts = values.texts or ()
    named = ", ".join(texts[:_MOST_NAMED]) + (", ..." if len(texts) > _MOST_NAMED else "")
    if values.texts is None:
        return values.kind
    if values.kind == NUMBER.kind:
        return f"{values.kind}, or {named}"
    return f"one of {named}" if named else "always missing"


def _instead(name: str, literal: Literal, values: Values) -> str:
    if values.kind == TRUTH.kind:
        return f"{name}, or not {name}"
    if not isinstance(literal, str):
        return ", ".join(map(repr, (values.texts or ())[:_MOST_NAMED])) or "a text in quotes"
    if values.kind == LOWER.kind:
        return repr(literal.lower())
    close = nearest(literal, values.texts or ())
    if close is not None:
        return repr(close)
    if values.kind == NUMBER.kind:
        return literal if literal.replace(".", "", 1).isdecimal() else "a number"
    return repr(values.texts[0]) if values.texts else "a result that this step leaves"
