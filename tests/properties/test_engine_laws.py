"""The laws of the engine, over random journeys and random streams of events.

Each was seen failing once with the code broken on purpose.
"""

import dataclasses
import os
import subprocess
import sys

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import codec
from orchestrator.model.catalog import NO_INTEREST, PROFILE_EVENTS, RECEIPTS
from orchestrator.model.journey import Journey, Wait, WaitFor
from orchestrator.model.state import Entry
from orchestrator.runtime.turn import on_event, on_timers
from shop import Customer
from shop.lengths import ms
from shop.stories import LAW, QUIET_VERBS, VERBS, Moment, Story, event_of, moments, random_journey, stories, wakes


def played(story: Story) -> Customer:
    customer = story.customer()
    for _ in moments(story, customer):
        pass
    return customer


def written(customer: Customer) -> tuple[bytes | None, bytes]:
    return customer.record, msgspec.json.encode([customer.decisions, customer.actions])


@LAW
@given(stories())
def test_the_same_arguments_have_the_same_outcome(story):
    assert written(played(story)) == written(played(story))


def test_the_outcome_does_not_depend_on_how_python_hashes():
    # Sets and caches of one process look alike to themselves: so the same stories are told by two.
    tell = (
        "from hashlib import sha256; from msgspec import json; from shop.stories import LAW, moments, story\n"
        "for seed in range(12):\n"
        "    told = [json.encode(moment.turned) for moment in moments(story(seed, 3, 25))]\n"
        "    print(seed, len(told), sha256(b''.join(told)).hexdigest())"
    )
    outputs = []
    for hashing in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashing, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", tell], env=environment, capture_output=True, text=True, check=True)
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 12


@LAW
@given(stories())
def test_a_turn_taken_again_from_the_old_record_is_the_same_turn(story):
    customer = story.customer()
    for moment in moments(story, customer):
        if moment.event is None:
            again = on_timers(customer.catalog, moment.before, moment.now_ms)
        else:
            # A new event of the same bytes: what a turn fills in of a receipt must not leak into the next try.
            event = msgspec.structs.replace(moment.event, decoded=None)
            again = on_event(customer.catalog, event, moment.before, moment.now_ms)
        assert msgspec.json.encode(again) == msgspec.json.encode(moment.turned)


@LAW
@given(stories())
def test_a_repeated_event_changes_nothing_and_says_so(story):
    customer = story.customer()
    for moment in moments(story, customer):
        if moment.event is None:
            continue
        again = on_event(customer.catalog, moment.event, customer.record, moment.now_ms)
        if moment.turned.record is not None:
            assert (again.outcome, again.record, list(again.actions), list(again.decisions)) == (
                "duplicate",
                None,
                [],
                [],
            )
        else:
            # It had changed nothing, so it is no duplicate: it is decided again, with the same ids.
            assert msgspec.json.encode(again) == msgspec.json.encode(moment.turned)


@LAW
@given(stories(), st.randoms(use_true_random=False))
def test_profiles_commute(story, dice):
    alone = {name: written(played_by(story, name)) for name in ("ana", "bea")}
    together = {name: story.customer(name) for name in alone}
    running = {name: moments(story, customer) for name, customer in together.items()}
    while running:
        name = dice.choice(sorted(running))
        if next(running[name], None) is None:
            del running[name]
    assert {name: written(customer) for name, customer in together.items()} == alone


def played_by(story: Story, name: str) -> Customer:
    customer = story.customer(name)
    for _ in moments(story, customer):
        pass
    return customer


@LAW
@given(stories())
def test_every_live_entry_waits_for_an_instant_still_to_come_or_is_parked(story):
    customer = story.customer()
    for moment in moments(story, customer):
        if customer.record is None:
            continue
        entries = customer.state.entries
        for entry in entries:
            standing = customer.catalog.versions[entry.journey, entry.version].steps
            assert entry.step in standing
            assert entry.parked is not None or entry.due_ms >= moment.now_ms
        due = [entry.due_ms for entry in entries if entry.due_ms]
        assert codec.due_of(customer.record) == min(due, default=0)


@LAW
@given(stories(tuple(verb for verb in VERBS if verb != "emit")))
def test_every_entry_comes_to_an_end(story):
    # Without emitted events, by which journeys may wake each other for ever. Birthdays in repeats take their years.
    customer = played(story)
    customer.wake_until(customer.start_ms + ms("365000d"))
    assert [entry for entry in customer.state.entries if entry.parked is None] == []


@LAW
@given(stories())
def test_a_wake_up_with_nothing_due_does_no_harm(story):
    customer = story.customer()
    for moment in moments(story, customer):
        due_ms = codec.due_of(customer.record) if customer.record else 0
        if customer.record is None:
            continue
        stale_ms = due_ms - 1 if due_ms else moment.now_ms
        turned = on_timers(customer.catalog, customer.record, stale_ms)
        assert (turned.record, list(turned.decisions), list(turned.actions)) == (None, [], [])


@LAW
@given(stories())
def test_state_round_trips_the_codec(story):
    customer = story.customer()
    for _ in moments(story, customer):
        if customer.record is not None:
            assert codec.encode(codec.decode(customer.record)) == customer.record


