"""The repository around the source: nothing of anybody's machine, one test command, dependencies pinned.

Must never reach the network.
"""

import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Home folders and package indexes: constraints name versions, never places. One letter of each stands in brackets,
# so that this file does not find itself.
PLACES = re.compile(
    r"/(?:[h]ome|[U]sers|[r]oot)/[A-Za-z0-9_.-]+"
    r"|[A-Za-z]:\\[U]sers\\"
    r"|python[h]osted\.org|pypi\.[o]rg"
    r"|--(?:extra-)?index-[u]rl|--find-[l]inks|--trusted-[h]ost"
)
# Folders of any machine, which a document may well name.
SHARED_FOLDERS = {Path("/", name) for name in ["", "app", "data", "home", "mnt", "opt", "srv", "tmp", "usr", "var"]}
PIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*==[0-9][0-9a-z.]*(?:\+[a-z0-9.]+)?")


def _places_of(root: Path) -> re.Pattern[str]:
    """Match this checkout's path and the folders it stands in, where they begin a path."""
    folders = [folder for folder in [root, *root.parents] if folder not in SHARED_FOLDERS]
    here = "|".join(rf"(?<![\w.]){re.escape(str(folder))}(?![\w-])" for folder in folders)
    return re.compile(f"{PLACES.pattern}|{here}")


def test_no_file_names_a_place_on_somebodys_machine(files, root):
    places = _places_of(root)
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:100]}"
        for path in files
        for number, line in enumerate(path.read_bytes().decode("utf-8", errors="replace").splitlines(), start=1)
        if places.search(line)
    ]
    assert found == []


def _readme_test_command(readme: str) -> str:
    """Return the last line of the shell block that holds the README's test command."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", readme, flags=re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ").split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    commands = sorted({line for line in lines if re.search(r"\btest\b", line) and line.startswith("make")})
    assert len(commands) == 1, f"the README must name exactly one command that runs the tests, found {commands}"
    return commands[0]


def test_ci_runs_the_readmes_test_command_last(root):
    command = _readme_test_command((root / "README.md").read_text(encoding="utf-8"))
    script = (root / ".ci/run").read_text(encoding="utf-8").splitlines()
    steps = [line for line in script if line.startswith("make ")]
    assert steps == ["make lint", command]
    assert script[-1] == command  # its summary is the last thing that CI prints
    assert "set -euo pipefail" in script
    assert (root / ".ci/run").stat().st_mode & 0o111


def test_make_help_lists_every_target(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make ([a-z]+) +\S", shown, flags=re.MULTILINE)
    assert listed == phony[1].split()


def _pins(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not PIN.fullmatch(line)] == []
    return dict(pin.split("==") for pin in pins)


def _wanted(root: Path) -> list[Requirement]:
    """Return what pyproject.toml asks for, all extras included."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    requirements = [Requirement(text) for group in groups for text in group]
    return [requirement for requirement in requirements if requirement.name != project["name"]]


def _installed_closure(requirements: Iterable[Requirement]) -> Iterator[str]:
    """Name everything that an installation of these brings along on this machine."""
    waiting, seen = list(requirements), set()
    while waiting:
        requirement = waiting.pop()
        step = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if step in seen:
            continue
        seen.add(step)
        yield step[0]
        for text in distribution(requirement.name).requires or []:
            further = Requirement(text)
            applies = [extra for extra in ["", *requirement.extras] if _holds(further, extra)]
            waiting += [further] * bool(applies)


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def test_every_dependency_is_pinned_to_a_version_it_allows(root):
    pins = _pins(root)
    wanted = [(canonicalize_name(requirement.name), requirement.specifier) for requirement in _wanted(root)]
    assert [name for name, versions in wanted if not versions.contains(pins.get(name, "0"))] == []


def test_what_dependencies_bring_along_is_pinned_too(root):
    assert set(_installed_closure(_wanted(root))) - set(_pins(root)) == set()


# What is used without being imported, and by whom.
NOT_IMPORTED = {
    "httptools": "uvicorn finds it",
    "tzdata": "zoneinfo reads it where the system has none",
}


def test_every_dependency_is_imported_somewhere(root):
    imported = {
        name.split(".")[0]
        for path in (root / "src").rglob("*.py")
        for name in re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    modules = packages_distributions()
    used = {canonicalize_name(name) for module in imported for name in modules.get(module, [])}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    assert names - used == set(NOT_IMPORTED)


def test_constraints_are_sorted_and_single(root):
    names = list(_pins(root))
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert names == sorted(names)
    assert len(names) == len([line for line in lines if line and not line.startswith("#")])


def test_the_license_is_apache_2(root):
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_begins_with_what_is_unreleased(root):
    headings = re.findall(r"^## (.+)$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
