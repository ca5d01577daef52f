"""The steps of a journey: a map with exactly one verb each.

Owns one model a verb, with every key. Must never know how a step is compiled or run.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from orchestrator.language import durations
from orchestrator.language.definitions import meant
from orchestrator.language.definitions.fields import (
    FIELD_PATTERN,
    ID_PATTERN,
    Duration,
    Ended,
    EventName,
    EventNames,
    Expression,
    Id,
    MessageId,
    Model,
    Name,
    ProfileField,
    Short,
    Text,
    kind_of,
    nearest,
    refuse,
    written_as,
)
from orchestrator.language.definitions.triggers import Trigger, UntilForm

# Marks the parts of pydantic's locations that are ours and not the author's: no text of a file holds this character.
TAG = "\x00"

_IDS = "Names the step, in lower-case words with dashes; what a customer's place is stored under."
# What is asked of other steps by who wants them at a time of day.
_UNTIL = 'a step of its own, wait_until: "10:00"'


class StepBase(Model):
    """What every step may have."""

    id: Id | None = Field(None, description=_IDS)
    meta: dict[str, Any] | None = Field(None, description="Anything; nobody reads it but you.")


class WaitBody(Model):
    """A pause."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = dict.fromkeys(("at", "time", "until", "date", "weekday"), _UNTIL)

    for_: Duration = Field(alias="for", description="How long, such as 1h or 1d12h; a day is 24 hours.")
    restart_on: EventNames | None = Field(None, description="Each of these events starts the pause again.")


class WaitStep(StepBase):
    """Pause for a length of time."""

    wait: Annotated[
        WaitBody,
        Short(
            lambda text: {"for": text},
            {"type": "string", "pattern": durations.POSITIVE_PATTERN, "description": "How long, such as 1h."},
            "a length of time such as 1h, or a map with `for`",
            "1h",
        ),
    ] = Field(description="Pause for a length of time.")


class WaitUntilStep(StepBase):
    """Pause until a local time or a date."""

    wait_until: UntilForm = Field(
        description="Pause until the next such local time, or until a date; strictly later than now."
    )


class WaitBranch(Trigger):
    """One of several things to wait for."""

    name: Name | None = Field(None, description="Names the branch: `steps.<id>.name`.")
    then: "list[Step]" = Field(default_factory=list, description="What follows when this happens.")


class WaitForBody(Trigger):
    """An event to wait for, or any of several."""

    any: list[WaitBranch] | None = Field(None, min_length=1, description="Several branches; the first that matches.")
    within: Duration = Field(description="How long to wait at most. Every wait has a way out.")

    @model_validator(mode="after")
    def _one_trigger(self) -> "WaitForBody":
        given = {"event": self.event, "segment": self.segment, "segment_left": self.segment_left, "any": self.any}
        present = [name for name, value in given.items() if value is not None]
        if not present:
            refuse("E224", "nothing says what to wait for", "event, or any with branches")
        if len(present) > 1:
            refuse("E224", f"a wait for {' and '.join(present)}", "one of them, or `any` with branches", key=present[1])
        if self.where is not None and self.event is None:
            refuse("E225", "`where` asks about an event, and there is none", "where inside each branch", key="where")
        return self


class WaitForStep(StepBase):
    """Wait for an event, at most so long."""

    wait_for: WaitForBody = Field(description="Wait for an event, at most `within`.")
    then: "list[Step] | None" = Field(None, description="What follows when it happens; without it, carry on.")
    on_timeout: "list[Step]" = Field(default_factory=list, description="What follows when it does not happen in time.")

    @model_validator(mode="after")
    def _then_in_branches(self) -> "WaitForStep":
        if self.then is not None and self.wait_for.any is not None:
            refuse("E225", "with `any`, the `then` stands in the branches", "then inside each branch", key="then")
        return self


def _channels(value: Any) -> Any:
    if isinstance(value, str):
        refuse("E203", f"expected a list of channels, found the text {value!r}", f"[{value}]")
    return value


