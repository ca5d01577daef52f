"""The laws of audiences: a segment is entered and left at the very instant at which its condition turns, and no other.

The oracle knows no windows and no timers: it asks a condition anew at every instant that could matter, over all that
ever happened. Each law was seen failing once with the code broken on purpose.
"""

from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.language import compile_sources
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Verdict
from orchestrator.model.event import Event
from orchestrator.runtime.simulated import SimulatedRuntime
from orchestrator.runtime.turn import profile_of

START_MS = instants.parse("2026-01-05T10:00:00Z") or 0
DAY_MS = instants.DAY_MS
PROJECT = "project: shop\npurposes: {service: {consent: none}}\n"
# Enters and leaves with the segment, and so writes down each change of it.
JOURNEY = """\
journey: hello
version: 1
purpose: service
status: live
enter: {segment: watched, again: after_exit}
exit: [{segment_left: watched, reason: left}]
steps:
  - {id: stay, wait: 5000d}
"""
EVENTS = ("ordered", "viewed", "came")


@dataclass(frozen=True)
class Term:
    """One comparison of a condition, with what it means written a second time."""

    text: str
    kind: str
    name: str
    bound: float
    operator: str
    within_ms: int = 0

    def holds(self, now_ms: int, happened: list[tuple[int, str]], traits: dict[str, int]) -> bool:
        if self.kind == "count":
            found = sum(
                1 for at_ms, name in happened if name == self.name and now_ms - self.within_ms < at_ms <= now_ms
            )
            return compare(found, self.operator, self.bound)
        at_ms = traits.get(self.name)
        return at_ms is not None and compare((now_ms - at_ms) / DAY_MS, self.operator, self.bound)


def compare(value: float, operator: str, bound: float) -> bool:
    return {">=": value >= bound, ">": value > bound, "<": value < bound, "<=": value <= bound, "==": value == bound}[
        operator
    ]


def term(dice: Random) -> Term:
    operator = dice.choice([">=", ">", "<", "<=", "=="])
    if dice.random() < 0.65:
        name, days, bound = dice.choice(EVENTS), dice.choice([1, 2, 7, 30]), dice.randrange(4)
        text = f"count('{name}', within='{days}d') {operator} {bound}"
        return Term(text, "count", name, bound, operator, days * DAY_MS)
    bound = dice.choice([0, 0.3, 2, 10, 33.333])
    return Term(f"days_since(profile.at) {operator} {bound}", "since", "at", bound, operator)


@dataclass(frozen=True)
class Plot:
    condition: str
    terms: tuple[Term, ...]
    joined: str
    happenings: tuple[tuple[int, str], ...]

    def holds(self, now_ms: int, happened: list[tuple[int, str]], traits: dict[str, int]) -> bool:
        truths = [one.holds(now_ms, happened, traits) for one in self.terms]
        return all(truths) if self.joined == "and" else any(truths)


def plot(seed: int) -> Plot:
    dice = Random(seed)
    terms = tuple(term(dice) for _ in range(dice.randrange(1, 4)))
    joined = dice.choice(["and", "or"])
    at_ms, happenings = START_MS, []
    for _ in range(dice.randrange(2, 14)):
        at_ms += dice.choice([0, 1, 3_600_000, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, dice.randrange(20 * DAY_MS)])
        happenings.append((at_ms, dice.choice([*EVENTS, *EVENTS, "profile_updated"])))
    return Plot(f" {joined} ".join(one.text for one in terms), terms, joined, tuple(happenings))


def catalog_of(condition: str) -> Catalog:
    segments = f'watched: {{if: "{condition}"}}\n'
    return compile_sources({"orchestrator.yaml": PROJECT, "segments.yaml": segments, "a.journey.yaml": JOURNEY}).catalog


def played(told: Plot) -> list[tuple[int, str]]:
    """Play it on the production engine: the instants at which the segment was entered and left."""
    runtime = SimulatedRuntime(catalog_of(told.condition), START_MS)
    for number, (at_ms, name) in enumerate(told.happenings):
        properties = {"at": at_ms} if name == "profile_updated" else {}
        runtime.receive(Event(f"e{number}", name, at_ms, "ana", decoded=properties))
    runtime.run_until(told.happenings[-1][0] + 400 * DAY_MS)
    assert runtime.next_due_ms() > runtime.now_ms
    return [
        (happened.now_ms, decision.verdict)
        for happened in runtime.history
        for decision in happened.turned.decisions
        if decision.verdict in (Verdict.ENTERED, Verdict.EXITED)
    ]


def expected(told: Plot) -> list[tuple[int, str]]:
    """Ask the condition anew after every event and at every instant that could matter, over all that ever happened."""
    at_all = {at_ms for at_ms, _ in told.happenings}
    for one in told.terms:
        for at_ms, _ in told.happenings:
            passed = at_ms + (one.within_ms if one.kind == "count" else int(one.bound * DAY_MS))
            at_all |= {passed + off for off in (-1, 0, 1, 2)}
    heard = {name for name in EVENTS if any(one.name == name for one in told.terms)} | {"profile_updated"}
    happened: list[tuple[int, str]] = []
    traits: dict[str, int] = {}
    inside: bool | None = None
    changes: list[tuple[int, str]] = []
    last_ms = told.happenings[-1][0] + 400 * DAY_MS

    def look(now_ms: int) -> None:
        nonlocal inside
        holds = told.holds(now_ms, happened, traits)
        if inside is not None and holds != inside:
            changes.append((now_ms, Verdict.ENTERED.value if holds else Verdict.EXITED.value))
        inside = holds

    for now_ms in sorted(at for at in at_all if at <= last_ms):
        here = [name for at_ms, name in told.happenings if at_ms == now_ms]
        for name in here:
            if inside is None and name in heard:
                inside = told.holds(now_ms, happened, traits)  # who is in from the start has not entered
            happened.append((now_ms, name))
            if name == "profile_updated":
                traits["at"] = now_ms
            if inside is not None and name in heard:
                look(now_ms)
        # Time takes its effect after the events of its instant.
        if inside is not None:
            look(now_ms)
    return changes


def entries_only(changes: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Leave out what a journey that nobody is inside of cannot write down: being in from the start, and leaving."""
    if changes and changes[0][1] == Verdict.EXITED.value:
        return changes[1:]
    return changes


@settings(max_examples=120)
@given(st.integers(0, 2**32 - 1))
def test_a_segment_changes_at_the_very_instant_at_which_its_condition_turns(seed):
    told = plot(seed)
    assert played(told) == entries_only(expected(told)), told


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_a_record_names_its_next_change_itself_and_holds_no_more_than_is_counted(seed):
    told = plot(seed)
    catalog = catalog_of(told.condition)
    runtime = SimulatedRuntime(catalog, START_MS)
    for number, (at_ms, name) in enumerate(told.happenings):
        properties = {"at": at_ms} if name == "profile_updated" else {}
        event = Event(f"e{number}", name, at_ms, "ana", decoded=properties)
        runtime.receive(event)
        record = runtime.record_of(profile_of(catalog.project, event))
        if record is None:
            continue
        state = codec.decode(record)
        assert codec.encode(state) == record
        assert codec.due_of(record) == state.due_ms()
        assert state.past.counts.keys() <= {one.name for one in told.terms if one.kind == "count"}
        for name, kept in state.past.counts.items():
            longest = max(one.within_ms for one in told.terms if one.name == name)
            assert [at for at in kept if at <= max(kept) - longest] == []
