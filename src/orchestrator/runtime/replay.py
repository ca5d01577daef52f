"""Replay: the same events through two projects, and what customers would get more, less or else.

Owns what counts as the same: two things that a customer gets are equal when journey, step, content,
channel and instant are; of what is left over, those of one step are paired in order and count as
changed, the rest is more or less. Never looks at ids of actions, which carry the version.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from orchestrator.language import Loaded
from orchestrator.model.effects import Action
from orchestrator.runtime.embedded import RunOptions, run_events

_KINDS = frozenset({"message", "handoff", "call"})
_decode = msgspec.json.Decoder(Action).decode


@dataclass(frozen=True, slots=True, order=True)
class Got:
    """One thing that a customer gets: a message, a case or a call. `at` is RFC 3339 text."""

    at: str
    journey: str
    step: str
    kind: str
    what: str
    channel: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Where it comes from: things of one place are compared with each other."""
        return (self.journey, self.step, self.kind)


@dataclass(frozen=True, slots=True)
class Changed:
    """A thing that is still got, but otherwise: another channel, content or instant."""

    before: Got
    after: Got


@dataclass(slots=True)
class Difference:
    """What one customer, or all together, would get more, less and else."""

    more: list[Got] = field(default_factory=list)
    less: list[Got] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Tell whether there is any difference."""
        return bool(self.more or self.less or self.changed)


@dataclass(slots=True)
class Total:
    """The counts of one step: what was got before and is got after, and how they differ."""

    before: int = 0
    after: int = 0
    more: int = 0
    less: int = 0
    changed: int = 0


@dataclass(slots=True)
class Comparison:
    """The whole difference. `customers` holds those with any, by customer; `totals` every step, by journey and step."""

    customers: dict[str, Difference] = field(default_factory=dict)
    totals: dict[tuple[str, str], Total] = field(default_factory=dict)
    compared: int = 0


def replay(before: Loaded, after: Loaded, options: RunOptions, folder: Path) -> Comparison:
    """Run the events through both projects from nothing, and compare what customers get.

    `options` say which events and how far; where they write is ours, in `folder`. Memory grows with what
    customers get, not with events. Raises what `run_events` raises.
    """
    files = []
    for name, loaded in (("before", before), ("after", after)):
        actions = folder / f"{name}.jsonl"
        run_events(loaded, replace(options, actions=actions, decisions=None, dead_letters=None, state=None))
        files.append(actions)
    return compare(*(_got(path) for path in files))


def _got(path: Path) -> Iterator[tuple[str, Got]]:
    """Read what customers get out of a file of actions: (customer, thing)."""
    with path.open("rb") as lines:
        for line in lines:
            action = _decode(line)
            if action.kind in _KINDS:
                what = action.message if action.kind == "message" else f"{action.kind} to {action.to}"
                thing = Got(action.at, action.journey, action.step, action.kind, what or "", action.channel or "")
                yield action.customer_id or action.profile_id, thing


def compare(before: Iterable[tuple[str, Got]], after: Iterable[tuple[str, Got]]) -> Comparison:
    """Compare two lists of (customer, thing), customer by customer."""
    had, has = _by_customer(before), _by_customer(after)
    comparison = Comparison(compared=len(had.keys() | has.keys()))
    totals: dict[tuple[str, str], Total] = defaultdict(Total)
    for customer in sorted(had.keys() | has.keys()):
        ours, theirs = had.get(customer, []), has.get(customer, [])
        for thing in ours:
            totals[thing.journey, thing.step].before += 1
        for thing in theirs:
            totals[thing.journey, thing.step].after += 1
        difference = _compare_one(ours, theirs)
        if difference:
            comparison.customers[customer] = difference
            _count(totals, difference)
    comparison.totals = dict(sorted(totals.items()))
    return comparison


def _by_customer(things: Iterable[tuple[str, Got]]) -> dict[str, list[Got]]:
    found: dict[str, list[Got]] = defaultdict(list)
    for customer, thing in things:
        found[customer].append(thing)
    return found


def _compare_one(before: list[Got], after: list[Got]) -> Difference:
    gone = list((Counter(before) - Counter(after)).elements())
    new = list((Counter(after) - Counter(before)).elements())
    difference = Difference()
    waiting: dict[tuple[str, str, str], list[Got]] = defaultdict(list)
    for thing in sorted(new):
        waiting[thing.place].append(thing)
    for thing in sorted(gone):
        if waiting[thing.place]:
            difference.changed.append(Changed(thing, waiting[thing.place].pop(0)))
        else:
            difference.less.append(thing)
    difference.more = sorted(thing for left in waiting.values() for thing in left)
    return difference


def _count(totals: dict[tuple[str, str], Total], difference: Difference) -> None:
    for thing in difference.more:
        totals[thing.journey, thing.step].more += 1
    for thing in difference.less:
        totals[thing.journey, thing.step].less += 1
    for change in difference.changed:
        totals[change.after.journey, change.after.step].changed += 1
