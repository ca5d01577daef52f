"""Which kinds of models there are: ours, and those of other packages, found when they are asked for.

Must never judge.
"""

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

from orchestrator.model.project import Judgement
from orchestrator.scorers import registry
from orchestrator.scorers.port import Setup

SRC = Path(__file__).resolve().parents[3] / "src"


def open_length(setup: Setup):
    """Judge by the number of letters: what a package of one's own would bring."""
    longest = setup.settings["longest"]
    return lambda given, _scope: Judgement(value=min(len(given), longest)) if isinstance(given, str) else None


def test_another_package_brings_a_kind_by_an_entry_point(monkeypatch, seen):
    package = ModuleType("length_of_texts")
    package.open_length = open_length
    monkeypatch.setitem(sys.modules, package.__name__, package)
    points = EntryPoints([EntryPoint("length", f"{package.__name__}:open_length", registry.GROUP)])
    monkeypatch.setattr(registry, "entry_points", points.select)
    opener = registry.find("length")
    assert opener(Setup("long", {"longest": 3}))("abcde", seen()) == Judgement(value=3)
    assert "length" in registry.kinds()


def test_nobody_brings_a_kind_that_there_is_not():
    assert registry.find("no-such-kind") is None


def test_no_kind_is_imported_before_a_project_asks_for_it():
    code = "import sys, orchestrator.language; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"vaderSentiment", "snowballstemmer", "onnxruntime", "numpy"} & set(result.stdout.split()) == set()
