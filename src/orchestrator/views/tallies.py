"""Tallies: decisions added up, journey by journey and step by step.

Owns what is counted for what. Reads decisions in the order in which they were made and keeps a few words of each entry,
so it needs memory for entries and not for decisions. Must never judge a number: that is `experiments`'.

A conversion is put down to the last message of its entry before it. Groups that were drawn, by a holdout or a split,
are compared over one and the same window for all: the goal's `within` from the last message before the draw, or from
the start. A journey counts conversions from the last message of all, which those who are held out never get; to compare
what it counts would favour whoever is sent more.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.model import instants
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.views.experiments import Experiment, judge
from orchestrator.views.intervals import Share

# The length of a goal's window by journey and version, in milliseconds; None where it has none, or nobody knows.
Windows = Callable[[str, int], int | None]

# The journey's own holdout, and the universal one.
HOLDOUTS = ("journey", "universal")
HELD_OUT, TREATED = "held out", "treated"
# A producer that is not sure sends an event again, soon. What that event changed nobody decides twice; what it did not,
# such as a "no" to entering, comes to the same decision under the same id. So many ids of a journey are looked back on.
RECENT = 10_000


@dataclass(slots=True)
class Survey:
    """The answers to the survey of one step."""

    kind: str = ""
    asked: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    scores: list[float] = field(default_factory=list)


@dataclass(slots=True)
class StepTally:
    """What one step did: messages by channel, refusals by reason, and the conversions put down to it."""

    sent: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    held: int = 0
    credited: int = 0
    done: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Entry:
    """What is kept of one entry: who, since when, in which holdout, the last message, draws, and the conversion."""

    profile_id: str
    version: int
    at_ms: int
    holdout: str | None
    base_ms: int
    last: tuple[str, str] | None = None
    converted_ms: int | None = None
    draws: dict[str, tuple[str, int, int]] = field(default_factory=dict)


class JourneyTally:
    """Everything counted for one journey, over all its versions."""

    def __init__(self, journey: str, windows: Windows, known_as: Callable[[str], str] = str) -> None:
        self.journey = journey
        self._known_as = known_as
        self.versions: set[int] = set()
        self.verdicts: Counter[str] = Counter()
        self.not_entered: Counter[str] = Counter()
        self.exited: Counter[str] = Counter()
        self.value = 0.0
        self.steps: dict[str, StepTally] = {}
        self.surveys: dict[str, Survey] = {}
        self._windows = windows
        self._entries: dict[str, _Entry] = {}
        self._recent: OrderedDict[str, None] = OrderedDict()

    def take(self, decision: Decision) -> None:
        """Count one decision, once."""
        if self._is_again(decision.id):
            return
        self.versions.add(decision.version)
        self.verdicts[decision.verdict] += 1
        handler = _HANDLERS.get(decision.verdict)
        if handler is not None:
            handler(self, decision)

    def _is_again(self, decision_id: str) -> bool:
        if decision_id in self._recent:
            return True
        self._recent[decision_id] = None
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return False

    @property
    def converted(self) -> Share:
        """The entries that reached the goal, of all."""
        return Share(sum(entry.converted_ms is not None for entry in self._entries.values()), len(self._entries))

    @property
    def customers(self) -> int:
        """Count the customers who entered."""
        return len({self._known_as(entry.profile_id) for entry in self._entries.values()})

    def step(self, name: str) -> StepTally:
        """Give the tally of a step."""
        return self.steps.setdefault(name, StepTally())

    def _enter(self, decision: Decision) -> None:
        at_ms = _ms(decision)
        holdout = decision.saw.get("holdout")
        kind = holdout if holdout in HOLDOUTS else None
        self._entries[decision.entry_id or ""] = _Entry(decision.profile_id, decision.version, at_ms, kind, at_ms)

    def _refuse_entry(self, decision: Decision) -> None:
        self.not_entered[decision.reason] += 1

    def _send(self, decision: Decision) -> None:
        channel, step = str(decision.saw.get("channel")), decision.step or ""
        self.step(step).sent[channel] += 1
        entry = self._entries.get(decision.entry_id or "")
        if entry is not None:
            entry.last, entry.base_ms = (step, channel), _ms(decision)

    def _withhold(self, decision: Decision) -> None:
        self.step(decision.step or "").withheld[decision.reason] += 1

    def _hold(self, decision: Decision) -> None:
        self.step(decision.step or "").held += 1

    def _do(self, decision: Decision) -> None:
        self.step(decision.step or "").done[decision.verdict] += 1

    def _branch(self, decision: Decision) -> None:
        entry = self._entries.get(decision.entry_id or "")
        if decision.reason == Reason.SHARE and entry is not None:
            branch = str(decision.saw.get("branch"))
            entry.draws[decision.step or ""] = (branch, _ms(decision), entry.base_ms)

    def _wait(self, decision: Decision) -> None:
        if decision.reason == Reason.FOR_ANSWER:
            self.surveys.setdefault(decision.step or "", Survey()).asked += 1

    def _resume(self, decision: Decision) -> None:
        if decision.reason == Reason.ANSWERED and "survey" in decision.saw:
            survey = self.surveys.setdefault(decision.step or "", Survey())
            survey.kind = str(decision.saw["survey"])
            survey.groups[str(decision.saw.get("group") or "none")] += 1
            if isinstance(decision.saw.get("score"), int | float):
                survey.scores.append(decision.saw["score"])

    def _convert(self, decision: Decision) -> None:
        value = decision.saw.get("value")
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.value += value
        entry = self._entries.get(decision.entry_id or "")
        if entry is not None and entry.converted_ms is None:
            entry.converted_ms = _ms(decision)
            if entry.last is not None:
                self.step(entry.last[0]).credited += 1

    def _exit(self, decision: Decision) -> None:
        self.exited[decision.reason] += 1

    # Groups that were drawn

    def uplifts(self) -> dict[str, Experiment]:
        """Compare those who are held out with all others: by the journey's own holdout, and by the universal one."""
        return {
            kind: self._uplift(kind)
            for kind in HOLDOUTS
            if any(entry.holdout == kind for entry in self._entries.values())
        }

    def _uplift(self, kind: str) -> Experiment:
        drawn = _Drawn(self._known_as)
        for entry in self._entries.values():
            if entry.holdout in (None, kind):
                group = TREATED if entry.holdout is None else HELD_OUT
                drawn.add(group, entry.profile_id, entry.at_ms, self._reached(entry, entry.at_ms, entry.at_ms))
        return drawn.judged(HELD_OUT)

    def splits(self) -> dict[str, Experiment]:
        """Compare the branches of every split; who is held out gets nothing on any of them, and is left out."""
        found: defaultdict[str, _Drawn] = defaultdict(lambda: _Drawn(self._known_as))
        for entry in self._entries.values():
            if entry.holdout is None:
                for step, (branch, at_ms, base_ms) in entry.draws.items():
                    found[step].add(branch, entry.profile_id, at_ms, self._reached(entry, at_ms, base_ms))
        return {step: drawn.judged() for step, drawn in sorted(found.items())}

    def _reached(self, entry: _Entry, drawn_ms: int, base_ms: int) -> bool:
        """Whether an entry reached the goal after it was drawn, and inside the window that is the same for all."""
        if entry.converted_ms is None or entry.converted_ms < drawn_ms:
            return False
        window_ms = self._windows(self.journey, entry.version)
        return window_ms is None or entry.converted_ms <= base_ms + window_ms


