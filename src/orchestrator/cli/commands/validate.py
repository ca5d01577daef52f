"""`orchestrator validate`: every mistake of a project at once.

Owns how mistakes are listed. Finding them is the language's work.
"""

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import ProjectFolder
from orchestrator.errors import DefinitionError, InvalidProject

if TYPE_CHECKING:
    from orchestrator.language import Loaded

EXAMPLES = [
    Example("orchestrator validate shop", "list every mistake as file:line:column: CODE message"),
    Example("orchestrator validate shop --strict", "in CI: warnings fail as well"),
    Example("orchestrator validate shop --state shop.db", "also what may not take the place of what is in force"),
    Example("orchestrator validate shop --json | jq '.errors[].code'", "for a program"),
]


def command(
    directory: ProjectFolder = Path(),
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Compare with what is in force in this state file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find every mistake in a project.

    Reads the journeys, messages, segments and orchestrator.yaml of a folder and lists what cannot be, or (W codes)
    should not be, in the order of files and lines; with --state also what may not take the place of what is in force
    there, such as another meaning without a higher version. Exit code 0: nothing found; 1: mistakes; 2: the folder
    cannot be read.
    """
    from orchestrator.language import load

    if not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "no such folder", str(directory))
    loaded = None
    try:
        loaded = load(directory)
        found = [*loaded.warnings, *([] if state is None else _against(state, loaded))]
        problems = tuple(sorted(found, key=lambda problem: problem.position))
    except InvalidProject as invalid:
        problems = invalid.problems
    errors = [problem for problem in problems if not problem.is_warning]
    fails = bool(errors) or (strict and bool(problems))
    if as_json:
        screen.out_json(
            {
                "ok": not fails,
                "errors": [_values(problem) for problem in errors],
                "warnings": [_values(problem) for problem in problems if problem.is_warning],
            }
        )
    else:
        for problem in problems:
            screen.out(_coloured(directory, problem))
    warnings = len(problems) - len(errors)
    screen.say(f"{screen.counted(len(errors), 'error')}, {screen.counted(warnings, 'warning')}")
    if loaded is not None and not errors:
        journeys, messages = (
            screen.counted(len(loaded.definitions), "journey"),
            screen.counted(len(loaded.messages), "message"),
        )
        screen.say(f"{journeys} and {messages} can be run")
    raise typer.Exit(1 if fails else 0)


def _against(state: Path, loaded: "Loaded") -> list[DefinitionError]:
    from orchestrator.runtime.publishing import problems_of
    from orchestrator.runtime.versions import plan_of
    from orchestrator.storage import SqliteStore

    with SqliteStore(state, writes=False) as store:
        return problems_of(plan_of(loaded, store), loaded)


def _coloured(directory: Path, problem: DefinitionError) -> str:
    text = str(problem)
    place, _, rest = text.partition(f": {problem.code} ")
    if directory != Path():
        place = f"{directory}/{place}"
    code = screen.paint(problem.code, "yellow" if problem.is_warning else "red")
    return f"{screen.paint(place, 'bold')}: {code} {rest}"


def _values(problem: DefinitionError) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": problem.message,
        "step": problem.step_id,
        "fix": problem.fix,
    }
