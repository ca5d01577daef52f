"""What a store goes by: the project in force, and the older versions that customers may still be inside of.

Owns the way of a project into a store, and what a store keeps of every version, so that whoever entered one finishes
that one. A release comes from a folder, taken up by the process that runs over it, or from `publish`, also while such a
process runs. Must never change what an author wrote: it keeps texts, and compiles them again.

A folder that is as it was when it was last taken up takes nothing back that was published since.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from orchestrator.errors import InvalidProject, OrchestratorError
from orchestrator.language import Loaded, compile_sources
from orchestrator.model import codec
from orchestrator.model.audience import AskedPast
from orchestrator.model.catalog import Catalog
from orchestrator.model.journey import Journey
from orchestrator.model.project import Project
from orchestrator.runtime.publishing import Change, Standing, asks_who_stands, plan, readable, standing_of
from orchestrator.storage import Batch, Release, Store, VersionTexts

_FOLDER = "folder"
# With more older versions than these it is quicker to look who stands on which than to compile them all.
MANY_VERSIONS = 8
log = logging.getLogger(__name__)


class NotToBePublished(OrchestratorError):  # noqa: N818 - the answer to whoever wanted it to be
    """A project that may not take the place of the one in force. The author's move."""

    def __init__(self, refused: Iterable[Change]) -> None:
        super().__init__("; ".join(f"{change.journey}: {change.refusal}" for change in refused))


@dataclass(frozen=True, slots=True)
class InForce:
    """A release: its project, the catalog with the older versions beside it, and its number."""

    loaded: Loaded
    catalog: Catalog
    revision: int


def plan_of(loaded: Loaded, store: Store) -> list[Change]:
    """Compare a project with what is in force in a store, and count who stands where; reads every record."""
    return plan(_published(store.release()), loaded, _standing(store))


def publish(loaded: Loaded, store: Store) -> int | None:
    """Put a project in force that has been found fit for it; return its revision, None where it is in force already.

    A process that runs over this store takes it up by itself.
    """
    release = store.release()
    if release is not None and release.sources == loaded.sources:
        return None
    revision = 1 if release is None else release.revision + 1
    known = {(each.journey, each.version): each.sources for each in store.definitions()}
    store.define(
        [
            VersionTexts(journey.id, journey.version, loaded.sources)
            for journey in loaded.catalog.current
            if known.get((journey.id, journey.version)) != loaded.sources
        ],
        Release(revision, loaded.sources),
    )
    return revision


def choose(folder: Loaded, store: Store) -> Loaded:
    """Say which project is to be in force: a folder's, or what was published since it was last taken up.

    Raises NotToBePublished when the folder has changed and may not take the place of what is in force, and
    InvalidProject when what was published since can no longer be compiled. Changes nothing.
    """
    release = store.release()
    if release is not None and (release.sources == folder.sources or store.position(_FOLDER) == _digest(folder)):
        return folder if release.sources == folder.sources else compile_sources(release.sources)
    published = _published(release)
    standing = _standing(store) if asks_who_stands(published, folder) else Standing()
    refused = [change for change in plan(published, folder, standing) if change.why is not None]
    if refused:
        raise NotToBePublished(refused)
    return folder


def take_up(folder: Loaded, store: Store) -> InForce:
    """Put a folder's project in force, or what was published since it was last taken up; raises as `choose` does."""
    loaded = choose(folder, store)
    publish(loaded, store)
    digest = _digest(folder)
    if store.position(_FOLDER) != digest:
        store.commit(Batch(positions={_FOLDER: digest}))
    return InForce(loaded, _catalog(loaded, store), store.revision())


def newer(store: Store, revision: int) -> InForce | None:
    """Give what has been published since a revision; None when nothing was. Raises InvalidProject."""
    release = store.release() if store.revision() > revision else None
    if release is None:
        return None
    loaded = compile_sources(release.sources)
    return InForce(loaded, _catalog(loaded, store), release.revision)


def _published(release: Release | None) -> Loaded | None:
    return None if release is None else readable(release.sources)


def _standing(store: Store) -> Standing:
    return standing_of(record for _, record in store.records())


def _digest(loaded: Loaded) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(sorted(loaded.sources.items())), digest_size=16).hexdigest().encode()


def _catalog(loaded: Loaded, store: Store) -> Catalog:
    """Compile the older versions that somebody may be inside of, beside what is in force."""
    current = {(journey.id, journey.version) for journey in loaded.catalog.current}
    definitions = [each for each in store.definitions() if (each.journey, each.version) not in current]
    if len(definitions) > MANY_VERSIONS:
        # Nobody enters an older version, so whoever is inside of one is already.
        stood_on = _stood_on(store)
        definitions = [each for each in definitions if (each.journey, each.version) in stood_on]
    project, older = loaded.catalog.project, list[Journey]()
    compiled: dict[frozenset[tuple[str, str]], Catalog] = {}
    for definition in definitions:
        # Those of a whole project: journeys that were replaced together share them, and compiling takes its time.
        texts = frozenset(definition.sources.items())
        try:
            then = compiled[texts] = compiled.get(texts) or compile_sources(definition.sources).catalog
        except InvalidProject as error:
            # Whoever is inside of it stands still, each with the reason; all others go on.
            log.error("version %d of %s can no longer be read: %s", definition.version, definition.journey, error)
            continue
        journey = then.journey(definition.journey, definition.version)
        if journey is not None:
            older.append(journey)
            project = _with_parts_of(then.project, project)
    return Catalog(project, loaded.catalog.current, older)


def _stood_on(store: Store) -> set[tuple[str, int]]:
    """Name every version that somebody is inside of, or has left while its goal can still be reached."""
    found: set[tuple[str, int]] = set()
    for _, record in store.records():
        state = codec.decode(record)
        found.update((entry.journey, entry.version) for entry in state.entries)
        found.update((ended.journey, ended.version) for ended in state.ended)
    return found


def _with_parts_of(then: Project, now: Project) -> Project:
    """Add the channels, purposes, messages and segments that only an older version still uses, behind those of now."""
    gone = {name: segment for name, segment in then.segments.items() if name not in now.segments}
    return replace(
        now,
        channels={**now.channels, **then.channels, **now.channels},
        purposes={**now.purposes, **then.purposes, **now.purposes},
        messages={**now.messages, **then.messages, **now.messages},
        segments={**now.segments, **gone},
        asked=AskedPast.together([now.asked, then.asked]),
    )
