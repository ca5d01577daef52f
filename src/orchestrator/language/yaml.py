"""YAML 1.2 texts into trees with positions, whatever somebody hands in.

Owns the reading: syntax, scalars by YAML 1.2's core rules (`on`, `no` and `12:30` are texts), and every limit that
keeps a hostile file from costing more than a moment. What the author of a text that is no YAML meant, `syntax` says.
Must never raise anything but a DefinitionError, build objects that a text names, or expand an alias before its size is
known.
"""

import math
import re
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.scanner import Scanner

from orchestrator.errors import DefinitionError
from orchestrator.language.nodes import Mapping, Node, Scalar, Sequence, Value, position_of
from orchestrator.language.signs import NO_SPACE
from orchestrator.language.syntax import COMMENT, UNQUOTED, syntax_error
from orchestrator.model.values import LARGEST_INTEGER

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 64
MAX_NODES = 10_000
# Of the trees that are kept for the next time: some 20 MB, and several times what a large project has.
MAX_NODES_KEPT = 100_000
MAX_NUMBER_LENGTH = 64

# What YAML 1.2 calls printable; all else (control characters, half surrogates) is refused.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, Value] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

# What the parser may raise beside its own errors when a text is odd enough (a character number that is none, a
# directive that is cut short).
_PARSER_ACCIDENTS = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)


def read(file: str, text: str) -> Node:
    """Read a text as one YAML document; whoever changes the tree must copy it first.

    Raises DefinitionError (E1xx) with the place of the first thing that cannot be read.
    """
    # Most of what loading a project takes. A project that is loaded again (a file of it was saved, a version of it was
    # published) has the same texts but for a few, and a text's tree depends on nothing else.
    tree = _trees.get(text)
    if tree is None:
        tree = _read(file, text)
        _trees.keep(text, tree)
    return tree


def _read(file: str, text: str) -> Node:
    text = text.removeprefix("\ufeff")
    _check_characters(file, text)
    try:
        return _Builder(file, text).build()
    except MarkedYAMLError as error:
        raise syntax_error(file, text, error) from error
    except (YAMLError, *_PARSER_ACCIDENTS) as error:
        raise DefinitionError(file, 1, 1, "E101", f"this is not YAML: {error}", fix="a plain YAML text") from error


