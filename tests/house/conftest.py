"""The source tree as the house rules see it: every file parsed once.

Must never import the product: these rules are about what is written, not about what it does.
"""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED_FOLDERS = {"build", "dist", "node_modules", "__pycache__"}


@dataclass(frozen=True)
class Source:
    """One Python file of the project."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.name)


def _walk(folder: Path) -> list[Path]:
    """Return the files a checkout holds; what tools leave behind hides in folders that begin with a dot."""
    found: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            hidden = entry.name.startswith(".") and entry.name != ".ci"
            if not hidden and entry.name not in SKIPPED_FOLDERS and not entry.name.endswith(".egg-info"):
                found += _walk(entry)
        elif entry.name != ".git":  # in a second worktree, .git is a file that holds this machine's path
            found.append(entry)
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    return _walk(ROOT)


@pytest.fixture(scope="session")
def product(files: list[Path]) -> list[Source]:
    return [Source(path) for path in files if path.suffix == ".py" and path.is_relative_to(ROOT / "src")]


@pytest.fixture(scope="session")
def python(files: list[Path]) -> list[Source]:
    return [Source(path) for path in files if path.suffix == ".py"]
