"""The names in an expression: what each leads to, whether it may be named here, and how it is looked up.

Owns the namespaces (bare, event, entry, profile, steps, now). Must never look a name up itself: it writes the code
that does.
"""

import ast
from dataclasses import dataclass

from orchestrator.language.definitions.fields import nearest, suggest
from orchestrator.language.expressions.parsing import Mistake
from orchestrator.language.expressions.surroundings import (
    EVENT_FIELDS,
    HOLDING,
    LOST,
    NAMESPACES,
    RESULTS,
    Surroundings,
)
from orchestrator.model.audience import BOUGHT

Read = tuple[str, ...]

# What other tools call the profile.
PROFILES = ("customer", "user", "contact", "person", "subscriber")
# Other languages' literals, and what Python calls them.
_LITERALS = {"true": "True", "false": "False", "null": "exists(...)", "none": "exists(...)", "nil": "exists(...)"}


@dataclass(frozen=True)
class Path:
    """One name with what follows its dots, the character that each part begins at, and how it is written as a text."""

    parts: tuple[str, ...]
    offsets: tuple[int, ...]
    quoted: str

    @property
    def written(self) -> str:
        """The name as the author wrote it."""
        return ".".join(self.parts)


@dataclass(frozen=True)
class Lookup:
    """How a name is looked up: the code, what it reads (None where nothing is pruned), and whether `saw` shows it."""

    code: ast.expr
    read: Read | None = None
    is_shown: bool = True


def resolve(path: Path, around: Surroundings) -> Lookup:
    """Find out what a name leads to; raises Mistake where it leads nowhere."""
    root = path.parts[0]
    if root not in NAMESPACES:
        return _bare(path, around)
    if root not in around.namespaces:
        raise Mistake("E406", f"`{root}` means nothing here: {_why_not(root)}", path.offsets[0], _instead(path, around))
    if root == "now":
        if len(path.parts) > 1:
            raise Mistake("E407", f"`now` has nothing inside it, not `{path.parts[1]}`", path.offsets[1], "now")
        return Lookup(call("instant_text", attribute("scope", "now_ms")), is_shown=False)
    if len(path.parts) == 1:
        raise Mistake("E407", f"`{root}` alone is no value", path.offsets[0], f"{root}.NAME")
    lookup = {"event": _event, "entry": _entry, "profile": _profile, "steps": _step}[root](path, around)
    is_hidden = path.parts[-1] in around.hidden or path.parts[1] in around.hidden
    return Lookup(lookup.code, lookup.read, lookup.is_shown and not is_hidden)


def _why_not(root: str) -> str:
    return {
        "entry": "there is no entry yet",
        "steps": "no step has been passed",
        "event": "no event is at hand",
    }.get(root, "it is not known")


def _instead(path: Path, around: Surroundings) -> str:
    if path.parts[0] == "entry" and around.is_where and len(path.parts) > 1:
        return ".".join(path.parts[1:])
    return "profile.NAME"


def _bare(path: Path, around: Surroundings) -> Lookup:
    name = path.parts[0]
    if name in _LITERALS and len(path.parts) == 1:
        raise Mistake("E402", f"`{name}` is not how this is written", path.offsets[0], _LITERALS[name])
    if not around.is_where:
        close = "profile" if name in PROFILES else nearest(name, NAMESPACES)
        if close and len(path.parts) > 1:
            fix = ".".join((close, *path.parts[1:]))
        else:
            spaces: list[str] = [space for space in ("entry", "profile") if space in around.namespaces]
            if around.has_event:
                spaces.insert(0, "event.properties")
            fix = path.quoted + "".join(f", or {space}.{path.written}" for space in spaces)
        raise Mistake(
            "E405", f"`{path.written}`: only in a `where` does a name alone mean a property", path.offsets[0], fix
        )
    if name == "properties" and len(path.parts) > 1:
        # It would look for a property that is itself called so, and never hold.
        inside = ".".join(path.parts[1:])
        raise Mistake(
            "E402", "in a `where` a property's name stands alone", path.offsets[0], f"{inside}, or event.{path.written}"
        )
    is_shown = name not in around.hidden and path.parts[-1] not in around.hidden
    return Lookup(_inside(_property(name), path.parts[1:]), is_shown=is_shown)


def _property(name: str) -> ast.expr:
    return method("properties", "get", name)


