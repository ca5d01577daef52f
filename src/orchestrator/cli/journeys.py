"""Journeys by the names that people give them on the command line.

Owns what is said of a name that no journey has. Must never read what knows the names: each command has it open.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from orchestrator.cli import screen
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.model.catalog import Catalog


class NoSuchJourney(OrchestratorError):  # noqa: N818 - it names the thing found
    """A journey that nothing knows of what was read. The caller's move."""


def no_such(name: str, known: Iterable[str], where: object) -> NoSuchJourney:
    """Say that `where` has no journey of this name, and which is meant or which there are."""
    return NoSuchJourney(f"no journey {name!r} in {where}; {_meant(name, known)}")


def _meant(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(names) or 'none at all'}"


def refuse_unknown(name: str | None, catalog: "Catalog | None", others: set[str], where: object) -> None:
    """Raise NoSuchJourney for a name that neither definitions have nor `others` that decisions were about.

    Decisions alone do not tell: a journey may have done nothing in their time. Then the doubt is only said. Decisions
    that are about no journey name it "".
    """
    known = (named_in(catalog) | others) - {""}
    if name is None or not known or name in known:
        return
    if catalog is not None:
        raise no_such(name, known, where)
    screen.warn(f"nothing in {where} is about a journey {name!r}; {_meant(name, known)}")


def named_in(catalog: "Catalog | None") -> set[str]:
    """List the ids of the journeys of a catalog, of whatever version; none where there is no catalog."""
    return set() if catalog is None else {journey_id for journey_id, _version in catalog.versions}
