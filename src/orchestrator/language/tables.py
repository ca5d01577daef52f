"""Tables: the catalogs of a project, read from their files.

Owns the check that a catalog's file is a table with the key's column and one row a key. Must never change a value: what
stands in the file is what a message shows.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.language.definitions.fields import nearest
from orchestrator.language.definitions.project import CatalogDefinition
from orchestrator.language.nodes import Place, Text
from orchestrator.language.sources import ReadFile
from orchestrator.model.project import Table

# A row, and the line of its file that it ends on, where that is known.
_Row = tuple[dict[str, str], int]


def read_tables(catalogs: Mapping[str, CatalogDefinition], place: Place, read: ReadFile) -> dict[str, Table]:
    """Read every catalog; report what is wrong with one, and leave it empty then."""
    return {name: _read(place[name], written, read) for name, written in catalogs.items()}


def _read(place: Place, written: CatalogDefinition, read: ReadFile) -> Table:
    text = read(written.file)
    if text is None:
        place["file"].report_missing(written.file, "a file beside orchestrator.yaml")
        return Table(written.key)
    is_json = written.file.endswith(".json")
    try:
        found = _of_json(place, written.file, text) if is_json else _of_csv(text)
    except csv.Error as error:
        place["file"].report("E322", f"{written.file} cannot be read: {error}", "a table with one row for each")
        return Table(written.key)
    if found is None:
        return Table(written.key)
    columns, rows = found
    if written.key not in columns:
        fix = (
            separated(columns)
            or nearest(written.key, set(columns))
            or ", ".join(columns)
            or f"a first line with: {written.key},title"
        )
        place["key"].report("E322", f"{written.file} has no column {written.key}", fix)
        return Table(written.key)
    kept: dict[str, dict[str, str]] = {}
    for values, line in rows:
        key = values.get(written.key, "")
        if key in kept:
            where = f" (line {line})" if line else ""
            place["file"].report("E322", f"{written.file} has {key} twice{where}", "one row for each")
            return Table(written.key)
        if key:
            kept[key] = values
    return Table(written.key, kept, columns)


def _of_csv(text: str) -> tuple[tuple[str, ...], list[_Row]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
    columns = tuple(rows.fieldnames)
    return columns, [({name: value or "" for name, value in row.items() if name}, rows.line_num) for row in rows]


def separated(columns: Sequence[str]) -> str | None:
    """Say what to write for a first line without commas, as spreadsheets write it where commas are in numbers."""
    found = next((name for name in (";", "\t", "|") if len(columns) == 1 and name in columns[0]), None)
    return None if found is None else f"commas between the columns: {columns[0].replace(found, ',')}"


def _of_json(place: Place, file: str, text: str) -> tuple[tuple[str, ...], list[_Row]] | None:
    """Read a list of maps; None where it is none, which is reported."""
    inside = place.in_file(file, Text(1, 1, text=text))
    try:
        rows = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except json.JSONDecodeError as error:
        inside.report("E322", f"{file} is no JSON: {error.msg}", "a list of maps", offset=error.pos)
        return None
    except RecursionError:
        inside.report("E322", f"{file} is nested too deep", "a list of maps")
        return None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        inside.report("E322", f"{file} is no list of maps", '[{"sku": "LM-07", "title": "Lamp"}]')
        return None
    columns = dict.fromkeys(name for row in rows for name in row)
    for row in rows:
        for name, value in row.items():
            if isinstance(value, list | dict):
                inside.report("E322", f"{file} has more than one value under {name}", "a text or a number")
                return None
    return tuple(columns), [({name: _as_text(value) for name, value in row.items()}, 0) for row in rows]


def _as_text(value: Any) -> str:
    """Write a value as it stands in the file; nothing is empty, as in a table."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
