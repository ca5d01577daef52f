"""Versions in force: the journeys of a project, and the older versions that customers may still be inside of.

Owns what a store keeps of every version, so that whoever entered one finishes that one. Must never
change what an author wrote: it keeps texts, and compiles them again.
"""

from dataclasses import replace

from orchestrator.language import Loaded, compile_sources
from orchestrator.model.catalog import Catalog
from orchestrator.model.journey import Journey
from orchestrator.model.project import Project
from orchestrator.storage import Definition, Store


def in_force(loaded: Loaded, store: Store) -> Catalog:
    """Return a project's catalog with every older version that the store knows, and let the store know the new ones.

    Raises InvalidProject when an older version can no longer be compiled.
    """
    known = {(each.journey, each.version): each for each in store.definitions()}
    current = {(journey.id, journey.version) for journey in loaded.catalog.current}
    project, older = loaded.catalog.project, list[Journey]()
    for key, definition in known.items():
        if key not in current:
            then = compile_sources(definition.sources).catalog
            journey = then.journey(*key)
            if journey is not None:
                older.append(journey)
                project = _with_parts_of(then.project, project)
    changed = [
        Definition(journey_id, version, loaded.sources)
        for journey_id, version in sorted(current)
        if (journey_id, version) not in known or known[journey_id, version].sources != loaded.sources
    ]
    if changed:
        store.define(changed)
    return Catalog(project, loaded.catalog.current, older)


def _with_parts_of(then: Project, now: Project) -> Project:
    """Add the channels, purposes and messages that only an older version still uses, behind those of now."""
    return replace(
        now,
        channels={**now.channels, **then.channels, **now.channels},
        purposes={**now.purposes, **then.purposes, **now.purposes},
        messages={**now.messages, **then.messages, **now.messages},
    )
