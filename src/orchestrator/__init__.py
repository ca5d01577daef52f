"""A customer-journey engine: events in, the right message at the right moment out.

Owns the package's version. Must never import anything: `orchestrator --help` pays for every import made here.
"""

__version__ = "0.1.0"
