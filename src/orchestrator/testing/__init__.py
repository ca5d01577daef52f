"""What authors and tests use to try journeys: examples on a virtual clock, and a Kafka to break (`brokers`, `streams`).

Owns running `examples:` with the production engine and telling the first difference.
Must never carry semantics of its own: what holds here holds in production, because it is the same code.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.testing.clock import VirtualClock
    from orchestrator.testing.examples import ExampleResult, run_example, run_examples

__all__ = ["ExampleResult", "VirtualClock", "run_example", "run_examples"]

_HOMES = {
    "ExampleResult": "orchestrator.testing.examples",
    "VirtualClock": "orchestrator.testing.clock",
    "run_example": "orchestrator.testing.examples",
    "run_examples": "orchestrator.testing.examples",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: pytest loads the plugin beside this file, and with it this package, everywhere.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
