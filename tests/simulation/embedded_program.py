"""The run pipeline as processes of their own, to be killed: `python embedded_program.py SOURCES`, the project as JSON.

Each line of standard input holds the options of one run, and the fault to die of. For each a process is forked, so
that only the first pays for imports; its id is printed when it starts, its exit code when it has ended.
Must never catch what a run raises but to say so and fail: how it ends is what the test looks at.
"""

import json
import os
import sys
import traceback
from pathlib import Path

from orchestrator.language import Loaded, compile_sources
from orchestrator.runtime import faults
from orchestrator.runtime.embedded import RunOptions, processing, run_events

# Small, so that a short run holds many commits to die in.
processing.BATCH_RECORDS = 300
processing.BATCH_TURNS = 100


def _run(loaded: Loaded, line: str) -> None:
    command = json.loads(line)
    os.environ[faults.VARIABLE] = command.pop("fault")
    for name in ("actions", "decisions", "dead_letters", "state"):
        command[name] = Path(command[name])
    run_events(loaded, RunOptions(**command))


def _run_and_end(loaded: Loaded, line: str) -> None:
    """Run in a process that ends here, whatever happens."""
    code = 1
    try:
        _run(loaded, line)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it must not go on as a second parent
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    """Start one run after the other, as standard input asks for them."""
    loaded = compile_sources(json.loads(sys.argv[1]))
    for line in sys.stdin:
        process_id = os.fork()
        if process_id == 0:
            _run_and_end(loaded, line)
        print(process_id, flush=True)  # noqa: T201
        print(os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
