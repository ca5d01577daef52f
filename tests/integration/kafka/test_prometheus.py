"""A real Prometheus beside a worker and a door that run: what dashboards and alerts ask for is what it finds."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from integration.monitoring.programs import program
from orchestrator.testing.brokers.guarded_process import free_ports

DEPLOY = Path(__file__).parents[3] / "deploy"
# Delivery is another process, which alone knows pools of coupons; and what has not gone wrong has not been counted.
# Each is declared all the same.
NOT_COUNTED_YET = {
    "orchestrator_dead_letters_total",
    "orchestrator_incarnations_ended_total",
    "orchestrator_delivery_total",
    "orchestrator_delivery_seconds_bucket",
    "orchestrator_coupons",
    "orchestrator_coupons_left",
    "orchestrator_case_claim_seconds_bucket",
    "orchestrator_case_close_seconds_bucket",
    "orchestrator_case_close_seconds_count",
}
CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: orchestrator
    static_configs: [{{targets: {targets}}}]
"""


def _questions() -> list[str]:
    """Collect every expression that a dashboard asks, its variables filled in as Grafana would."""
    boards = [json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))]
    asked = [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]
    listed = [each["query"]["query"] for board in boards for each in board["templating"]["list"]]
    asked += [re.sub(r"label_values\((\w+), \w+\)", r"\1", query) for query in listed]
    return [expr.replace("$__rate_interval", "10s").replace("$journey", ".*") for expr in asked]


def _named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:orchestrator|process)_\w+", text))


class Prometheus:
    """A running Prometheus, asked over its own HTTP interface."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def ask(self, path: str, **parameters: str) -> Any:
        async with self._session.get(f"http://{self._address}/api/v1/{path}", params=parameters) as answer:
            told = await answer.json()
        assert told["status"] == "success", told
        return told["data"]

    async def until(self, expr: str, longest_s: float = 90) -> None:
        """Ask again and again until an expression has a result."""
        async with asyncio.timeout(longest_s):
            while True:
                try:
                    if (await self.ask("query", query=expr))["result"]:
                        return
                except (aiohttp.ClientConnectionError, aiohttp.ContentTypeError):
                    pass  # it does not listen yet, or says in words that it is not ready
                await asyncio.sleep(0.2)


@pytest.fixture
async def prometheus(shop, a_day, one_event, tmp_path) -> AsyncIterator[Prometheus]:
    """Return a Prometheus that scrapes a door, and a worker that has a day's events behind it and a customer inside."""
    executable = program("prometheus")
    await shop.receive(a_day(2000, seed=5))
    await shop.receive([one_event(int(time.time() * 1000), "now", "cart_updated", "somebody", 50.0)])
    worker_port, port = free_ports(2)
    shop.start_worker(HTTP=f"127.0.0.1:{worker_port}")
    door = await shop.open_door()
    targets = json.dumps([f"127.0.0.1:{worker_port}", door.url.removeprefix("http://")])
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.format(rules=DEPLOY / "prometheus" / "alerts.yml", targets=targets))
    address = f"127.0.0.1:{port}"
    options = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(executable, *options, stdout=log, stderr=log)
    try:
        async with aiohttp.ClientSession() as session:
            running = Prometheus(session, address)
            await shop.drained()
            await running.until('sum(orchestrator_events_total{job="orchestrator",outcome="applied"}) > 500')
            await running.until('orchestrator_entries{journey="abandoned-cart"} >= 1')
            await running.until('count(up{job="orchestrator"} == 1) == 2')
            yield running
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_metric_that_a_dashboard_or_an_alert_names_is_there(prometheus):
    asked = _named("\n".join([*_questions(), (DEPLOY / "prometheus" / "alerts.yml").read_text()]))
    collected = set(await prometheus.ask("label/__name__/values"))
    assert asked - collected <= NOT_COUNTED_YET
    declared = await prometheus.ask("targets/metadata")
    kinds = {each["metric"]: each["type"] for each in declared}
    for name in asked - collected:
        histogram = name.removesuffix("_bucket").removesuffix("_count")
        assert kinds.get(name) in ("counter", "gauge") or kinds.get(histogram) == "histogram", name


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_prometheus_answers_every_question_and_evaluates_every_rule(prometheus):
    for expr in _questions():
        await prometheus.ask("query", query=expr)
    await prometheus.until('ALERTS or on() (up{job="orchestrator"} == 1)')
    rules = [rule for group in (await prometheus.ask("rules"))["groups"] for rule in group["rules"]]
    assert rules
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
