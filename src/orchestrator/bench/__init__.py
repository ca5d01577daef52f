"""Benchmarks of the product itself, for whoever wants to know how fast it is on their machine.

Owns the workloads, how they are measured, and the form of the results. Must never be imported by
anything that is measured, nor judge a result: it prints figures.
"""

from orchestrator.bench.app import EXAMPLES, app

__all__ = ["EXAMPLES", "app"]
