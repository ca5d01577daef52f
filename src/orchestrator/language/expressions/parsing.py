"""From an expression's text to Python's own syntax tree, within bounds, with the place of what is wrong.

Owns the limits of size and depth, and the hints for those who write another language's operators. Must never evaluate
anything, nor decide what a name means.
"""

import ast
import re
import warnings
from dataclasses import dataclass

from orchestrator.language.definitions.meant import sent_as
from orchestrator.language.signs import CURLY, NO_SPACE

MAX_CHARACTERS = 2_000
MAX_NODES = 300
MAX_DEPTH = 30

_HINTS = (
    (re.compile(r"&&"), "and"),
    (re.compile(r"\|\|"), "or"),
    (re.compile(f"[{CURLY}]"), "straight quotes"),
    (re.compile(r"<>"), "!="),
    (re.compile(r"=>"), ">="),
    (re.compile(r"=<"), "<="),
    (re.compile(r"==="), "=="),
    (re.compile("≥"), ">="),
    (re.compile("≤"), "<="),
    (re.compile("≠"), "!="),
    (re.compile(r"!(?!=)"), "not"),
    (re.compile(r"\b(AND|OR|NOT|IN)\b"), ""),
    (re.compile(r"\bwithin\s*=\s*[0-9]\w*"), "the length in quotes: within='30d'"),
    (re.compile(r"(?<![=!<>])(?<!within)=(?![=])"), "=="),
    (re.compile(r"\b(?:contains|includes|has|like)\b(?!\s*\()", re.IGNORECASE), "contains(name, 'text')"),
    (re.compile(r"\bstarts[ _]with\b(?!\s*\()", re.IGNORECASE), "starts_with(name, 'text')"),
    (re.compile(r"\bbetween\b", re.IGNORECASE), "30 <= total <= 50"),
    (re.compile(r"\b(?:is )?(?:greater|more|bigger|higher|larger) than\b", re.IGNORECASE), ">"),
    (re.compile(r"\b(?:is )?(?:less|lower|smaller|fewer) than\b", re.IGNORECASE), "<"),
    (re.compile(r"\b(?:is )?at least\b", re.IGNORECASE), ">="),
    (re.compile(r"\b(?:is )?at most\b", re.IGNORECASE), "<="),
    (re.compile(r"\b(?:equals|is equal to)\b", re.IGNORECASE), "=="),
    (re.compile(r"\bexists\b(?!\s*\()", re.IGNORECASE), "exists(name)"),
    (re.compile(r"\$(?=[^\W\d])"), "the name alone"),
    (re.compile(r"(?<=[0-9])\s*%|[€$£]"), "the number alone"),
)
_WORD = r"(?!(?:and|or|not|in|is)\b)[^\W\d]\w*"
# `Order Id`: as others call their properties, with a space that no name of ours holds.
_SPACED = re.compile(rf"(?<![\w.]){_WORD}(?:[ \t]+{_WORD})+(?!\s*\()")
_NO_OPERATOR = "two values stand side by side, with nothing between them"
_NO_COMMA = "Perhaps you forgot a comma?"
# Lines as Python counts them, which is not as str.splitlines does.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
# To Python 2026-12-24 is 1990: two subtractions, or a number that begins with 0.
_DATE = re.compile(r"(?<![\w.-])[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?(?![\w.-])")
# So much of the world writes it, and to Python 24/12/2026 is next to nothing: two divisions.
_DATE_WITH_SLASHES = re.compile(r"(?<![\w./])[0-9]{1,2}/[0-9]{1,2}/([0-9]{4})(?![\w./])")
# Behind a comparison: in a list, [100,200] is two numbers and meant so.
_GROUPED = re.compile(r"[<>=]\s*([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?)(?![\w,])")
# 30,50 is how half of the world writes 30.50.
_DECIMAL = re.compile(r"[<>=]\s*([0-9]+,[0-9]{1,2})(?![\w,.])")
_TEMPLATE = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_TEXTS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


# Python's own words that expressions have no use for, and events may well: flights are from somewhere, in a class.
_RESERVED = re.compile(
    r"\b(?:as|assert|async|await|break|class|continue|def|del|except|finally|from|global|import|nonlocal|pass|raise"
    r"|return|try|while|with|yield)\b"
)


@dataclass(frozen=True)
class Mistake(Exception):  # noqa: N818 - an author's, on its way to become a problem
    """What is wrong with an expression, and at which of its characters."""

    code: str
    message: str
    offset: int
    fix: str


