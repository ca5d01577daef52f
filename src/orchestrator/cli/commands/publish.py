"""`orchestrator publish`: put a project in force, on Kafka or in a state file, after showing what changes for whom.

Owns the form of the plan and the question of whether it may go ahead. Comparing and publishing are the runtime's.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.kafka import ask, settings_for
from orchestrator.cli.options import Config, ProjectFolder
from orchestrator.cli.process import DOES_NOT_HOLD
from orchestrator.cli.settings import Sources

if TYPE_CHECKING:
    from orchestrator.language import Loaded
    from orchestrator.runtime.kafka.settings import KafkaSettings
    from orchestrator.runtime.publishing import Change

_LAST_ZONE = timezone(timedelta(hours=-12))
EXAMPLES = [
    Example("orchestrator publish shop --dry-run", "what would change, and for how many customers"),
    Example("orchestrator publish shop", "put it in force; workers take it up without a restart"),
    Example("orchestrator publish shop --state shop.db", "the same for `run` and `serve`, also while they run"),
]


def command(
    directory: ProjectFolder = Path(),
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Put it in force in this state file, not on Kafka.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
) -> None:
    """Put a project's journeys in force.

    Validates the project, compares it with what is in force, and shows for each journey what changes and how many
    customers stand on each step. A journey whose meaning changed needs a higher version; without it nothing is
    published. Customers inside a journey finish the version they entered, or move as its on_change says. All journeys
    change together or none does. Workers, and a `run` or `serve` on the state file, take it up without a restart.
    """
    from orchestrator.language import load

    loaded = load(directory)
    if state is None:
        settings = settings_for(loaded.catalog.project, Sources(config=config))
        changes, revision = ask(settings, _publish(settings, loaded, dry_run=dry_run))
    else:
        changes, revision = _publish_to(state, loaded, dry_run=dry_run)
    refused = [change for change in changes if change.why is not None]
    if as_json:
        screen.out_json({"changes": changes, "revision": revision, "dry_run": dry_run})
    else:
        for line in _told(changes, loaded):
            screen.out(line)
        if refused:
            screen.complain(f"nothing is published: {screen.counted(len(refused), 'journey')} must be mended first")
        elif dry_run:
            screen.say("nothing is published: this is a dry run")
        else:
            screen.say("nothing to publish" if revision is None else f"published as release {revision}")
    if refused:
        raise typer.Exit(DOES_NOT_HOLD)


async def _publish(
    settings: "KafkaSettings", loaded: "Loaded", *, dry_run: bool
) -> "tuple[Sequence[Change], int | None]":
    from orchestrator.runtime.kafka.catalogs import keyed, publish
    from orchestrator.runtime.kafka.publishing import in_force
    from orchestrator.runtime.kafka.topics import Topics, ensure
    from orchestrator.runtime.publishing import plan

    topics = Topics.of(settings)
    known = await in_force(settings, topics)
    changes = plan(known.loaded, loaded, known.standing)
    if dry_run or any(change.why is not None for change in changes):
        return changes, None
    await ensure(settings, topics)
    revision = await publish(settings, topics, keyed(loaded), known=known.revision, compared=known.release)
    return changes, revision


def _publish_to(path: Path, loaded: "Loaded", *, dry_run: bool) -> "tuple[Sequence[Change], int | None]":
    from orchestrator.runtime.versions import plan_of, publish
    from orchestrator.storage import MemoryStore, SqliteStore, Store, StoreInUse

    store: Store
    if dry_run:
        store = SqliteStore(path, writes=False) if path.exists() else MemoryStore()
    else:
        try:
            store = SqliteStore(path)
        except StoreInUse:  # whoever runs over it takes up what is published beside it
            store = SqliteStore(path, writes=False, publishes=True)
    with store:
        changes = plan_of(loaded, store)
        if dry_run or any(change.why is not None for change in changes):
            return changes, None
        return changes, publish(loaded, store)


def _told(changes: "Sequence[Change]", loaded: "Loaded") -> Iterator[str]:
    from orchestrator.runtime.publishing import Kind

    for change in changes:
        inside = sum(change.inside.values())
        customers = f"{screen.counted(inside, 'customer')} inside"
        finish = f"{customers}, who finish version {change.before}"
        stay = {
            "pin": finish,
            "migrate": f"{customers}, who move to version {change.after}",
            "drain": f"nobody enters any more; {finish}",
        }[change.on_change]
        said = {
            Kind.NEW: f"new, version {change.after}, {change.status}",
            Kind.UNCHANGED: f"unchanged, version {change.after}; {customers}",
            Kind.RETOUCHED: f"version {change.after}, {_status(change)}; {customers}",
            Kind.VERSION: f"version {change.before} to {change.after}; {stay}",
            Kind.WITHDRAWN: f"withdrawn: nobody enters any more; {finish}",
            Kind.REFUSED: f"refused: {change.refusal}; {customers}",
        }[change.kind]
        style = {Kind.REFUSED: "red", Kind.UNCHANGED: "dim"}.get(change.kind, "bold")
        yield f"{screen.paint(change.journey, style)}: {said}"
        if change.kind is not Kind.UNCHANGED:
            yield from _steps(change)
        if change.kind in (Kind.NEW, Kind.VERSION):
            yield from _too_late(loaded, change)


def _too_late(loaded: "Loaded", change: "Change") -> Iterator[str]:
    """Say which broadcasts nobody will get: their local time has passed in the last of all time zones."""
    from orchestrator.model.audience import Schedule

    journey = loaded.catalog.journey(change.journey, change.after or 0)
    now = datetime.now(_LAST_ZONE).replace(tzinfo=None)
    for moment in journey.moments if journey is not None else ():
        if isinstance(moment, Schedule) and moment.once is not None and moment.once < now:
            yield f"  nobody enters by its schedule: {moment.once:%Y-%m-%dT%H:%M} has passed everywhere"


def _status(change: "Change") -> str:
    """Say what another status does; everything else that needs no higher version moves nobody."""
    if change.status == change.was:
        return "changed in nothing that moves anybody"
    does = {
        "live": "customers may enter, and who stood still goes on",
        "paused": "nobody enters, and who is inside stands still until it is live again",
        "draining": "nobody enters any more, and who is inside finishes",
        "draft": "nobody enters any more",
    }[str(change.status)]
    return f"{change.was} to {change.status}: {does}"


def _steps(change: "Change") -> Iterator[str]:
    """List the steps that a change touches or that customers stand on."""
    names: dict[str, Any] = dict.fromkeys((*change.touched, *change.inside))
    for name in names:
        count = screen.counted(change.inside.get(name, 0), "customer")
        moves = f", who move to {change.moves[name]}" if name in change.moves else ""
        yield f"  {name}: {count}{moves}{', changed or gone' if name in change.touched else ''}"
