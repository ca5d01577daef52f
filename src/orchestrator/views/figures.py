"""Figures: what journeys came to, as lines for a terminal and as values for a program.

Owns the words and the tables. Must never count or judge: it is handed tallies.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.views.experiments import Experiment
from orchestrator.views.intervals import Interval, Share, wilson
from orchestrator.views.tallies import JourneyTally, StepTally, Survey

_HEADINGS = ("step", "sent", "withheld", "held", "goals after it", "of those sent")
# So many of them mean something without a goal.
_OF_ALL = 4
# What of a survey's groups is its figure: how many of them, less how many of those.
_SCALES = {"nps": ("promoter", "detractor"), "csat": ("positive", None), "ces": ("positive", None)}
_HOLDOUTS = {"journey": "the journey's holdout", "universal": "the universal holdout"}


def lines(tally: JourneyTally, *, has_goal: bool = True) -> Iterator[str]:
    """Tell what one journey came to; nothing of a goal, and of what is compared by it, where it has none."""
    share = tally.converted
    versions = ", ".join(map(str, sorted(tally.versions)))
    yield f"{tally.journey}, version {versions}"
    yield f"  entered: {_entries(share.of)} of {_customers(tally.customers)}{_reasons(', not: ', tally.not_entered)}"
    why = f" ({_reasons('', tally.exited)})" if tally.exited else ""
    yield f"  left: {_entries(sum(tally.exited.values()))}{why}"
    if has_goal:
        value = f", worth {tally.value:,.2f}" if tally.value else ""
        yield f"  reached the goal: {share.reached:,}{value}; {_rate(share)}"
    if tally.steps:
        yield ""
        columns = len(_HEADINGS) if has_goal else _OF_ALL
        rows = [_HEADINGS, *map(_row, sorted(tally.steps.items()))]
        yield from (f"  {line}" for line in _table([row[:columns] for row in rows]))
    for step, survey in sorted(tally.surveys.items()):
        if survey.kind:
            yield f"  {step}: {_survey(survey)}"
    if has_goal:
        yield from _compared(tally)


def _compared(tally: JourneyTally) -> Iterator[str]:
    for step, experiment in tally.splits().items():
        yield ""
        yield f"  split {step}: {experiment.because}"
        yield from _experiment(experiment)
    for kind, experiment in tally.uplifts().items():
        yield ""
        yield f"  against {_HOLDOUTS[kind]}: {experiment.because}"
        yield from _experiment(experiment)


def _entries(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _customers(count: int) -> str:
    return f"{count:,} {'customer' if count == 1 else 'customers'}"


def _reasons(before: str, counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count:,} {reason}" for reason, count in _by_count(counts))
    return f"{before}{told}" if told else ""


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _row(item: tuple[str, StepTally]) -> tuple[str, ...]:
    name, step = item
    sent = sum(step.sent.values())
    channels = ", ".join(f"{count:,} {channel}" for channel, count in _by_count(step.sent))
    done = ", ".join(f"{count:,} {verdict}" for verdict, count in _by_count(step.done))
    withheld = _reasons("", step.withheld)
    credited = _rate(Share(step.credited, sent)) if sent else ""
    return name, channels or done, withheld, str(step.held or ""), str(step.credited or ""), credited


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _experiment(experiment: Experiment) -> Iterator[str]:
    for group in experiment.groups:
        yield f"    {group.name}: {_rate(Share(group.converted, group.customers))} of {_customers(group.customers)}"
    for one in experiment.differences:
        ends = f"{100 * one.interval.low:+.2f} to {100 * one.interval.high:+.2f}"
        yield f"    {one.group} less {one.than}: {100 * one.points:+.2f} points (95 %, Newcombe: {ends})"


def _rate(share: Share) -> str:
    """Say a rate with what it may be."""
    if share.rate is None:
        return "no rate"
    return f"{100 * share.rate:.2f} % ({_span(wilson(share))})"


def _span(interval: Interval) -> str:
    return f"95 %, Wilson: {100 * interval.low:.2f} to {100 * interval.high:.2f}"


def _survey(survey: Survey) -> str:
    answers = sum(survey.groups.values())
    figure = survey_figure(survey)
    told = "" if figure is None else f" {figure:+.0f}" if survey.kind == "nps" else f" {figure:.0f} %"
    given = f"{answers:,} {'answer' if answers == 1 else 'answers'}"
    groups = f" ({_reasons('', survey.groups)})" if survey.groups else ""
    return f"{survey.kind.upper()}{told}, {given} of {survey.asked:,} asked{groups}"


def survey_figure(survey: Survey) -> float | None:
    """Give the figure a survey is known by: NPS from -100 to 100, CSAT and CES as the share of the positive."""
    answers = sum(count for group, count in survey.groups.items() if group != "none")
    if survey.kind not in _SCALES or not answers:
        return None
    more, less = _SCALES[survey.kind]
    return 100 * (survey.groups[more] - (survey.groups[less] if less is not None else 0)) / answers


def values(tally: JourneyTally) -> dict[str, Any]:
    """Give everything of one journey for a program."""
    share = tally.converted
    return {
        "journey": tally.journey,
        "versions": sorted(tally.versions),
        "entries": share.of,
        "customers": tally.customers,
        "not_entered": dict(_by_count(tally.not_entered)),
        "exited": dict(_by_count(tally.exited)),
        "conversions": {**_share(share), "value": tally.value},
        "steps": {
            name: {
                "sent": dict(_by_count(step.sent)),
                "withheld": dict(_by_count(step.withheld)),
                "held": step.held,
                "done": dict(_by_count(step.done)),
                "conversions": _share(Share(step.credited, sum(step.sent.values()))),
            }
            for name, step in sorted(tally.steps.items())
        },
        "surveys": {
            step: {
                "survey": survey.kind,
                "asked": survey.asked,
                "answered": sum(survey.groups.values()),
                "groups": dict(_by_count(survey.groups)),
                "figure": survey_figure(survey),
                "mean": sum(survey.scores) / len(survey.scores) if survey.scores else None,
            }
            for step, survey in sorted(tally.surveys.items())
            if survey.kind
        },
        "splits": tally.splits(),
        "uplift": tally.uplifts(),
    }


def _share(share: Share) -> dict[str, Any]:
    return {"reached": share.reached, "of": share.of, "rate": share.rate, "interval": wilson(share)}
