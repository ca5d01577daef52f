"""The application that every command hangs on, and the options that belong to none of them.

Owns the list of commands. Must never import a command's needs: `orchestrator --help` answers in under a quarter of a
second.
"""

from typing import Annotated

import typer

from orchestrator import __version__
from orchestrator.cli.help import LazyGroup, Listed

_COMMANDS = "orchestrator.cli.commands"

COMMANDS = {
    "init": Listed(f"{_COMMANDS}.init", "write a small working project"),
    "validate": Listed(f"{_COMMANDS}.validate", "find every mistake in a project"),
    "test": Listed(f"{_COMMANDS}.test", "run the examples of every journey"),
    "run": Listed(f"{_COMMANDS}.run", "decide over events from files"),
    "replay": Listed(f"{_COMMANDS}.replay", "show what a changed project would do otherwise"),
    "serve": Listed(f"{_COMMANDS}.serve", "take events over HTTP, live, and send messages"),
    "preview": Listed(f"{_COMMANDS}.preview", "show a message as customers get it"),
    "redeliver": Listed(f"{_COMMANDS}.redeliver", "send again what delivery gave up on"),
    "explain": Listed(f"{_COMMANDS}.explain", "tell what happened to a customer and why"),
    "stats": Listed(f"{_COMMANDS}.stats", "count entries, messages, conversions and answers"),
    "erase": Listed(f"{_COMMANDS}.erase", "erase all that is kept of a customer, with a receipt"),
    "export": Listed(f"{_COMMANDS}.export", "write all that is kept of a customer as one document"),
    "map": Listed(f"{_COMMANDS}.map", "draw a journey"),
    "schema": Listed(f"{_COMMANDS}.schema", "write the JSON Schemas for editors and programs"),
    "publish": Listed(f"{_COMMANDS}.publish", "put a project in force, and say for whom it changes"),
    "worker": Listed(f"{_COMMANDS}.worker", "turn events from Kafka into actions, one worker of many"),
    "deliver": Listed(f"{_COMMANDS}.deliver", "take actions from Kafka to the providers"),
    "doctor": Listed(f"{_COMMANDS}.doctor", "show the settings in force and where each is from"),
    "bench": Listed("orchestrator.bench", "measure how fast it is on this machine", needs="orchestrator.bench"),
}


class Commands(LazyGroup):
    """The commands of `orchestrator`."""

    listed = COMMANDS


_application = typer.Typer(
    name="orchestrator",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"orchestrator {__version__}")
        raise typer.Exit


@_application.callback()
def orchestrator(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Decide from events what each customer should get, when, and why.

    Start with `orchestrator init shop`, look at the files it wrote, then `orchestrator test shop` and
    `orchestrator run shop --events shop/events.jsonl`. Every command's --help shows examples.
    """


def app() -> int:
    """Run the command named by the process's arguments and return its exit code."""
    command = typer.main.get_command(_application)
    try:
        command(prog_name="orchestrator")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 2
    return 0
