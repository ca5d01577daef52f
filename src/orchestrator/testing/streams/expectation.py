"""What a stream of events must come to: the simulated runtime, over each partition's records in their order.

Owns the comparison's other side: one process, in memory, nothing that could fail. Must never look at what the workers
under test wrote.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from orchestrator.errors import EventError
from orchestrator.model import envelopes
from orchestrator.model.catalog import Catalog
from orchestrator.runtime.simulated import SimulatedRuntime
from orchestrator.testing.streams.topics import Loaded

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Expected:
    """Actions and decisions as lines, sorted; the final record of each profile.

    A line may stand here twice: a refused entry leaves no trace in the state, so an event that comes twice is refused
    twice, in the same words.
    """

    actions: list[bytes]
    decisions: list[bytes]
    records: dict[str, bytes]
    dead_letters: int


def expected_of(catalog: Catalog, records: Iterable[Loaded]) -> Expected:
    """Run the records through the engine, each partition on a clock of its own, as Kafka's partitions are."""
    runtimes: dict[int, SimulatedRuntime] = defaultdict(lambda: SimulatedRuntime(catalog, 0))
    dead = 0
    for record in records:
        try:
            event = envelopes.read(record.value or b"", record.timestamp)
            runtimes[record.partition].receive(event)
        except EventError:
            dead += 1
    turns = [happened.turned for runtime in runtimes.values() for happened in runtime.history]
    return Expected(
        actions=sorted(_encode(action) for turned in turns for action in turned.actions),
        decisions=sorted(_encode(decision) for turned in turns for decision in turned.decisions),
        records={who: kept for runtime in runtimes.values() for who, kept in runtime.records().items()},
        dead_letters=dead,
    )
