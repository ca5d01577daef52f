"""Syntax errors: what a text that is no YAML lacks, in words for its author.

Owns what the parser's complaints come to, by what stands around the place. Must never read a text that is YAML.
"""

import re
from contextlib import suppress
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import ScalarToken

from orchestrator.errors import DefinitionError
from orchestrator.language.signs import NO_SPACE

_NO_COLON = "could not find expected ':'"
_IS_ALIAS = "expected alphabetic or numeric character"
_NO_END = "expected <block end>, but found"
_IN_BLOCK = "while scanning a block scalar"
# What the parser says, in an author's words.
_IN_WORDS = {
    "mapping values are not allowed here": "a colon stands where no key can stand",
    _NO_COLON: "a key without its colon",
    _IS_ALIAS: "what begins with * or & is a reference, and this one has no name",
    "found unexpected end of stream": "a quote is opened and never closed",
    "expected ',' or ']', but got": "a list that [ opens is not closed",
    "expected ',' or '}', but got": "a map that { opens is not closed",
    "expected <block end>, but found '}'": "a } too many",
    "expected <block end>, but found ']'": "a ] too many",
    "expected <block end>, but found '<scalar>'": "something follows where the text has ended",
    "expected <block end>, but found": "this line does not line up with those above it",
    "found character": "a text without quotes cannot begin with this sign",
    "sequence entries are not allowed here": "a list begins on a line of its own, below its key",
    "mapping keys are not allowed here": "a text without quotes cannot begin with this sign",
}
SIGN_QUOTED = "quotes around a text that begins with this sign"
# By how the parser's words begin: the first that fits, so the longer stand before the shorter.
_HINTS = {
    "mapping values are not allowed here": 'put a text that holds ": " in quotes',
    _NO_COLON: "check the indentation, and that each key ends with a colon",
    "found unexpected end of stream": "close the quote",
    "expected ',' or ']', but got": "close the list with ]",
    "expected ',' or '}', but got": "close the map with }",
    "expected <block end>, but found '}'": "the line without its last }",
    "expected <block end>, but found ']'": "the line without its last ]",
    "expected <block end>, but found": "line up this key with its neighbours",
    "found character": SIGN_QUOTED,
    "sequence entries are not allowed here": SIGN_QUOTED,
    "mapping keys are not allowed here": SIGN_QUOTED,
    _IS_ALIAS: "a dash before an item of a list; quotes around a text that begins with this sign",
}
_FIRST_KEY = re.compile(r"\s*(?:- +)*[\w.-]+\s*")
_ITEM_WITH_KEY = re.compile(r"- +[\w.-]+:(?=\s)")
_KEY_WITHOUT_SPACE = re.compile(r"\s*(?:- +)*([\w.-]+:)(?=[^\s:])")
# A value that YAML takes for a comment.
COMMENT = re.compile(r":[ \t]+(#[^\s#].*)")
MISPLACED = "line up this key with its neighbours; the line above may lack a colon, or a space after its dash"
UNQUOTED = "quotes around a text that holds a comma, colon, bracket or quotes; else a comma between two keys"
HALF_QUOTED = "quotes around the whole text"
OTHER_QUOTES = "the other kind of quotes around a text that holds this kind"
# What word processors make of a dash, and what people write for one.
_NO_DASH = "–—−‒•·*+"


def syntax_error(file: str, text: str, error: MarkedYAMLError) -> DefinitionError:
    """Tell what the parser refused: where it is, and what its author most likely has to write instead."""
    mark: Any = error.problem_mark or error.context_mark
    if error.problem == _NO_COLON and error.context_mark is not None:
        mark = error.context_mark  # the line without a colon, not the one after it
    line, column, index = (mark.line + 1, mark.column + 1, mark.index) if mark else (1, 1, 0)
    if text[index : index + 1] == "\t":
        return DefinitionError(
            file, line, column, "E104", "a tab stands where YAML allows none", fix="spaces instead of the tab"
        )
    problem = error.problem or error.context or "it cannot be parsed"
    if error.context == _IN_BLOCK and mark is error.problem_mark and error.context_mark is not None:
        return _no_block(file, text, error.context_mark)
    opened = _quote_from_above(text, index) if problem.startswith(_NO_END) else None
    if opened is not None:
        why = f"the quote that opens here is closed on line {line} only, in the middle of another text"
        return DefinitionError(file, *opened, "E101", why, fix="the closing quote where the text ends")
    hint = _closer_hint(problem, text, error) or _first(_HINTS, problem) or "plain YAML"
    context = f" ({error.context})" if error.context and error.context != problem else ""
    why = _first(_IN_WORDS, problem) or f"{problem}{context}"
    if error.context_mark is not None and error.context_mark.line + 1 != line:
        why = why.replace(" opens is ", f" opens on line {error.context_mark.line + 1} is ")
    return DefinitionError(file, line, column, "E101", f"this is not YAML: {why}", fix=hint)


