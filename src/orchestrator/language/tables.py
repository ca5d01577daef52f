"""Tables: the catalogs of a project, read from their files.

Owns the check that a catalog's file is a table with the key's column and one row a key. Must never change a value: what
stands in the file is what a message shows.
"""

import csv
from collections.abc import Callable, Mapping

from orchestrator.language.definitions.fields import nearest
from orchestrator.language.definitions.project import CatalogDefinition
from orchestrator.language.nodes import Place
from orchestrator.model.project import Table


def read_tables(
    catalogs: Mapping[str, CatalogDefinition], place: Place, read: Callable[[str], str | None]
) -> dict[str, Table]:
    """Read every catalog; report what is wrong with one, and leave it empty then."""
    return {name: _read(place[name], written, read) for name, written in catalogs.items()}


def _read(place: Place, written: CatalogDefinition, read: Callable[[str], str | None]) -> Table:
    text = read(written.file)
    if text is None:
        place["file"].report("E310", f"there is no file {written.file}", "a file beside orchestrator.yaml")
        return Table(written.key)
    rows = csv.DictReader(text.splitlines())
    columns = list(rows.fieldnames or ())
    if written.key not in columns:
        fix = nearest(written.key, set(columns)) or ", ".join(columns) or f"a first line with: {written.key},title"
        place["key"].report("E322", f"{written.file} has no column {written.key}", fix)
        return Table(written.key)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        values = {name: value or "" for name, value in row.items() if name}
        key = values[written.key]
        if key in found:
            place["file"].report("E322", f"{written.file} has {key} twice (line {rows.line_num})", "one row for each")
            return Table(written.key)
        if key:
            found[key] = values
    return Table(written.key, found, tuple(columns))
