"""What starts, ends or wakes an entry: events, segments, dates and schedules.

Owns the shapes that enter, exit, goal and wait_for share. Must never hold what only one of them knows.
"""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from orchestrator.language import durations, times
from orchestrator.language.definitions.fields import (
    Duration,
    Ended,
    EventNames,
    Expression,
    Key,
    LocalTime,
    Model,
    Name,
    Offset,
    Short,
    TimeOfDay,
    Weekday,
    Weekdays,
    kind_of,
    nearest,
    refuse,
    with_unit,
)

_Every = Literal["day", "week", "month"]
AGAIN = ("once", "after_exit", "always")
_AGAIN = {"anyOf": [{"enum": list(AGAIN)}, {"type": "string", "pattern": durations.POSITIVE_PATTERN}]}


def _exactly_one(given: dict[str, Any], what: str) -> None:
    present = [name for name, value in given.items() if value is not None]
    if not present:
        refuse("E224", f"nothing says what starts this {what}", " or ".join(given))
    if len(present) > 1:
        refuse(
            "E224",
            f"this {what} has {len(present)} triggers: {', '.join(present)}",
            "one of them, or a list of rules",
            key=present[1],
        )


class DateRule(Model):
    """A date to wait for or to enter on, with an offset and a time of day."""

    MEANT = "{date: {}}"

    date: Expression = Field(description="The date: an expression that gives a date, a time or their text.")
    offset: Offset | None = Field(None, description="So many calendar days before (-3d) or after (1d) the date.")
    time: TimeOfDay | None = Field(None, description="The customer's local time of day; without it, midnight.")
    yearly: bool = Field(False, description="Take the next anniversary of the date, every year.")


class Until(Model):
    """The next local time of day, or a date."""

    time: TimeOfDay | None = Field(None, description="The customer's local time of day, such as 10:00.")
    weekday: Weekdays | None = Field(None, description="Only on these days: one of mon … sun, or a list of them.")
    date: Expression | None = Field(None, description="A date, a time or their text, such as entry.delivery_date.")
    offset: Offset | None = Field(None, description="So many calendar days before (-3d) or after (1d) the date.")
    yearly: bool = Field(False, description="Take the next anniversary of the date.")

    @model_validator(mode="after")
    def _time_or_date(self) -> "Until":
        if self.time is None and self.date is None:
            refuse("E225", "nothing says until when to wait", 'time: "09:00" or date: entry.due')
        if self.date is None and self.offset is not None:
            refuse("E225", "`offset` counts from a `date`, and there is none", "a date", key="offset")
        if self.date is None and self.yearly:
            refuse("E225", "`yearly` needs a `date`", "a date", key="yearly")
        if self.date is not None and self.weekday is not None:
            refuse("E225", "`weekday` goes with `time` alone, not with a `date`", "one of the two", key="weekday")
        return self


def _until(text: str) -> dict[str, str]:
    """Take the short form, a time of day; a date needs the long one."""
    day, _, time = text.replace(" ", "T", 1).partition("T")
    if times.local_time(f"{day}T00:00") is not None:
        hour = f', time: "{time[:5]}"' if times.minute_of_day(time[:5]) else ""
        refuse("E211", f"`{text}` is no time of day", f"""{{date: "'{day}'"{hour}}}""")
    if re.fullmatch(r"(entry|profile|event|steps)\.[\w.]+", text):
        refuse("E211", f"`{text}` is no time of day", f"{{date: {text}}}")
    return {"time": text}


UntilForm = Annotated[
    Until,
    Short(
        _until,
        {"type": "string", "pattern": times.TIME_PATTERN, "description": 'A local time of day, such as "09:00".'},
        'a time such as "09:00", or a map with `time` or `date`',
        '"09:00"',
    ),
]


def _without_weekday(value: Any) -> Any:
    if isinstance(value, str):
        allowed = get_args(_Every)
        day = times.weekday_meant(value, allowed)
        if day is not None:
            refuse("E204", f"{kind_of(value)} is not one of {', '.join(allowed)}", f"every: week, weekday: {day}")
    return value


class Schedule(Model):
    """A calendar of its own: recurring, or once as a broadcast."""

    MEANT = '{every: day, at: "09:00"}'

    every: Annotated[_Every, BeforeValidator(_without_weekday)] | None = Field(None, description="How often.")
    at: TimeOfDay | None = Field(None, description="The customer's local time of day.")
    weekday: Weekday | None = Field(None, description="With `every: week`: the day.")
    day: Annotated[int, Field(ge=1, le=31)] | None = Field(
        None, description="With `every: month`: the day of the month; the last one where the month is shorter."
    )
    once: LocalTime | None = Field(None, description='A single local time, such as "2026-11-27T09:00".')
    segment: Name | None = Field(None, description="Only customers in this segment.")

    @model_validator(mode="after")
    def _whole(self) -> "Schedule":
        if (self.every is None) == (self.once is None):
            refuse("E225", "a schedule has either `every` or `once`", 'every: day, or once: "2026-11-27T09:00"')
        if self.every is not None and self.at is None:
            refuse("E225", "a recurring schedule needs `at`", 'at: "09:00"')
        if self.once is not None and self.at is not None:
            refuse("E225", "`at` goes with `every`; `once` holds its time of day itself", "once alone", key="at")
        if (self.every == "week") != (self.weekday is not None):
            refuse("E225", "`weekday` goes with `every: week`, and that needs it", "every: week with weekday: mon")
        if (self.every == "month") != (self.day is not None):
            refuse("E225", "`day` goes with `every: month`, and that needs it", "every: month with day: 1")
        return self


