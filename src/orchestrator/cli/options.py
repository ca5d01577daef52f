"""What several commands take by the same word, with the one text that help says about it.

Owns arguments and options that mean the same wherever they stand, and how what was written there is read. Must never
hold what one command takes.
"""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.errors import OrchestratorError

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")]
Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer id, or an identifier as kind:value.")]
KafkaProject = Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder, for Kafka.")]
ProjectFolder = Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder.")]
# A store that is not there would be made, and nothing be known of anybody in it.
StoreOrKafka = Annotated[
    Path | None,
    typer.Option("--state", metavar="FILE", exists=True, help="The store of `run` or `serve`; else on Kafka."),
]


class WrongOptions(OrchestratorError):  # noqa: N818 - it names what is the matter
    """Options that contradict each other or cannot be read. The caller's move."""


def folder_and_files(directory: Path | None, named: list[str]) -> tuple[Path | None, list[str]]:
    """Tell the project's folder from the files: in `--events a.jsonl shop` it stands among them."""
    folders = [Path(name) for name in named if name != "-" and Path(name).is_dir()]
    files = [name for name in named if name == "-" or not Path(name).is_dir()]
    folders += [] if directory is None else [directory]
    if len(folders) > 1:
        found = " and ".join(map(str, folders))
        raise WrongOptions(f"{found} are folders: one is the project's, and what is read are files")
    return (folders[0] if folders else None), files


def instant_of(option: str, text: str | None) -> int | None:
    """Read an option's RFC 3339 text or epoch milliseconds, None where it was not given; raises WrongOptions."""
    from orchestrator.model import instants

    if text is None:
        return None
    at_ms = instants.parse(int(text) if text.lstrip("-").isdigit() else text)
    if at_ms is None:
        raise WrongOptions(f"{option} {text!r} is no time; write one such as 2026-03-03T00:00:00Z")
    return at_ms
