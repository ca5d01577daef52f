"""Liquid templates, looked at without rendering: what they name, and what is wrong with them.

Owns the limits that keep a hostile template from costing more than a moment, and the names that exist. Must never
render; that is the channels' work.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from liquid import Environment
from liquid.exceptions import LiquidError
from liquid.static_analysis import Segments

from orchestrator.language import filters
from orchestrator.language.definitions.fields import suggest
from orchestrator.language.definitions.meant import by_filter
from orchestrator.language.expressions import Mistake
from orchestrator.language.signs import CURLY

MAX_CHARACTERS = 200_000
MAX_MARKS = 5_000
ROOTS = ("profile", "entry", "steps", "event", "data", "brand", "links", "coupon")
LINKS = ("unsubscribe", "preferences", "survey", "confirm")

# `lookup` without the second of its two values.
_HALF_LOOKUP = re.compile(r"""\|\s*(lookup)\s*(?::\s*(?:"[^"]*"|'[^']*'|[\w.-]+)?\s*)?(?=[|}%])""")
_LOOKUP = re.compile(r"""\|\s*lookup\s*:\s*(["'])(.*?)\1\s*,\s*(["'])(.*?)\3""")
# What follows a name that renders something else where its value is missing.
_DEFAULT = re.compile(r"[^{}%]*?\|\s*default\s*:")
# Where a template asks whether there is a value.
_ASKED = re.compile(r"\{%-?\s*(?:if|elsif|unless|case)\b[^%]*%\}")
# What Liquid finds in any list or text, beside what the data holds.
_OF_ANY = frozenset({"size", "first", "last"})
# Liquid takes it for `else`, whatever the condition says.
_ELSE_IF = re.compile(r"\{%-?\s*else\s+(?:if\s+)?([^\s%-][^%]*?)\s*-?%\}")
_UNENDED = re.compile(r"expected tag (end\w+), found end")
# How other tools write what is put in: it would be sent as it stands.
_BORROWED = re.compile(
    r"(?<![{$%])\{ *((?:profile|entry|event|steps|data|brand|links|coupon)\.[\w.]+) *\}(?!\})"
    r"|%%(\w+)%%|\*\|(\w+)\|\*|(?<![%\w])%([A-Z][A-Z_]{2,})%(?![%\w])|\[\[ *([\w.]+) *\]\]|\$\{ *([\w.]+) *\}"
)
# What other languages write, and Liquid refuses where it stands.
_PYTHONS = (
    ("elif", "{% elsif ... %}"),
    ("elseif", "{% elsif ... %}"),
    ("not ", "{% unless ... %}"),
    ("&&", "and"),
    ("||", "or, between conditions; | default: 'text', for a missing value"),
    ("=>", ">="),
    ("=<", "<="),
    ("=", "=="),
    ("+", "a filter: plus: 5"),
    ("*", "a filter: times: 2"),
    ("/", "a filter: divided_by: 2"),
)
# The form of a date as spreadsheets write it, in which Liquid finds nothing to put in.
_DATE_FORM = re.compile(r"""\|\s*date\s*:\s*(["'])([^%"']*[A-Za-z][^%"']*)\1""")
# Tags that read other templates: there are none.
_READING = ("include", "render")
# Tags whose end is looked for character by character; without one that would be done again for every beginning.
_WHOLE = ("raw", "doc", "comment")
# What Liquid's parser lets through from Python.
_PARSER_ACCIDENTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class Named:
    """A name that a template reads, up to what is only known when it is rendered, and where it stands.

    `may_lack`: the template says itself what to do where there is no such value.
    """

    path: tuple[str, ...]
    offset: int
    may_lack: bool = False


@dataclass(frozen=True)
class Lookup:
    """What a template looks up: the catalog, the column, and where the catalog's name stands."""

    catalog: str
    column: str
    offset: int