Channels = Annotated[list[Name], Field(min_length=1), BeforeValidator(_channels)]


class SendBody(Model):
    """A message to one customer."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("at", "time", "when", "on", "schedule", "weekday"), f"{_UNTIL}, before this one"),
        **dict.fromkeys(("after", "delay", "wait"), "a step of its own, wait: 1h, before this one"),
    }

    message: MessageId = Field(description="The message's id, as in messages/<id>.message.yaml.")
    channels: Channels | None = Field(
        None,
        description="Channels in the order to try; `preferred` stands for the customer's own, `same` for the "
        "channel of the last event. Without it: every channel that the message has content for.",
    )
    purpose: Name | None = Field(
        None, description="Why we speak; without it the message's purpose, then the journey's."
    )
    expires: Duration | None = Field(None, description="Give up when it could not be sent for so long.")
    data: dict[str, Expression] = Field(
        default_factory=dict,
        description="Values for the template, as data.NAME; right sides are expressions. `confirms` names the "
        "purpose that links.confirm is about.",
    )


class SendStep(StepBase):
    """Send a message."""

    send: Annotated[
        SendBody,
        Short(
            lambda text: {"message": text},
            {"type": "string", "pattern": ID_PATTERN, "description": "The message's id."},
            "a message's id, or a map with `message`",
            "message: welcome",
        ),
    ] = Field(description="Send a message, by the first channel that is reachable, consented and allowed.")


class ChooseBranch(Model):
    """A condition and what follows, or what follows otherwise."""

    if_: Expression | None = Field(None, alias="if", description="The condition, such as entry.total >= 100.")
    then: "list[Step]" = Field(default_factory=list, description="What follows when it holds.")
    else_: "list[Step] | None" = Field(None, alias="else", description="What follows when nothing before held.")

    @model_validator(mode="after")
    def _if_or_else(self) -> "ChooseBranch":
        if self.if_ is None and self.else_ is None:
            refuse("E226", "this branch has neither `if` nor `else`", "if: CONDITION with then: [...]")
        if self.if_ is not None and self.else_ is not None:
            refuse("E226", "`else` is a branch of its own", "- else: [...] as the last branch", key="else")
        if self.else_ is not None and "then" in self.model_fields_set:
            refuse("E226", "`else` holds its steps itself", "the steps under else", key="then")
        return self


def _else_last(branches: list[ChooseBranch]) -> list[ChooseBranch]:
    if any(branch.else_ is not None for branch in branches[:-1]):
        refuse("E226", "`else` is not the last branch; what comes after it can never hold", "else as the last branch")
    return branches


class ChooseStep(StepBase):
    """Take the first branch whose condition holds."""

    choose: Annotated[list[ChooseBranch], Field(min_length=1), AfterValidator(_else_last)] = Field(
        description="Branches with conditions; the first that holds is taken, and none means carry on."
    )


class SplitBranch(Model):
    """One share of the customers."""

    name: Name = Field(description="Names the branch: `steps.<id>.name`.")
    share: Annotated[float, Field(gt=0, le=100)] = Field(description="Its share in percent; all shares sum to 100.")
    then: "list[Step]" = Field(default_factory=list, description="What follows for this share.")


_SHARES = "[{name: a, share: 50}, {name: b, share: 50}]"


class SplitStep(StepBase):
    """Divide customers by a sticky draw."""

    split: Annotated[list[SplitBranch], Field(min_length=2), written_as("a list", _SHARES, str, dict)] = Field(
        description="Shares that sum to 100; the same customer always gets the same one."
    )


class AskBody(Model):
    """A survey."""

    survey: Literal["nps", "csat", "ces", "custom"] = Field(description="The kind of survey.")
    message: Id = Field(description="The message that asks.")
    channels: Channels | None = Field(None, description="Channels in the order to try.")
    within: Duration = Field(description="How long to wait for the answer.")


class AskStep(StepBase):
    """Send a survey and wait for its answer."""

    ask: AskBody = Field(description="Send a survey and wait for the answer.")
    then: "list[Step]" = Field(default_factory=list, description="What follows an answer.")
    on_timeout: "list[Step]" = Field(default_factory=list, description="What follows when none came.")


class HandoffBody(Model):
    """A case for a person."""

    to: Name = Field(description="The team.")
    skill: Name | None = Field(None, description="The skill that is needed.")
    priority: Literal["low", "normal", "high", "urgent"] = Field("normal", description="How urgent it is.")
    reason: Text | None = Field(None, description="Why a person is asked.")
    summary: Text | None = Field(None, description="What the person should know, as a template.")
    pause: list[Name] = Field(default_factory=list, description="Purposes that are refused while the case is open.")
    until: Literal["closed"] | None = Field(None, description="`closed` waits for the case to be closed.")
    within: Duration | None = Field(None, description="How long to wait at most.")


class HandoffStep(StepBase):
    """Open a case for a person."""

    handoff: HandoffBody = Field(description="Open a case for a person, with the whole context.")
    then: "list[Step]" = Field(default_factory=list, description="What follows when the case is closed.")
    on_timeout: "list[Step]" = Field(default_factory=list, description="What follows when it is not closed in time.")


class ScoreBody(Model):
    """A model's judgement."""

    model: Name = Field(description="A scorer: rules, sentiment, topic, churn, recommend, or your own.")
    input: Expression | None = Field(None, description="What to judge; without it the text of the last event.")
    save: ProfileField | None = Field(None, description="Where to keep the value, such as profile.churn_risk.")


