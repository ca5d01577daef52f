"""The laws of versions, over random journeys, random events, and a new version that comes in between.

Each was seen failing once with the code broken on purpose.
"""

import dataclasses

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.decision import Decision
from orchestrator.model.effects import Action
from orchestrator.model.journey import Journey, Split, Step
from shop import Customer
from shop.lengths import ms
from shop.stories import LAW, VERBS, Story, event_of, random_journey, stories, wakes

# What a customer may be sent twice by one step: in rounds, or after a bounce.
ONCE_VERBS = tuple(verb for verb in VERBS if verb != "repeat")
BOUNCED = "message_bounced"


def played(story: Story, after: int, publish: dict[str, Journey] | None) -> Customer:
    """Play a story; behind so many happenings, publish newer versions and keep the older ones beside them."""
    customer = story.customer()
    now_ms = customer.start_ms
    for number, happening in enumerate(story.happenings):
        if number == after and publish is not None:
            customer.under(*publish.values(), older=story.journeys)
        now_ms += ms(happening.after)
        list(wakes(customer, now_ms - 1))
        customer.take(event_of(customer, happening, now_ms))
    list(wakes(customer, now_ms + ms("30d")))
    return customer


def renamed(journey: Journey) -> Journey:
    """Give every step another name but for splits, whose name is what customers are drawn by."""
    names = {id: id if isinstance(step, Split) else f"new-{id}" for id, step in journey.steps.items()}

    def rename(step: Step) -> Step:
        changes: dict[str, object] = {"id": names[step.id], "inside": tuple(names[each] for each in step.inside)}
        for name in ("next", "first", "on_timeout"):
            if getattr(step, name, None) is not None:
                changes[name] = names[getattr(step, name)]
        if hasattr(step, "branches"):
            changes["branches"] = tuple(branch(each) for each in step.branches)
        return dataclasses.replace(step, **changes)

    def branch(each: object) -> object:
        if isinstance(each, tuple):
            condition, first = each
            return (condition, names.get(first))
        return dataclasses.replace(each, first=names.get(each.first))  # type: ignore[type-var, attr-defined]

    steps = {names[id]: rename(step) for id, step in journey.steps.items()}
    untils = {
        event: tuple(steps[names[repeat.id]] for repeat in repeats)
        for event, repeats in journey.untils_by_event.items()
    }
    return dataclasses.replace(
        journey,
        version=2,
        first=names.get(journey.first),
        steps=steps,
        untils_by_event=untils,
        moves={old: new for old, new in names.items() if old != new},
    )


def told(decisions: list[Decision]) -> list[bytes]:
    """Tell what was decided, whatever steps are called, and what is derived from their names."""
    return [
        msgspec.json.encode(
            [one.verdict, one.reason, one.at, one.journey, (one.step or "").removeprefix("new-"), one.saw]
        )
        for one in decisions
        if one.verdict != "moved"
    ]


def asked(actions: list[Action]) -> list[bytes]:
    """Tell what was asked for; what a cancel takes back by its place, as ids are derived from steps' names."""
    places = {one.id: number for number, one in enumerate(actions)}

    def data(one: Action) -> object:
        return one.data | {"action_id": places[one.data["action_id"]]} if one.kind == "cancel" else one.data

    return [
        msgspec.json.encode([one.kind, one.at, one.channel, one.message, one.step.removeprefix("new-"), data(one)])
        for one in actions
    ]


@LAW
@given(stories(), st.integers(0, 39))
def test_where_steps_only_got_other_names_a_move_changes_nothing(story, after):
    stayed = played(story, after, None)
    moved = played(story, after, {journey.id: renamed(journey) for journey in story.journeys})
    assert told(moved.decisions) == told(stayed.decisions)
    assert asked(moved.actions) == asked(stayed.actions)
    assert moved.failures == stayed.failures == []


@LAW
@given(stories(ONCE_VERBS), st.integers(0, 39))
def test_where_steps_change_places_none_sends_twice(story, after):
    edited = {
        journey.id: dataclasses.replace(
            random_journey(story.seed, journey.id, ONCE_VERBS, backwards=True), version=2, moves={}
        )
        for journey in story.journeys
    }
    calm = dataclasses.replace(story, happenings=tuple(one for one in story.happenings if one.type != BOUNCED))
    customer = played(calm, after, edited)
    sent = [(one.entry_id, one.step) for one in customer.actions if one.kind == "message"]
    assert sorted(set(sent)) == sorted(sent)
    assert customer.failures == []


@LAW
@given(stories(), st.integers(0, 2**32 - 1), st.integers(0, 39))
def test_whatever_the_edit_everybody_inside_waits_or_can_be_moved_on(story, seed, after):
    edited = {
        journey.id: dataclasses.replace(random_journey(seed, journey.id), version=2, moves={})
        for journey in story.journeys
    }
    customer = played(story, after, edited)
    assert customer.failures == []
    for entry in customer.state.entries if customer.record else ():
        assert entry.step in customer.catalog.versions[entry.journey, entry.version].steps
        assert entry.due_ms or entry.parked is not None
