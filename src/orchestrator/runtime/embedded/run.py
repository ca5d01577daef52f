"""One run: from options to a summary.

Owns the order in which a run is set up, done and cleaned away. Must never print, nor end the process.
"""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator.language import Loaded
from orchestrator.model.catalog import Catalog
from orchestrator.runtime import faults
from orchestrator.runtime.embedded.outputs import STANDARD_OUTPUT, Outputs, targets_of
from orchestrator.runtime.embedded.processing import Processor
from orchestrator.runtime.embedded.reading import Feed, Inputs, Sorting
from orchestrator.runtime.embedded.sorting import MEMORY_BYTES
from orchestrator.runtime.embedded.summary import Progress, Summary
from orchestrator.runtime.versions import InForce, newer, take_up
from orchestrator.runtime.wall_clock import wall_clock_ms
from orchestrator.storage import MemoryStore, SqliteStore, Store

# Batches are large and change most pages of a small store: measured, with pages four times SQLite's own a third less
# CPU and half the wall time go into committing them.
PAGE_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What to run over, and where things go.

    `events` are files or `-`; `in_order` says that they are in time order already, one after the other.
    Without `actions` these go to standard output; without `decisions` or `dead_letters` those are only
    counted. Without `state` everything is kept in memory and gone at the end. `until_ms` moves the clock
    there once the input has ended, `drain` until nothing waits. `sort_memory_bytes` is what sorting may
    hold before it goes to disk.
    """

    events: Sequence[str]
    in_order: bool = False
    actions: Path | None = None
    decisions: Path | None = None
    dead_letters: Path | None = None
    state: Path | None = None
    until_ms: int | None = None
    drain: bool = False
    sort_memory_bytes: int = MEMORY_BYTES


def run_events(
    loaded: Loaded,
    options: RunOptions,
    *,
    progress: Callable[[Progress], None] | None = None,
    standard_output: BinaryIO | None = None,
) -> Summary:
    """Run events through a project's journeys, in event time, and say what came of it.

    Run again with the same `state` it goes on where it stopped, at whatever moment that was; the files
    it writes then hold each line once, standard output at least once. Customers inside a journey finish
    the version they entered, unless a newer one moves them; what is published to the state meanwhile is
    taken up between two batches. `progress` is called after every commit, and while sorting. Raises
    InputError for an input or output that cannot be used, StorageError for a state file that cannot, and
    NotToBePublished for journeys that may not take the place of those in force.
    """
    began = time.perf_counter()
    faults.arm_from(os.environ)
    store: Store = MemoryStore() if options.state is None else SqliteStore(options.state, page_bytes=PAGE_BYTES)
    with store, _collecting_seldom():
        summary = _run(take_up(loaded, store), options, store, progress, standard_output or sys.stdout.buffer)
    summary.seconds = time.perf_counter() - began
    return summary


def _run(
    in_force: InForce,
    options: RunOptions,
    store: Store,
    progress: Callable[[Progress], None] | None,
    standard_output: BinaryIO,
) -> Summary:
    durable = options.state is not None
    named = {"actions": options.actions, "decisions": options.decisions, "dead_letters": options.dead_letters}
    targets = targets_of(named, options.events)
    targets.setdefault("actions", STANDARD_OUTPUT)

    def report(processor: Processor, feed: Feed | None) -> None:
        if progress is not None:
            fraction = 1.0 if feed is None else feed.fraction()
            progress(Progress(processor.records, processor.clock_ms, fraction))

    inputs = Inputs(options.events, in_order=options.in_order, store=store if durable else None)
    try:
        outputs = Outputs(store, list(targets.values()), standard_output, durable=durable)
        try:
            processor = Processor(
                in_force.catalog,
                store,
                outputs,
                targets,
                keeps_decisions=durable,
                report=report,
                newer=_Follower(store, in_force.revision).newer,
            )
            processor.settle()
            sorting = Sorting(options.sort_memory_bytes, lambda feed: report(processor, feed))
            for feed in inputs.feeds(wall_clock_ms, sorting):
                processor.run(feed)
            if options.until_ms is not None:
                processor.wake_until(options.until_ms)
            if options.drain:
                processor.drain()
            return processor.finish()
        finally:
            outputs.close()
    finally:
        inputs.close()


class _Follower:
    """Looks whether anything has been published since the last look."""

    def __init__(self, store: Store, revision: int) -> None:
        self._store = store
        self._revision = revision

    def newer(self) -> Catalog | None:
        found = newer(self._store, self._revision)
        if found is None:
            return None
        self._revision = found.revision
        return found.catalog


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Let the cycle collector alone with what stands, and call it less often, while the loop runs.

    Records, events and lines hold no cycles, and go when they are done with; but the collector walks
    all that live each time so many more have come than gone: measured, a tenth of the run.
    """
    threshold = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()
