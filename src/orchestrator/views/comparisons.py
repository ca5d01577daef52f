"""A comparison of two projects, told: as lines for a terminal, as Markdown for a pull request.

Owns the words and the tables. Must never compare anything itself: it is handed rows.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """The counts of one step, or of all of them together."""

    place: str
    before: int
    after: int
    more: int
    less: int
    changed: int


class Line(NamedTuple):
    """One difference of one customer: the sign (+, - or ~) and what it is, in words."""

    customer: str
    sign: str
    text: str


_HEADINGS = ("step", "before", "after", "more", "less", "else")


def as_table(rows: Sequence[Row]) -> list[str]:
    """Lay the counts out in columns."""
    cells = [_HEADINGS, *(tuple(map(str, row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    ]


def as_markdown(title: str, rows: Sequence[Row], lines: Iterable[Line], left_out: int) -> list[str]:
    """Write the whole as Markdown, the customers folded away under the table."""
    told = [f"### {title}", "", "| " + " | ".join(_HEADINGS) + " |", "| --- |" + " ---: |" * (len(_HEADINGS) - 1)]
    told += ["| " + " | ".join((f"`{row.place}`", *map(str, row[1:]))) + " |" for row in rows]
    listed = [f"- {_code(line.customer)} {line.sign} {line.text}" for line in lines]
    if listed:
        told += ["", "<details><summary>Customer by customer</summary>", "", *listed]
        if left_out:
            told.append(f"- and {left_out:,} customers more")
        told += ["", "</details>"]
    return told


def _code(text: str) -> str:
    """Write a text that is not ours as code: on one line, and between more backticks than it holds itself."""
    text = " ".join(text.split())
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"
