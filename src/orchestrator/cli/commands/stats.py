"""`orchestrator stats`: what journeys came to.

Owns where the decisions are read from and which of them count. Adding up, comparing and wording are `views`' work.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import journeys, screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import WrongOptions, folder_and_files, instant_of

if TYPE_CHECKING:
    from orchestrator.model.casework import CaseFile
    from orchestrator.model.catalog import Catalog
    from orchestrator.model.decision import Decision
    from orchestrator.storage.store import Store
    from orchestrator.views.tallies import Windows

EXAMPLES = [
    Example("orchestrator stats --state shop.db", "all journeys of a store"),
    Example(
        "orchestrator stats shop --decisions monday.jsonl tuesday.jsonl --journey abandoned-cart",
        "one journey, from the decisions that `run` wrote; the project tells how long a goal counts",
    ),
    Example("orchestrator stats --state shop.db --version 3 --since 2026-03-01T00:00:00Z --json", "since a change"),
]
SPREAD = ["--decisions"]
# By name: how many codes a coupon's file holds, and how many of them nobody has.
Coupons = dict[str, dict[str, int]]


def command(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The project, where decisions come from files.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="The store that `run` or `serve` keeps.")
    ] = None,
    decisions: Annotated[
        list[str] | None,
        typer.Option("--decisions", metavar="FILE...", help="Decisions as JSON lines; - is standard input."),
    ] = None,
    journey: Annotated[str | None, typer.Option("--journey", metavar="ID", help="Only this journey.")] = None,
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="Only this version.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only entries that began at or after this instant.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count entries, messages, conversions and answers, per journey and step.

    A conversion is put down to the last message before it. Every rate comes with what it may be (95 %, Wilson). Splits
    and holdouts are compared by customer, over the same window for all, with the interval of their difference (95 %,
    Newcombe); one is named better only with at least 100 customers, 10 of whom reached the goal and 10 of whom did not,
    in each group over at least 7 days, and a difference at 99 %. A store also tells how many codes of its coupons are
    left; on Kafka the metric orchestrator_coupons_left does; and how long its teams took for cases.
    """
    from orchestrator.views import caseloads, figures
    from orchestrator.views.tallies import Tallies

    folder, files = folder_and_files(directory, decisions or [])
    if (state is None) == (not files):
        raise WrongOptions("name the store with --state, or decisions with --decisions")
    since_ms = instant_of("--since", since)
    with ExitStack() as opened:
        found, catalog, coupons, cases = _opened(opened, state, files, folder)
        tallies = Tallies(_windows(catalog))
        chosen = _Chosen(journey, version, since_ms)
        counts = chosen.counts
        for decision in found:
            if counts(decision):
                tallies.take(decision)
        journeys.refuse_unknown(journey, catalog, chosen.journeys, folder or state or ", ".join(files))
        loads = {} if journey is not None else caseloads.caseloads(cases, since_ms)
    told = list(tallies.journeys.values())
    if as_json:
        values = {"journeys": [figures.values(tally) for tally in told]}
        further = {"coupons": coupons, "cases": loads}
        screen.out_json(values | {name: value for name, value in further.items() if value})
        return
    if not told:
        screen.say("nothing has been decided")
    for number, tally in enumerate(told):
        title, *rest = figures.lines(tally, has_goal=_has_goal(catalog, tally.journey))
        screen.out(("\n" if number else "") + screen.paint(title, "bold"))
        for line in rest:
            screen.out(line)
    _show("coupons", (f"  {name}: {pool['left']:,} of {pool['codes']:,} codes left" for name, pool in coupons.items()))
    _show("cases", caseloads.lines(loads))


def _show(title: str, told: Iterable[str]) -> None:
    """Show what a store tells besides, under its title; nothing where there is none."""
    lines = list(told)
    if lines:
        screen.out("\n" + screen.paint(title, "bold"))
    for line in lines:
        screen.out(line)


def _opened(
    opened: ExitStack, state: Path | None, files: list[str], folder: Path | None
) -> "tuple[Iterator[Decision], Catalog | None, Coupons, Iterator[CaseFile]]":
    """Open what decisions are read from; a store knows the journeys itself, what codes are left, and its cases."""
    from orchestrator.cli.decisions import read

    if state is None:
        from orchestrator.language import load

        catalog = None if folder is None else load(folder).catalog
        return (one for name in files for one in read(_lines(opened, name), name)), catalog, {}, iter(())
    from orchestrator.cli.decisions import catalog_of
    from orchestrator.storage.sqlite import SqliteStore

    store = opened.enter_context(SqliteStore(state, writes=False))
    return read(store.decisions(), str(state)), catalog_of(store), _coupons(store), store.casework.every()


def _coupons(store: "Store") -> Coupons:
    """Count the codes of what is in force, and those that nobody has."""
    from orchestrator.language import compile_sources

    release = store.release()
    pools = {} if release is None else compile_sources(release.sources).catalog.project.coupons
    given = store.codes() if pools else frozenset[str]()
    return {
        name: {"codes": len(codes), "left": sum(code not in given for code in codes)} for name, codes in pools.items()
    }


def _lines(opened: ExitStack, name: str) -> Iterable[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return opened.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise WrongOptions(f"{name} cannot be read: {error.strerror}") from error


def _windows(catalog: "Catalog | None") -> "Windows":
    """Tell how long a goal counts after a message; of several goals, as long as all of them do."""

    def window(journey_id: str, version: int) -> int | None:
        journey = None if catalog is None else catalog.journey(journey_id, version)
        lengths = [] if journey is None else [goal.within_ms for goal in journey.goals if goal.within_ms is not None]
        return min(lengths, default=None)

    return window


def _has_goal(catalog: "Catalog | None", journey_id: str) -> bool:
    """Tell whether any version of a journey has a goal; of one that nothing is known of, it may."""
    versions = {} if catalog is None else catalog.versions
    goals = [journey.goals for (name, _version), journey in versions.items() if name == journey_id]
    return any(goals) or not goals


class _Chosen:
    """Which decisions count: of one journey and version, of entries that began late enough."""

    def __init__(self, journey: str | None, version: int | None, since_ms: int | None) -> None:
        self._journey = journey
        self._version = version
        self._since_ms = since_ms
        self._entries: set[str] = set()
        # Those that any decision was about, chosen or not.
        self.journeys: set[str] = set()

    @property
    def counts(self) -> "Callable[[Decision], bool]":
        return self._is_of_it if self._since_ms is None else self._began_in_time

    def _is_of_it(self, decision: "Decision") -> bool:
        self.journeys.add(decision.journey)
        if not decision.journey:
            return True
        return self._journey in (None, decision.journey) and self._version in (None, decision.version)

    def _began_in_time(self, decision: "Decision") -> bool:
        if not self._is_of_it(decision):
            return False
        from orchestrator.model import instants

        if not decision.journey:
            return True
        if decision.verdict in ("entered", "not_entered"):
            began = (instants.parse(decision.at) or 0) >= (self._since_ms or 0)
            if began and decision.entry_id is not None:
                self._entries.add(decision.entry_id)
            return began
        return decision.entry_id in self._entries
