"""A Kafka application under test: events loaded, workers run as processes of their own, what was committed read back.

Owns what tests, `make chaos` and `bench kafka` share beyond the broker. Must never hold semantics: what is expected
comes from the simulated runtime, which runs the production engine.
"""

from orchestrator.testing.streams.expectation import Expected, expected_of
from orchestrator.testing.streams.process import WorkerProcess
from orchestrator.testing.streams.topics import Loaded, committed, latest_by_key, load, whole_ends

__all__ = ["Expected", "Loaded", "WorkerProcess", "committed", "expected_of", "latest_by_key", "load", "whole_ends"]