class ScoreStep(StepBase):
    """Ask a scorer."""

    score: ScoreBody = Field(description="Run a scorer: `.value`, `.label`, `.items`, `.why`.")


class SetStep(StepBase):
    """Change fields of the profile."""

    set: Annotated[dict[str, Expression], Field(min_length=1)] = Field(
        description="Fields of the profile and their values: {profile.tier: \"'gold'\"}. Right sides are expressions.",
        json_schema_extra={"propertyNames": {"pattern": FIELD_PATTERN}},
    )


class EmitBody(Model):
    """An event of our own."""

    event: EventName = Field(description="The event's name.")
    properties: dict[str, Expression] = Field(
        default_factory=dict, description="Its properties; right sides are expressions."
    )


class EmitStep(StepBase):
    """Put an event of our own into the stream."""

    emit: Annotated[
        EmitBody,
        Short(
            lambda text: {"event": text},
            {"type": "string", "description": "The event's name."},
            "an event's name, or a map with `event`",
            "event: cart_reminded",
        ),
    ] = Field(description="An event of our own, back into the stream.")


class CallBody(Model):
    """A signed call to another system."""

    webhook: Name = Field(description="A webhook of orchestrator.yaml.")
    payload: dict[str, Expression] = Field(
        default_factory=dict, description="What is sent; right sides are expressions."
    )
    within: Duration | None = Field(None, description="How long to wait for the answer.")


class CallStep(StepBase):
    """Call another system and wait for its answer."""

    call: CallBody = Field(description="Call a webhook: `.status`, `.response`.")
    then: "list[Step]" = Field(default_factory=list, description="What follows an answer.")
    on_timeout: "list[Step]" = Field(default_factory=list, description="What follows when none came.")


class RepeatBody(Model):
    """Rounds."""

    every: Duration = Field(description="From the start of one round to the start of the next.")
    at_most: Annotated[int, Field(ge=1, le=1_000)] = Field(description="How many rounds at most.")
    until: Expression | None = Field(None, description="Asked before each round; when it holds, no more rounds.")
    until_event: EventNames | None = Field(None, description="Ends the rounds the moment it happens.")
    steps: "Annotated[list[Step], Field(min_length=1)]" = Field(description="What each round does.")


class RepeatStep(StepBase):
    """Do the same in rounds."""

    repeat: RepeatBody = Field(description="The first round at once, then one every so long.")


