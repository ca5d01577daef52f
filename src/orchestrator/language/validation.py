"""From a tree to a definition: pydantic's findings as ours, with the line, the column and what to write instead.

Owns the translation of each finding, and the mending that lets the search go on: what was found broken is cut out of
the tree (the smallest part that can be), so that the rest of a file is checked all the same. What was mended is never
run, because the error that led to it makes the project invalid. Must never know what any key means.
"""

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.language.definitions.fields import kind_of, nearest
from orchestrator.language.definitions.steps import TAG
from orchestrator.language.nodes import Mapping, Node, Path, Place, Scalar, Sequence, copied, plain

Definition = TypeVar("Definition", bound=BaseModel)

# How pydantic marks a finding that is about a key of a map, not about its value.
_KEY = "[key]"
_KINDS = {
    "string_type": ("a text", "the value in quotes"),
    "int_type": ("a whole number", "a whole number, without quotes"),
    "int_from_float": ("a whole number", "a whole number"),
    "float_type": ("a number", "a number, without quotes or signs"),
    "bool_type": ("true or false", "true or false, without quotes"),
    "list_type": ("a list", "a list: [...]"),
    "dict_type": ("a map", "a map: {...}"),
    "model_type": ("a map", "a map: {...}"),
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}
_SIZES = {
    "too_short": ("E207", "min_length", "at least"),
    "string_too_short": ("E207", "min_length", "at least"),
    "string_too_long": ("E208", "max_length", "at most"),
}


# What stands in for a required key that is missing or broken, so that what is beside it is still checked. None of it
# leads to a finding of its own.
_STAND_INS: dict[str, Any] = {
    "journey": "lost",
    "message": "lost",
    "project": "lost",
    "version": 1,
    "enter": {"event": "lost"},
    "steps": [],
    "within": "1h",
    "every": "1h",
    "for": "1h",
    "per": "1h",
    "at": "0m",
    "at_most": 1,
    "share": 1,
    "consent": "none",
    "address": "profile.lost",
    "name": "lost",
    "given": [],
    "expect": {},
}
# Cut rather than replaced: a send of no message, a step of no steps.
_NO_STAND_IN_INSIDE = frozenset({"message", "steps", "name"})


def check(model: type[Definition], place: Place) -> Definition | None:
    """Check a tree against a model and report everything that is wrong with its shape.

    What is broken is cut out of the tree or replaced, and its surroundings are marked as mended. Gives None when the
    root is not even a map.
    """
    found: list[Any] = []
    # Each round cuts something out, or the root is given up; no file is so deep that it takes more.
    for attempt in range(200):
        try:
            return model.model_validate(plain(place.node))
        except ValidationError as error:
            found = error.errors(include_url=False)
        if not attempt:
            for detail in found:
                _report(place, detail)
            place.node = copied(place.node)  # what was read is kept for the next time, as it was written
        if not _mend(place.node, found):
            return None
    return None


def _written(location: Path) -> Path:
    """Leave out of a location what no author wrote."""
    return tuple(part for part in location if not (isinstance(part, str) and (part == _KEY or part.startswith(TAG))))


def _mend(root: Node, found: list[Any]) -> bool:
    """Cut out what is broken, or put something in for what is missing; tell whether there is a root at all."""
    # Found first and cut then: cutting moves the numbers of what follows in a list.
    ways = [(detail, _way(root, _spot(detail))) for detail in found]
    for detail, way in ways:
        name = str(detail["loc"][-1]) if detail["loc"] else ""
        owner = way[-1][1]
        parent = way[-1][0]
        may_stand_in = name in _STAND_INS and (parent is None or name not in _NO_STAND_IN_INSIDE)
        if detail["type"] == "missing" and may_stand_in and isinstance(owner, Mapping):
            owner.keys[name] = Scalar(owner.line, owner.column, value=name)
            owner.values[name] = _node_of(_STAND_INS[name], owner)
            owner.mended = True
        elif parent is None:
            return False
        else:
            _cut(parent, owner)
    return True