@dataclass(frozen=True)
class Template:
    """What a template names from outside of itself, and its mistakes."""

    names: tuple[Named, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    lookups: tuple[Lookup, ...] = ()


@cache
def _environment() -> Environment:
    environment = Environment()
    # Ours, beside Liquid's own: what it does is the renderer's.
    environment.filters["lookup"] = lambda value, *_names: value
    return environment


def borrowed(text: str) -> list[tuple[str, str, int]]:
    """List what other tools would put a value in for: how it is written, how it is written here, and where."""
    values = [
        (found[0], f"{{{{ {_named(next(filter(None, found.groups())))} }}}}", found.start())
        for found in _BORROWED.finditer(text)
    ]
    return values + [(found[2], "%d/%m/%Y", found.start(2)) for found in _DATE_FORM.finditer(text)]


def _named(name: str) -> str:
    return name if name.partition(".")[0] in ROOTS else f"profile.{name.lower()}"


# A project that is loaded again has the same templates but for a few.
@lru_cache(maxsize=1024)
def inspect(text: str) -> Template:
    """Look at a template; whatever it holds, the answer is names or mistakes."""
    mistake = _check_marks(text)
    if mistake is not None:
        return Template(mistakes=(mistake,))
    try:
        template = _environment().from_string(text)
        analysis = template.analyze(include_partials=False)
    except LiquidError as error:
        offset = error.token.start_index if error.token is not None and error.token.start_index >= 0 else 0
        why = f"the template cannot be read: {error.message}"
        return Template(mistakes=(Mistake("E501", why, offset, _instead(str(error.message), text[offset:])),))
    except _PARSER_ACCIDENTS as error:
        return Template(mistakes=(Mistake("E501", f"the template cannot be read: {error}", 0, "a simpler one"),))
    mistakes = [
        Mistake("E507", f"the tag `{name}` reads another template, and there is none", span.index, "the text itself")
        for name in _READING
        for span in analysis.tags.get(name, ())
    ]
    mistakes += [
        Mistake("E501", "`lookup` needs the catalog and the column", found.start(1), "lookup: 'products', 'title'")
        for found in _HALF_LOOKUP.finditer(text)
    ]
    mistakes += [
        Mistake("E501", "what follows `else` is not read", found.start(1), f"{{% elsif {found[1]} %}}")
        for found in _ELSE_IF.finditer(text)
    ]
    known = _environment().filters
    mistakes += filters.misused(template, known)
    mistakes += [
        Mistake("E503", f"there is no filter `{name}`", span.index, by_filter(name) or suggest(name, set(known)))
        for name, spans in analysis.filters.items()
        if name not in known
        for span in spans
    ]
    places = {
        (variable.span.index, _text_of(variable.segments))
        for variables in analysis.globals.values()
        for variable in variables
    }
    spans = [found.span() for found in _ASKED.finditer(text)]
    asked = {path for offset, path in places if any(start < offset < end for start, end in spans)}
    names = [
        Named(path, offset, path in asked or _DEFAULT.match(text, offset) is not None)
        for offset, path in sorted(places)
    ]
    # A date is written on the customer's clock.
    names += [Named(("profile", "timezone"), span.index, True) for span in analysis.filters.get("date", ())[:1]]
    lookups = tuple(Lookup(found[2], found[4], found.start(2)) for found in _LOOKUP.finditer(text))
    return Template(tuple(names), tuple(mistakes), lookups)


def _instead(why: str, found: str) -> str:
    """Say what to write instead, by what Liquid says and by what stands there, which begins with what it refuses."""
    missing = _UNENDED.search(why)
    if missing:
        return f"{{% {missing[1]} %}} where it ends"
    meant = next((fix for begins, fix in _PYTHONS if found.startswith(begins)), None)
    if meant is not None:
        return meant
    return "straight quotes" if any(sign in why for sign in CURLY) else "Liquid such as {{ profile.first_name }}"


def _check_marks(text: str) -> Mistake | None:
    """Refuse what would keep the parser busy: too much, or marks that are opened and never closed."""
    if len(text) > MAX_CHARACTERS:
        return Mistake(
            "E508", f"the template has {len(text):,} characters; at most {MAX_CHARACTERS:,}", 0, "a shorter one"
        )
    if text.count("{{") + text.count("{%") > MAX_MARKS:
        return Mistake("E508", f"the template has more than {MAX_MARKS:,} tags and values", 0, "a simpler one")
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        last = text.rfind(opening)
        if last >= 0 and text.find(closing, last) < 0:
            first = text.find(opening, text.rfind(closing) + 1)
            return Mistake("E501", f"`{opening}` is never closed", first, f"{closing} after it")
    for name in _WHOLE:
        begins = [found.start() for found in re.finditer(rf"{{%-?\s*{name}\b", text)]
        ends = [found.start() for found in re.finditer(rf"{{%-?\s*end{name}\b", text)]
        if begins and (not ends or ends[-1] < begins[-1]):
            return Mistake("E501", f"`{name}` is never ended", begins[-1], f"{{% end{name} %}}")
    return None


def _text_of(segments: Segments) -> tuple[str, ...]:
    """Take the names of a path up to the first part that is a number or is itself looked up."""
    path: list[str] = []
    for segment in segments:
        if not isinstance(segment, str):
            break
        path.append(str(segment))
    return tuple(path)


def read_of(path: tuple[str, ...]) -> tuple[str, ...]:
    """Give what must be handed in for a name: without what Liquid finds in any list, and up to a list of events."""
    if path[:1] == ("steps",) and path[2:3] == ("events",):
        return path[:3]
    shortest = {"profile": 2, "entry": 2, "event": 3, "steps": 5}.get(path[0], 1)
    for number, name in enumerate(path):
        if number >= shortest and name in _OF_ANY:
            return path[:number]
    return path
