"""The Kafka bench on the real broker, with tiny numbers: that it runs, and that what it compares is equal."""

import json

import pytest
from typer.testing import CliRunner

from orchestrator.bench import app

TINY = ["--events", "2000", "--customers", "300", "--timers", "100", "--seconds", "1", "--rates", "50", "--json"]


@pytest.fixture
def bench(broker, pytestconfig):
    """Return what runs the bench on the session's broker, with the shop's journeys."""
    project = pytestconfig.rootpath / "journeys"

    def run(only: str) -> dict[str, list[dict[str, object]]]:
        given = ["kafka", *TINY, "--broker", broker.bootstrap_servers, "--project", str(project), "--only", only]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_way_to_run_a_worker_is_measured_beside_the_raw_limit(bench):
    figures = bench("throughput")
    rows = figures["throughput"]
    assert [row["kind"].split(",")[0] for row in rows[1:3]] == ["worker"] * 2
    assert all(row["events"] == 2004 and row["events_per_second"] > 0 and row["peak_bytes"] > 0 for row in rows)
    assert rows[0]["ratio_to_raw"] == 1
    off, every = rows[1:3]
    assert 0 < off["actions"] == off["expected_actions"] <= every["actions"] == every["expected_actions"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_other_figures_are_taken_and_only_when_asked_for(bench):
    figures = bench("latency,timers,restore,idle")
    assert set(figures) == {"machine", "latency", "timers", "restore", "idle"}
    assert [row["kind"] for row in figures["latency"]] == ["50 events/s, resolve off", "50 events/s, resolve on"]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] <= row["longest_ms"] for row in figures["latency"])
    assert figures["timers"][0]["visible_seconds"] >= figures["timers"][0]["first_seconds"] >= 0
    assert figures["restore"][0]["customers"] == 300
    assert figures["idle"][0]["commits"] > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_linking_and_merging_cost_is_measured_and_comes_to_what_the_memory_run_does(bench):
    figures = bench("linking,merging")
    off, on, direct, linked = figures["linking"]
    assert (off["speed_kept"], off["actions"]) == (1, on["actions"])
    assert all(0 < row["actions"] == row["expected_actions"] and row["speed_kept"] > 0 for row in (on, direct, linked))
    alone, beside = figures["merging"]
    assert (alone["merges"], alone["merged_after_ms"]) == (0, None)
    assert beside["merges"] == 2500
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in (alone, beside))
