"""`orchestrator map`: a journey drawn.

Owns where the drawing goes and whose counts stand on it. Drawing is `views`' work.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import journeys, screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import ProjectFolder
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.model.journey import Journey
    from orchestrator.views.graph import Graph

EXAMPLES = [
    Example("orchestrator map abandoned-cart shop -o cart.svg", "draw a picture"),
    Example("orchestrator map abandoned-cart shop --format mermaid", "for a README or a wiki"),
    Example("orchestrator map abandoned-cart shop --state shop.db -o cart.svg", "with who stands where right now"),
]


class CannotDraw(OrchestratorError):  # noqa: N818 - it names the thing found
    """What was asked for cannot be drawn. The caller's move."""


class Format(StrEnum):
    """What a journey is drawn as."""

    SVG = "svg"
    MERMAID = "mermaid"
    JSON = "json"


_SUFFIXES = {".svg": Format.SVG, ".mmd": Format.MERMAID, ".mermaid": Format.MERMAID, ".json": Format.JSON}


def command(
    journey: Annotated[str, typer.Argument(metavar="JOURNEY", help="The journey's id.")],
    directory: ProjectFolder = Path(),
    form: Annotated[
        Format | None, typer.Option("--format", help="By default what FILE ends in, else svg.", show_default=False)
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file.")] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="A store: show how many customers stand where.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Draw a journey.

    The picture needs nothing from outside, reads well on light and dark, and shows every step, every way on with its
    condition, and the rules that end an entry wherever it stands.
    """
    from orchestrator.views import drawing
    from orchestrator.views.graph import graph_of

    form = Format.JSON if as_json else form or _form_of(output)
    graph = graph_of(_found(directory, journey))
    counts = None if state is None else _standing(state, journey)
    if form is Format.JSON and output is None:
        screen.out_json(drawing.as_values(graph, counts))
        return
    draw = {Format.SVG: drawing.as_svg, Format.MERMAID: drawing.as_mermaid, Format.JSON: _as_json}[form]
    text = draw(graph, counts)
    if output is None:
        screen.out(text.rstrip("\n"))
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    screen.say(f"{output} written")


def _form_of(output: Path | None) -> Format:
    """Tell from a file's name what is drawn into it; without one a picture is."""
    if output is None or output.suffix == "":
        return Format.SVG
    if output.suffix not in _SUFFIXES:
        endings = ", ".join(_SUFFIXES)
        raise CannotDraw(f"{output.name} is no kind of drawing; end it in one of {endings}, or name a --format")
    return _SUFFIXES[output.suffix]


def _as_json(graph: "Graph", counts: Mapping[str, int] | None) -> str:
    import msgspec

    from orchestrator.views import drawing

    return msgspec.json.format(msgspec.json.encode(drawing.as_values(graph, counts)), indent=2).decode() + "\n"


def _found(directory: Path, journey_id: str) -> "Journey":
    from orchestrator.language import load

    catalog = load(directory).catalog
    for journey in catalog.current:
        if journey.id == journey_id:
            return journey
    raise journeys.no_such(journey_id, journeys.named_in(catalog), directory)


def _standing(state: Path, journey_id: str) -> Counter[str]:
    """Count the customers on each step, in whatever version they stand there."""
    from orchestrator.model import codec
    from orchestrator.storage.sqlite import SqliteStore

    counts: Counter[str] = Counter()
    with SqliteStore(state, writes=False) as store:
        for _profile_id, record in store.records():
            counts.update(entry.step for entry in codec.decode(record).entries if entry.journey == journey_id)
    return counts
