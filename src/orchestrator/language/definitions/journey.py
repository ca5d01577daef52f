"""A journey as its author writes it.

Owns the top level of a *.journey.yaml file. Must never compile it.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.language.definitions.example import Example
from orchestrator.language.definitions.fields import Id, Model, Name, OrOne, Percent, Text
from orchestrator.language.definitions.steps import Step
from orchestrator.language.definitions.triggers import EnterForm, ExitRule, GoalRule


class JourneyDefinition(Model):
    """A journey: who enters, what follows, and how it ends."""

    journey: Id = Field(description="The journey's id, in lower-case words with dashes.")
    version: Annotated[int, Field(ge=1, le=1_000_000_000)] = Field(
        description="Counts up with every change to what a live journey means."
    )
    title: Text | None = Field(None, description="What people call it.")
    owner: Text | None = Field(None, description="Who answers for it.")
    purpose: Name | None = Field(
        None, description="Why we speak: a purpose of orchestrator.yaml. Decides consent, caps and quiet hours."
    )
    status: Literal["draft", "live", "paused", "draining"] = Field(
        "draft", description="draft does nothing, live runs, paused stands still, draining lets nobody in any more."
    )
    priority: Annotated[int, Field(ge=0, le=100)] = Field(
        50, description="Who goes first, and who speaks when a cap lets only one; the highest first."
    )
    enter: EnterForm = Field(description="Who enters: an event, and how often.")
    # A lone word is refused as the rule that it should have been.
    exit: Annotated[list[ExitRule], OrOne(dict, str)] = Field(
        default_factory=list, description="What ends an entry at once, whatever it waits for."
    )
    goal: Annotated[list[GoalRule], OrOne(dict, str)] = Field(
        default_factory=list, description="What the journey is for; reaching it counts a conversion."
    )
    holdout: Percent | None = Field(
        None, description="A share of customers that enters, is measured, and gets nothing, such as 10%."
    )
    steps: list[Step] = Field(description="What happens, in order.")
    on_change: Literal["pin", "migrate", "drain"] = Field(
        "pin",
        description="What this version does to customers inside an older one: with pin they finish that, with migrate "
        "they move to the step of the same id; with drain they finish it, and nobody enters any more.",
    )
    moves: dict[Id, Id] | None = Field(
        None, description="With migrate: {old-step: new-step}, for steps that have another id or are gone."
    )
    examples: list[Example] = Field(default_factory=list, description="Tests that live with the journey.")
    meta: dict[str, Any] | None = Field(None, description="Anything; nobody reads it but you.")
