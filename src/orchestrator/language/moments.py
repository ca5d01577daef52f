"""Enter rules that time opens, compiled: schedules, dates and silences.

Owns the way from their definitions to the model's. Must never work out when one of them is due.
"""

from orchestrator.language import durations
from orchestrator.language.definitions.triggers import DateRule, EnterRule, Schedule
from orchestrator.language.flow import Flow
from orchestrator.language.nodes import Place
from orchestrator.language.project import length, minute
from orchestrator.language.times import local_time
from orchestrator.model import audience as model
from orchestrator.model import instants


def compile_moment(place: Place, rule: EnterRule, flow: Flow) -> model.Moment | None:
    """Compile a rule that time opens; None for one that an event does."""
    if rule.schedule is not None:
        return _schedule(place["schedule"], rule.schedule, flow)
    if rule.date is not None:
        return _date(place["date"], rule.date, flow)
    if rule.inactive is not None:
        return model.Inactive(length(rule.inactive.for_), frozenset(rule.inactive.events or ()))
    return None


def _schedule(place: Place, written: Schedule, flow: Flow) -> model.Schedule:
    if written.segment is not None:
        flow.segment(place["segment"], written.segment)
    if written.once is not None:
        return model.Schedule(once=local_time(written.once), segment=written.segment)
    return model.Schedule(
        minute=minute(written.at or ""),
        every=written.every,
        weekday=None if written.weekday is None else instants.WEEKDAYS.index(written.weekday),
        day=written.day,
        segment=written.segment,
    )


def _date(place: Place, written: DateRule, flow: Flow) -> model.OnDate:
    return model.OnDate(
        date=flow.expression(place["date"], written.date, flow.around.limited_to("profile", "now")),
        minute=None if written.time is None else minute(written.time),
        offset_days=0 if written.offset is None else durations.days(written.offset) or 0,
        yearly=written.yearly,
    )