class Inactive(Model):
    """Silence: none of these events for so long."""

    MEANT = "{for: {}}"

    for_: Duration = Field(alias="for", description="How long nothing happened.")
    events: EventNames | None = Field(None, description="Which events break the silence; without it, any.")


class Trigger(Model):
    """An event, or a segment entered or left."""

    event: EventNames | None = Field(None, description="The event, or a list of events any of which will do.")
    where: Expression | None = Field(
        None, description="A condition on the event: bare names are its properties, such as total >= 30."
    )
    segment: Name | None = Field(None, description="Entering this segment.")
    segment_left: Name | None = Field(None, description="Leaving this segment.")

    @model_validator(mode="before")
    @classmethod
    def _not_a_word(cls, value: Any) -> Any:
        if isinstance(value, str):
            # All that any of these must have beside its trigger is a length of time.
            needed = "".join(f", {key}: 1d" for key, field in cls.known_keys().items() if field.is_required())
            refuse("E203", f"expected a map, found {kind_of(value)}", f"{{event: {value}{needed}}}")
        return value

    @model_validator(mode="after")
    def _one_trigger(self) -> "Trigger":
        _exactly_one({"event": self.event, "segment": self.segment, "segment_left": self.segment_left}, "rule")
        if self.where is not None and self.event is None:
            refuse("E225", "`where` asks about an event, and there is none", "an event", key="where")
        return self


class EnterRule(Model):
    """One way into the journey."""

    event: EventNames | None = Field(None, description="The event, or a list of events any of which will do.")
    where: Expression | None = Field(
        None, description="A condition on the event: bare names are its properties, such as total >= 30."
    )
    segment: Name | None = Field(None, description="Entering this segment.")
    segment_left: Name | None = Field(None, description="Leaving this segment.")
    schedule: Schedule | None = Field(None, description="A calendar: every day, week or month, or once.")
    date: DateRule | None = Field(None, description="A date of the customer's, such as a birthday.")
    inactive: Inactive | None = Field(None, description="Silence for so long.")

    @model_validator(mode="after")
    def _one_trigger(self) -> "EnterRule":
        self._check_triggers({})
        return self

    def _check_triggers(self, others: dict[str, Any]) -> None:
        names = ("event", "segment", "segment_left", "schedule", "date", "inactive")
        _exactly_one({name: getattr(self, name) for name in names} | others, "entry")
        if self.where is not None and self.event is None:
            refuse("E225", "`where` asks about an event, and there is none", "an event", key="where")


class Limit(Model):
    """How many customers the journey takes as a whole."""

    MEANT = "{entries: {}, per: 1d}"

    entries: Annotated[int, Field(ge=1, le=1_000_000_000)] = Field(description="So many entries.")
    per: Duration = Field(description="In any window of this length.")


def _again(text: str) -> str:
    if text not in AGAIN and not durations.milliseconds(text):
        fix = nearest(text, AGAIN) or "once, after_exit, always, or a length of time such as 7d"
        fix = durations.suggest(text) if text[:1].isdigit() else fix
        refuse("E204", f"`{text[:40]}` does not say when a customer may enter again", fix)
    return text


class Enter(EnterRule):
    """Who enters: one rule, or any of several; and how often."""

    any: list[EnterRule] | None = Field(
        None, min_length=1, description="Several rules; any of them lets a customer in."
    )
    key: Key | None = Field(
        None, description="A property of the event: one entry for each of its values, such as cart_id."
    )
    again: Annotated[
        str,
        AfterValidator(_again),
        with_unit("once, after_exit, always or a length of time", "after_exit, or a length such as 7d"),
        WithJsonSchema(_AGAIN),
    ] = Field(
        "once",
        description="When a customer may enter again: once (never), after_exit, always, or a length of time "
        "counted from the last exit, such as 7d.",
    )
    limit: Limit | None = Field(None, description="Bounds the journey as a whole.")

    @model_validator(mode="after")
    def _one_trigger(self) -> "Enter":
        self._check_triggers({"any": self.any})
        return self


EnterForm = Annotated[
    Enter,
    Short(
        lambda rules: {"any": rules},
        None,
        "a rule such as {event: cart_updated}, or a list of them",
        "event: cart_updated",
        kinds=(list,),
    ),
]


class ExitRule(Trigger):
    """Ends the entry at once, whatever it waits for."""

    reason: Ended | None = Field(None, description="The reason on record; without it, the event's name.")


class GoalRule(Trigger):
    """What the journey is for: counts a conversion."""

    within: Duration | None = Field(
        None, description="Counts so long after the last message (or the start, if there was none), also after the end."
    )
    ends: bool = Field(True, description="Whether reaching the goal ends the entry; with false it only counts.")
    value: Expression | None = Field(None, description="What the conversion is worth, such as event.properties.total.")