def _event(path: Path, around: Surroundings) -> Lookup:
    field = path.parts[1]
    if field not in EVENT_FIELDS:
        raise Mistake(
            "E407",
            f"an event has no `{field}`; it has {', '.join(EVENT_FIELDS)}",
            path.offsets[1],
            (nearest(field, EVENT_FIELDS) and f"event.{nearest(field, EVENT_FIELDS)}") or f"event.properties.{field}",
        )
    # The event at hand is whole; only what the entry keeps of its last event is pruned.
    read = None if around.has_event else path.parts
    if field == "properties":
        if len(path.parts) == 2:
            return Lookup(ast.Name("properties", ast.Load()), read, is_shown=False)
        return Lookup(_inside(_property(path.parts[2]), path.parts[3:]), read)
    _refuse_deeper(path, 2)
    code: ast.expr = method("scope", "event_value", field)
    return Lookup(call("instant_text", code) if field == "time" else code, read)


def _entry(path: Path, around: Surroundings) -> Lookup:
    return Lookup(_inside(method("scope", "entry_value", path.parts[1]), path.parts[2:]), path.parts)


def _profile(path: Path, around: Surroundings) -> Lookup:
    if path.parts[1] == "last_seen":
        if len(path.parts) != 3:
            raise Mistake("E407", "`profile.last_seen` is by channel", path.offsets[1], "profile.last_seen.email")
        return Lookup(call("last_seen", ast.Name("scope", ast.Load()), ast.Constant(path.parts[2])), path.parts)
    if around.has_purchases and path.parts[1] in BOUGHT:
        _refuse_deeper(path, 2)
        return Lookup(method("scope", "bought", path.parts[1]), path.parts)
    value = attribute("scope", "state", "profile", "value")
    return Lookup(_inside(ast.Call(value, [ast.Constant(path.parts[1])], []), path.parts[2:]), path.parts)


def _step(path: Path, around: Surroundings) -> Lookup:
    written = path.parts[1]
    step_id = written.replace("_", "-")
    verb = around.steps.get(step_id)
    if verb is None:
        known = {name.replace("-", "_") for name in around.steps}
        close = nearest(written, known)
        raise Mistake(
            "E408", f"no step has the id `{step_id}`", path.offsets[1], close or "a step's id, with _ for each dash"
        )
    if verb == LOST:
        return Lookup(ast.Constant(None), is_shown=False)
    results = RESULTS[verb]
    if len(path.parts) == 2:
        fix = f"steps.{written}.{results[0]}" if results else "another step's result"
        raise Mistake("E409", f"`steps.{written}` alone is no value", path.offsets[1], fix)
    result = path.parts[2]
    if result not in results:
        has = ", ".join(results) or "nothing"
        close = suggest(result, results) if results else "another step's result"
        raise Mistake("E409", f"`{verb}` leaves no `{result}`; it leaves {has}", path.offsets[2], close)
    if result in HOLDING:
        return _held(path, step_id)
    read = ("steps", step_id, result)
    return Lookup(_inside(method("scope", "step_value", step_id, result), path.parts[3:]), read)


def _held(path: Path, step_id: str) -> Lookup:
    """Look up `steps.<id>.event`, with what is inside it, or `.events` as a whole."""
    inner = path.parts[3:]
    read = ("steps", step_id, *path.parts[2:])
    if path.parts[2] == "events":
        _refuse_deeper(path, 3)
        return Lookup(call("events_data", method("scope", "step_events", step_id)), read, is_shown=False)
    if inner and inner[0] not in EVENT_FIELDS:
        fix = f"{path.parts[0]}.{path.parts[1]}.event.properties.{inner[0]}"
        raise Mistake("E407", f"an event has no `{inner[0]}`", path.offsets[3], fix)
    if inner and inner[0] != "properties":
        _refuse_deeper(path, 4)
    code = call("event_data", method("scope", "step_event", step_id))
    return Lookup(_inside(code, inner), read, is_shown=bool(inner) and inner != ("properties",))


def _refuse_deeper(path: Path, count: int) -> None:
    if len(path.parts) > count:
        whole = ".".join(path.parts[:count])
        raise Mistake("E407", f"`{whole}` has nothing inside it", path.offsets[count], whole)


def call(name: str, *arguments: ast.expr) -> ast.expr:
    """Write a call of one of our operators."""
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def method(owner: str, name: str, *arguments: str) -> ast.expr:
    """Write a call of a method with constant arguments."""
    return ast.Call(attribute(owner, name), [ast.Constant(text) for text in arguments], [])


def attribute(owner: str, *names: str) -> ast.expr:
    """Write a chain of attributes."""
    code: ast.expr = ast.Name(owner, ast.Load())
    for name in names:
        code = ast.Attribute(code, name, ast.Load())
    return code


def _inside(code: ast.expr, names: tuple[str, ...]) -> ast.expr:
    return call("inside", code, *(ast.Constant(name) for name in names)) if names else code
