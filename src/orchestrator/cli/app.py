"""The application that every command hangs on.

Owns the options that belong to no single command.
Must never import a command's needs: `orchestrator --help` answers in under a quarter of a second.
"""

from typing import Annotated

import typer

from orchestrator import __version__

app = typer.Typer(
    name="orchestrator",
    no_args_is_help=True,
    help="Decide from events what each customer should get, when, and why.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"orchestrator {__version__}")
        raise typer.Exit


@app.callback()
def orchestrator(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Decide from events what each customer should get, when, and why."""