class _Drawn:
    """Customers by group: who is there, who of them reached the goal, and the time between the first and the last."""

    def __init__(self, known_as: Callable[[str], str]) -> None:
        self._known_as = known_as
        self._reached: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        self._first_ms = self._last_ms = 0

    def add(self, group: str, profile_id: str, at_ms: int, reached: bool) -> None:
        members = self._reached[group]
        name = self._known_as(profile_id)
        members[name] = members.get(name, False) or reached
        self._first_ms = min(self._first_ms or at_ms, at_ms)
        self._last_ms = max(self._last_ms, at_ms)

    def judged(self, control: str | None = None) -> Experiment:
        shares = {name: Share(sum(who.values()), len(who)) for name, who in sorted(self._reached.items())}
        return judge(shares, self._last_ms - self._first_ms, control)


class Tallies:
    """All journeys' tallies; `windows` tells how long after a message a goal still counts."""

    def __init__(self, windows: Windows = lambda journey, version: None) -> None:
        self._windows = windows
        self._journeys: dict[str, JourneyTally] = {}
        self._merged: dict[str, str] = {}

    def take(self, decision: Decision) -> None:
        """Count one decision."""
        if not decision.journey:  # about the customer alone
            if decision.verdict == Verdict.MERGED:
                self._merged[str(decision.saw.get("profile"))] = decision.profile_id
            return
        tally = self._journeys.get(decision.journey)
        if tally is None:
            tally = self._journeys[decision.journey] = JourneyTally(decision.journey, self._windows, self._known_as)
        tally.take(decision)

    def _known_as(self, profile_id: str) -> str:
        """Give the profile that this one has become a part of: they are one customer."""
        while profile_id in self._merged:
            profile_id = self._merged[profile_id]
        return profile_id

    @property
    def journeys(self) -> Mapping[str, JourneyTally]:
        """The tallies by journey, in the order of their ids."""
        return dict(sorted(self._journeys.items()))


def _ms(decision: Decision) -> int:
    return instants.parse(decision.at) or 0


_HANDLERS: dict[str, Callable[[JourneyTally, Decision], Any]] = {
    Verdict.ENTERED: JourneyTally._enter,
    Verdict.NOT_ENTERED: JourneyTally._refuse_entry,
    Verdict.SENT: JourneyTally._send,
    Verdict.SUPPRESSED: JourneyTally._withhold,
    Verdict.HELD: JourneyTally._hold,
    Verdict.HANDED_OFF: JourneyTally._do,
    Verdict.CALLED: JourneyTally._do,
    Verdict.SCORED: JourneyTally._do,
    Verdict.BRANCHED: JourneyTally._branch,
    Verdict.WAITED: JourneyTally._wait,
    Verdict.RESUMED: JourneyTally._resume,
    Verdict.CONVERTED: JourneyTally._convert,
    Verdict.EXITED: JourneyTally._exit,
}
