"""The language reference: it leaves no key out, what it shows runs, and the page in journeys/ is the one it makes."""

from importlib.resources import as_file, files
from pathlib import Path

import pytest

from orchestrator.language import load, yaml
from orchestrator.language.definitions.steps import VERBS
from orchestrator.language.expressions.generation import FUNCTIONS
from orchestrator.language.nodes import Mapping, Node, Sequence
from orchestrator.language.reference import CALLS, CHAPTERS, all_shapes, handbook, page
from orchestrator.testing.examples import run_example

JOURNEYS = Path(__file__).resolve().parents[2] / "journeys"

with as_file(files("orchestrator.language") / "handbook") as folder:
    HANDBOOK = load(folder)
    FILES = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))


def _keys(node: Node) -> set[str]:
    if isinstance(node, Mapping):
        return set(node.values).union(*(_keys(inner) for inner in node.values.values()))
    return set().union(*(_keys(inner) for inner in node.items)) if isinstance(node, Sequence) else set()


def _shown(names: tuple[str, ...]) -> set[str]:
    return set().union(*(_keys(yaml.read(name, handbook(name))) for name in names or tuple(FILES)))


@pytest.mark.parametrize(
    ("journey", "example"),
    [
        pytest.param(name, example, id=f"{name}: {example.name}")
        for name, definition in HANDBOOK.definitions.items()
        for example in definition.examples
    ],
)
def test_what_the_handbook_shows_runs(journey, example):
    result = run_example(HANDBOOK, journey, example)
    assert result.passed, result.report()


def test_the_handbook_has_no_doubts():
    assert [str(warning) for warning in HANDBOOK.warnings] == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter[0])
def test_every_key_of_a_chapter_is_shown_in_it(chapter):
    _, names, shown = chapter
    keys = _shown(shown)
    lacking = {f"{name}.{key}" for name in names for key in all_shapes()[name]["properties"] if key not in keys}
    # What a package of one's own reads is shown, and run, in the README.
    assert {key for key in lacking if not key.endswith((".id", ".meta"))} - {"ModelDefinition.settings"} == set()


def test_every_shape_is_told_in_one_chapter():
    told = [name for _, names, _ in CHAPTERS for name in names]
    # The whole files are told by their names; `segments` is a map of what its chapter tells.
    whole = {"JourneyDefinition", "MessageDefinition", "ProjectDefinition", "segments"}
    assert len(told) == len(set(told))
    assert set(all_shapes()) - whole == set(told)


def test_every_file_of_the_handbook_is_shown_and_every_verb_has_its_chapter():
    shown = {file for _, _, files in CHAPTERS for file in files}
    assert shown == set(FILES)
    assert set(VERBS) <= {title for title, _, _ in CHAPTERS}


def test_every_function_is_told():
    assert set(CALLS) == {*FUNCTIONS, "count"}


def test_the_page_in_journeys_is_in_step():
    # Made anew by: orchestrator schema --markdown journeys > journeys/README.md
    assert (JOURNEYS / "README.md").read_text(encoding="utf-8") == page(load(JOURNEYS)).rstrip("\n") + "\n"
