"""A pytest plugin: the examples of *.journey.yaml files as tests.

Owns collecting and showing them. Must never import the product before a journey of a project is really collected:
pytest loads this module in every environment that the package is installed in.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from orchestrator.language import Loaded
    from orchestrator.language.definitions.example import Example
    from orchestrator.testing.examples import ExampleResult

SUFFIX = ".journey.yaml"
PROJECT = "orchestrator.yaml"

_projects: "pytest.StashKey[dict[Path, Loaded]]" = pytest.StashKey()


class ExampleFailed(Exception):  # noqa: N818 - it names what happened
    """An example does not hold; the result says where and why."""

    def __init__(self, result: "ExampleResult") -> None:
        super().__init__(result)
        self.result = result


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "JourneyFile | None":
    """Collect a journey, where a project is found in its folder or above."""
    if file_path.name.endswith(SUFFIX) and _project_of(file_path) is not None:
        return JourneyFile.from_parent(parent, path=file_path)
    return None


def _project_of(file: Path) -> Path | None:
    return next((folder for folder in file.parents if (folder / PROJECT).is_file()), None)


class JourneyFile(pytest.File):
    """One journey; its examples are the tests."""

    def collect(self) -> Iterator["JourneyExample"]:
        """Load the project, once for all of its files, and give this file's examples."""
        loaded = self._loaded()
        for journey_id, definition in loaded.definitions.items():
            if (self._folder() / definition.file).resolve() == self.path.resolve():
                for example, line in zip(definition.examples, definition.example_lines, strict=True):
                    yield JourneyExample.from_parent(
                        self, name=example.name, loaded=loaded, journey_id=journey_id, example=example, line=line
                    )

    def _folder(self) -> Path:
        folder = _project_of(self.path)
        assert folder is not None  # noqa: S101 - it is why this file was collected
        return folder

    def _loaded(self) -> "Loaded":
        from orchestrator.errors import OrchestratorError
        from orchestrator.language import load

        projects = self.config.stash.setdefault(_projects, {})
        folder = self._folder()
        if folder not in projects:
            try:
                projects[folder] = load(folder)
            except OrchestratorError as error:
                raise self.CollectError(str(error)) from error
        return projects[folder]


class JourneyExample(pytest.Item):
    """One example."""

    def __init__(self, *, loaded: "Loaded", journey_id: str, example: "Example", line: int, **others: Any) -> None:
        super().__init__(**others)
        self._line = line
        self._loaded = loaded
        self._journey_id = journey_id
        self._example = example

    def runtest(self) -> None:
        """Play the example; raise ExampleFailed when it does not hold."""
        from orchestrator.testing.examples import run_example

        result = run_example(self._loaded, self._journey_id, self._example)
        if not result.passed:
            raise ExampleFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the timeline with the first difference marked, not a traceback of ours."""
        if isinstance(excinfo.value, ExampleFailed):
            return excinfo.value.result.report()
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the example in pytest's headings."""
        return self.path, self._line - 1, f"{self._journey_id}: {self.name}"