class ExitStep(StepBase):
    """End the entry."""

    exit: Ended = Field(description="Ends the entry with this reason.")


VERBS: dict[str, type[StepBase]] = {
    "wait": WaitStep,
    "wait_until": WaitUntilStep,
    "wait_for": WaitForStep,
    "send": SendStep,
    "choose": ChooseStep,
    "split": SplitStep,
    "ask": AskStep,
    "handoff": HandoffStep,
    "score": ScoreStep,
    "set": SetStep,
    "emit": EmitStep,
    "call": CallStep,
    "repeat": RepeatStep,
    "exit": ExitStep,
}
_WAITING = ("wait_for", "ask", "call", "handoff")
_OWN_KEYS = frozenset({"id", "meta", "then", "on_timeout"})


def _verb_meant(word: str) -> str | None:
    return next((verb for verb in (word, *meant.by_verb(word)) if verb in VERBS), None)


def _one_verb(value: Any) -> Any:
    """Refuse a step without exactly one verb, before its shape is looked at."""
    if isinstance(value, str) and (verb := _verb_meant(value)):
        refuse("E203", f"a step is a map with one verb, found the word {value}", f"{verb}: ...")
    if not isinstance(value, dict):
        refuse("E203", f"a step is a map with one verb, found {kind_of(value)}", "a step such as wait: 1h")
    verbs = [name for name in value if name in VERBS]
    if len(verbs) > 1:
        refuse("E222", f"a step has one verb, this has {' and '.join(verbs)}", f"a step of its own for {verbs[1]}",
               key=verbs[1])  # fmt: skip
    if not verbs:
        unknown = [name for name in value if name not in _OWN_KEYS]
        if not unknown:
            refuse("E220", "this step has no verb", "one of " + ", ".join(VERBS))
        word = str(unknown[0])
        fix = _verb_meant(word) or nearest(word.lower(), tuple(VERBS)) or "one of " + ", ".join(VERBS)
        refuse("E221", f"`{unknown[0]}` is no verb", fix, key=unknown[0])
    for name in ("then", "on_timeout"):
        if name in value and verbs[0] not in _WAITING:
            refuse("E223", f"`{name}` does not go with {verbs[0]}", f"the steps after this one, or {name} beside "
                   + ", ".join(_WAITING), key=name)  # fmt: skip
    return value


def _verb_of(value: Any) -> str | None:
    names = value if isinstance(value, dict) else ()
    verb = next((name for name in names if name in VERBS), None)
    return None if verb is None else TAG + verb


Step = Annotated[
    Annotated[WaitStep, Tag(TAG + "wait")]
    | Annotated[WaitUntilStep, Tag(TAG + "wait_until")]
    | Annotated[WaitForStep, Tag(TAG + "wait_for")]
    | Annotated[SendStep, Tag(TAG + "send")]
    | Annotated[ChooseStep, Tag(TAG + "choose")]
    | Annotated[SplitStep, Tag(TAG + "split")]
    | Annotated[AskStep, Tag(TAG + "ask")]
    | Annotated[HandoffStep, Tag(TAG + "handoff")]
    | Annotated[ScoreStep, Tag(TAG + "score")]
    | Annotated[SetStep, Tag(TAG + "set")]
    | Annotated[EmitStep, Tag(TAG + "emit")]
    | Annotated[CallStep, Tag(TAG + "call")]
    | Annotated[RepeatStep, Tag(TAG + "repeat")]
    | Annotated[ExitStep, Tag(TAG + "exit")],
    Discriminator(_verb_of),
    BeforeValidator(_one_verb),
]

# Steps hold steps: the models that name `Step` before it is there are completed now, what steps hold first.
_NESTING: tuple[type[Model], ...] = (WaitBranch, ChooseBranch, SplitBranch, RepeatBody, *VERBS.values())
for _model in _NESTING:
    _model.model_rebuild()
