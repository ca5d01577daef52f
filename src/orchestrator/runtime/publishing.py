"""Publishing: what would change for whom, before anything changes.

Owns the comparison of a project with what is in force: which journeys are new, changed or gone, which
steps a change touches, who stands on them, and whether the change may be published: a change of meaning
comes with a higher version, and where customers move there is a step for each of them. Never publishes
anything itself.
"""

import logging
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from orchestrator.errors import DefinitionError, InvalidProject
from orchestrator.language import Loaded, compile_sources
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.definitions.steps import StepBase
from orchestrator.language.naming import name_steps, walk
from orchestrator.language.nodes import Mapping as MapNode
from orchestrator.language.nodes import Place
from orchestrator.language.problems import Problems
from orchestrator.model import codec

log = logging.getLogger(__name__)

# What may change in a journey without a higher version: nothing of it moves a customer.
_WITHOUT_MEANING = {"version", "title", "owner", "status", "meta", "examples"}

# By (journey, version, step): how many customers stand there.
Standing = Counter[tuple[str, int, str]]


def standing_of(records: Iterable[bytes]) -> Standing:
    """Count the customers on each step; one who stands somewhere with several entries counts once there.

    Left out are entries that are parked: no change moves them.
    """
    standing: Standing = Counter()
    for record in records:
        entries = codec.decode(record).entries
        standing.update({(each.journey, each.version, each.step) for each in entries if each.parked is None})
    return standing


def readable(texts: Mapping[str, str]) -> Loaded | None:
    """Compile what is in force, to compare with; None where this program refuses what an older one took.

    A project in which that is mended must be able to take its place.
    """
    try:
        return compile_sources(texts)
    except InvalidProject as error:
        log.error("what is in force can no longer be read, and nothing is compared with it: %s", error)
        return None


class Kind(StrEnum):
    """What publishing would do to a journey."""

    NEW = "new"
    VERSION = "version"
    UNCHANGED = "unchanged"
    RETOUCHED = "retouched"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Refusal(NamedTuple):
    """Why a change may not be published, and what to write instead."""

    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Change:
    """What publishing would do to one journey.

    `before` and `after` are versions, None where there is none; `status` is what the journey's will be, and
    `was` what it is. `touched` are the steps that are
    otherwise or gone in the new version; `inside` counts the customers on each step of the version
    before, or of all that are left where they move; `moves` leads from steps to the steps that take their
    customers over. `why` says why it is refused, and `fix` what to write instead.
    """

    journey: str
    kind: Kind
    before: int | None
    after: int | None
    on_change: str = "pin"
    status: str | None = None
    touched: tuple[str, ...] = ()
    inside: Mapping[str, int] = field(default_factory=dict)
    moves: Mapping[str, str] = field(default_factory=dict)
    why: str | None = None
    fix: str | None = None
    was: str | None = None

    @property
    def refusal(self) -> str | None:
        """Say in one sentence why it is refused, and what to do; None when it is not."""
        return None if self.why is None else f"{self.why}; write {self.fix}"


def problems_of(changes: Iterable[Change], loaded: Loaded) -> list[DefinitionError]:
    """Say of each refused change where in its file to mend it: at the version."""
    return [
        loaded.definitions[change.journey].refused(change.why, change.fix or "")
        for change in changes
        if change.why is not None
    ]


def asks_who_stands(published: Loaded | None, loaded: Loaded) -> bool:
    """Tell whether it depends on who stands where if this may be published; else nobody has to be counted."""
    known = {} if published is None else published.definitions
    for name, definition in loaded.definitions.items():
        before = known.get(name)
        if before is None or before.journey != definition.journey:
            was_draft = before is not None and before.journey.status == "draft"
            if was_draft or definition.journey.on_change == "migrate":
                return True
    return False


def plan(published: Loaded | None, loaded: Loaded, standing: Standing) -> list[Change]:
    """Compare a project with what is in force (None: nothing yet), journey by journey, by id."""
    known = {} if published is None else {name: each.journey for name, each in published.definitions.items()}
    ours = {name: each.journey for name, each in loaded.definitions.items()}
    changes = [_change(known.get(name), definition, standing) for name, definition in sorted(ours.items())]
    gone = sorted(known.keys() - ours.keys())
    return changes + [_withdrawn(known[name], standing) for name in gone]


