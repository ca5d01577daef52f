"""The compiled turns of one partition: the door to `native`, where it is there.

Owns asking for it, and what it asks back: quiet hours on a customer's clock. Must never decide anything.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from orchestrator.compiled import program
from orchestrator.compiled.expressions import UntranslatableError
from orchestrator.engine import calendars
from orchestrator.model import codec
from orchestrator.model.audience import Everything
from orchestrator.model.catalog import Catalog
from orchestrator.model.identity import CUSTOMER_ID
from orchestrator.model.rights import ERASE
from orchestrator.model.zones import zone_named

if TYPE_CHECKING:
    from orchestrator.compiled.native import Passing, Turns
else:
    try:
        from orchestrator.compiled.native import Passing, Turns
    except ImportError:  # no compiler where this was installed: everything works, at the speed of Python
        Passing = Turns = None

__all__ = ["IS_THERE", "Passing", "Turns", "kinds_of", "passing_of", "turns_of"]
IS_THERE = Turns is not None


@lru_cache(maxsize=4)
def _written(catalog: Catalog) -> tuple[str, program.Quiet, frozenset[str]]:
    return program.write(catalog)


def turns_of(catalog: Catalog) -> "Turns | None":
    """Make the compiled turns of a catalog; None where there is nothing compiled, or nothing for it to do."""
    if not IS_THERE or codec.written_format() != codec.FORMAT:
        return None
    if catalog.migrating:
        return None
    try:
        written, quiet, _ = _written(catalog)
    except UntranslatableError:  # a segment's condition: nobody can say here whether somebody comes into it
        return None
    return Turns(written, _quiet_hours(catalog, quiet))


def kinds_of(catalog: Catalog) -> frozenset[str]:
    """List the types of events that they take."""
    return _written(catalog)[2]


def passing_of(catalog: Catalog) -> "Passing | None":
    """Make what passes events on behind which nothing but a customer id stands; None where there is nothing compiled.

    Nor where some customer ids name nobody: each is looked at for that.
    """
    if not IS_THERE or CUSTOMER_ID in catalog.project.identity.never:
        return None
    return Passing(None if isinstance(catalog.wanted, Everything) else catalog.wanted, {ERASE})


def _quiet_hours(catalog: Catalog, quiet: program.Quiet) -> Callable[[int, int, str], tuple[Any, bytes]]:
    """Make what tells the quiet hours around an hour since 1970 in a time zone, and how an action writes them."""
    project = catalog.project
    windows = [project.quiet_hours[purpose, channel] for purpose, channel in quiet]

    def ask(hour: int, which: int, zone_name: str) -> tuple[Any, bytes]:
        zone = zone_named(zone_name, project.timezone)
        spans = calendars.quiet_around(hour, zone, windows[which])
        return list(spans), orjson.dumps(calendars.as_data(zone, windows[which]))

    return ask
