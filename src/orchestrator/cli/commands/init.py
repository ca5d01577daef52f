"""`orchestrator init`: a small project that works at once.

Owns which files a newcomer gets, and that none of theirs is touched. The files themselves stand in `cli/starter/`.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.errors import OrchestratorError

EXAMPLES = [
    Example("orchestrator init shop", "write a project into the folder shop"),
    Example(
        "cd shop && orchestrator validate && orchestrator test && orchestrator run --events events.jsonl",
        "and try all of it",
    ),
]


class FilesInTheWay(OrchestratorError):  # noqa: N818 - it names the thing found
    """Files that `init` would have to overwrite. The caller's move."""


def command(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to; made if it is not there.")] = Path(),
) -> None:
    """Write a small working project.

    One journey with its examples, one message in two languages, the project's settings, events to try it on, and the
    schemas that let an editor complete and check as you type. Nothing that is already there is overwritten.
    """
    from orchestrator.language.schemas import schemas

    texts = _starter_texts(files("orchestrator.cli") / "starter", "")
    texts.update({f"schemas/{name}": text for name, text in schemas().items()})
    in_the_way = [name for name in sorted(texts) if (directory / name).exists()]
    if in_the_way:
        raise FilesInTheWay(f"{directory}: {', '.join(in_the_way)} already there; name an empty folder")
    for name in sorted(texts):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[name], encoding="utf-8")
        screen.out(str(path))
    where = "" if directory == Path() else f" {directory}"
    screen.say(f"Next: orchestrator test{where}, then orchestrator run{where} --events {directory / 'events.jsonl'}")


def _starter_texts(folder: Traversable, prefix: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            texts.update(_starter_texts(entry, f"{prefix}{entry.name}/"))
        elif not entry.name.startswith("__"):
            texts[prefix + entry.name] = entry.read_text(encoding="utf-8")
    return texts
