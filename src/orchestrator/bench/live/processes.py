"""Processes of our own beside the measured one.

Owns their beginning and end: whatever happens to the benchmark, they end with it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def beside(*module: str, settings: Mapping[str, str] | None = None, announces: str = "") -> Iterator[str]:
    """Run `python -m module…`; give the first line of its output, or of its errors that holds `announces`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(settings or {})}
    errors = subprocess.PIPE if announces else None
    process = subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, "-m", *module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
        text=True,
    )
    try:
        yield _told(process, announces)
    finally:
        process.terminate()
        process.communicate()


def _told(process: "subprocess.Popen[str]", announces: str) -> str:
    for line in (process.stderr if announces else process.stdout) or ():
        if announces in line:
            return line.strip()
    raise RuntimeError(f"{process.args!r} ended before it said anything")
