"""The shop's own journeys: their examples hold, and everything that is decided in them can be told."""

from pathlib import Path

import pytest

from orchestrator.language import load
from orchestrator.model.decision import Verdict
from orchestrator.testing.examples import play, run_example
from orchestrator.views.graph import graph_of
from orchestrator.views.sentences import SENTENCES

JOURNEYS = Path(__file__).parents[2] / "journeys"


@pytest.fixture(scope="module")
def shop():
    return load(JOURNEYS)


@pytest.fixture(scope="module")
def examples(shop):
    return [(name, example) for name, definition in shop.definitions.items() for example in definition.examples]


def test_every_example_holds(shop, examples):
    results = [run_example(shop, name, example) for name, example in examples]
    assert [result.report() for result in results if not result.passed] == []
    assert len(results) >= len(shop.definitions)


def test_every_decision_has_a_sentence_of_its_own(shop, examples):
    decisions = {
        (decision.verdict, decision.reason)
        for name, example in examples
        for decision in play(shop, name, example).decisions
        if decision.verdict != Verdict.EXITED  # whose reasons are the author's own words
    }
    assert decisions - set(SENTENCES) == set()


def test_every_message_that_leaves_can_be_rendered(shop, examples):
    refused = [
        sending.refused
        for name, example in examples
        for sending in play(shop, name, example).timeline.sendings
        if sending.refused
    ]
    assert refused == []


def test_every_step_is_on_the_map(shop):
    for journey in shop.catalog.current:
        drawn = {node.id for node in graph_of(journey).nodes}
        assert drawn >= set(journey.steps), journey.id
