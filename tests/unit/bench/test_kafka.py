"""The parts of the Kafka bench that need no broker: what it loads, how it reads histograms, how it tells results."""

import json
from collections import Counter
from math import inf

import pytest
from typer.testing import CliRunner

from orchestrator.bench import app
from orchestrator.bench.kafka import report, workload
from orchestrator.bench.kafka.draining import Drained, Look, rate_of
from orchestrator.bench.kafka.histograms import at_most, buckets, since
from orchestrator.bench.kafka.latency import Latency, quantile
from orchestrator.model import instants
from orchestrator.runtime.kafka.keys import partition_of

BEGIN_MS = 1_700_006_400_000


def test_the_same_numbers_make_the_same_day():
    assert list(workload.day(500, 4, BEGIN_MS)) == list(workload.day(500, 4, BEGIN_MS))
    assert list(workload.day(500, 4, BEGIN_MS, seed=1)) != list(workload.day(500, 4, BEGIN_MS))


def test_a_day_has_its_shares_and_its_customers_and_ends_with_a_word_for_each_partition():
    *records, first, second, third, fourth = workload.day(5000, 4, BEGIN_MS)
    events = [json.loads(value) for _, _, _, value in records]
    kinds = Counter(event["type"] for event in events)
    assert {kind: round(count / 5000, 1) for kind, count in kinds.items()} == {
        "page_viewed": 0.7,
        "cart_updated": 0.2,
        "order_placed": 0.1,
    }
    assert len({event["customer_id"] for event in events}) <= workload.customers_of(5000) == 500
    assert [partition for partition, *_ in (first, second, third, fourth)] == [0, 1, 2, 3]
    last_timer_ms = max(at for _, at, _, _ in records) + 2 * instants.DAY_MS
    assert all(at > last_timer_ms for _, at, _, _ in (first, second, third, fourth))


def test_every_record_lies_where_its_key_belongs_at_its_own_time():
    made = [
        *workload.people(50, 4, BEGIN_MS),
        *workload.day(200, 4, BEGIN_MS),
        *workload.carts(50, 4, BEGIN_MS, BEGIN_MS),
    ]
    for partition, at_ms, key, value in made:
        event = json.loads(value)
        assert (event["customer_id"].encode(), event["time"]) == (key, at_ms)
        assert partition == partition_of(key, 4)


def test_the_events_of_a_day_have_ids_of_their_own_and_are_in_order():
    events = [json.loads(value) for _, _, _, value in workload.day(1000, 4, BEGIN_MS)]
    assert len({event["id"] for event in events}) == len(events)
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)


def test_peers_are_given_the_same_day_under_their_own_names():
    ours = list(workload.day(300, 4, BEGIN_MS))
    theirs = list(workload.for_kafka_streams(300, 4, BEGIN_MS))
    assert [record[:3] for record in theirs] == [record[:3] for record in ours]
    for (*_, our), (*_, their) in zip(ours, theirs, strict=True):
        event, peer = json.loads(our), json.loads(their)
        assert set(peer) == {"id", "type", "customer_id", "ts", "properties"}
        assert peer["ts"] * 1000 == pytest.approx(event["time"])
        assert peer["properties"]["cart_value"] == event["properties"].get("total", 0)
    assert sum(json.loads(value)["type"] == "sentinel" for *_, value in theirs) == 4


def test_one_event_in_ten_of_a_steady_stream_is_answered():
    kinds = Counter(json.loads(workload.order(number, BEGIN_MS, 4)[3])["type"] for number in range(100))
    assert kinds == {"page_viewed": 70, "cart_updated": 20, "order_placed": 10}


def test_carts_are_spread_evenly():
    assert [at for _, at, _, _ in workload.carts(4, 4, 1000, 2000)] == [1000, 1250, 1500, 1750]


TEXT = """\
# TYPE commit_seconds histogram
commit_seconds_bucket{le="0.1"} 5.0
commit_seconds_bucket{le="0.5"} 9.0
commit_seconds_bucket{le="+Inf"} 10.0
commit_seconds_count 10.0
commit_seconds_sum 3.0
# EOF
"""


def test_a_quantile_is_its_bucket_s_upper_bound():
    observed = buckets(TEXT, "commit_seconds")
    assert observed == {0.1: 5, 0.5: 9, inf: 10}
    assert [at_most(observed, share) for share in (0.5, 0.9, 1.0)] == [0.1, 0.5, inf]


def test_only_what_came_between_two_looks_counts():
    observed = since({0.1: 5, 0.5: 9, inf: 10}, {0.1: 5, 0.5: 12, inf: 13})
    assert at_most(observed, 0.01) == 0.5
    assert at_most(since(observed, observed), 0.5) is None


def test_a_rate_runs_from_the_first_look():
    assert rate_of(Look(10.0, 1000, 1.0), Look(12.0, 5000, 2.0)) == 2000
    assert rate_of(Look(10.0, 1000, 1.0), Look(10.0, 1000, 1.0)) == 0


def test_a_quantile_of_values_is_one_of_them():
    assert [quantile([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 3.0, 4.0, 4.0]


ROW = Drained("worker", 1000, 500.0, 400.0, 600.0, 7.04, 90_000_000, 1.5, 0.25, 12, 13)
ABOUT = {
    "processors": 2,
    "load_average": [1.0, 2.0, 3.0],
    "python": "3.11.9",
    "python_optimised": True,
    "broker": "maven",
}


def test_figures_are_told_as_tables():
    told = report.text_of({"throughput": [ROW], "latency": [Latency("1,000 events/s", 1000, 5, 1.4, 2.6, 3.0)]}, ABOUT)
    about, _, head, _, row, _, *latency = told.splitlines()
    assert about == (
        "2 processors, load average 1.0 2.0 3.0, Python 3.11.9 configured with --enable-optimizations, broker maven"
    )
    cells = dict(zip(*([cell.strip() for cell in line.split("|")[1:-1]] for line in (head, row)), strict=True))
    assert cells == {
        "throughput": "worker",
        "events": "1,000",
        "events/s": "500",
        "of raw": "0.25",
        "from cold": "400",
        "2nd half": "600",
        "CPU s/M": "7.0",
        "peak MB": "90",
        "ready s": "1.5",
        "actions": "12",
        "memory run": "13",
    }
    assert latency == [
        "| latency        | actions | p50 ms | p99 ms | longest ms |",
        "| :------------- | ------: | -----: | -----: | ---------: |",
        "| 1,000 events/s |       5 |      1 |      3 |          3 |",
    ]


def test_figures_are_told_to_programs():
    told = report.rows_of({"throughput": [ROW]}, ABOUT)
    assert told["machine"] == ABOUT
    assert told["throughput"][0]["ratio_to_raw"] == 0.25


def test_a_figure_that_does_not_exist_is_refused_with_those_that_do():
    result = CliRunner().invoke(app, ["kafka", "--only", "speed"])
    assert result.exit_code == 2
    assert "throughput, latency, timers, restore" in " ".join(result.output.split())
