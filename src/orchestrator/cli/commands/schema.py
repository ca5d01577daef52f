"""`orchestrator schema`: the JSON Schemas of what people write and programs read.

Owns where they are written, and the printing of the language reference. The schemas themselves are made from the same
models that read the files.
"""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example

EXAMPLES = [
    Example("orchestrator schema", "write them into the folder schemas"),
    Example("orchestrator schema shop/schemas", "beside a project, so that editors check as you type"),
    Example("orchestrator schema --markdown shop > shop/README.md", "the language reference, and a list of journeys"),
    Example("orchestrator schema --json | jq '.journey.properties | keys'", "for a program"),
]


def command(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to; made if it is not there.")] = Path(
        "schemas"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print all of them as one JSON object instead.")] = False,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="PROJECT", help="Print the language reference instead, below the journeys of a project."),
    ] = None,
) -> None:
    """Write the JSON Schemas for editors and programs.

    For journeys, messages, segments and projects as authors write them, and for events, actions, decisions, exports
    and receipts as programs exchange them. An editor with YAML support finds them by the first line of the files that
    `init` writes.
    """
    if markdown is not None:
        from orchestrator.language import load
        from orchestrator.language.reference import page

        screen.out(page(load(markdown)).rstrip("\n"))
        return
    from orchestrator.language.schemas import schemas

    if as_json:
        import msgspec

        screen.out_json(
            {name.removesuffix(".schema.json"): msgspec.json.decode(text) for name, text in schemas().items()}
        )
        return
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in sorted(schemas().items()):
        path = directory / name
        path.write_text(text, encoding="utf-8")
        screen.out(str(path))
