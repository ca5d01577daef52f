"""The source tree as the house rules see it: every file parsed once.

Must never import the product: these rules are about what is written, not about what it does.
"""

import ast
import fnmatch
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Names only, no paths: what git ignores is nobody's business here. `.git` is a folder, or in a second worktree a file.
IGNORED = [".git", *(ROOT / ".gitignore").read_text(encoding="utf-8").replace("/\n", "\n").split()]


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
    """Return the files that a commit of this checkout would hold, also where there is no git."""
    entries = [entry for entry in sorted(folder.iterdir()) if not any(fnmatch.fnmatch(entry.name, p) for p in IGNORED)]
    files = [entry for entry in entries if not entry.is_dir()]
    return files + [file for entry in entries if entry.is_dir() for file in _walk(entry)]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    return _walk(ROOT)


@pytest.fixture(scope="session")
def python(files: list[Path]) -> list[Source]:
    return [Source(path) for path in files if path.suffix == ".py"]


@pytest.fixture(scope="session")
def product(python: list[Source]) -> list[Source]:
    return [source for source in python if source.path.is_relative_to(ROOT / "src")]
