"""The tree of a YAML text: every value and every key with the line and column it stands at.

Owns where things are, and the way from a path (as pydantic or the compiler names it) to a place that a problem can be
reported at. Must never judge what a value means.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.errors import DefinitionError
from orchestrator.language.problems import Problems

Value = str | int | float | bool | None

# A path as pydantic gives it: names of keys and numbers of list items.
Path = tuple[str | int, ...]


@dataclass(slots=True)
class Node:
    """A value of the text.

    `size` counts the nodes it stands for when every alias is written out. `mended` tells that something broken was cut
    out of it, so that what is left does not have to add up.
    """

    line: int
    column: int
    size: int = 1
    mended: bool = False

    def at(self, offset: int) -> tuple[int, int]:
        """Find the line and column of a character inside; where that is not known, of the beginning."""
        return self.line, self.column


@dataclass(slots=True)
class Text(Node):
    """The text of a whole file that is no YAML, such as a template."""

    text: str = ""

    def at(self, offset: int) -> tuple[int, int]:
        """Find the line and column of a character."""
        return position_of(self.text, offset)


@dataclass(slots=True)
class Scalar(Node):
    """A text, number, truth value or nothing. `raw` is how a quoted text on one line is written, quotes included."""

    value: Value = None
    style: str | None = None
    raw: str | None = None

    def at(self, offset: int) -> tuple[int, int]:
        """Find the line and column of a character of the text; of its start where the text spans lines."""
        if self.style is None and self.raw is not None:
            return self.line, self.column + offset
        if self.style in ("'", '"') and self.raw is not None:
            return self.line, self.column + _raw_offset(self.raw, self.style, offset)
        return self.line, self.column


@dataclass(slots=True)
class Sequence(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping(Node):
    """A map: its values and its keys, both by the key's text, in the author's order."""

    values: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)


_ESCAPED_DIGITS = {"x": 2, "u": 4, "U": 8}


def position_of(text: str, offset: int) -> tuple[int, int]:
    """Count the line and column, both from 1, of a character of a text."""
    before = re.split(r"\r\n|\r|\n", text[:offset])
    return len(before), len(before[-1]) + 1


def _raw_offset(raw: str, style: str, offset: int) -> int:
    """Count the written characters before the one at `offset` of a quoted text's value."""
    written = 1
    for _ in range(offset):
        if written >= len(raw) - 1:
            break
        if style == "'":
            written += 2 if raw[written] == "'" else 1
        elif raw[written] == "\\":
            written += 2 + _ESCAPED_DIGITS.get(raw[written + 1], 0)
        else:
            written += 1
    return written


def plain(node: Node) -> Any:
    """Turn a tree into dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {name: plain(value) for name, value in node.values.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)  # noqa: S101 - the only other kind
    return node.value


def copied(node: Node) -> Node:
    """Copy a tree's lists and maps; what aliases share, the copy shares."""
    copies: dict[int, Node] = {}

    def copy(node: Node) -> Node:
        made = copies.get(id(node))
        if made is None:
            made = node
            if isinstance(node, Mapping):
                values = {name: copy(value) for name, value in node.values.items()}
                made = replace(node, values=values, keys=dict(node.keys))
            elif isinstance(node, Sequence):
                made = replace(node, items=[copy(item) for item in node.items])
            copies[id(node)] = made
        return made

    return copy(node)


class Place:
    """A spot in a file: where a value stands, the way to it, and where problems with it are reported.

    `place["steps"][0]` goes down. A key or item that is not there leads to the place itself, so that the short form of
    a step (`wait: 1h`) is found under the path of its long form (`wait.for`).
    """

    __slots__ = ("_problems", "file", "key", "node", "step_id")

    def __init__(
        self, file: str, node: Node, problems: Problems, key: Scalar | None = None, step_id: str | None = None
    ) -> None:
        self.file = file
        self.node = node
        self.key = key
        self.step_id = step_id
        self._problems = problems

    def __getitem__(self, name: str | int) -> "Place":
        node = self.node
        if isinstance(node, Mapping) and isinstance(name, str) and name in node.values:
            return Place(self.file, node.values[name], self._problems, node.keys[name], self.step_id)
        if isinstance(node, Sequence) and isinstance(name, int) and name < len(node.items):
            return Place(self.file, node.items[name], self._problems, None, self.step_id)
        return self

    def at(self, path: Path) -> "Place":
        """Go down a whole path."""
        place = self
        for name in path:
            place = place[name]
        return place

    def of_step(self, step_id: str | None) -> "Place":
        """Name the step that problems from here on belong to."""
        return Place(self.file, self.node, self._problems, self.key, step_id)

    def in_file(self, file: str, node: Node) -> "Place":
        """Go over to another file that this place names."""
        return Place(file, node, self._problems)

    def report_missing(self, file: str, fix: str) -> None:
        """Record that a file that this place names is not there; one that cannot be read is on record as that."""
        if not self._problems.is_about(file):
            self.report("E310", f"there is no file {file}", fix)

    @property
    def is_mended(self) -> bool:
        """Tell whether something broken was cut out here, so that what is left does not have to add up."""
        node = self.node
        inner = node.items if isinstance(node, Sequence) else []
        return node.mended or any(item.mended for item in inner)

    @property
    def line(self) -> int:
        """The line that the value begins on."""
        return self.node.line

    def report(self, code: str, message: str, fix: str, *, offset: int | None = None, at_key: bool = False) -> None:
        """Record a problem: with the value, with its key, or with the character at `offset` of a text."""
        line, column = self.node.line, self.node.column
        if at_key and self.key is not None:
            line, column = self.key.line, self.key.column
        elif offset is not None:
            line, column = self.node.at(offset)
        self._problems.add(DefinitionError(self.file, line, column, code, message, self.step_id, fix))
