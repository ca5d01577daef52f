"""The payload of a message: its language, and the data that its templates read.

Owns what an action carries for rendering: what the templates name and no more (CONTRACTS.md).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from orchestrator.model import instants
from orchestrator.model.audience import BOUGHT
from orchestrator.model.event import KeptEvent, event_as_data
from orchestrator.model.expression import Scope
from orchestrator.model.project import Message, Project
from orchestrator.model.state import Result

# What templates name, each with how it is read.
Readers = tuple[tuple[tuple[str, ...], Callable[[Scope], Any]], ...]


def language_of(scope: Scope, project: Project, message: Message) -> str:
    """Choose the message's language for the customer."""
    return language_for(scope.state.profile.value("language"), project, message)


def language_for(wanted: object, project: Project, message: Message) -> str:
    """Choose the message's language for who speaks `wanted`: es-MX, then es, then the first of the project's."""
    if isinstance(wanted, str):
        found = _found(wanted, message.languages)
        if found is not None:
            return found
    return message.languages[0] if message.languages else project.languages[0]


@lru_cache(maxsize=1024)
def _found(wanted: str, languages: tuple[str, ...]) -> str | None:
    """Find the language that is wanted: devices say es_MX, browsers es-mx, and both mean es-MX."""
    tag = wanted.replace("_", "-").lower()
    written = {language.lower(): language for language in languages}
    return written.get(tag) or written.get(tag.partition("-")[0])


def data_for(scope: Scope, paths: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """Collect what the templates name, nested as they name it; what is missing is left out."""
    return read_by(readers_of(paths), scope)


def read_by(readers: Readers, scope: Scope) -> dict[str, Any]:
    """Collect the same by readers that are at hand."""
    data: dict[str, Any] = {}
    for path, read in readers:
        value = read(scope)
        if value is not None:
            _put(data, path, value)
    return data


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for parent in path[:-1]:
        inner = data.setdefault(parent, {})
        if not isinstance(inner, dict):
            return  # a shorter path has put the whole value there already
        data = inner
    data[path[-1]] = value


def _seen(scope: Scope, channel: str) -> str | None:
    at_ms = scope.state.profile.last_seen_ms.get(channel)
    return None if at_ms is None else instants.to_text(at_ms)


# A message names the same paths each time: what they mean is worked out once.
@lru_cache(maxsize=4096)
def readers_of(paths: tuple[tuple[str, ...], ...]) -> Readers:
    """Work out how each of the paths is read."""
    return tuple((path, _reader_of(path)) for path in paths)


def _reader_of(path: tuple[str, ...]) -> Callable[[Scope], Any]:
    root, *rest = path
    if root == "event" and rest:
        return lambda scope: _inside(event_as_data(scope.event) if isinstance(scope.event, KeptEvent) else None, rest)
    if root == "profile" and rest:
        name, *deeper = rest
        if name == "last_seen" and len(deeper) == 1:
            channel = deeper[0]
            return lambda scope: _seen(scope, channel)
        if name in BOUGHT and not deeper:
            return lambda scope: (
                scope.state.profile.value(name) if scope.project.purchase is None else scope.bought(name)
            )
        return lambda scope: _inside(scope.state.profile.value(name), deeper)
    if root == "entry" and rest:
        name, *deeper = rest
        return lambda scope: _inside(scope.entry_value(name), deeper)
    if root == "steps" and len(rest) > 1:
        # Templates write a step's id as expressions do, with underscores; ids themselves never have one.
        return _step_reader(rest[0].replace("_", "-"), rest[1], rest[2:])
    return lambda scope: None


def _step_reader(step_id: str, what: str, deeper: list[str]) -> Callable[[Scope], Any]:
    if what == "event" and deeper[:1] == ["properties"]:
        names = deeper[1:]
        return lambda scope: None if (event := scope.step_event(step_id)) is None else _inside(event.properties, names)
    if what == "event":
        return lambda scope: (
            None if (event := scope.step_event(step_id)) is None else _inside(event_as_data(event), deeper)
        )
    if what == "events":
        return lambda scope: _inside([event_as_data(event) for event in scope.step_events(step_id)], deeper)
    return lambda scope: _inside(scope.step_value(step_id, what), deeper)


def _inside(value: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def result_as_data(result: Result) -> dict[str, Any]:
    """Write what a step left behind as templates and people read it."""
    known = {"status": result.status, "channel": result.channel, "name": result.name, **result.values}
    data = {name: value for name, value in known.items() if value is not None}
    if result.event is not None:
        data["event"] = event_as_data(result.event)
    return data
