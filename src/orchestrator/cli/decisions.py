"""Decisions as a store or a file holds them, and the journeys that they are about.

Owns the reading for the commands that tell of decisions. Must never write, nor import what only a command needs.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.model.catalog import Catalog
    from orchestrator.model.decision import Decision
    from orchestrator.storage.store import Store


class NoDecision(OrchestratorError):  # noqa: N818 - it names what is the matter
    """A line that is no decision. The caller's move."""


def read(lines: Iterable[bytes], name: str) -> "Iterator[Decision]":
    """Read decisions, one a line. Raises NoDecision with the line's number in `name`."""
    import msgspec

    from orchestrator.model.decision import Decision

    decode = msgspec.json.Decoder(Decision).decode
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise NoDecision(f"{name}:{number}: this is no decision: {error}") from error


def by_id(lines: Iterable[bytes], name: str) -> "Iterator[tuple[str, Decision]]":
    """Read decisions with their ids, by which one that is told twice is known."""
    return ((decision.id, decision) for decision in read(lines, name))


def catalog_of(store: "Store") -> "Catalog | None":
    """Compile what the store's customers stand on: every version that was ever in force there."""
    from orchestrator.language import compile_sources
    from orchestrator.model.catalog import Catalog

    journeys = []
    catalog = None
    compiled: dict[frozenset[tuple[str, str]], Catalog] = {}
    for definition in store.definitions():
        texts = frozenset(definition.sources.items())  # those of a whole project: its journeys share them
        catalog = compiled.get(texts) or compile_sources(definition.sources).catalog
        compiled[texts] = catalog
        journey = catalog.journey(definition.journey, definition.version)
        if journey is not None:
            journeys.append(journey)
    return None if catalog is None else Catalog(catalog.project, journeys)
