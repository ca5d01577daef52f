"""The shape of the source: sizes, names, docstrings, and who may import Faust.

Must never hold a list of exceptions: what does not fit is split or renamed.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

PACKAGES = ["model", "language", "engine", "storage", "channels", "runtime", "testing", "cli"]
NOUNLESS = {"utils", "util", "helpers", "helper", "common", "core", "types", "misc", "base"}
LINES_PER_FILE = 500
LINES_PER_FUNCTION = 60
MODULES_WITHOUT_A_MAP = 20


def test_every_package_of_the_design_stands(root):
    package = root / "src/orchestrator"
    assert [name for name in PACKAGES if not (package / name / "__init__.py").is_file()] == []
    assert (package / "errors.py").is_file()


def test_every_package_is_in_the_layers(root):
    # import-linter's `exhaustive` says the same, but only to those who run it.
    config = (root / "pyproject.toml").read_text(encoding="utf-8")
    layers = config.partition("layers = [")[2].partition("\n]")[0]
    entries = (root / "src/orchestrator").iterdir()
    packages = [entry.name for entry in entries if (entry / "__init__.py").is_file()]
    assert [name for name in sorted(packages) if name not in layers] == []


def test_no_file_is_longer_than_500_lines(python):
    lengths = {source.name: len(source.text.splitlines()) for source in python}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_PER_FILE} == {}


def test_no_function_is_longer_than_60_lines(python):
    too_long = {
        f"{source.name}:{node.lineno} {node.name}": lines
        for source in python
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_PER_FUNCTION
    }
    assert too_long == {}


def test_every_module_is_named_by_a_noun_of_its_own(product):
    parts = {source.name: Path(source.name).with_suffix("").parts for source in product}
    assert [name for name, words in parts.items() if NOUNLESS & {word.strip("_") for word in words}] == []


def test_every_module_opens_with_a_docstring(python):
    assert [source.name for source in python if not _docstring(source)] == []


def test_every_product_module_says_what_it_owns(product):
    # What it must never do stands there too, but in words that no test should dictate.
    assert [source.name for source in product if "owns " not in _docstring(source).lower()] == []


def test_a_package_of_many_modules_says_where_what_is(product):
    maps = {Path(source.name).parent: _docstring(source) for source in product if source.name.endswith("__init__.py")}
    modules: dict[Path, list[str]] = {}
    for source in product:
        modules.setdefault(Path(source.name).parent, []).append(Path(source.name).stem)
    unmapped = {
        str(package): sorted(set(names) - {"__init__"} - set(re.findall(r"\w+", maps[package])))
        for package, names in modules.items()
        if len(names) > MODULES_WITHOUT_A_MAP and package in maps
    }
    assert {package: names for package, names in unmapped.items() if names} == {}


def _docstring(source) -> str:
    return (ast.get_docstring(source.tree) or "").strip()


def _imported_packages(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_only_the_kafka_runtime_imports_faust(product):
    importers = [source.name for source in product if {"faust", "mode"} & _imported_packages(source.tree)]
    assert [name for name in importers if not name.startswith("src/orchestrator/runtime/kafka/")] == []


def test_the_command_line_starts_without_what_its_commands_need(root):
    # Faust parses sys.argv when imported; the others cost `--help` its quarter of a second.
    code = "import sys, orchestrator.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(result.stdout.split())
    assert "orchestrator" in loaded
    assert loaded & {"faust", "mode", "aiokafka", "pydantic", "ruamel", "liquid", "sqlite3", "hypothesis"} == set()
