"""Help that teaches: every command shows, beside its options, what people really type.

Owns the form of help pages, and that a command's module is imported when that command is asked for and not before.
Must never import a command to list it: the list of commands carries its own one-line summaries.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from orchestrator.cli import screen


class Example(NamedTuple):
    """One line that a person could type, and what it is for."""

    line: str
    purpose: str


class Listed(NamedTuple):
    """A command as the list shows it: the module that has it, and its summary.

    One whose `needs` (a module) is not installed is neither listed nor offered.
    """

    module: str
    summary: str
    needs: str | None = None

    @property
    def is_offered(self) -> bool:
        """Whether what the command needs is there; asked without importing it."""
        return self.needs is None or find_spec(self.needs) is not None


def _heading(text: str) -> str:
    return screen.paint(text, "bold")


class _Teaching:
    """What makes the help of a command, or of a command with commands of its own, end with examples."""

    examples: Sequence[tuple[str, str]] = ()

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, each with its purpose above it, where click would write its epilog."""
        if not self.examples:
            return
        with formatter.section(_heading("Examples")):
            for number, (line, purpose) in enumerate(self.examples):
                if number:
                    formatter.write_paragraph()
                indent = " " * formatter.current_indent
                formatter.write(f"{indent}# {purpose}\n{indent}{line}\n")


class TeachingGroup(_Teaching, TyperGroup):
    """A command with commands of its own, whose help ends with examples."""


class TeachingCommand(_Teaching, TyperCommand):
    """A command whose help ends with examples."""

    spread: Collection[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read arguments, letting an option that takes many values have them in a row: `--events *.jsonl`."""
        try:
            return super().parse_args(ctx, list(_spread(args, self.spread)))
        except typer.BadParameter as bad:
            bad.message = bad.message.removeprefix("Value error, ")  # pydantic's, which typer reads values with
            raise


class LazyGroup(TyperGroup):
    """The commands by name; each is imported when it is called."""

    listed: Mapping[str, Listed] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands in the order of the table: what a newcomer needs first comes first."""
        return [name for name, listed in self.listed.items() if listed.is_offered]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command's module and build it; None for a name that is no command."""
        listed = self.listed.get(cmd_name)
        if listed is None or not listed.is_offered:
            close = get_close_matches(cmd_name, self.list_commands(ctx), n=1)
            if close:
                ctx.fail(f"No such command {cmd_name!r}. Did you mean {close[0]!r}?")
            return None
        return _built(cmd_name, listed)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands with their summaries, without importing any of them."""
        with formatter.section(_heading("Commands")):
            formatter.write_dl([(name, self.listed[name].summary) for name in self.list_commands(ctx)])


def _spread(arguments: Sequence[str], options: Collection[str]) -> Iterator[str]:
    """Write `--events a b` as `--events a --events b`: what follows such an option, up to the next, belongs to it."""
    current: str | None = None
    is_fresh = False
    for at, argument in enumerate(arguments):
        if argument == "--":
            yield from arguments[at:]
            return
        if argument.startswith("-") and argument != "-":
            current, is_fresh = (argument, True) if argument in options else (None, False)
            yield argument
            continue
        if current is not None and not is_fresh:
            yield current
        is_fresh = False
        yield argument


def _built(name: str, listed: Listed) -> Any:
    module = import_module(listed.module)
    if hasattr(module, "app"):
        module.app.info.cls = type("Group", (TeachingGroup,), {"examples": module.EXAMPLES})
        group = typer.main.get_group(module.app)
        group.name = name
        return group
    own = {"examples": module.EXAMPLES, "spread": getattr(module, "SPREAD", ())}
    teaching = type("Command", (TeachingCommand,), own)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=teaching, short_help=listed.summary)(module.command)
    return typer.main.get_command(app)
