"""`orchestrator test`: the examples of every journey.

Owns how results are shown, on a terminal and as JUnit XML. Running examples is `testing`'s work.
"""

from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import ProjectFolder
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.testing.examples import ExampleResult

EXAMPLES = [
    Example("orchestrator test shop", "run all examples"),
    Example("orchestrator test shop -k 'quiet hours'", "run those whose journey or name contains a text"),
    Example("orchestrator test shop --junit build/examples.xml", "in CI: results as JUnit XML as well"),
]


class NothingMatches(OrchestratorError):  # noqa: N818 - it names the thing found
    """A filter that leaves no example to run. The caller's move."""


class Timed(NamedTuple):
    """One result, how long it took, and where the example stands."""

    result: "ExampleResult"
    seconds: float
    place: str


def command(
    directory: ProjectFolder = Path(),
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML as well.")] = None,
    keyword: Annotated[
        str | None, typer.Option("-k", metavar="TEXT", help="Only examples whose journey or name contains this.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the examples of every journey.

    Each example is played by the production engine on a virtual clock, policies included. One that fails shows its
    whole timeline, with the first difference marked under the decision that caused it. Exit code 0: all hold; 1: some
    do not; 2: the project cannot be read.
    """
    timed = []
    for result in _run(directory, keyword):
        timed.append(result)
        if not as_json:
            _show(result)
    failed = sum(not one.result.passed for one in timed)
    if keyword is not None and not timed:
        raise NothingMatches(f"no example's journey or name contains {keyword!r}; try a shorter text")
    if junit is not None:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(as_junit(timed), encoding="utf-8")
    if as_json:
        screen.out_json(
            {
                "ok": not failed,
                "passed": len(timed) - failed,
                "failed": failed,
                "examples": [_values(one) for one in timed],
            }
        )
    else:
        summary = f"{len(timed) - failed} passed, {failed} failed"
        screen.out(screen.paint(summary, "red" if failed else "green"))
    if not timed:
        screen.warn("no journey has an example; an `examples:` list at the end of a journey is one")
    raise typer.Exit(1 if failed else 0)


def _run(directory: Path, keyword: str | None) -> Iterable[Timed]:
    from orchestrator.language import load
    from orchestrator.testing.examples import run_example

    loaded = load(directory)
    wanted = (keyword or "").lower()
    for journey_id, definition in loaded.definitions.items():
        for example, line in zip(definition.examples, definition.example_lines, strict=True):
            if wanted in journey_id.lower() or wanted in example.name.lower():
                began = perf_counter()
                result = run_example(loaded, journey_id, example)
                yield Timed(result, perf_counter() - began, f"{definition.file}:{line}")


def _show(timed: Timed) -> None:
    result = timed.result
    if result.passed:
        screen.out(f"{screen.paint('pass', 'green')}  {result.journey}: {result.example}")
        return
    first, *rest = result.report().splitlines()
    screen.out(f"{screen.paint('FAIL', 'red')}  {screen.paint(first, 'bold')} ({timed.place})")
    for line in rest:
        is_marked = line.startswith(">") or line.lstrip().startswith("!")
        screen.out("      " + (screen.paint(line, "yellow") if is_marked else line))
    screen.out("")


def _values(timed: Timed) -> dict[str, Any]:
    result = timed.result
    return {
        "journey": result.journey,
        "example": result.example,
        "passed": result.passed,
        "seconds": round(timed.seconds, 6),
        "differences": [
            {"key": one.key, "text": one.text, "decision": None if one.decision is None else one.decision.id}
            for one in result.differences
        ],
        "report": None if result.passed else result.report(),
    }


def as_junit(timed: Iterable[Timed]) -> str:
    """Write results as JUnit XML, one suite a journey."""
    suites: dict[str, list[Timed]] = {}
    for one in timed:
        suites.setdefault(one.result.journey, []).append(one)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for journey, results in suites.items():
        failures = sum(not one.result.passed for one in results)
        lines.append(
            f'  <testsuite name={quoteattr(journey)} tests="{len(results)}" failures="{failures}" errors="0" '
            f'skipped="0" time="{sum(one.seconds for one in results):.6f}">'
        )
        for one in results:
            case = f"    <testcase classname={quoteattr(journey)} name={quoteattr(_valid(one.result.example))}"
            case += f' time="{one.seconds:.6f}"'
            if one.result.passed:
                lines.append(case + "/>")
                continue
            message = quoteattr(_valid(one.result.differences[0].text))
            lines += [
                case + ">",
                f"      <failure message={message}>{escape(_valid(one.result.report()))}</failure>",
                "    </testcase>",
            ]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _valid(text: str) -> str:
    """Leave out what XML cannot hold at all: control characters, which events may well carry."""
    return "".join(letter if letter in "\t\n" or letter.isprintable() else "�" for letter in text)