def asks(journey: Journey, entry: Entry, moment: Moment) -> bool:
    """Tell, from the text of the language, whether a live entry asks about the event."""
    event = moment.event
    step = journey.steps[entry.step]
    properties = event.properties
    key = properties.get("k") if journey.key else None
    if entry.parked is not None or (key is not None and str(key) != entry.key):
        return False
    about = properties.get("action_id")
    if event.type in RECEIPTS and about is not None:
        sent = {one.action_id: one.entry_id for one in codec.decode(moment.before).sent}
        if sent.get(about) != entry.id:
            return False
    is_machine = event.type == "message_clicked" and properties.get("machine") is True
    if isinstance(step, WaitFor) and any(event.type in branch.trigger.events for branch in step.branches):
        return True
    if isinstance(step, Wait) and event.type in step.restart_on and not is_machine:
        return True
    around = (step.id, *step.inside)
    if any(repeat.id in around for repeat in journey.untils_by_event.get(event.type, ())):
        return True
    if event.type in journey.exits_by_event:
        return True
    start_ms = entry.sent_ms or entry.entered_ms
    return any(
        (goal.ends or not entry.converted) and (goal.within_ms is None or moment.now_ms <= start_ms + goal.within_ms)
        for goal in journey.goals_by_event.get(event.type, ())
    )


@LAW
@given(stories())
def test_every_fact_that_is_asked_about_yields_a_decision_and_others_are_ignored(story):
    customer = story.customer()
    for moment in moments(story, customer):
        if moment.event is None or moment.before is None:
            continue
        before = codec.decode(moment.before)
        catalog, event_type = customer.catalog, moment.event.type
        asked = bool(catalog.interests.get(event_type, NO_INTEREST).entering) or any(
            asks(catalog.versions[entry.journey, entry.version], entry, moment) for entry in before.entries
        )
        if asked:
            assert moment.turned.outcome == "applied"
            assert moment.turned.decisions
        elif moment.event.type not in PROFILE_EVENTS | RECEIPTS and not before.ended:
            assert (moment.turned.outcome, moment.turned.record) == ("ignored", None)
            assert list(moment.turned.decisions) == []


@LAW
@given(stories())
def test_an_exit_takes_effect_at_the_event_whatever_the_entry_waits_for(story):
    customer = story.customer()
    for moment in moments(story, customer):
        if moment.event is None or moment.before is None or moment.event.type == "message_clicked":
            continue
        for entry in codec.decode(moment.before).entries:
            journey = customer.catalog.versions[entry.journey, entry.version]
            key = moment.event.properties.get("k") if journey.key else None
            rules = journey.exits_by_event.get(moment.event.type, ())
            if entry.parked or (key is not None and str(key) != entry.key):
                continue
            if any(rule.trigger.where is None for rule in rules):
                ended = [one for one in moment.turned.decisions if (one.entry_id, one.verdict) == (entry.id, "exited")]
                assert [one.step for one in ended] == [entry.step]
                assert entry.id not in {left.id for left in customer.state.entries}


@LAW
@given(stories())
def test_no_id_is_given_twice(story):
    customer = played(story)
    applied = [one.id for one in customer.decisions]
    actions = [one.id for one in customer.actions]
    assert len(set(applied)) == len(applied)
    assert len(set(actions)) == len(actions)


@LAW
@given(stories(("split", "split", "wait", "repeat", "choose")))
def test_a_split_is_sticky_over_entries_rounds_and_versions(story):
    customer = story.customer()
    higher = tuple(dataclasses.replace(journey, version=2) for journey in story.journeys)
    now_ms = customer.start_ms
    for count, happening in enumerate(story.happenings * 2):
        if count == len(story.happenings):
            customer.under(*higher, older=story.journeys)
        now_ms += ms(happening.after)
        for _ in wakes(customer, now_ms - 1):
            pass
        customer.take(event_of(customer, happening, now_ms))
    drawn: dict[tuple[str, str | None], set[str]] = {}
    for one in customer.decisions:
        if one.reason == "share":
            drawn.setdefault((one.journey, one.step), set()).add(one.saw["branch"])
    assert {step: len(names) for step, names in drawn.items()} == dict.fromkeys(drawn, 1)


@LAW
@given(stories())
def test_a_journey_that_fails_parks_its_entries_and_nobody_else_can_tell(story):
    broken = random_journey(story.seed, "a-broken", (*QUIET_VERBS, "fail", "fail"))
    # It keeps to itself (nothing sent, set or emitted), so that all that could be told is its failing.
    with_it = played(dataclasses.replace(story, journeys=(*story.journeys, broken)))
    without = played(story)
    others = [one for one in with_it.decisions if one.journey != "a-broken"]
    assert [told(one) for one in others] == [told(one) for one in without.decisions]
    assert [one.id for one in with_it.actions] == [one.id for one in without.actions]
    parked = [one for one in with_it.decisions if one.verdict == "parked" and one.reason == "failure"]
    assert {one.journey for one in parked} <= {"a-broken"}
    assert [one.entry_id for one in parked] == [failure.entry_id for failure in with_it.failures]


def told(decision):
    """Tell a decision but for its id, which counts its place among those of all journeys."""
    return (
        decision.journey,
        decision.entry_id,
        decision.verdict,
        decision.reason,
        decision.step,
        decision.at,
        decision.saw,
    )


def test_the_stories_are_about_something():
    # A law over stories in which nothing happens would hold for any engine.
    told_of: set[str] = set()

    @settings(max_examples=100, database=None, derandomize=True)
    @given(stories())
    def collect(story):
        for decision in played(story).decisions:
            told_of.update((decision.verdict, decision.reason))

    collect()
    assert told_of >= {
        "entered", "not_entered", "waited", "resumed", "sent", "suppressed", "branched", "changed", "emitted", "exited",
        "converted", "condition_false", "already_inside", "not_again", "restarted", "next_round", "event_came",
        "timed_out", "time_passed", "no_consent", "unreachable", "share", "round", "completed",
    }  # fmt: skip
