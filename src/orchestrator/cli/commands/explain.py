"""`orchestrator explain`: what happened to a customer and why, as sentences.

Owns what is told, and in which order. The sentences are `views`' work, decisions and state are read as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import journeys, screen
from orchestrator.cli.decisions import by_id, catalog_of, read
from orchestrator.cli.help import Example
from orchestrator.cli.options import Customer
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.model.catalog import Catalog
    from orchestrator.model.decision import Decision
    from orchestrator.model.state import State

EXAMPLES = [
    Example("orchestrator explain ana --state shop.db", "everything that was decided about a customer"),
    Example("orchestrator explain email:ana@example.com --state shop.db", "known by something else than their id"),
    Example(
        "orchestrator explain ana --decisions decisions.jsonl --journey abandoned-cart", "from a file, one journey"
    ),
    Example("orchestrator explain ana --state shop.db --json | jq '.waiting'", "for a program"),
]


# Above what was decided about the customer as a whole: whose identifiers are theirs.
WHO = "who they are"


class CannotExplain(OrchestratorError):  # noqa: N818 - it names what is the matter
    """There is nothing to explain from, or it cannot be read. The caller's move."""


@dataclass
class _Known:
    """All that is known of one customer."""

    profile_id: str
    state: "State | None" = None
    decisions: "dict[str, Decision]" = field(default_factory=dict)
    catalog: "Catalog | None" = None
    # The journeys of everybody's decisions that were read on the way.
    journeys: set[str] = field(default_factory=set)

    @property
    def zone(self) -> str:
        """The time zone that this customer's local times are told in."""
        from orchestrator.model.zones import zone_of

        if self.catalog is None:
            return "UTC"
        return (
            self.catalog.project.timezone
            if self.state is None
            else zone_of(self.state.profile, self.catalog.project).key
        )