def _first(table: dict[str, str], problem: str) -> str | None:
    return next((words for start, words in table.items() if problem.startswith(start)), None)


def _no_block(file: str, text: str, sign: Any) -> DefinitionError:
    """Tell that > and | begin a text on the lines below them, and nothing else."""
    before = text[sign.index - sign.column : sign.index].rstrip()
    if before.endswith(("'", '"')):
        why, hint = _IN_WORDS[f"{_NO_END} '<scalar>'"], HALF_QUOTED
    else:
        why, hint = f"a text of one line cannot begin with this sign: {text[sign.index]}", SIGN_QUOTED
    return DefinitionError(file, sign.line + 1, sign.column + 1, "E101", f"this is not YAML: {why}", fix=hint)


def _quote_from_above(text: str, index: int) -> tuple[int, int] | None:
    """Find where the quoted text that ends before `index` begins, if that is on another line."""
    opened = None
    # What is before that place was read once without a complaint; cut off there, its end may be one.
    with suppress(YAMLError):
        for token in YAML(typ="safe", pure=True).scan(text[:index]):
            if isinstance(token, ScalarToken) and token.style in ("'", '"'):
                opened = token
    if opened is None or opened.start_mark.line == opened.end_mark.line or text[opened.end_mark.index : index].strip():
        return None
    return opened.start_mark.line + 1, opened.start_mark.column + 1


def _closer_hint(problem: str, text: str, error: MarkedYAMLError) -> str | None:
    """Tell causes of one problem apart by what stands around it; None where that says nothing more."""
    mark, context = error.problem_mark, error.context_mark
    if mark is None:
        return None
    before = text[mark.index - mark.column : mark.index]
    line = _line_from(text, mark.index - mark.column)
    if (begins := line.lstrip())[:1] in _NO_DASH and begins[1:2].isspace():
        return f"a dash, -, and not {begins[0]} before an item of a list"
    if unseen := NO_SPACE.match(line.lstrip("- ")):
        return f"ordinary spaces instead of U+{ord(unseen[0]):04X}"
    if context is not None and problem == _NO_COLON:
        return _without_colon(_line_from(text, context.index))
    if context is not None and problem.startswith("found unexpected end of stream") and context.line != mark.line:
        return f"close the quote that line {context.line + 1} opens"
    if problem.startswith("mapping values are not allowed") and _FIRST_KEY.fullmatch(before):
        return MISPLACED
    opened = "" if context is None else _line_from(text, context.index)
    if (error.context or problem).startswith("while parsing a flow") and COMMENT.search(opened):
        return "quotes around a text that begins with #, as # begins a comment"
    if problem.startswith("expected ',' or '}'") and problem[-2:-1] not in "]}":
        return UNQUOTED if context is not None and context.line == mark.line else None
    if problem.startswith("sequence entries are not allowed") and _ITEM_WITH_KEY.match(text, mark.index):
        return "the list on the lines below, each item with its dash"
    if problem.endswith("found '<scalar>'") and before.rstrip().endswith(("]", "}")):
        return HALF_QUOTED
    if problem.endswith("found '<scalar>'") and before.rstrip().endswith(("'", '"')):
        return HALF_QUOTED if before.endswith(" ") else OTHER_QUOTES
    return None


def _line_from(text: str, index: int) -> str:
    return re.split(r"\r|\n", text[index:], maxsplit=1)[0]


def _without_colon(line: str) -> str | None:
    unseen = NO_SPACE.search(line)
    if unseen:
        return f"ordinary spaces instead of U+{ord(unseen[0]):04X}"
    found = _KEY_WITHOUT_SPACE.match(line)
    return f"a space after {found[1]}" if found else None
