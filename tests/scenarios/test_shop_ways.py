"""The examples of the shop's journeys leave no step and no way on untried."""

import re
from functools import cache
from pathlib import Path

import pytest

from orchestrator.language import Loaded, load
from orchestrator.language.definitions.example import Example
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.journey import Journey
from orchestrator.testing.examples import play
from orchestrator.testing.played import Played
from ways import ways_of, ways_taken

JOURNEYS = Path(__file__).resolve().parents[2] / "journeys"
NAMES = sorted(file.name.removesuffix(".journey.yaml") for file in JOURNEYS.glob("*.journey.yaml"))


@cache
def shop() -> Loaded:
    return load(JOURNEYS)


def journey_of(name: str) -> Journey:
    return next(journey for journey in shop().catalog.current if journey.id == name)


def examples_of(name: str) -> list[Example]:
    return list(shop().definitions[name].examples)


@cache
def played(name: str) -> tuple[Played, ...]:
    return tuple(play(shop(), name, example) for example in examples_of(name))


def test_the_shop_has_the_journeys_that_a_shop_needs():
    assert set(NAMES) == {
        *("abandoned-cart", "welcome-series", "browse-abandonment", "birthday", "price-drop"),
        *("post-purchase", "delivery-updates", "returns", "warranty", "back-in-stock"),
        *("unhappy-comment", "recommendation", "after-support", "store-visit", "double-opt-in"),
        *("win-back", "vip-club", "churn-risk"),
    }


def test_every_journey_is_live_and_nothing_is_warned_about():
    assert {journey.id: journey.status for journey in shop().catalog.current} == dict.fromkeys(NAMES, "live")
    assert list(shop().warnings) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_leave_no_way_untried(name):
    journey = journey_of(name)
    taken = set().union(*(ways_taken(journey, example.own) for example in played(name)))
    assert ways_of(journey) - taken == set()


@pytest.mark.parametrize("name", NAMES)
def test_without_some_example_a_way_would_be_untried(name):
    journey = journey_of(name)
    taken = [ways_taken(journey, example.own) for example in played(name)]
    others = [set().union(*taken[:number], *taken[number + 1 :]) for number in range(len(taken))]
    assert any(ways_of(journey) - ways for ways in others)


def test_the_examples_show_every_reason_not_to_send():
    reasons = {
        Reason(decision.reason)
        for name in NAMES
        for example in played(name)
        for decision in example.with_verdict(Verdict.SUPPRESSED, Verdict.HELD)
    }
    assert reasons == {
        *(Reason.UNREACHABLE, Reason.NO_CONSENT, Reason.CASE_OPEN),
        *(Reason.CAP_REACHED, Reason.QUIET_HOURS, Reason.EXPIRED, Reason.NO_COUPON),
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_examples_are_sentences_that_occur_once(name):
    names = [example.name for example in examples_of(name)]
    assert len(names) == len(set(names))
    assert [one for one in names if len(one.split()) < 4] == []


def test_every_file_names_its_schema_for_editors():
    for file in sorted(JOURNEYS.rglob("*.yaml")):
        kind = file.name.split(".")[-2]
        kind = kind if kind in ("journey", "message", "segments") else "project"
        first = file.read_text(encoding="utf-8").splitlines()[0]
        found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert found is not None, file.name
        schema = (file.parent / found[1]).resolve()
        assert schema == JOURNEYS.parent / "schemas" / f"{kind}.schema.json"
        assert schema.is_file(), file.name
