"""The journey, compiled: triggers, rules and a flat table of steps that name their successors by id.

Owns the shape that `language` compiles an author's YAML into and that `engine` walks. Containers
(choose, split, repeat, then, on_timeout) are flattened: the last step of a branch names as `next` the
step after the container, so a position is one step id and no stack of frames is ever stored.
Values only; no behaviour beyond questions about themselves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.model.audience import NOTHING_ASKED, SEGMENT_ENTERED, SEGMENT_LEFT, AskedPast, Moment
from orchestrator.model.expression import Expression

Status = Literal["draft", "live", "paused", "draining"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """What an event must be to match: one of the types, and the condition.

    `segment` is the one that a `segment` or `segment_left` rule is about: changes of other segments are none of its
    business, and so not on record as looked at.
    """

    events: frozenset[str]
    where: Expression | None = None
    segment: str | None = None

    def is_about(self, event_type: str, properties: Mapping[str, object]) -> bool:
        """Whether an event is of this rule's business at all."""
        return event_type in self.events and (self.segment is None or properties.get("segment") == self.segment)


@dataclass(frozen=True, slots=True)
class ExitRule:
    """Ends an entry when its trigger matches; `reason` None stands for the event's type."""

    trigger: Trigger
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class GoalRule:
    """Counts a conversion, within `within_ms` of the last message (None: while the entry lives)."""

    trigger: Trigger
    within_ms: int | None = None
    ends: bool = True
    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """When a customer may enter again: once, after_exit, always, or `after_ms` past the last exit."""

    kind: Literal["once", "after_exit", "always", "after"] = "once"
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """How many customers a journey takes as a whole in any window of `per_ms`."""

    entries: int
    per_ms: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What of a step's event somebody reads later, and so is stored.

    `event` and `events` tell whether `steps.<id>.event` and `.events` are read at all; `names` are the
    properties to keep, all where it is None.
    """

    event: bool = False
    events: bool = False
    names: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node. `next` is the step that follows, None when the journey is complete after it.

    `inside` are the ids of the repeat steps around it, outermost first. `kept` says what of its event
    to store.
    """

    id: str
    next: str | None = None
    inside: tuple[str, ...] = ()
    kept: Kept = Kept()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """Pause for `after_ms`; an event of `restart_on` starts the pause again."""

    after_ms: int
    restart_on: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil(Step):
    """Pause until a local instant: the next `minute` of day (on `weekdays`), or a date with an offset in days.

    Without `date` the next such time strictly later than now; with it, that date (its next anniversary
    when `yearly`) at `minute`, midnight by default. Weekdays count from Monday, 0.
    """

    minute: int | None = None
    weekdays: frozenset[int] = frozenset()
    date: Expression | None = None
    offset_days: int = 0
    yearly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One way on from a wait: its name, what takes it, and the first step of it."""

    name: str | None
    trigger: Trigger
    first: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(Step):
    """Pause for one of several events, at most `within_ms`; `on_timeout` is the first step of that way."""

    branches: tuple[Branch, ...]
    within_ms: int
    on_timeout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Step):
    """Send a message by the first channel of `channels` that may; `same` and `preferred` are resolved at run time.

    `purpose` is already resolved (the send's, else the message's, else the journey's). `data` are the
    author's own values for the template. `reads` maps a channel to the paths its templates name.
    """

    message: str
    channels: tuple[str, ...]
    purpose: str
    expires_ms: int | None = None
    data: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Send):
    """Send a survey and wait for its answer, at most `within_ms` from the moment it left.

    `first` is the first step of `then`; `on_timeout` is taken at once when the survey could not be sent.
    """

    survey: Literal["nps", "csat", "ces", "custom"]
    within_ms: int
    first: str | None = None
    on_timeout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff(Step):
    """Open a case for a person; with `until_closed` wait until it is closed, at most `within_ms` (None: for ever).

    While the case is open, the purposes in `pause` are refused. `purpose` is the journey's, for holdouts.
    `summary` is a template, rendered for the person; `reads` are the paths that it names.
    """

    team: str
    skill: str | None = None
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    reason: str | None = None
    summary: str | None = None
    reads: tuple[tuple[str, ...], ...] = ()
    pause: tuple[str, ...] = ()
    until_closed: bool = False
    within_ms: int | None = None
    purpose: str | None = None
    first: str | None = None
    on_timeout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Step):
    """Run a registered scorer over `input` (None: the text of the entry's last event); `save` is a profile field."""

    model: str
    input: Expression | None = None
    save: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Step):
    """Call a webhook of the project and wait for its answer, at most `within_ms`."""

    webhook: str
    payload: tuple[tuple[str, Expression], ...] = ()
    within_ms: int
    purpose: str | None = None
    first: str | None = None
    on_timeout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(Step):
    """Take the first branch whose condition holds; a branch without condition is `else`."""

    branches: tuple[tuple[Expression | None, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitBranch:
    """One share of a split: `below` is the upper end of its part of [0, 100)."""

    name: str
    below: float
    first: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Step):
    """Send each customer down one branch by a sticky draw."""

    branches: tuple[SplitBranch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValues(Step):
    """Set fields of the profile: (field name, value), in order; a missing value changes nothing."""

    values: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Step):
    """Put an event of our own back into the stream."""

    event: str
    properties: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Step):
    """Walk `first` every `every_ms` (from the start of the last round), at most `at_most` times.

    The last step of the body names this step as its `next`. `until` is asked before each round;
    an event of `until_event` ends it at once.
    """

    every_ms: int
    at_most: int
    first: str | None
    until: Expression | None = None
    until_event: Trigger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit(Step):
    """End the entry."""

    reason: str


# The event that each step which waits for an answer takes.
ANSWERS: dict[type[Step], str] = {Ask: "survey_answered", Handoff: "case_closed", Call: "call_answered"}


@dataclass(frozen=True, slots=True)
class Journey:
    """One published version of a journey.

    `entry_reads` are the opening event's properties that anybody reads (None: all), `keeps_event` and
    `event_reads` the same for the entry's last event. `reads_receipts` tells that a step's status is
    read, which receipts move on. `moves` lead from steps of older versions to steps of this one, None where
    customers inside stay on the version they entered. `enters_by_event`, `exits_by_event`, `goals_by_event` and
    `untils_by_event` index the rules by event type. `steps` is keyed by step id; all in the author's order.
    `moments` are the enter rules that time opens, and `asked` is what it reads of a customer's past. `shows_key` says
    that the key is no identifier or address, which decisions never show.
    """

    id: str
    version: int
    first: str | None
    steps: Mapping[str, Step]
    enter: tuple[Trigger, ...]
    exits: tuple[ExitRule, ...] = ()
    goals: tuple[GoalRule, ...] = ()
    key: str | None = None
    again: Again = Again()
    purpose: str | None = None
    status: Status = "draft"
    priority: int = 50
    title: str | None = None
    holdout_percent: float = 0.0
    moves: Mapping[str, str] | None = None
    entry_reads: frozenset[str] | None = frozenset()
    keeps_event: bool = False
    reads_receipts: bool = False
    event_reads: frozenset[str] | None = frozenset()
    enters_by_event: Mapping[str, tuple[Trigger, ...]] = field(default_factory=dict)
    exits_by_event: Mapping[str, tuple[ExitRule, ...]] = field(default_factory=dict)
    goals_by_event: Mapping[str, tuple[GoalRule, ...]] = field(default_factory=dict)
    untils_by_event: Mapping[str, tuple[Repeat, ...]] = field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    asked: AskedPast = NOTHING_ASKED
    limit: Limit | None = None
    shows_key: bool = True

    @property
    def hears_any_segment(self) -> bool:
        """Whether this journey may hear of a change of whatever segment, because it names the event itself."""
        heard = {event for trigger in self._triggers() if trigger.segment is None for event in trigger.events}
        return not heard.isdisjoint((SEGMENT_ENTERED, SEGMENT_LEFT))

    def _triggers(self) -> Iterator[Trigger]:
        yield from self.enter
        yield from (rule.trigger for rule in self.exits)
        yield from (goal.trigger for goal in self.goals)
        for step in self.steps.values():
            if isinstance(step, WaitFor):
                yield from (branch.trigger for branch in step.branches)
            elif isinstance(step, Wait):
                yield Trigger(step.restart_on)
            elif isinstance(step, Repeat) and step.until_event is not None:
                yield step.until_event

    @property
    def asks(self) -> frozenset[str]:
        """Every event type that this journey can ever react to."""
        types = {*self.enters_by_event, *self.exits_by_event, *self.goals_by_event, *self.untils_by_event}
        for step in self.steps.values():
            if isinstance(step, Wait):
                types |= step.restart_on
            elif isinstance(step, WaitFor):
                types.update(*(branch.trigger.events for branch in step.branches))
            elif type(step) in ANSWERS:
                types.add(ANSWERS[type(step)])
        return frozenset(types)