def command(
    customer: Customer,
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The project, where the store does not know it.")
    ] = None,
    state: Annotated[Path | None, typer.Option("--state", metavar="FILE", help="The store that `run` kept.")] = None,
    decisions: Annotated[
        Path | None, typer.Option("--decisions", metavar="FILE", help="The decisions that `run` wrote.")
    ] = None,
    journey: Annotated[str | None, typer.Option("--journey", metavar="ID", help="Only this journey.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what happened to a customer and why.

    Why a message was sent, why another was not, and what they are waiting for now: as sentences, in the customer's
    local time. Exit code 1: nothing is known of them.
    """
    if state is None and decisions is None:
        raise CannotExplain("nothing to explain from; name the store with --state, or decisions with --decisions")
    known = _known(customer, directory, state, decisions)
    if known is None:
        screen.complain(f"nothing is known of {customer!r}; a customer id, or kind:value such as email:ana@example.com")
        raise typer.Exit(1)
    journeys.refuse_unknown(journey, known.catalog, _journeys_of(known), directory or state or decisions)
    if as_json:
        screen.out_json(_values(customer, known, journey))
    else:
        _tell(customer, known, journey)


def _known(customer: str, directory: Path | None, state: Path | None, decisions: Path | None) -> _Known | None:
    from orchestrator.cli import customers

    known = _Known(customers.candidates(customer)[0])
    has_something = False
    if state is not None:
        from orchestrator.storage.sqlite import SqliteStore

        with SqliteStore(state, writes=False) as store:
            found = customers.find(store, customer)
            if found is not None:
                has_something = True
                known = _Known(found.profile_id, found.state)
                known.decisions.update(by_id(store.decisions_of(found.profile_id), str(state)))
                known.catalog = catalog_of(store)
    if decisions is not None:
        wanted = {known.profile_id, *customers.candidates(customer)}
        with decisions.open("rb") as lines:
            wanted = _with_merged(wanted, (one for one in read(lines, str(decisions)) if one.verdict == "merged"))
        with decisions.open("rb") as lines:
            for name, one in by_id(lines, str(decisions)):
                known.journeys.add(one.journey)
                if one.profile_id in wanted:
                    known.decisions[name] = one
    if directory is not None:
        from orchestrator.language import load

        known.catalog = load(directory).catalog
    return known if has_something or known.decisions else None


def _journeys_of(known: _Known) -> set[str]:
    """Name the journeys that state or decisions know."""
    inside = set() if known.state is None else {entry.journey for entry in known.state.entries}
    return known.journeys | inside | {one.journey for one in known.decisions.values()}


def _with_merged(wanted: set[str], merged: "Iterable[Decision]") -> set[str]:
    """Add every profile that was merged with one of these, whichever way and however often."""
    pairs = [{one.profile_id, str(one.saw.get("profile"))} for one in merged]
    while any(pair & wanted and not pair <= wanted for pair in pairs):
        wanted = wanted.union(*(pair for pair in pairs if pair & wanted))
    return wanted


def _chosen(known: _Known, journey: str | None) -> "list[Decision]":
    return [one for one in known.decisions.values() if journey in (None, one.journey)]


def _tell(customer: str, known: _Known, journey: str | None) -> None:
    from orchestrator.model import instants
    from orchestrator.views import sentences, standing, times

    screen.out(screen.paint(f"{customer}, local times of {known.zone}", "bold"))
    decisions = _chosen(known, journey)
    numbers = _numbers(known)
    labels = {**numbers, **_keys(known)}
    story = sentences.story_of(known.decisions.values())
    for name in dict.fromkeys(decision.journey for decision in decisions):
        own = [decision for decision in decisions if decision.journey == name]
        versions = ", ".join(str(version) for version in sorted({decision.version for decision in own}))
        # Who they are is decided for all journeys, and by none.
        screen.out(f"\n{screen.paint(name, 'bold')}, version {versions}" if name else f"\n{screen.paint(WHO, 'bold')}")
        for decision in own:
            at = times.spoken(instants.parse(decision.at) or 0, known.zone)
            style = {"sent": "green", "suppressed": "yellow", "held": "yellow", "parked": "red"}.get(decision.verdict)
            text = sentences.sentence(decision, known.zone, story=story)
            if "key" not in decision.saw and decision.entry_id in labels:
                text = f"{text} [{labels[decision.entry_id]}]"  # of several entries, whose this is
            screen.out(f"  {at:<22}  {screen.paint(text, style) if style else text}")
    if not decisions:
        screen.out("\nNothing has been decided about them" + ("." if journey is None else f" in {journey}."))
    screen.out(f"\n{screen.paint('Now', 'bold')}")
    waiting = _waiting(known, journey)
    for entry in waiting:
        number = numbers.get(entry["entry_id"])
        screen.out(f"  {entry['sentence']}" + ("" if number is None else f" [{number}]"))
    if not waiting:
        screen.out("  They are waiting for nothing.")
    for text in [] if known.state is None else standing.unreachable(known.state.profile):
        screen.out(f"  {text}")


def _keys(known: _Known) -> dict[str | None, str]:
    """Give the key of each entry that has one, as it was when it entered."""
    return {one.entry_id: str(one.saw["key"]) for one in known.decisions.values() if one.entry_id and "key" in one.saw}


def _numbers(known: _Known) -> dict[str | None, str]:
    """Give a number to each entry of journeys that held several at once without a key to tell them by."""
    inside: dict[str, set[str]] = {}
    entered: dict[str, list[str]] = {}
    mixed: set[str] = set()
    for one in known.decisions.values():
        if one.entry_id is None:
            continue
        here = inside.setdefault(one.journey, set())
        if one.verdict == "exited":
            here.discard(one.entry_id)
        elif one.verdict == "entered" and "key" not in one.saw:
            here.add(one.entry_id)
            entered.setdefault(one.journey, []).append(one.entry_id)
            if len(here) > 1:
                mixed.add(one.journey)
    return {
        entry_id: f"entry {number}" for journey in sorted(mixed) for number, entry_id in enumerate(entered[journey], 1)
    }


def _waiting(known: _Known, journey: str | None) -> list[dict[str, Any]]:
    """Tell where the customer stands: from the state, or as far as the decisions say."""
    if known.state is None:
        return _waiting_by_decisions(known, journey)
    from orchestrator.model import instants
    from orchestrator.views import standing

    found = []
    for entry in known.state.entries:
        if journey not in (None, entry.journey):
            continue
        compiled = None if known.catalog is None else known.catalog.journey(entry.journey, entry.version)
        found.append(
            {
                "journey": entry.journey,
                "version": entry.version,
                "entry_id": entry.id,
                "key": entry.key,
                "step": entry.step,
                "until": instants.to_text(entry.due_ms) if entry.due_ms else None,
                "events": standing.awaited(compiled, entry),
                "sentence": standing.standing(compiled, entry, known.zone),
            }
        )
    return found


def _waiting_by_decisions(known: _Known, journey: str | None) -> list[dict[str, Any]]:
    from orchestrator.views import sentences

    last: dict[str, Decision] = {}
    keys = _keys(known)
    story = sentences.story_of(known.decisions.values())
    for decision in _chosen(known, journey):
        if decision.entry_id is not None and decision.verdict != "converted":
            last[decision.entry_id] = decision
    return [
        {
            "journey": decision.journey,
            "version": decision.version,
            "entry_id": decision.entry_id,
            "key": keys.get(decision.entry_id),
            "step": decision.step,
            "until": decision.saw.get("until"),
            "events": [],
            "sentence": f"{_passage(decision, keys)}: {sentences.sentence(decision, known.zone, story=story)}",
        }
        for decision in last.values()
        if decision.verdict in ("waited", "held")
    ]


def _passage(decision: "Decision", keys: dict[str | None, str]) -> str:
    key = keys.get(decision.entry_id)
    return decision.journey if key is None else f"{decision.journey} ({key})"


def _values(customer: str, known: _Known, journey: str | None) -> dict[str, Any]:
    import msgspec

    from orchestrator.model import instants
    from orchestrator.views import sentences, standing, times

    keys = _keys(known)
    story = sentences.story_of(known.decisions.values())
    return {
        "customer": customer,
        "profile_id": known.profile_id,
        "customer_id": None if known.state is None else known.state.profile.customer_id,
        "timezone": known.zone,
        "unreachable": {} if known.state is None else standing.bounced(known.state.profile),
        "decisions": [
            {
                **msgspec.to_builtins(decision),
                "key": keys.get(decision.entry_id),
                "local_at": times.stamp(instants.parse(decision.at) or 0, known.zone),
                "sentence": sentences.sentence(decision, known.zone, story=story),
            }
            for decision in _chosen(known, journey)
        ],
        "waiting": _waiting(known, journey),
    }
