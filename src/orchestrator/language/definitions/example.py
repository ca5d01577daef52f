"""An example: a test that lives with its journey.

Owns what `given`, `expect` and the customer's setting look like. Must never run one.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from orchestrator.language.definitions.fields import (
    NULLABLE,
    Because,
    EventName,
    Id,
    Language,
    LocalTime,
    Model,
    Moment,
    Name,
    Short,
    Text,
    kind_of,
    refuse,
)

# null, a reason, or a list of both.
_ENDS = {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": ["string", "null"]}}]}


def _ends(value: Any) -> Any:
    for end in value if isinstance(value, list) else [value]:
        if end is not None and not isinstance(end, str):
            refuse(
                "E203", f"expected a reason, null, or a list of them, found {kind_of(end)}", "a reason such as bought"
            )
    return value


class Given(Model):
    """An event that happens."""

    MEANT = "{at: 0m, event: {}}"

    at: Moment = Field(description='When: a length of time from the start (20m), or a local time ("2026-03-03T12:00").')
    event: EventName = Field(description="The event's name.")
    properties: dict[str, Any] = Field(
        default_factory=dict,
        description="Its properties; those of a receipt may name the step or message that it is about: {step: remind}.",
    )
    channel: Name | None = Field(None, description="The channel that it came by.")
    identifiers: dict[str, str] = Field(default_factory=dict, description="Identifiers that it carries.")
    id: Annotated[str, Field(min_length=1)] | None = Field(None, description="Its id; the same one twice is a double.")


class ExpectedText(Model):
    """What a text holds: a message's body, a case's summary."""

    contains: Text = Field(description="A text that stands somewhere in it.")


class ExpectedMessage(Model):
    """A message that left; what is not named here is not checked."""

    MEANT = "{message: {}}"

    message: Id | None = Field(None, description="Which message.")
    channel: Name | None = Field(None, description="By which channel.")
    at: LocalTime | None = Field(None, description="When, as the customer's local time.")
    language: Language | None = Field(None, description="In which language.")
    purpose: Name | None = Field(None, description="For which purpose.")
    text: ExpectedText | None = Field(None, description="What its body holds.")


class ExpectedWithheld(Model):
    """A message that was refused or held on one channel."""

    step: Id | None = Field(None, description="The step that would have sent it.")
    channel: Name | None = Field(None, description="The channel.")
    reason: Because | None = Field(None, description="Why, such as no_consent or quiet_hours.")


class ExpectedEvent(Model):
    """An event that the journey emitted."""

    event: EventName | None = Field(None, description="Its name.")
    properties: dict[str, Any] | None = Field(None, description="Its properties.")


class ExpectedCase(Model):
    """A case that was opened."""

    to: Name | None = Field(None, description="The team.")
    skill: Name | None = Field(None, description="The skill.")
    priority: Name | None = Field(None, description="The priority.")
    reason: Text | None = Field(None, description="The reason.")
    summary: ExpectedText | None = Field(None, description="What its summary holds, as the person reads it.")
    step: Id | None = Field(None, description="The step that opened it.")


class ExpectedCall(Model):
    """A call that was made."""

    webhook: Name | None = Field(None, description="The webhook.")
    payload: dict[str, Any] | None = Field(None, description="What was sent.")
    step: Id | None = Field(None, description="The step that called.")


ExpectedEventForm = Annotated[
    ExpectedEvent,
    Short(
        lambda text: {"event": text},
        {"type": "string"},
        "an event's name, or a map with `event`",
        "event: order_placed",
    ),
]


class Expect(Model):
    """What must come of it. What is named is checked whole and in order; what is not named is not checked."""

    messages: list[ExpectedMessage] | None = Field(None, description="Every message that left, of all journeys.")
    withheld: list[ExpectedWithheld] | None = Field(None, description="Every channel refused and every hold.")
    path: list[Id] | None = Field(None, description="The ids of the steps passed, containers first, exits left out.")
    waiting: Id | None = Field(
        None, description="The step where the customer waits; null when nowhere.", json_schema_extra=NULLABLE
    )
    exit: Annotated[Any, AfterValidator(_ends), WithJsonSchema(_ENDS)] = Field(
        None,
        description="How the entry ended; null while it lives; a list by age when there were several.",
        json_schema_extra=NULLABLE,
    )
    entries: Annotated[int, Field(ge=0)] | None = Field(None, description="How many entries there were.")
    not_entered: list[Because] | None = Field(None, description="Why the customer did not enter, each time.")
    converted: bool | None = Field(None, description="Whether the goal was reached.")
    profile: dict[str, Any] | None = Field(None, description="Fields of the profile at the end.")
    events: list[ExpectedEventForm] | None = Field(None, description="The events that were emitted.")
    cases: list[ExpectedCase] | None = Field(None, description="The cases that were opened.")
    calls: list[ExpectedCall] | None = Field(None, description="The calls that were made.")


class CallResponse(Model):
    """How another system answers."""

    status: Annotated[int, Field(ge=100, le=599)] = Field(description="The HTTP status.")
    body: Any = Field(None, description="The body.", json_schema_extra=NULLABLE)


class ScoreResponse(Model):
    """What a scorer says."""

    value: Any = Field(None, description="The value.", json_schema_extra=NULLABLE)
    label: str | None = Field(None, description="The label.")


class Example(Model):
    """A test: what is given, and what must come of it."""

    name: Text = Field(description="What it shows, as a sentence.")
    start: LocalTime = Field(
        "2026-01-05T10:00", description='Local time at the start; "2026-01-05T10:00", a Monday, without it.'
    )
    profile: dict[str, Any] = Field(
        default_factory=dict, description="Fields of the customer; one that is null is absent."
    )
    consents: dict[Name, dict[Name, bool]] = Field(
        default_factory=dict, description="By channel and purpose; every consent is given except where this says so."
    )
    prefers: list[Name] | None = Field(None, description="The customer's channels, the dearest first.")
    others: list[Id] = Field(default_factory=list, description="Other journeys of the project that are live too.")
    holdout: bool = Field(False, description="Whether the customer is held out.")
    split: dict[Id, Name] = Field(default_factory=dict, description="Fixes splits: {step: branch}.")
    responses: dict[Id, CallResponse] = Field(default_factory=dict, description="Answers to calls, by step.")
    scores: dict[Id, ScoreResponse] = Field(default_factory=dict, description="Answers of scorers, by step.")
    given: list[Given] = Field(default_factory=list, description="The events, each with its time; none without it.")
    until: Moment | None = Field(
        None, description="When to look; without it when nothing waits any more, a year at most."
    )
    expect: Expect = Field(description="What must come of it.")
    meta: dict[str, Any] | None = Field(None, description="Anything; nobody reads it but you.")
