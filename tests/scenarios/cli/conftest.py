"""The project that `init` writes, for the commands to work on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[3] / "src"


@pytest.fixture(scope="session")
def starter(tmp_path_factory):
    """Write the project that `init` writes, once."""
    folder = tmp_path_factory.mktemp("starter") / "shop"
    subprocess.run(
        [sys.executable, "-m", "orchestrator", "init", str(folder)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        check=True,
    )
    return folder


@pytest.fixture
def shop(starter, tmp_path):
    """Give a copy of the project that `init` writes."""
    return Path(shutil.copytree(starter, tmp_path / "shop"))