def _cut(parent: Node, child: Node) -> None:
    parent.mended = True
    if isinstance(parent, Mapping):
        parent.values = {name: value for name, value in parent.values.items() if value is not child}
    elif isinstance(parent, Sequence):
        parent.items = [item for item in parent.items if item is not child]


def _spot(detail: Any) -> Path:
    key = detail.get("ctx", {}).get("key")
    path = _written(detail["loc"])
    return path if key is None else (*path, key)


def _way(root: Node, path: Path) -> list[tuple[Node | None, Node]]:
    """List the nodes on a path as far as it leads, each with the one that holds it."""
    way: list[tuple[Node | None, Node]] = [(None, root)]
    for part in path:
        node = way[-1][1]
        if isinstance(node, Mapping) and part in node.values:
            way.append((node, node.values[str(part)]))
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            way.append((node, node.items[part]))
    return way


def _node_of(value: Any, near: Node) -> Node:
    if isinstance(value, dict):
        node = Mapping(near.line, near.column)
        for key, inner in value.items():
            node.keys[key] = Scalar(near.line, near.column, value=key)
            node.values[key] = _node_of(inner, near)
        return node
    if isinstance(value, list):
        return Sequence(near.line, near.column)
    return Scalar(near.line, near.column, value=value)


def _report(root: Place, detail: Any) -> None:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    path = _written(detail["loc"])
    place = root.at(path)
    if kind == "missing":
        root.at(path[:-1]).report("E201", f"`{path[-1]}` is missing", f"{path[-1]}: ...")
    elif re.fullmatch(r"E\d+", kind):
        fix = context["fix"]
        if kind == "E207" and isinstance(place.node, Scalar) and (place.node.raw or "").startswith("#"):
            fix = f'quotes, as # begins a comment: "{place.node.raw}"'
        if "key" in context:
            place[context["key"]].report(kind, context["message"], fix, at_key=True)
        else:
            at_key = kind == "E202" or _KEY in detail["loc"] or value is None
            place.report(kind, context["message"], fix, at_key=at_key)
    elif kind in _KINDS:
        wanted, fix = _KINDS[kind]
        if value is None:
            fix = "a value after the colon"
        elif kind == "string_type" and isinstance(value, list | dict):
            fix = "one text, without brackets"
        elif kind == "dict_type" and isinstance(value, list) and value and isinstance(value[0], str):
            fix = f"a map, without dashes: {value[0]}: ..."
        elif kind == "list_type" and isinstance(value, dict) and value:
            fix = f"a list, with a dash before each of its items: - {next(iter(value))}: ..."
        elif kind == "list_type" and isinstance(value, str):
            fix = f"[{value}]"
        place.report("E203", f"expected {wanted}, found {kind_of(value)}", fix, at_key=value is None)
    elif kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", context["expected"])
        # `live // for now`: other languages begin a comment so.
        tries = (value, *value.split()[:1]) if isinstance(value, str) else ()
        close = next(filter(None, (nearest(word, allowed) for word in tries)), None)
        place.report(
            "E204", f"{kind_of(value)} is not one of {', '.join(allowed)}", close or allowed[0], at_key=value is None
        )
    elif kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        place.report("E205", f"{kind_of(value)} is out of range", f"{words} {context[name]:,g}")
    elif kind in _SIZES:
        code, name, words = _SIZES[kind]
        place.report(code, f"{kind_of(value)[:60]} is too {'long' if code == 'E208' else 'short'}",
                     f"{words} {context[name]}")  # fmt: skip
    elif kind == "string_pattern_mismatch":
        place.report("E206", f"{kind_of(value)} has the wrong form", f"a text of the form {context['pattern']}")
    else:
        place.report("E203", f"{kind_of(value)} cannot stand here: {detail['msg']}", "a value of another kind")
