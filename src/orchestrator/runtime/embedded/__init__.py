"""The embedded runtime: events out of files through the journeys into files, on a store in this process.

    summary = run_events(loaded, RunOptions(events=["events.jsonl"], actions=Path("actions.jsonl")))

Owns the `run` pipeline. Follow one event: `inputs` opens its file and knows it again, `sources` cuts
out its line, `sorting` puts it in time order, `reading` knows how far that has come, `processing` wakes
who is due before it and takes it through its turn, `outputs` commits and writes what came of it.
Must never read a wall clock for anything but the arrival of an event without a time.
"""

from orchestrator.runtime.embedded.run import RunOptions, run_events
from orchestrator.runtime.embedded.summary import Progress, Summary

__all__ = ["Progress", "RunOptions", "Summary", "run_events"]
