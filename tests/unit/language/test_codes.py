"""The table of codes: every code that can come up stands in it, and every one in it is exercised by a test.

Must never check what a code is about.
"""

import re
from pathlib import Path

from orchestrator.language.codes import CODES

HERE = Path(__file__).parent
SOURCE = HERE.parents[2] / "src/orchestrator/language"
CODE = re.compile(r"\b[EW][0-9]{3}\b")


def _codes_in(paths) -> set[str]:
    return {code for path in paths for code in CODE.findall(path.read_text(encoding="utf-8"))}


def test_the_table_holds_exactly_the_codes_that_can_come_up():
    used = _codes_in(path for path in SOURCE.rglob("*.py") if path.name != "codes.py")
    assert sorted(used) == sorted(CODES)


def test_every_code_is_exercised_by_a_test():
    tested = _codes_in([*HERE.rglob("test_*.py"), HERE / "broken/expected.txt"])
    assert sorted(set(CODES) - tested) == []


def test_every_code_says_what_it_means_and_what_to_do():
    assert [code for code, row in CODES.items() if not row.meaning.endswith(".") or len(row.fix) < 5] == []
