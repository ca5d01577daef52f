"""The benchmark of runs: always the same workload, and figures that hang together."""

import json
import os
import platform
from collections import Counter

from typer.testing import CliRunner

from orchestrator.bench import app
from orchestrator.bench.measuring import Measured
from orchestrator.bench.run import rows_of, text_of
from orchestrator.bench.table import table
from orchestrator.bench.workload import SOURCES_WITH_POLICIES, write_events
from orchestrator.language import compile_sources
from orchestrator.runtime.embedded import RunOptions, run_events


def test_the_same_numbers_make_the_same_events(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        write_events(path, 3000)
    assert first.read_bytes() == second.read_bytes()
    events = [json.loads(line) for line in first.read_bytes().splitlines()]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    share = sum(event["type"] == "page_viewed" for event in events) / len(events)
    assert 0.65 < share < 0.75
    assert len({event["customer_id"] for event in events}) <= 300


def test_each_figure_stands_beside_plain_reading():
    measured = [Measured("read", 1000, 0.5, 0.4, 10), Measured("memory", 1000, 4.0, 3.5, 20, 5, 9)]
    assert rows_of(measured)[1] == {
        "kind": "memory",
        "events": 1000,
        "events_per_second": 250,
        "ratio": 8.0,
        "cpu_seconds_per_million": 3500.0,
        "peak_bytes": 20,
        "actions": 5,
        "decisions": 9,
    }


def test_a_table_is_as_wide_as_its_cells():
    assert table(["", "n"], [["one", "1"], ["three", "1,000"]]).splitlines() == [
        "|       |     n |",
        "| :---- | ----: |",
        "| one   |     1 |",
        "| three | 1,000 |",
    ]


def test_bench_run_measures_reading_memory_and_sqlite():
    result = CliRunner().invoke(app, ["run", "--events", "2000", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["kind"] for row in rows] == ["read", "memory", "twice", "policies", "sqlite"]
    assert [row["events"] for row in rows] == [2000, 2000, 4000, 2000, 2000]
    memory, policies, sqlite = rows[1], rows[3], rows[4]
    assert memory["actions"] == sqlite["actions"] > 0
    assert memory["decisions"] == sqlite["decisions"] > 0
    assert policies["decisions"] > memory["decisions"]
    assert policies["speed_kept"] > 0


def test_figures_for_people_stand_below_what_they_were_taken_on():
    result = CliRunner().invoke(app, ["identity", "--events", "2000"])
    assert result.exit_code == 0, result.output
    told = result.stdout.splitlines()[0]
    assert told.startswith(f"{os.cpu_count()} processors, load average ")
    assert f", Python {platform.python_version()} configured with" in told


def test_twice_the_events_are_of_no_more_customers(tmp_path):
    write_events(tmp_path / "twice.jsonl", 4000, 200)
    customers = {json.loads(line)["customer_id"] for line in (tmp_path / "twice.jsonl").read_bytes().splitlines()}
    assert len(customers) == 200


def test_the_workload_with_policies_meets_every_kind_of_refusal(tmp_path):
    """Else the row would measure policies that nobody is asked about."""
    write_events(tmp_path / "events.jsonl", 20_000)
    files = {"actions": tmp_path / "actions.jsonl", "decisions": tmp_path / "decisions.jsonl"}
    run_events(compile_sources(SOURCES_WITH_POLICIES), RunOptions(events=[str(tmp_path / "events.jsonl")], **files))
    decided = [json.loads(line) for line in files["decisions"].read_bytes().splitlines()]
    reasons = Counter(one["reason"] for one in decided if one["verdict"] in ("sent", "held", "suppressed"))
    assert set(reasons) == {"allowed", "holdout", "cap_reached", "quiet_hours"}


def test_the_speed_that_policies_leave_is_told():
    measured = [
        Measured(kind, 1000, seconds, 0.4, 10) for kind, seconds in [("read", 1), ("memory", 4), ("policies", 5)]
    ]
    assert rows_of(measured)[2]["speed_kept"] == 0.8
    assert text_of(measured).endswith("With policies 80 % of the speed is kept.")
