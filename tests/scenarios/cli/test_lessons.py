"""The events that `serve --try-out` shows: with them something happens."""

import json
import shlex

from orchestrator.cli import lessons
from orchestrator.language import load


def test_the_first_events_of_a_new_shop_bring_its_reminder(orchestrator, shop):
    words = shlex.split(lessons.command(load(shop), "http://127.0.0.1:8080", "KEY"))
    assert words[:4] == ["curl", "-u", "KEY:", "http://127.0.0.1:8080/v1/events"]
    (shop / "first.jsonl").write_text("\n".join(map(json.dumps, json.loads(words[-1]))))
    ended = orchestrator("run", shop, "--events", shop / "first.jsonl", "--drain")
    assert ended.code == 0, ended.err
    (action,) = map(json.loads, ended.out.splitlines())
    assert (action["message"], action["channel"], action["customer_id"]) == ("cart-reminder", "email", "ana")


def test_a_journey_without_examples_is_opened_with_its_key(shop):
    journey = shop / "abandoned-cart.journey.yaml"
    journey.write_text(journey.read_text().partition("# Tests that live")[0])
    assert lessons.events(load(shop))[-1] == {
        "type": "cart_updated", "customer_id": "ana", "properties": {"cart_id": "1"}
    }  # fmt: skip


def test_what_stands_in_an_example_is_quoted_for_the_shell(shop):
    journey = shop / "abandoned-cart.journey.yaml"
    journey.write_text(journey.read_text().replace("total: 40}}", 'total: 40, note: "it\'s"}}', 1))
    words = shlex.split(lessons.command(load(shop), "http://127.0.0.1:8080", "KEY"))
    assert json.loads(words[-1])[-1]["properties"]["note"] == "it's"


def test_where_no_event_opens_anything_a_customer_is_seen(shop):
    journey = shop / "abandoned-cart.journey.yaml"
    journey.write_text(journey.read_text().replace("status: live", "status: paused"))
    assert [event["type"] for event in lessons.events(load(shop))] == ["profile_updated", "consent_changed", "seen"]
