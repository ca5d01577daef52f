"""The bench of identity: every stream runs, and merges what it says."""

import json

from orchestrator.bench.identity import bench_identity, rows_of, text_of


def test_every_stream_runs_and_only_visitors_who_become_known_merge():
    costs = bench_identity(200)
    assert [(each.kind, each.merges) for each in costs] == [
        ("off", 0),
        ("direct", 0),
        ("linked", 0),
        ("looked_up", 0),
        ("many", 0),
        ("merges", 100),
    ]
    assert json.dumps(rows_of(costs))
    assert len(text_of(costs).splitlines()) == 8
