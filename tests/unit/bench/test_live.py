"""The benchmarks of the live service: they measure what they say, and their figures hang together."""

import json

import pytest
from typer.testing import CliRunner

from orchestrator.bench import app
from orchestrator.bench.live.figures import Taken, rows_of_delivered, rows_of_taken, text_of_delivered
from orchestrator.bench.measuring import Measured


def test_each_delivery_stands_beside_its_bare_library():
    measured = [
        Measured("smtp-bare", 100, 0.5, 0.1, 10),
        Measured("smtp", 100, 2.0, 0.4, 20),
        Measured("http-bare", 100, 0.25, 0.1, 10),
        Measured("http", 100, 1.0, 0.3, 20),
    ]
    rows = rows_of_delivered(measured)
    assert [row["ratio"] for row in rows] == [1.0, 4.0, 1.0, 4.0]
    assert rows[1]["messages_per_second"] == 50
    assert rows[1]["cpu_ms_a_message"] == 4.0


def test_memory_is_told_along_the_way():
    measured = [
        Measured("http-bare", 100, 0.25, 0.1, 10),
        Measured("http-memory", 100, 1.0, 0.3, 20, resident_bytes=[19_000_000, 20_000_000]),
    ]
    bare, held = rows_of_delivered(measured)
    assert (held["ratio"], held["resident_bytes"]) == (4.0, [19_000_000, 20_000_000])
    assert "resident_bytes" not in bare
    assert text_of_delivered(measured).splitlines()[-1] == "resident MB after each tenth: 19, 20"


def test_what_was_taken_tells_what_was_offered():
    [row] = rows_of_taken([Taken("single", 1000, 0.5, 1.25, 9.0, 0.1, 10, offered=2000.0)])
    assert row == {
        "kind": "single",
        "events": 1000,
        "offered_per_second": 2000,
        "events_per_second": 2000,
        "median_ms": 1.25,
        "p99_ms": 9.0,
    }


@pytest.mark.slow
def test_bench_deliver_hands_every_message_over():
    result = CliRunner().invoke(app, ["deliver", "--messages", "200", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["kind"] for row in rows] == ["smtp-bare", "smtp", "http-bare", "http"]
    assert [row["messages"] for row in rows] == [200] * 4


@pytest.mark.slow
def test_bench_deliver_tells_its_memory_after_each_tenth():
    result = CliRunner().invoke(app, ["deliver", "--messages", "100", "--memory", "--json"])
    assert result.exit_code == 0, result.output
    bare, held = json.loads(result.stdout)
    assert (bare["kind"], held["kind"], held["messages"]) == ("http-bare", "http-memory", 100)
    assert len(held["resident_bytes"]) == 10
    assert min(held["resident_bytes"]) > 1_000_000


@pytest.mark.slow
def test_bench_ingest_has_every_event_accepted():
    result = CliRunner().invoke(app, ["ingest", "--events", "2000", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["kind"] for row in rows] == ["asking", "single", "single", "batch", "batch"]
    assert rows[3]["events"] == 2000
