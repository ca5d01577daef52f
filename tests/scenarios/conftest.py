"""The command line as people and programs meet it: arguments, two outputs and an exit code, in a process or without.

Without one is cheaper by all imports; each command runs as a process of its own in some test too.
"""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.cli import process

SRC = Path(__file__).resolve().parents[2] / "src"


@dataclass(frozen=True)
class Ended:
    """What a process left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def orchestrator_process(tmp_path):
    """Run `orchestrator` as a process of its own, in an empty folder by default."""

    def call(*arguments, cwd=tmp_path, stdin=None, **environment):
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "COV_"))}
        ended = subprocess.run(
            [sys.executable, "-m", "orchestrator", *map(str, arguments)],
            cwd=cwd,
            env={**own, "PYTHONPATH": str(SRC), "COLUMNS": "100", **environment},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return call


@pytest.fixture
def orchestrator(tmp_path, monkeypatch):
    """Run `orchestrator` inside this process, which spares every test the imports; the outputs are no terminals."""

    def call(*arguments, cwd=tmp_path, **environment):
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(cwd)
            patch.setattr(sys, "argv", ["orchestrator", *map(str, arguments)])
            patch.setenv("COLUMNS", "100")
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                process.run()
            texts = []
            for stream in (out, err):
                stream.flush()
                texts.append(stream.buffer.getvalue().decode())
        return Ended(ended.value.code, *texts)

    return call
