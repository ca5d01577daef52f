"""The benchmark of runs: always the same workload, and figures that hang together."""

import json

from typer.testing import CliRunner

from orchestrator.bench import app
from orchestrator.bench.measuring import Measured
from orchestrator.bench.run import rows_of
from orchestrator.bench.table import table
from orchestrator.bench.workload import write_events


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
    assert [row["kind"] for row in rows] == ["read", "memory", "sqlite"]
    assert [row["events"] for row in rows] == [2000, 2000, 2000]
    assert rows[1]["actions"] == rows[2]["actions"] > 0
    assert rows[1]["decisions"] == rows[2]["decisions"] > 0