class Source:
    """An expression's text, and where the nodes of its tree stand in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        # In parentheses, so that it may begin with a space and run over several lines.
        self._wrapped = f"({text}\n)"
        self._lines = _LINE.findall(self._wrapped)
        self._starts = [sum(map(len, self._lines[:number])) for number in range(len(self._lines))]

    def parse(self) -> ast.expr:
        """Parse it; raises Mistake."""
        if len(self.text) > MAX_CHARACTERS:
            raise Mistake(
                "E410",
                f"the expression has {len(self.text):,} characters; at most {MAX_CHARACTERS:,}",
                0,
                "a shorter one",
            )
        bare = self._without_texts()
        if "#" in bare:
            raise Mistake("E401", "a comment cannot stand inside an expression", bare.index("#"), "the condition alone")
        self._check_borrowed(bare)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Python finds odd, such as `'a' is 'b'`, is refused below
                tree = self._parsed()
        except SyntaxError as error:
            raise self._syntax_mistake(error) from error
        except ValueError as error:
            raise Mistake("E401", f"this is no expression: {error}", 0, "a condition such as total >= 30") from error
        except (MemoryError, RecursionError) as error:
            raise Mistake("E410", "the expression is nested too deep to be read", 0, "a simpler one") from error
        if tree.col_offset == 0 and tree.lineno == 1 and not isinstance(tree, ast.Tuple | ast.GeneratorExp):
            # `a) or (b`: our own parentheses were closed before the end.
            raise Mistake(
                "E401", "a parenthesis is closed that was never opened", self.text.find(")"), "as many ( as )"
            )
        self._check_size(tree)
        return tree

    def _parsed(self) -> ast.expr:
        """Parse with Python's own words as names: each is written otherwise in the meantime, in as many letters."""
        bare, names = self._without_texts(), dict[str, str]()
        wrapped = self._wrapped
        for found in _RESERVED.finditer(bare):
            others = (found[0].swapcase(), found[0].capitalize())
            stand_in = next((one for one in others if one in names or not re.search(rf"\b{one}\b", bare)), found[0])
            names[stand_in] = found[0]
            wrapped = wrapped[: found.start() + 1] + stand_in + wrapped[found.end() + 1 :]
        tree = ast.parse(wrapped, mode="eval").body
        for node in ast.walk(tree) if names else ():
            if isinstance(node, ast.Name):
                node.id = names.get(node.id, node.id)
            elif isinstance(node, ast.Attribute):
                node.attr = names.get(node.attr, node.attr)
        return tree

    def _check_borrowed(self, bare: str) -> None:
        """Refuse what reads well, and would mean something else or nothing: templates, dates, grouped digits."""
        template = _TEMPLATE.search(bare)
        if template:
            inside = self.text[template.start(1) : template.end(1)] or "profile.NAME"
            raise Mistake("E402", "a template cannot stand in an expression", template.start(), inside)
        date = _DATE.search(bare)
        if date:
            raise Mistake("E402", f"`{date[0]}` subtracts numbers", date.start(), self.quoted(date[0]))
        date = _DATE_WITH_SLASHES.search(bare)
        if date:
            why = f"`{date[0]}` divides numbers"
            raise Mistake("E402", why, date.start(), f"the year first, in quotes: {self.quoted(f'{date[1]}-MM-DD')}")
        grouped = _GROUPED.search(bare)
        if grouped:
            plain = grouped[1].replace(",", "")
            raise Mistake("E402", f"`{grouped[1]}` is two numbers with a comma between", grouped.start(1), plain)
        decimal = _DECIMAL.search(bare)
        if decimal and "(" not in bare[: decimal.start()]:
            plain = decimal[1].replace(",", ".")
            raise Mistake("E402", f"`{decimal[1]}` is two numbers with a comma between", decimal.start(1), plain)

    def quoted(self, text: str) -> str:
        """Write a text as it must stand in the file: YAML takes the quotes away from what is quoted as a whole."""
        return f'"{text!r}"' if text == self.text.strip() else repr(text)

    def _without_texts(self) -> str:
        return _TEXTS.sub(lambda found: " " * len(found[0]), self.text)

    def offset(self, node: ast.AST) -> int:
        """Find the character that a node begins at."""
        line = getattr(node, "lineno", 1) - 1
        column = getattr(node, "col_offset", 0)
        characters = len(self._lines[line].encode()[:column].decode(errors="replace"))
        return min(max(self._starts[line] + characters - 1, 0), max(len(self.text) - 1, 0))

    def end(self, node: ast.AST) -> int:
        """Find the character after a node's last."""
        line = getattr(node, "end_lineno", 1) - 1
        column = getattr(node, "end_col_offset", 0)
        return self._starts[line] + len(self._lines[line].encode()[:column].decode(errors="replace")) - 1

    def _check_size(self, tree: ast.expr) -> None:
        level: list[ast.AST] = [tree]
        count = 0
        for depth in range(MAX_DEPTH + 1):
            count += len(level)
            if count > MAX_NODES or depth == MAX_DEPTH:
                raise Mistake("E410", "the expression is too large", self.offset(level[0]), "several simpler ones")
            level = [child for node in level for child in ast.iter_child_nodes(node) if hasattr(child, "lineno")]
            if not level:
                return

    def _syntax_mistake(self, error: SyntaxError) -> Mistake:
        bare = self._without_texts()
        unseen = NO_SPACE.search(bare)
        if unseen:
            why = f"a character that looks like a space or like nothing (U+{ord(unseen[0]):04X})"
            return Mistake("E401", why, unseen.start(), "an ordinary space, or nothing")
        for pattern, instead in _HINTS:
            found = pattern.search(bare)
            if found:
                fix = instead or found[0].lower()
                return Mistake("E401", f"`{found[0]}` is not written here", found.start(), fix)
        if error.msg.endswith(_NO_COMMA) and (spaced := _SPACED.search(bare)):
            return Mistake(
                "E401", f"`{spaced[0]}` is no name: a name holds no spaces", spaced.start(), sent_as(spaced[0])
            )
        line = min((error.lineno or 1), len(self._starts)) - 1
        offset = self._starts[line] + (error.offset or 1) - 2
        offset = min(max(offset, 0), max(len(self.text.rstrip()) - 1, 0))
        fix = "close the quote" if error.msg.startswith("unterminated") else "a condition such as total >= 30"
        # Python's own guess, a comma, is never it.
        why = _NO_OPERATOR if error.msg.endswith(_NO_COMMA) else error.msg
        return Mistake("E401", f"this is no expression: {why}", offset, fix)
