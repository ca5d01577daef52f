"""`orchestrator run`: decide over events from files.

Owns the options, the progress bar and the summary. Deciding is the embedded runtime's work.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import WrongOptions, folder_and_files, instant_of

if TYPE_CHECKING:
    from orchestrator.runtime.embedded import Progress, RunOptions, Summary

EXAMPLES = [
    Example("orchestrator run shop --events shop/events.jsonl", "print what would be sent, as JSON lines"),
    Example(
        "orchestrator run shop --events monday.jsonl.gz tuesday.jsonl.gz --state shop.db --actions actions.jsonl",
        "keep the state: run it again with more events, and it goes on where it stopped",
    ),
    Example("zcat events.gz | orchestrator run shop --events - --drain", "from a pipe, to the very end"),
    Example(
        "orchestrator run shop --events events.jsonl --until 2026-03-03T00:00:00Z --decisions decisions.jsonl",
        "let the time go on after the last event, and keep what was decided",
    ),
]


# One --events may be followed by many files, as a shell writes them for *.jsonl.
SPREAD = ["--events"]


def command(
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="The project's folder.")] = None,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--events", metavar="FILE...", help="Events as JSON lines; - is standard input; .gz and .zst too."
        ),
    ] = None,
    actions: Annotated[
        Path | None, typer.Option("--actions", metavar="FILE", help="Write actions here, not to standard output.")
    ] = None,
    decisions: Annotated[Path | None, typer.Option("--decisions", metavar="FILE", help="Write every decision.")] = None,
    dead_letters: Annotated[
        Path | None, typer.Option("--dead-letters", metavar="FILE", help="Write what cannot be read, with its reason.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Keep the state in this file and go on from it.")
    ] = None,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="The events are in time order already: do not sort them.")
    ] = False,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="At the end of input, let the time go on until then.")
    ] = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="At the end of input, let the time go on until nothing waits.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The summary as JSON on standard error, for a program.")
    ] = False,
) -> None:
    """Decide over events from files.

    Reads events, in the order of their time, takes them through the journeys of a project and writes what customers
    should get. Time is the events' own: a year of them takes seconds. At the end of the input, who waits stays waiting,
    unless --until or --drain let the time go on. Nothing is sent, and no code of a coupon is claimed: `serve` and
    `deliver` do that when they send.
    """
    folder, files = folder_and_files(directory, events or [])
    if not files:
        raise WrongOptions("no events; name files with --events, or - for standard input")
    options = _options(files, actions, decisions, dead_letters, state, in_order, until, drain)
    from orchestrator.language import load
    from orchestrator.runtime.embedded import run_events

    loaded = load(folder or Path())
    with _progress() as progress:
        summary = run_events(loaded, options, progress=progress)
    if as_json:
        import msgspec

        screen.say(msgspec.json.encode(_values(summary)).decode())
    else:
        for line in _told(summary):
            screen.say(line)


def _options(
    events: list[str],
    actions: Path | None,
    decisions: Path | None,
    dead_letters: Path | None,
    state: Path | None,
    in_order: bool,
    until: str | None,
    drain: bool,
) -> "RunOptions":
    from orchestrator.runtime.embedded import RunOptions

    if until is not None and drain:
        raise WrongOptions("--until and --drain exclude each other; --drain goes on until nothing waits")
    return RunOptions(
        events=events,
        in_order=in_order,
        actions=actions,
        decisions=decisions,
        dead_letters=dead_letters,
        state=state,
        until_ms=instant_of("--until", until),
        drain=drain,
    )


@contextmanager
def _progress() -> "Iterator[Callable[[Progress], None] | None]":
    """Show a bar while it runs, where somebody watches; only then is rich imported."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console

    from orchestrator.views import times

    columns = (
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.description}"),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)

        def show(progress: "Progress") -> None:
            bar.update(
                task,
                completed=progress.fraction or 0.0,
                total=None if progress.fraction is None else 1.0,
                description=f"{progress.events:,} events, at {times.spoken(progress.clock_ms, 'UTC')} UTC",
            )

        yield show


def _told(summary: "Summary") -> Iterator[str]:
    """Tell in a few lines what a run came to."""
    from orchestrator.views import times

    counted = screen.counted
    total = sum(summary.events.values())
    rate = f", {total / summary.seconds:,.0f} a second" if summary.seconds else ""
    if not total:
        yield "no event that was not read before" if summary.customers else "no event"
    else:
        yield f"{counted(total, 'event')} ({_counts(summary.events)}) in {summary.seconds:.1f} s{rate}"
    yield f"{counted(sum(summary.actions.values()), 'action')} ({_counts(summary.actions)})"
    yield f"{counted(sum(summary.decisions.values()), 'decision')} ({_counts(summary.decisions)})"
    clock = "" if summary.clock_ms is None else f" at {times.spoken(summary.clock_ms, 'UTC')} UTC"
    yield f"{summary.waiting:,} of {summary.customers:,} customers have a timer set{clock}"
    for name, asked in sorted(summary.misnamed.items()):
        told = f"events come as {name!r}, and journeys ask for {asked!r}, another name: write either in both places"
        yield screen.paint(told, "yellow", sys.stderr)
    if summary.dead_letters:
        letters = counted(sum(summary.dead_letters.values()), "dead letter")
        yield screen.paint(f"{letters} ({_counts(summary.dead_letters)})", "yellow", sys.stderr)
        for letter in summary.first_dead_letters:
            line = "" if letter.line is None else f":{letter.line}"
            yield f"  {letter.source}{line}: {letter.reason}: {letter.message}"
        if summary.events["refused"] == total:
            yield "none of these is an event: one JSON object on each line is wanted, CSV and JSON arrays are not"


def _counts(counts: "dict[str, int]") -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()) if count) or "none"


def _values(summary: "Summary") -> dict[str, Any]:
    from orchestrator.model import instants

    return {
        "events": dict(summary.events),
        "actions": dict(summary.actions),
        "decisions": dict(summary.decisions),
        "dead_letters": dict(summary.dead_letters),
        "misnamed": dict(summary.misnamed),
        "timers": summary.timers,
        "waiting": summary.waiting,
        "customers": summary.customers,
        "clock": None if summary.clock_ms is None else instants.to_text(summary.clock_ms),
        "seconds": round(summary.seconds, 3),
    }
