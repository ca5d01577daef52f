"""The files of a project: finding them, and their bytes as text.

Owns the layout (which name means what) and the encodings. Must never follow a name out of the project's folder.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from orchestrator.errors import DefinitionError
from orchestrator.language.problems import Problems

PROJECT = "orchestrator.yaml"
SEGMENTS = "segments.yaml"
JOURNEY_ENDING = ".journey.yaml"
MESSAGE_ENDING = ".message.yaml"
# Also as editors on Windows write it, which hide the ending that they add.
_YAML = re.compile(r"\.ya?ml(?:\.txt)?$", re.IGNORECASE)
_KIND = re.compile(r"\.(journey|message)(?![a-z])", re.IGNORECASE)
# Gives the text of a file of the project by its name; None where there is none.
ReadFile = Callable[[str], str | None]
MAX_FILES = 5_000
MAX_BYTES = 1 << 20

_UTF_16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def is_definition(name: str) -> bool:
    """Tell whether a file of this name is read as part of the language."""
    return name in (PROJECT, SEGMENTS) or name.endswith((JOURNEY_ENDING, MESSAGE_ENDING))


def _meant(name: str, ending: str) -> str:
    """Say what the name of a file that is not read should be, for it to be."""
    path = PurePosixPath(name.removesuffix(ending))
    for whole in (PROJECT, SEGMENTS):
        if path.name.lower().rstrip("s") == whole.removesuffix(".yaml").rstrip("s"):
            return whole
    kind = _KIND.search(path.name)
    is_message = kind[1].lower() == "message" if kind else "messages" in path.parts
    return _KIND.sub("", path.name) + (MESSAGE_ENDING if is_message else JOURNEY_ENDING)


def misnamed_project(directory: Path) -> str | None:
    """Find what was to be the orchestrator.yaml of a folder that has none."""
    names = sorted(path.name for path in directory.glob("*") if path.is_file())
    return next((name for name in names if (end := _YAML.search(name)) and _meant(name, end[0]) == PROJECT), None)


class Folder:
    """A project on disk; names are relative to its folder, with `/` between their parts."""

    def __init__(self, root: Path, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def definitions(self) -> dict[str, str]:
        """Read every file that is part of the language; report what cannot be read, or looks forgotten."""
        texts: dict[str, str] = {}
        for name in self._names():
            if is_definition(name):
                text = self.read(name)
                if text is not None:
                    texts[name] = text
            elif ending := _YAML.search(name):
                self._report("W308", name, "this file is not read: its name says neither what", _meant(name, ending[0]))
        return texts

    def read(self, name: str) -> str | None:
        """Read one file as text; None when there is none. Reports what is not UTF-8, too large or unreadable."""
        path = self._root / name
        try:
            if not path.resolve().is_relative_to(self._root.resolve()) or not path.is_file():
                return None
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            self._report("E117", name, f"the file cannot be read: {error}", "a file that can be read")
            return None
        if len(raw) > MAX_BYTES:
            self._report("E105", name, f"the file has more than {MAX_BYTES:,} bytes", "a smaller file")
            return None
        try:
            return decode(name, raw)
        except DefinitionError as problem:
            self._problems.add(problem)
            return None

    def _report(self, code: str, name: str, message: str, fix: str) -> None:
        self._problems.add(DefinitionError(name, 1, 1, code, message, fix=fix))

    def _report_folder(self, error: OSError) -> None:
        # What stands in it is unknown, which is not that nothing does: journeys would be taken for deleted.
        name = Path(error.filename or self._root).relative_to(self._root).as_posix()
        self._report("E117", name, f"the folder cannot be read: {error.strerror}", "a folder that can be read")

    def _names(self) -> Iterator[str]:
        count = 0
        for folder, folders, files in os.walk(self._root, onerror=self._report_folder):
            # A folder with an orchestrator.yaml of its own is another project.
            folders[:] = sorted(
                name for name in folders if name[0] != "." and not Path(folder, name, PROJECT).is_file()
            )
            for name in sorted(files):
                count += 1
                if count > MAX_FILES:
                    self._report(
                        "E118", PROJECT, f"the folder holds more than {MAX_FILES:,} files", "the project's own folder"
                    )
                    return
                yield Path(folder, name).relative_to(self._root).as_posix()


def decode(name: str, raw: bytes) -> str:
    """Turn a file's bytes into text; raises DefinitionError (E102) with the place of the first that is no UTF-8."""
    if raw.startswith(_UTF_16_OR_32) or (len(raw) > 3 and (raw[1] == 0 or raw[0] == 0)):
        raise DefinitionError(name, 1, 1, "E102", "the file is in UTF-16 or UTF-32", fix="the file saved as UTF-8")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        guess = raw[error.start : error.start + 1].decode("cp1252", errors="replace")
        message = f"the byte {raw[error.start]:#04x} is no UTF-8; in Windows-1252 it would be {guess}"
        raise DefinitionError(name, line, column, "E102", message, fix="the file saved as UTF-8") from None
