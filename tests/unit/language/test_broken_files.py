"""The table of broken journey files: the exact line, column and code that each one gets.

The files stand in `broken/`, each broken in one way (the last in many), and `broken/expected.txt` says what a check
must find, in the form that `validate` prints. Must never be filled in from what the program says.
"""

from collections import defaultdict
from pathlib import Path

import pytest

from orchestrator.language.codes import CODES

FOLDER = Path(__file__).parent / "broken"
JOURNEYS = sorted(path.name for path in FOLDER.glob("*.journey.yaml"))


def _expected() -> dict[str, list[str]]:
    table: dict[str, list[str]] = defaultdict(list)
    for row in (FOLDER / "expected.txt").read_text(encoding="utf-8").splitlines():
        table[row.partition(":")[0]].append(row)
    return dict(table)


EXPECTED = _expected()


def test_the_table_and_the_folder_name_the_same_files():
    assert sorted(EXPECTED) == JOURNEYS
    assert len(JOURNEYS) >= 60


@pytest.mark.parametrize("name", JOURNEYS)
def test_each_broken_file_gets_exactly_these_errors(name, found):
    problems = found(**{name: (FOLDER / name).read_text(encoding="utf-8")})
    errors = [problem for problem in problems if problem.file == name and not problem.is_warning]
    assert [f"{error.file}:{error.line}:{error.column}: {error.code}" for error in errors] == EXPECTED[name]
    # What is broken in one file is blamed on no other, and everybody is told what to write instead.
    assert [str(problem) for problem in problems if problem.file != name] == []
    assert [str(problem) for problem in problems if not problem.fix] == []
    assert {problem.code for problem in problems} <= set(CODES)


def test_what_is_found_in_a_file_is_found_again_the_next_time(found):
    # Mending must not touch the tree that is kept for the next time.
    files = {name: (FOLDER / name).read_text(encoding="utf-8") for name in JOURNEYS}
    assert [*map(str, found(**files))] == [*map(str, found(**files))]


@pytest.mark.parametrize(
    ("name", "code", "fix"),
    [
        ("step-another-word.journey.yaml", "E221", "choose"),
        ("event-in-curly-quotes.journey.yaml", "E206", "cart_updated"),
        ("enter-where-curly-quotes.journey.yaml", "E401", "straight quotes"),
        ("enter-where-properties.journey.yaml", "E402", "total, or event.properties.total"),
    ],
)
def test_what_other_tools_taught_an_author_is_met_with_our_word_for_it(name, code, fix, found):
    problems = found(**{name: (FOLDER / name).read_text(encoding="utf-8")})
    assert [(problem.code, problem.fix) for problem in problems if not problem.is_warning] == [(code, fix)]
