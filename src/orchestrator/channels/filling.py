"""Filling in: templates that only write values, without the machinery that loops and tags need.

Most of what marketers write is text with a name in it. Such a template is taken apart once; to fill it in is then to
look each value up and to write it as Liquid does (measured: a tenth of the time). Owns which templates and which
values those are. Anything else (a tag, a filter, a value that is missing, empty, or neither text nor a number) is
Liquid's own to render, the whole template with it. Must never write what Liquid would not: a test holds both together.
"""

from collections.abc import Callable, Mapping
from typing import Any

from liquid import BoundTemplate
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path

# Path segments that mean something else than a key.
_NO_KEYS = frozenset({"size", "first", "last"})

Write = Callable[[Any], str]


class Filling:
    """A template as text and paths in turn. `most_bytes` is how long what it makes may be."""

    __slots__ = ("_most_characters", "_pieces", "_write")

    def __init__(self, pieces: list[str | tuple[str, ...]], write: Write, most_bytes: int) -> None:
        self._pieces = pieces
        self._write = write
        # A character has four bytes at most.
        self._most_characters = most_bytes // 4

    def fill(self, scope: Mapping[str, Any]) -> str | None:
        """Fill the template in; None where only Liquid can tell what it makes."""
        made: list[str] = []
        for piece in self._pieces:
            if piece.__class__ is str:
                made.append(piece)
                continue
            value: Any = scope
            for name in piece:
                if value.__class__ is not dict and not isinstance(value, Mapping):
                    return None
                value = value.get(name)
            if value.__class__ is str:
                if not value or value.isspace():
                    return None  # `default` may have something to say about it
            elif value.__class__ is not int and value.__class__ is not float:
                return None
            made.append(self._write(value))
        text = "".join(made)
        return text if len(text) <= self._most_characters else None


def filling_of(template: BoundTemplate, writers: Mapping[type[Node], Write], most_bytes: int) -> Filling | None:
    """Take a template apart; None for one that does more than writing values.

    `writers` says, for each kind of output that is known, how it writes a value.
    """
    pieces: list[str | tuple[str, ...]] = []
    write: Write = str
    for node in template.nodes:
        if type(node) is ContentNode:
            pieces.append(node.text)
        elif type(node) in writers:
            path = _path_of(node.expression)  # type: ignore[attr-defined]  # an output's
            if path is None:
                return None
            write = writers[type(node)]
            pieces.append(path)
        else:
            return None
    return Filling(pieces, write, most_bytes)


def _path_of(expression: Any) -> tuple[str, ...] | None:
    """Give the path that an output writes, with no filter but one `default`, which leaves a value that is there."""
    if type(expression) is not FilteredExpression or type(expression.left) is not Path:
        return None
    filters = expression.filters or []
    if filters and (len(filters) > 1 or filters[0].name != "default" or len(filters[0].args) > 1):
        return None
    path = expression.left.path
    if not all(type(segment) is str and segment not in _NO_KEYS for segment in path):
        return None
    return tuple(path)  # type: ignore[arg-type]  # all of them are texts
