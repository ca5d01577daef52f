"""Coupons: the codes of a project, read from their files.

Owns the check that each code can be given to one person: it stands in one file, once, and in one line. Must never give
a code to anybody; that is delivery's.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import accumulate

from orchestrator.language.definitions.fields import nearest
from orchestrator.language.definitions.project import CouponDefinition
from orchestrator.language.nodes import Place, Text
from orchestrator.language.sources import ReadFile
from orchestrator.language.tables import separated

COLUMN = "code"
MAX_CHARACTERS = 64
# A file that went wrong went wrong in every line; the first of them say so.
MOST_REPORTED = 20

# A code as it is written, and the character of its file that it begins at.
_Written = tuple[str, int]


def read_coupons(coupons: Mapping[str, CouponDefinition], place: Place, read: ReadFile) -> dict[str, tuple[str, ...]]:
    """Read the codes of every coupon, in the order of their files; report what is wrong with one."""
    seen: dict[str, str] = {}
    return {name: _codes(name, place[name]["codes"], written.codes, read, seen) for name, written in coupons.items()}


def _codes(coupon: str, place: Place, file: str, read: ReadFile, seen: dict[str, str]) -> tuple[str, ...]:
    text = read(file)
    if text is None:
        place.report_missing(file, "a file beside orchestrator.yaml, one code a line")
        return ()
    inside = place.in_file(file, Text(1, 1, text=text))
    written = _of_table(inside, file, text) if file.endswith(".csv") else list(_of_lines(text))
    if written is None:
        return ()
    if not written:
        place.report("E324", f"{file} holds no code", "one code a line")
    wrong = 0
    for code, offset in written:
        mistake = _mistake(code, seen.get(code), coupon)
        if mistake is not None and wrong < MOST_REPORTED:
            inside.report(*mistake, offset=offset)
        wrong += mistake is not None
        seen.setdefault(code, coupon)
    return tuple(code for code, _ in written)


def _mistake(code: str, holder: str | None, coupon: str) -> tuple[str, str, str] | None:
    """Say what is wrong with a code, given the coupon that has it already: the code of the error, why, and the fix."""
    if len(code) > MAX_CHARACTERS:
        return "E326", f"a code of {len(code):,} characters; at most {MAX_CHARACTERS}", "one code a line"
    if not code.isprintable() or " " in code:
        return "E326", "a code holds a space, or a sign that cannot be printed", "one code a line, without spaces"
    if holder is not None:
        where = "already" if holder == coupon else f"in the coupon {holder} too"
        return "E325", f"the code {code} stands here {where}", "each code once"
    return None


def _of_lines(text: str) -> Iterator[_Written]:
    offset = 0
    for line in text.splitlines(keepends=True):
        code = line.strip()
        if code:
            yield code, offset + line.index(code)
        offset += len(line)


def _of_table(inside: Place, file: str, text: str) -> list[_Written] | None:
    """Read the column of codes out of a table; None where it has none, which is reported."""
    rows, begins = csv.reader(io.StringIO(text, newline="")), 0
    try:
        columns = [name.strip() for name in next(rows, [])]
        if COLUMN not in columns:
            fix = separated(columns) or nearest(COLUMN, set(columns))
            fix = fix or f"a first line with {COLUMN}, or a .txt file with one code a line"
            inside.report("E324", f"{file} has no column {COLUMN}", fix)
            return None
        at, found = columns.index(COLUMN), list[_Written]()
        starts = list(accumulate(map(len, text.splitlines(keepends=True)), initial=0))
        begins = starts[rows.line_num]
        for row in rows:
            code = row[at].strip() if at < len(row) else ""
            if code:
                found.append((code, max(text.find(code, begins), begins)))
            begins = starts[rows.line_num]
    except csv.Error as error:
        inside.report("E324", f"{file} cannot be read: {error}", f"a table with the column {COLUMN}", offset=begins)
        return None
    return found
