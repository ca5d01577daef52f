"""`orchestrator replay`: what a changed project would do otherwise, over real events.

Owns the options and the form of the answer. Running and comparing are the runtime's work.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import WrongOptions, folder_and_files, instant_of

if TYPE_CHECKING:
    from orchestrator.runtime.replay import Comparison, Difference, Got
    from orchestrator.views.comparisons import Line, Row

EXAMPLES = [
    Example("orchestrator replay shop --against shop-live --events last-month.jsonl.gz", "what my change would change"),
    Example(
        "orchestrator replay shop --against shop-live --events last-month.jsonl.gz --markdown > comment.md",
        "the same, for a pull request",
    ),
]
SPREAD = ["--events"]


def command(
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="The changed project.")] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="DIR2", help="The project as it was, to compare with.")
    ] = None,
    events: Annotated[
        list[str] | None, typer.Option("--events", metavar="FILE...", help="Events as JSON lines; - is standard input.")
    ] = None,
    in_order: Annotated[bool, typer.Option("--in-order", help="The events are in time order already.")] = False,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="At the end of input, let the time go on until then.")
    ] = None,
    drain: Annotated[bool, typer.Option("--drain", help="Let the time go on until nothing waits.")] = False,
    customers: Annotated[int, typer.Option("--customers", metavar="N", help="Show at most so many customers.")] = 20,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, for a pull request.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every customer.")] = False,
) -> None:
    """Show what customers would get more, less or else.

    Runs the events through both projects, each from nothing and in event time, with the production engine, and compares
    every message, case and call, customer by customer. `+` is more, `-` less, `~` the same step, but otherwise.
    """
    if until is not None and drain:
        raise WrongOptions("--until and --drain exclude each other; --drain goes on until nothing waits")
    if against is None:
        raise WrongOptions("nothing to compare with; name the project as it was with --against DIR2")
    changed, files = folder_and_files(directory, events or [])
    if not files:
        raise WrongOptions("no events; name files with --events, or - for standard input")
    from orchestrator.language import load
    from orchestrator.runtime.embedded import RunOptions
    from orchestrator.runtime.replay import replay

    until_ms = instant_of("--until", until)
    with tempfile.TemporaryDirectory(prefix="orchestrator-replay-") as name:
        folder = Path(name)
        options = RunOptions(events=_twice(files, folder), in_order=in_order, until_ms=until_ms, drain=drain)
        comparison = replay(load(against), load(changed or Path()), options, folder)
    title = f"{changed or Path()} against {against}"
    if as_json:
        screen.out_json(_values(comparison))
    elif markdown:
        _tell_markdown(title, comparison, customers)
    else:
        _tell(title, comparison, customers)


def _twice(events: list[str], folder: Path) -> list[str]:
    """Keep a copy of standard input, which can be read only once."""
    if "-" not in events:
        return events
    copy = folder / "events.jsonl"
    with copy.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return [str(copy) if name == "-" else name for name in events]


def _rows(comparison: "Comparison") -> "list[Row]":
    from orchestrator.views.comparisons import Row

    rows = [
        Row(f"{journey}/{step}", total.before, total.after, total.more, total.less, total.changed)
        for (journey, step), total in comparison.totals.items()
    ]
    columns = zip(*(row[1:] for row in rows), strict=True)
    return [*rows, Row("all", *(sum(column) for column in columns))] if rows else []


def _lines(comparison: "Comparison", most: int) -> "Iterator[Line]":
    from orchestrator.views.comparisons import Line

    for customer, difference in list(comparison.customers.items())[:most]:
        for sign, text in _differences(difference):
            yield Line(customer, sign, text)


def _differences(difference: "Difference") -> Iterator[tuple[str, str]]:
    for thing in difference.more:
        yield "+", _said(thing)
    for thing in difference.less:
        yield "-", _said(thing)
    for change in difference.changed:
        yield "~", f"{_said(change.before)}, now {_said(change.after)}"


def _said(thing: "Got") -> str:
    by = f" by {thing.channel}" if thing.channel else ""
    return f"{thing.what}{by} at {thing.at} ({thing.journey}/{thing.step})"


def _tell(title: str, comparison: "Comparison", most: int) -> None:
    from orchestrator.views.comparisons import as_table

    styles = {"+": "green", "-": "red", "~": "yellow"}
    screen.out(screen.paint(title, "bold"))
    for row in as_table(_rows(comparison)):
        screen.out(row)
    for line in _lines(comparison, most):
        screen.out(screen.paint(f"{line.sign} {line.customer}: {line.text}", styles[line.sign]))
    left_out = max(0, len(comparison.customers) - most)
    if left_out:
        screen.out(
            f"and {screen.counted(left_out, 'customer')} more; --customers {len(comparison.customers)} shows all"
        )
    differ = screen.counted(len(comparison.customers), "customer")
    screen.out(f"{differ} of {comparison.compared:,} who get anything would get something else")


def _tell_markdown(title: str, comparison: "Comparison", most: int) -> None:
    from orchestrator.views.comparisons import as_markdown

    left_out = max(0, len(comparison.customers) - most)
    for line in as_markdown(title, _rows(comparison), _lines(comparison, most), left_out):
        screen.out(line)


def _values(comparison: "Comparison") -> dict[str, Any]:
    return {
        "compared": comparison.compared,
        "totals": [row._asdict() for row in _rows(comparison)],
        "customers": comparison.customers,
    }
