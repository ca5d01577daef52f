"""Segments: named audiences, as segments.yaml holds them.

Owns their shape. Must never work out who is in one.
"""

from pydantic import Field, RootModel

from orchestrator.language.definitions.fields import Expression, Model, Name, Text


class SegmentDefinition(Model):
    """Who belongs: a condition on the customer."""

    MEANT = '{if: "{}"}'

    if_: Expression = Field(alias="if", description="The condition, such as count('order_placed', within='365d') >= 5.")
    describe: Text | None = Field(None, description="What people should know about it.")


class SegmentsDefinition(RootModel[dict[Name, SegmentDefinition]]):
    """Named audiences."""