def _change(before: JourneyDefinition | None, after: JourneyDefinition, standing: Standing) -> Change:
    name, moves = after.journey, after.on_change == "migrate"
    older = _inside(standing, name, range(1, after.version))
    if before is None:
        no = _stranded(older, after) if moves else None
        kind = Kind.NEW if no is None else Kind.REFUSED
        return Change(name, kind, None, after.version, after.on_change, after.status, (), older, {}, *(no or ()))
    is_newer = after.version > before.version
    inside = older if moves and is_newer else _inside(standing, name, [before.version])
    no = _refused(before, after, inside)
    if no is not None:
        kind = Kind.REFUSED
    elif is_newer:
        kind = Kind.VERSION
    else:
        kind = Kind.UNCHANGED if before == after else Kind.RETOUCHED
    return Change(
        name,
        kind,
        before.version,
        after.version,
        after.on_change,
        after.status,
        _touched(before, after),
        inside,
        {old: new for old, new in (after.moves or {}).items() if is_newer and moves},
        no.why if no is not None else None,
        no.fix if no is not None else None,
        before.status,
    )


def _refused(before: JourneyDefinition, after: JourneyDefinition, inside: Mapping[str, int]) -> Refusal | None:
    """Say why this may not be published, if it may not."""
    if after.version < before.version:
        return Refusal(f"version {before.version} is in force", f"version: {before.version + 1}")
    if after.version == before.version:
        # Nobody was ever inside a draft, so nothing of it can change for anybody.
        if _meaning(before) != _meaning(after) and (before.status != "draft" or inside):
            return Refusal("what it means has changed", f"version: {before.version + 1}")
        return None
    if after.on_change == "migrate":
        return _stranded(inside, after) or _lost_key(before, after, inside)
    return None


def _stranded(inside: Mapping[str, int], after: JourneyDefinition) -> Refusal | None:
    """Say who stands on a step that is gone and not mapped."""
    moves, steps = after.moves or {}, {step_id for step_id, _ in _named(after)}
    lost = {step: count for step, count in inside.items() if moves.get(step, step) not in steps}
    if not lost:
        return None
    who = ", ".join(f"{_customers(count)} on {step}" for step, count in lost.items())
    mapped = ", ".join(f"{step}: ..." for step in lost)
    return Refusal(f"there is no step for {who}", f"moves: {{{mapped}}}")


def _lost_key(before: JourneyDefinition, after: JourneyDefinition, inside: Mapping[str, int]) -> Refusal | None:
    if before.enter.key == after.enter.key or not inside:
        return None
    who = _customers(sum(inside.values()))
    old, new = before.enter.key or "no key", after.enter.key or "no key"
    return Refusal(f"{who} would be known by {new} and are known by {old}", "on_change: pin")


def _customers(count: int) -> str:
    return f"{count} customer{'' if count == 1 else 's'}"


def _withdrawn(before: JourneyDefinition, standing: Standing) -> Change:
    inside = _inside(standing, before.journey, [before.version])
    return Change(before.journey, Kind.WITHDRAWN, before.version, None, inside=inside)


def _inside(standing: Standing, journey: str, versions: Container[int]) -> dict[str, int]:
    here: Counter[str] = Counter()
    for (name, version, step), count in standing.items():
        if name == journey and version in versions:
            here[step] += count
    return dict(sorted(here.items()))


def _meaning(definition: JourneyDefinition) -> dict[str, Any]:
    return {name: getattr(definition, name) for name in JourneyDefinition.model_fields.keys() - _WITHOUT_MEANING}


def _touched(before: JourneyDefinition, after: JourneyDefinition) -> tuple[str, ...]:
    """Name the steps of the version before that are otherwise, or gone; containers count by what they hold."""
    has = dict(_named(after))
    return tuple(sorted(name for name, step in _named(before) if has.get(name) != step))


def _named(definition: JourneyDefinition) -> Iterator[tuple[str, Any]]:
    """Walk all steps by id, those included whose author left it out."""
    steps: list[StepBase] = list(definition.steps)
    # What there is to complain about was said when the definition was checked.
    ids = name_steps(steps, Place("", MapNode(1, 1), Problems()))
    return ((ids[path], step) for path, step in walk(steps))
