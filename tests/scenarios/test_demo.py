"""The demo's day tells the story that the README promises."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.language import load
from orchestrator.model import ids
from orchestrator.runtime.embedded import RunOptions, run_events

JOURNEYS = Path(__file__).resolve().parents[2] / "journeys"

Told = list[tuple[str, str, str | None]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Told]:
    """Run the demo once; tell of a customer and a journey: (verdict, reason, channel), waits and branches left out."""
    folder = tmp_path_factory.mktemp("demo")
    options = RunOptions(
        events=[str(JOURNEYS / "demo-events.jsonl")],
        actions=folder / "actions.jsonl",
        decisions=folder / "decisions.jsonl",
        dead_letters=folder / "dead-letters.jsonl",
    )
    summary = run_events(load(JOURNEYS), options)
    assert dict(summary.events) == {"applied": 35, "duplicate": 1, "ignored": 0}
    assert dict(summary.dead_letters) == {}
    lines = (folder / "decisions.jsonl").read_bytes().splitlines()
    decisions: list[dict[str, Any]] = [msgspec.json.decode(line) for line in lines]

    def of(customer: str, journey: str) -> Told:
        profile_id = ids.profile_id_of("customer_id", customer)
        return [
            (one["verdict"], one["reason"], one["saw"].get("channel"))
            for one in decisions
            if (one["profile_id"], one["journey"]) == (profile_id, journey)
            and one["verdict"] not in ("waited", "resumed", "branched")
        ]

    return of


def test_ana_is_reminded_once_and_not_written_to_again_that_day(told):
    assert told("ana", "abandoned-cart") == [
        ("entered", "event", None),
        ("not_entered", "already_inside", None),
        ("sent", "allowed", "email"),
    ]
    assert told("ana", "price-drop") == [
        ("entered", "event", None),
        ("suppressed", "no_consent", "push"),
        ("suppressed", "cap_reached", "email"),
        ("exited", "not_reached", None),
    ]


def test_ben_bought_in_time_and_is_told_about_his_order_instead(told):
    assert told("ben", "abandoned-cart") == [
        ("entered", "event", None),
        ("converted", "goal", None),
        ("exited", "bought", None),
    ]
    assert told("ben", "post-purchase") == [("entered", "event", None), ("sent", "allowed", "email")]
    assert told("ben", "delivery-updates") == [
        ("entered", "event", None),
        ("sent", "allowed", "email"),
        ("sent", "allowed", "push"),
        ("sent", "allowed", "push"),
        ("exited", "completed", None),
    ]


def test_carla_never_agreed(told):
    assert told("carla", "abandoned-cart") == [
        ("entered", "event", None),
        ("suppressed", "no_consent", "email"),
        ("suppressed", "no_consent", "push"),
        ("exited", "not_reached", None),
    ]


def test_diego_is_reminded_in_the_morning(told):
    assert told("diego", "abandoned-cart") == [
        ("entered", "event", None),
        ("suppressed", "unreachable", "push"),
        ("held", "quiet_hours", "email"),
        ("sent", "allowed", "email"),
    ]


def test_eva_emptied_her_cart(told):
    assert told("eva", "abandoned-cart") == [
        ("entered", "event", None),
        ("exited", "emptied", None),
        ("not_entered", "condition_false", None),
    ]
