"""The language as authors meet it: a project whose journeys each try one chapter, by the runner that authors use."""

from pathlib import Path

import pytest

from orchestrator.language import load
from orchestrator.language.definitions.steps import VERBS
from orchestrator.testing.examples import run_example
from orchestrator.views.graph import graph_of

CHAPTERS = load(Path(__file__).parent / "language")


@pytest.mark.parametrize(
    ("journey", "example"),
    [
        pytest.param(name, example, id=f"{name}: {example.name}")
        for name, definition in CHAPTERS.definitions.items()
        for example in definition.examples
    ],
)
def test_the_language_means_what_it_says(journey, example):
    result = run_example(CHAPTERS, journey, example)
    assert result.passed, result.report()


def test_every_chapter_has_examples():
    assert [name for name, definition in CHAPTERS.definitions.items() if not definition.examples] == []


def test_a_map_calls_the_verbs_what_authors_call_them():
    drawn = {node.verb.replace(" ", "_") for journey in CHAPTERS.catalog.current for node in graph_of(journey).nodes}
    assert drawn - {"enter", "completed"} == set(VERBS)
