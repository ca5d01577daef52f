"""A whole project: every file read, checked and compiled, every mistake of all of them found.

Owns the order (project, messages, journeys) and what is handed back. Must never stop at the first mistake.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import BaseModel

from orchestrator.errors import DefinitionError
from orchestrator.language import content, lint, readers, sources, yaml
from orchestrator.language.content import Content
from orchestrator.language.definitions.example import Example
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.definitions.message import MessageDefinition
from orchestrator.language.definitions.project import ProjectDefinition
from orchestrator.language.definitions.segment import SegmentDefinition, SegmentsDefinition
from orchestrator.language.journeys import compile_journey
from orchestrator.language.naming import ids_written
from orchestrator.language.nodes import Mapping as MapNode
from orchestrator.language.nodes import Node, Place
from orchestrator.language.problems import Problems
from orchestrator.language.project import Shop, compile_shop
from orchestrator.language.segments import compile_segments
from orchestrator.language.sending import Messages
from orchestrator.language.sources import ReadFile
from orchestrator.language.validation import check
from orchestrator.model.catalog import Catalog
from orchestrator.model.journey import Journey
from orchestrator.model.project import Message

Checked = TypeVar("Checked", bound=BaseModel)


@dataclass(frozen=True)
class Definition:
    """A journey as its author wrote it: the checked definition, its file and text, and where each example begins."""

    journey: JourneyDefinition
    file: str
    source: str
    example_lines: tuple[int, ...]

    @property
    def examples(self) -> list[Example]:
        """The tests that live with the journey."""
        return self.journey.examples

    def refused(self, why: str, fix: str) -> DefinitionError:
        """Say at its version why this may not take the place of what is in force."""
        place = Place(self.file, yaml.read(self.file, self.source), Problems())["version"]
        return DefinitionError(self.file, place.line, place.node.column, "E323", why, fix=fix)


@dataclass(frozen=True)
class Loaded:
    """A valid project.

    `definitions` and `messages` are by id. `sources` are the texts of all files that were read, by name, from which
    `compile_sources` makes the same again.
    """

    catalog: Catalog
    definitions: Mapping[str, Definition]
    messages: Mapping[str, Content]
    project_definition: ProjectDefinition
    warnings: tuple[DefinitionError, ...]
    sources: Mapping[str, str]


def load(directory: Path) -> Loaded:
    """Read and compile the project in a folder.

    Raises InvalidProject with every mistake of every file.
    """
    problems = Problems()
    folder = sources.Folder(directory, problems)
    if not directory.is_dir():
        _report_no_project(problems, f"there is no folder {directory.name}", "the folder that holds orchestrator.yaml")
    elif not (directory / sources.PROJECT).is_file():
        below = sorted(path.parent.name for path in directory.glob(f"*/{sources.PROJECT}"))
        misnamed = sources.misnamed_project(directory)
        fix = f"the folder {below[0]}" if below else "a file orchestrator.yaml with: project: NAME"
        fix = fix if misnamed is None else f"{sources.PROJECT} as the name of {misnamed}"
        _report_no_project(problems, "there is no orchestrator.yaml here", fix)
    else:
        texts = folder.definitions()
        if sources.PROJECT not in texts and not (directory / sources.PROJECT).is_file():
            _report_no_project(problems, "orchestrator.yaml went away while it was to be read", "it anew")
        return _Compiler(texts, folder.read, problems).compile()
    problems.raise_errors()
    raise AssertionError("a project without a folder was not reported")


def compile_sources(texts: Mapping[str, str]) -> Loaded:
    """Compile a project from its texts by file name, such as a published version's.

    Raises InvalidProject with every mistake of every file.
    """
    problems = Problems()
    if sources.PROJECT not in texts:
        _report_no_project(problems, "there is no orchestrator.yaml", "a file orchestrator.yaml with: project: NAME")
    definitions = {name: text for name, text in sorted(texts.items()) if sources.is_definition(name)}
    return _Compiler(definitions, texts.get, problems).compile()


def _report_no_project(problems: Problems, message: str, fix: str) -> None:
    problems.add(DefinitionError(sources.PROJECT, 1, 1, "E119", message, fix=fix))


class _Compiler:
    """Compiles the texts of one project, and collects what it reads on the way."""

    def __init__(self, texts: Mapping[str, str], read: ReadFile, problems: Problems) -> None:
        self._texts = dict(texts)
        self._read_file = read
        self._problems = problems
        self._messages = Messages()
        self._definitions: dict[str, Definition] = {}
        self._journeys: dict[str, Journey] = {}
        self._places: dict[str, Place] = {}
        # Files of which nothing but their name is known, because not even their text could be read.
        self._unread = {problem.file for problem in problems.sorted if problem.file not in texts}
        self._is_whole = not any(name.endswith(sources.JOURNEY_ENDING) for name in self._unread)

    def compile(self) -> Loaded:
        segments, place = self._segments()
        shop = self._shop(segments)
        if segments:
            shop.segments = compile_segments(segments, place, shop)
        names = sorted(self._texts)
        for name in (*names, *self._unread):
            if name.endswith(sources.MESSAGE_ENDING):
                self._message(name, shop)
        for name in names:
            if name.endswith(sources.JOURNEY_ENDING):
                self._journey(name, shop)
        self._check_others()
        lint.check(self._messages, is_whole=self._is_whole)
        readers.check(self._messages, shop)
        self._problems.raise_errors()
        compiled: dict[str, Message] = {name: draft.message(shop) for name, draft in self._messages.drafts.items()}
        catalog = Catalog(shop.project(compiled), self._journeys.values())
        for name, definition in self._definitions.items():
            lint.check_given(definition.journey, self._places[name], self._journeys[name].asks, catalog.named)
        return Loaded(
            catalog=catalog,
            definitions=self._definitions,
            messages={name: draft.content for name, draft in self._messages.drafts.items()},
            project_definition=shop.definition,
            warnings=self._problems.warnings,
            sources=self._texts,
        )

    def _tree(self, name: str) -> Node | None:
        try:
            return yaml.read(name, self._texts[name])
        except DefinitionError as problem:
            self._problems.add(problem)
            return None

    def _checked(self, model: type[Checked], name: str, tree: Node) -> tuple[Checked | None, Place]:
        place = Place(name, tree, self._problems)
        return check(model, place), place

    def _shop(self, segments: Mapping[str, SegmentDefinition] | None) -> Shop:
        name = sources.PROJECT
        tree = self._tree(name) if name in self._texts else None
        definition = None
        place = Place(name, MapNode(1, 1), self._problems)
        if tree is not None:
            definition, place = self._checked(ProjectDefinition, name, tree)
        if definition is None:
            return compile_shop(
                ProjectDefinition(project="lost"),
                Place(name, MapNode(1, 1), self._problems),
                self._beside,
                segments,
                is_lost=True,
            )
        return compile_shop(definition, place, self._beside, segments)

    def _message(self, name: str, shop: Shop) -> None:
        stem = PurePosixPath(name).name.removesuffix(sources.MESSAGE_ENDING)
        tree = None if name in self._unread else self._tree(name)
        definition, place = (None, None) if tree is None else self._checked(MessageDefinition, name, tree)
        has_id = definition is not None and definition.message != "lost"
        if not has_id:
            # What refers to a message is not blamed for the message's own mistakes, even if its id cannot be read.
            self._messages.lost.add(stem)
        if definition is None or place is None:
            return
        if has_id and definition.message in self._messages.drafts:
            self._messages.lost.add(stem)
            first = self._messages.drafts[definition.message].place.file
            place["message"].report("E303", f"{first} has the message {definition.message} already", "another id")
            return
        self._messages.ids[stem] = definition.message
        self._messages.drafts[definition.message] = content.draft(place, definition, shop, self._beside)

    def _beside(self, name: str) -> str | None:
        text = self._texts.get(name)
        if text is None:
            text = self._read_file(name)
            if text is not None:
                self._texts[name] = text
        return text

    def _journey(self, name: str, shop: Shop) -> None:
        tree = self._tree(name)
        if tree is None:
            self._is_whole = False
            return
        lost = ids_written(tree)
        known = len(self._problems)
        definition, place = self._checked(JourneyDefinition, name, tree)
        self._is_whole &= len(self._problems) == known
        if definition is None:
            return
        if definition.journey in self._definitions and definition.journey != "lost":
            first = self._definitions[definition.journey].file
            place["journey"].report("E302", f"{first} has the journey {definition.journey} already", "another id")
        lines = tuple(place["examples"][number].line for number in range(len(definition.examples)))
        made = Definition(definition, name, self._texts[name], lines)
        self._definitions.setdefault(definition.journey, made)
        self._journeys.setdefault(definition.journey, compile_journey(definition, place, shop, self._messages, lost))
        self._places[definition.journey] = place

    def _segments(self) -> tuple[Mapping[str, SegmentDefinition] | None, Place]:
        """Read the segments; None where their file cannot be read, so that nobody is told that one is missing."""
        name = sources.SEGMENTS
        place = Place(name, MapNode(1, 1), self._problems)
        if name not in self._texts:
            return {}, place
        tree = self._tree(name)
        if tree is None:
            return None, place
        definition, place = self._checked(SegmentsDefinition, name, tree)
        return (None if definition is None or place.is_mended else definition.root), place

    def _check_others(self) -> None:
        """Check the journeys that examples say are live too."""
        for name, definition in self._definitions.items():
            for number, example in enumerate(definition.examples):
                place = self._places[name]["examples"][number]["others"]
                for other, journey in enumerate(example.others):
                    if journey not in self._definitions:
                        lint.report_unknown_journey(place[other], journey, set(self._definitions))