def _check_characters(file: str, text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise DefinitionError(
            file,
            1,
            1,
            "E105",
            f"the file has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read",
            fix="several smaller journeys",
        )
    found = _UNPRINTABLE.search(text)
    if found:
        line, column = position_of(text, found.start())
        raise DefinitionError(
            file,
            line,
            column,
            "E103",
            f"the character U+{ord(found[0]):04X} cannot be printed and may not stand in a file",
            fix="the text without it",
        )


class _Trees:
    """The trees read last, by their texts, up to a number of nodes in all. Threads may share it."""

    def __init__(self, most_nodes: int) -> None:
        self._most_nodes = most_nodes
        self._nodes = 0
        self._trees: dict[str, Node] = {}
        self._lock = threading.Lock()

    def get(self, text: str) -> Node | None:
        """Find the tree of a text, which is from now on the one used last."""
        with self._lock:
            tree = self._trees.pop(text, None)
            if tree is not None:
                self._trees[text] = tree
            return tree

    def keep(self, text: str, tree: Node) -> None:
        """Keep a tree, and give up those whose use is longest ago when they are too many."""
        with self._lock:
            if text not in self._trees:
                self._trees[text] = tree
                self._nodes += tree.size
            while self._nodes > self._most_nodes:
                self._nodes -= self._trees.pop(next(iter(self._trees))).size


_trees = _Trees(MAX_NODES_KEPT)


class _Scanner(Scanner):
    """A scanner that stops at the limit of depth: it looks far ahead of the parser, at a cost that grows with depth."""

    def fetch_flow_collection_start(self, token_class: Any, to_push: str) -> None:
        if len(self.flow_context) > MAX_DEPTH:
            mark = self.reader.get_mark()
            raise _Deep(mark.line + 1, mark.column + 1)
        super().fetch_flow_collection_start(token_class, to_push)


@dataclass
class _Deep(Exception):  # noqa: N818 - on its way to become a DefinitionError
    line: int
    column: int


class _Builder:
    """Builds the tree from the parser's events, without recursion, and counts as it goes."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._open: list[tuple[Mapping | Sequence, str | None]] = []
        # The key of each open map that still waits for its value.
        self._keys: list[Scalar | None] = []
        self._anchors: dict[str, Node | None] = {}
        self._root: Node | None = None
        self._documents = 0

    def build(self) -> Node:
        parser = YAML(typ="safe", pure=True)
        parser.Scanner = _Scanner
        try:
            for event in parser.parse(self._text):
                self._take(event)
        except _Deep as deep:
            raise self._too_deep(deep.line, deep.column) from None
        if self._root is None or (isinstance(self._root, Scalar) and self._root.value is None):
            raise self._error(1, 1, "E114", "the file is empty", "at least the first key, see the language's reference")
        return self._root

    def _take(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent) and event.tag not in (None, "!"):
            raise self._error(
                line,
                column,
                "E111",
                f"the tag {event.tag} is not used here",
                "the value without a tag, or quotes around a text that begins with !",
            )
        if isinstance(event, ScalarEvent):
            self._add(self._scalar(event, line, column), event.anchor)
        elif isinstance(event, SequenceStartEvent):
            self._begin(Sequence(line, column), event.anchor)
        elif isinstance(event, MappingStartEvent):
            self._begin(Mapping(line, column), event.anchor)
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._add(self._resolve(event.anchor, line, column), None, at=(line, column))
        elif isinstance(event, DocumentStartEvent):
            self._begin_document(event, line, column)

    def _error(self, line: int, column: int, code: str, message: str, fix: str) -> DefinitionError:
        return DefinitionError(self._file, line, column, code, message, fix=fix)

    def _too_deep(self, line: int, column: int) -> DefinitionError:
        return self._error(line, column, "E106", f"this is nested more than {MAX_DEPTH} levels deep", "fewer levels")

    def _begin_document(self, event: Any, line: int, column: int) -> None:
        self._documents += 1
        if event.version and tuple(event.version) != (1, 2):
            raise self._error(1, 1, "E116", f"YAML {'.'.join(map(str, event.version))} is not read", "%YAML 1.2")
        if self._documents > 1:
            raise self._error(
                line, column, "E113", "a second document begins here; a file holds one", "a file of its own for it"
            )

    def _begin(self, node: Mapping | Sequence, anchor: str | None) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._too_deep(node.line, node.column)
        if self._open and isinstance(self._open[-1][0], Mapping) and self._keys[-1] is None:
            # `subject: {{ profile.name }}` begins a map whose key is a map.
            liquid = isinstance(node, Mapping) and node.column > 1 and self._before(node) == "{"
            fix = 'quotes around the template: "{{ ... }}"' if liquid else "a single word as key"
            raise self._error(node.line, node.column, "E109", "a key must be a text", fix)
        if anchor is not None:
            self._anchors[anchor] = None
        self._open.append((node, anchor))
        self._keys.append(None)

    def _before(self, node: Node) -> str:
        return self._line_of(node)[node.column - 2]

    def _line_of(self, node: Node) -> str:
        return self._lines[node.line - 1]

    @cached_property
    def _lines(self) -> list[str]:
        return re.split(r"\r\n|\r|\n", self._text)

    def _end(self) -> None:
        node, anchor = self._open.pop()
        self._keys.pop()
        self._add(node, anchor)

    def _resolve(self, anchor: str, line: int, column: int) -> Node:
        node = self._anchors.get(anchor)
        if node is not None:
            return node
        why = "stands inside itself" if anchor in self._anchors else "has no anchor before it"
        fix = f"the value that *{anchor} stands for, or quotes around a text that begins with *"
        raise self._error(line, column, "E115", f"the alias *{anchor} {why}", fix)

    def _add(self, node: Node, anchor: str | None, at: tuple[int, int] | None = None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif self._keys[-1] is None:
            self._keys[-1] = self._key(parent, node)
            return
        else:
            key = self._keys[-1]
            if isinstance(node, Scalar) and node.value is None and not node.raw:
                comment = COMMENT.match(self._line_of(key), key.column - 1 + len(key.raw or ""))
                node.raw = comment[1] if comment else node.raw
            parent.keys[str(key.value)] = key
            parent.values[str(key.value)] = node
            self._keys[-1] = None
        parent.size += node.size
        if parent.size > MAX_NODES:
            # An alias is to blame where it stands, not where its anchor does.
            line, column = at or (node.line, node.column)
            raise self._error(
                line, column, "E107", f"more than {MAX_NODES:,} values, aliases written out", "fewer aliases"
            )

    def _key(self, parent: Mapping, node: Node) -> Scalar:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            written = (node.raw if isinstance(node, Scalar) else None) or "null"
            follows = self._line_of(node)[node.column - 1 + len(written) :].lstrip()
            fix = f'"{written}":' if follows.startswith(":") else UNQUOTED
            raise self._error(node.line, node.column, "E109", f"a key must be a text, found {written}", fix)
        if node.value == "<<" and node.style is None:
            raise self._error(
                node.line, node.column, "E112", "YAML 1.2 has no merge keys (<<)", "the keys themselves, or an alias"
            )
        unseen = NO_SPACE.search(node.value) if node.style is None else None
        if unseen:
            why = f"this key holds what looks like a space or like nothing (U+{ord(unseen[0]):04X})"
            raise self._error(node.line, node.column, "E120", why, NO_SPACE.sub(" ", node.value).strip() or "a word")
        if node.value in parent.keys:
            first = parent.keys[node.value].line
            is_item = len(self._open) > 1 and isinstance(self._open[-2][0], Sequence)
            raise self._error(
                node.line,
                node.column,
                "E108",
                f"the key `{node.value}` stands twice in this map, first on line {first}",
                f"a dash before it, - {node.value}: ..., if the next item begins here; else one of the two"
                if is_item and next(iter(parent.keys)) == node.value
                else "one of the two",
            )
        return node

    def _scalar(self, event: Any, line: int, column: int) -> Scalar:
        text: str = event.value
        one_line = event.start_mark.line == event.end_mark.line
        raw = self._text[event.start_mark.index : event.end_mark.index] if one_line else None
        if raw is not None and event.anchor is not None:
            # The anchor stands inside the marks; what follows it is the scalar.
            after = raw.removeprefix(f"&{event.anchor}").lstrip()
            column += len(raw) - len(after)
            raw = after
        found = _UNPRINTABLE.search(text)
        if found:
            raise self._error(
                line, column, "E103", f"an escape stands for U+{ord(found[0]):04X}, which is no text", "the text alone"
            )
        value = self._value(text, line, column) if event.style is None and event.tag is None else text
        return Scalar(line, column, value=value, style=event.style, raw=raw)

    def _value(self, text: str, line: int, column: int) -> Value:
        """Read a plain scalar by the core rules of YAML 1.2."""
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            raise self._error(line, column, "E110", f"{text} is not a number to reckon with", f'a number, or "{text}"')
        integer = _INTEGER.fullmatch(text)
        if not integer and not _FLOAT.fullmatch(text):
            return text
        number: int | float | None = None
        if len(text) <= MAX_NUMBER_LENGTH:
            number = (int(text, 0) if text[:2] in ("0x", "0o") else int(text)) if integer else float(text)
        if number is None or (abs(number) > LARGEST_INTEGER and integer) or math.isinf(number):
            raise self._error(
                line, column, "E110", f"the number {text[:40]} is too large", f'a smaller one, or a text: "{text[:40]}"'
            )
        return number
