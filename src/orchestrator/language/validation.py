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
from orchestrator.language.nodes import Mapping, Node, Path, Place, Scalar, Sequence, plain

Definition = TypeVar("Definition", bound=BaseModel)

# How pydantic marks a finding that is about a key of a map, not about its value.
_KEY = "[key]"
_KINDS = {
    "string_type": ("a text", "the value in quotes"),
    "int_type": ("a whole number", None),
    "int_from_float": ("a whole number", None),
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


def check(model: type[Definition], place: Place, stand_ins: dict[str, Any]) -> Definition | None:
    """Check a tree against a model and report everything that is wrong with its shape.

    What is broken is cut out of the tree, and its surroundings are marked as mended; `stand_ins` take the place of
    keys without which there is no definition at all. Gives None when the root is not even a map.
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
        if not _mend(place.node, found, stand_ins):
            return None
    return None


def _written(location: Path) -> Path:
    """Leave out of a location what no author wrote."""
    return tuple(part for part in location if not (isinstance(part, str) and (part == _KEY or part.startswith(TAG))))


def _mend(root: Node, found: list[Any], stand_ins: dict[str, Any]) -> bool:
    """Cut out what is broken, and put the stand-ins where the root lacks something; tell whether there is a root."""
    for parent, name in [_way(root, _spot(detail))[-1] for detail in found]:
        if parent is None:
            if not isinstance(root, Mapping):
                return False
            for key, value in stand_ins.items():
                if key not in root.values:
                    root.keys[key] = Scalar(root.line, root.column, value=key)
                    root.values[key] = _node_of(value, root)
            root.mended = True
        elif isinstance(parent, Mapping):
            parent.values.pop(str(name), None)
            parent.mended = True
        elif isinstance(parent, Sequence):
            parent.items = [item for item in parent.items if item is not name]
            parent.mended = True
    return True


def _spot(detail: Any) -> Path:
    key = detail.get("ctx", {}).get("key")
    path = _written(detail["loc"])
    return path if key is None else (*path, key)


def _way(root: Node, path: Path) -> list[tuple[Node | None, str | Node | None]]:
    """List the containers on a path, each with the key (of a map) or the item (of a list) that leads on."""
    way: list[tuple[Node | None, str | Node | None]] = [(None, None)]
    node = root
    for number, part in enumerate(path):
        if isinstance(node, Mapping) and part in node.values:
            way.append((node, str(part)))
            node = node.values[str(part)]
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            way.append((node, node.items[part]))
            node = node.items[part]
        elif number == len(path) - 1 or not isinstance(node, Mapping):
            break
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
        fix = context.get("fix")
        if "key" in context:
            place[context["key"]].report(kind, context["message"], fix, at_key=True)
        else:
            at_key = kind == "E202" or _KEY in detail["loc"] or value is None
            place.report(kind, context["message"], fix, at_key=at_key)
    elif kind in _KINDS:
        wanted, fix = _KINDS[kind]
        place.report("E203", f"expected {wanted}, found {kind_of(value)}", fix)
    elif kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", context["expected"])
        close = nearest(value, allowed) if isinstance(value, str) else None
        place.report("E204", f"{kind_of(value)} is not one of {', '.join(allowed)}", close or allowed[0])
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
        place.report("E203", f"{kind_of(value)} cannot stand here: {detail['msg']}")
