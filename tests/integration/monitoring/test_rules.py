"""The alert rules and the dashboards, before any process is scraped."""

import json
import random
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from integration.monitoring.programs import program
from orchestrator.errors import Bounced, Refused, TryLater
from orchestrator.runtime.delivery.lanes import Lanes, Route
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.roads import MessageRoad
from orchestrator.storage import Batch
from providers import action, preparer
from providers.deliveries import NOW_MS
from providers.outboxes import OutboxInMemory, ToldChannel
from providers.virtual_clock import VirtualClock

DEPLOY = Path(__file__).parents[3] / "deploy"
CONTRACT = {
    "orchestrator_events_total": {"type", "outcome"},
    "orchestrator_actions_total": {"journey", "channel"},
    "orchestrator_decisions_total": {"journey", "verdict", "reason"},
    "orchestrator_entries": {"journey"},
    "orchestrator_delivery_total": {"channel", "outcome"},
    "orchestrator_dead_letters_total": {"reason"},
    "orchestrator_coupons_left": {"coupon"},
    "orchestrator_case_claim_seconds": {"team"},
    "orchestrator_case_close_seconds": {"team"},
}


def _promtool(*arguments: str) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_and_its_rules_are_valid():
    _promtool("check", "config", "prometheus.yml")


def test_every_alert_fires_when_it_should_and_only_then():
    _promtool("test", "rules", "alerts.test.yml")


def test_every_alert_is_tried_out():
    alerts = re.findall(r"- alert: (\w+)", (DEPLOY / "prometheus" / "alerts.yml").read_text())
    tried = set(re.findall(r"alertname: (\w+)", (DEPLOY / "prometheus" / "alerts.test.yml").read_text()))
    assert alerts
    assert [alert for alert in alerts if alert not in tried] == []


async def test_alerts_ask_only_for_outcomes_that_delivery_counts():
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    asked = re.findall(r"orchestrator_delivery_total\{[^}]*outcome!?=~?\"([^\"]+)\"", rules)
    assert {each for words in asked for each in words.split("|")} <= await _outcomes()


async def _outcomes() -> set[str]:
    """Let a channel answer in every way that there is, and tell what delivery calls it."""
    clock, outbox, counted = VirtualClock(NOW_MS), OutboxInMemory(), set[str]()
    script = [None, Refused("no"), Bounced("gone", True), TypeError("a bug"), TryLater(None, "busy"), None]
    channel, prepare = ToldChannel(clock, *script), preparer()
    delivery = Lanes(
        {"email": Route(MessageRoad(channel, lambda: prepare), Manners(concurrency=1))},
        outbox,
        clock,
        dice=random.Random(1),
        observe=lambda lane, outcome, seconds: counted.add(outcome),
        fail=lambda error: pytest.fail(str(error)),
    )
    quiet = {"zone": "UTC", "windows": [{"from": "09:00", "to": "11:00"}]}
    outbox.put(*(action(number) for number in range(6)), action(6, message="unknown"), action(7, quiet=quiet))
    outbox.put(action(8, stale_after="1s"), action(9))
    outbox.store.commit(Batch(cancelled=[action(9).id]))
    await clock.advance(5_000)
    await delivery.start()
    await clock.advance(60_000)
    await delivery.stop(grace_seconds=0)
    return counted


@pytest.mark.parametrize("name", ["journeys", "operations"])
def test_a_dashboard_is_whole(name):
    board = json.loads((DEPLOY / "grafana" / "dashboards" / f"{name}.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert [panel["title"] for panel in board["panels"] if not panel["description"]] == []
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"prometheus"}


@pytest.mark.parametrize("name", ["journeys", "operations"])
def test_a_dashboard_groups_only_by_labels_that_exist(name):
    board = json.loads((DEPLOY / "grafana" / "dashboards" / f"{name}.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            for metric, labels in CONTRACT.items():
                if metric in target["expr"] and (by := re.search(r" by \(([a-z, ]+)\)", target["expr"])):
                    asked = {label.strip() for label in by[1].split(",")} - {"instance", "le"}
                    assert asked <= labels, target["expr"]


def test_compose_mounts_only_what_is_there():
    compose = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    folders = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert "../journeys" in folders
    assert [folder for folder in folders if not (DEPLOY / folder).exists()] == []


def test_compose_runs_two_workers_delivery_and_http_and_prometheus_finds_all_of_them():
    services = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services["worker"]["deploy"]["replicas"] == 2
    scrape = YAML(typ="safe").load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    searches = scrape["dns_sd_configs"]
    assert {name for search in searches for name in search["names"]} == {"worker", "deliver", "serve"} <= set(services)
    for search in searches:
        for name in search["names"]:
            assert services[name]["environment"]["ORCHESTRATOR_HTTP"].endswith(f":{search['port']}")


def test_compose_lets_those_who_make_links_and_those_who_answer_them_know_the_same():
    services = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())["services"]
    making, answering = services["deliver"]["environment"], services["serve"]["environment"]
    for name in ("ORCHESTRATOR_LINK_SECRET", "ORCHESTRATOR_PUBLIC_URL"):
        assert making[name] == answering[name]
