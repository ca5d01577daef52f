"""Publishing: what would change for whom, before anything changes.

Owns the comparison of a project with what is in force: which journeys are new, changed or gone, which
steps a change touches, and whether a change of meaning comes with a higher version, as it must. Never
publishes anything itself.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.language import Loaded
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.naming import walk

# What may change in a journey without a higher version: nothing of it moves a customer.
_WITHOUT_MEANING = {"version", "title", "owner", "status", "meta", "examples"}

# By (journey, version, step): how many customers stand there.
Standing = Counter[tuple[str, int, str]]


class Kind(StrEnum):
    """What publishing would do to a journey."""

    NEW = "new"
    VERSION = "version"
    UNCHANGED = "unchanged"
    RETOUCHED = "retouched"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Change:
    """What publishing would do to one journey.

    `before` and `after` are versions, None where there is none. `touched` are the steps that are
    otherwise or gone in the new version; `inside` counts the customers on each step of the version
    before; `why` says why it is refused.
    """

    journey: str
    kind: Kind
    before: int | None
    after: int | None
    on_change: str = "pin"
    status: str | None = None
    touched: tuple[str, ...] = ()
    inside: Mapping[str, int] = field(default_factory=dict)
    why: str | None = None


def plan(published: Loaded | None, loaded: Loaded, standing: Standing) -> list[Change]:
    """Compare a project with what is in force (None: nothing yet), journey by journey, by id."""
    known = {} if published is None else {name: each.journey for name, each in published.definitions.items()}
    ours = {name: each.journey for name, each in loaded.definitions.items()}
    changes = [_change(known.get(name), definition, standing) for name, definition in sorted(ours.items())]
    gone = sorted(known.keys() - ours.keys())
    return changes + [_withdrawn(known[name], standing) for name in gone]


def _change(before: JourneyDefinition | None, after: JourneyDefinition, standing: Standing) -> Change:
    name, status = after.journey, after.status
    if before is None:
        return Change(name, Kind.NEW, None, after.version, status=status)
    inside = _inside(standing, name, before.version)
    touched = _touched(before, after)
    means_same = _meaning(before) == _meaning(after)
    common: dict[str, Any] = {"on_change": after.on_change, "status": status, "touched": touched, "inside": inside}
    if after.version < before.version:
        why = f"version {before.version} is in force; write a version above it"
        return Change(name, Kind.REFUSED, before.version, after.version, why=why, **common)
    if after.version > before.version:
        return Change(name, Kind.VERSION, before.version, after.version, **common)
    if not means_same:
        why = f"what it means has changed; write version: {before.version + 1}"
        return Change(name, Kind.REFUSED, before.version, after.version, why=why, **common)
    kind = Kind.UNCHANGED if before == after else Kind.RETOUCHED
    return Change(name, kind, before.version, after.version, **common)


def _withdrawn(before: JourneyDefinition, standing: Standing) -> Change:
    inside = _inside(standing, before.journey, before.version)
    return Change(before.journey, Kind.WITHDRAWN, before.version, None, inside=inside)


def _inside(standing: Standing, journey: str, version: int) -> dict[str, int]:
    here = {step: count for (*where, step), count in standing.items() if where == [journey, version]}
    return dict(sorted(here.items()))


def _meaning(definition: JourneyDefinition) -> dict[str, Any]:
    return {name: getattr(definition, name) for name in JourneyDefinition.model_fields.keys() - _WITHOUT_MEANING}


def _touched(before: JourneyDefinition, after: JourneyDefinition) -> tuple[str, ...]:
    """Name the steps of the version before that are otherwise, or gone; containers count by what they hold."""
    had, has = _steps(before), _steps(after)
    return tuple(sorted(name for name, step in had.items() if has.get(name) != step))


def _steps(definition: JourneyDefinition) -> dict[str, Any]:
    return {step.id: step for _, step in walk(list(definition.steps)) if step.id is not None}
