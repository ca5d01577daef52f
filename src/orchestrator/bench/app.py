"""`orchestrator bench`: which benchmark, how large, and its results as a table or JSON.

Owns the options. Must never import a benchmark before it is asked for.
"""

import json
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, help="Measure how fast it is on this machine.")

# What its help teaches with: a line, and what it is for.
EXAMPLES = [
    ("orchestrator bench run", "a million events, in memory and on SQLite"),
    ("orchestrator bench run --events 100000 --rounds 3 --json", "a quick look, for a program"),
]

Events = Annotated[int, typer.Option("--events", min=10, help="How many events to make.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Measure so often, and show the fastest.")]
AsJson = Annotated[bool, typer.Option("--json", help="The results as JSON, for a program.")]


@app.callback(invoke_without_command=True)
def bench(context: typer.Context) -> None:
    """Measure how fast it is on this machine; without a name, `run` with a million events."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run(events: Events = 1_000_000, rounds: Rounds = 1, as_json: AsJson = False) -> None:
    """Measure `orchestrator run`, in memory and on SQLite, as a ratio to reading the same file alone.

    Makes a shop's day of events, in order of time, and runs the abandoned-cart journey over it, with
    actions and decisions written to files.
    """
    from orchestrator.bench.run import bench_run, rows_of, text_of

    measured = bench_run(events, rounds)
    typer.echo(json.dumps(rows_of(measured)) if as_json else text_of(measured))
