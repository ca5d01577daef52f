"""Segments at work: first sight, edits of a condition, late events, bounds, and what is told of it."""

import pytest

from orchestrator.language import compile_sources
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.event import Event
from orchestrator.runtime import settling
from orchestrator.runtime.turn import on_event, on_timers, profile_of

START_MS = instants.parse("2026-01-05T10:00:00Z") or 0
DAY_MS = instants.DAY_MS
PROJECT = "project: shop\npurposes: {service: {consent: none}}\n"
JOURNEY = """\
journey: hello
version: 1
purpose: service
status: live
enter: {segment: vip, again: after_exit}
steps:
  - {id: stay, wait: 5000d}
"""


def catalog_of(segments: str, journey: str = JOURNEY) -> Catalog:
    sources = {"orchestrator.yaml": PROJECT, "segments.yaml": segments, "a.journey.yaml": journey}
    return compile_sources(sources).catalog


def said(name: str, days: float, number: int = 0, **properties: object) -> Event:
    return Event(f"{name}-{days}-{number}", name, START_MS + int(days * DAY_MS), "ana", decoded=properties)


def take(catalog: Catalog, record: bytes | None, event: Event, now_ms: int | None = None):
    turned = on_event(catalog, event, record, event.time_ms if now_ms is None else now_ms)
    return turned.record or record, [(each.verdict, each.reason) for each in turned.decisions]


ENTERED = (Verdict.ENTERED, Reason.SEGMENT)


def test_a_first_event_that_makes_a_newcomer_one_of_them_enters():
    catalog = catalog_of("vip: {if: \"count('ordered', within='30d') >= 1\"}\n")
    _, told = take(catalog, None, said("ordered", 0))
    assert told[0] == ENTERED


def test_a_condition_that_is_edited_lets_nobody_in_who_meets_it_already():
    before = catalog_of("vip: {if: profile.points > 100}\n")
    after = catalog_of("vip: {if: profile.points > 10}\n")
    record, told = take(before, None, said("profile_updated", 0, points=50))
    assert told == []
    record, told = take(after, record, said("profile_updated", 1, points=60))
    assert told == []
    record, _ = take(after, record, said("profile_updated", 2, points=5))
    record, told = take(after, record, said("profile_updated", 3, points=50))
    assert told[0] == ENTERED


def test_a_record_that_was_armed_for_others_is_found_and_armed_by_a_wake():
    before = catalog_of("vip: {if: profile.points > 100}\n")
    after = catalog_of("vip: {if: days_since(profile.since) >= 10}\n")
    record, _ = take(before, None, said("profile_updated", 0, since=START_MS))
    assert codec.due_of(record) == 0
    assert settling.is_unsettled(after, settling.settled_by(before))
    assert settling.may_go_on(after, record)
    turned = on_timers(after, record, START_MS + DAY_MS)
    assert turned.decisions == []
    assert codec.due_of(turned.record) == START_MS + 10 * DAY_MS
    assert not settling.may_go_on(after, turned.record)
    woken = on_timers(after, turned.record, START_MS + 10 * DAY_MS)
    assert [each.verdict for each in woken.decisions][:1] == [Verdict.ENTERED]
    assert not settling.is_unsettled(after, settling.settled_by(after))


def test_an_event_that_comes_late_counts_for_the_day_it_happened_on():
    catalog = catalog_of("vip: {if: \"count('ordered', within='10d') >= 2\"}\n")
    record, _ = take(catalog, None, said("ordered", 9))
    record, told = take(catalog, record, said("ordered", -3), START_MS + 9 * DAY_MS)
    assert told == []  # of twelve days ago
    record, told = take(catalog, record, said("ordered", 2), START_MS + 9 * DAY_MS)
    assert told[0] == ENTERED


def test_a_device_whose_clock_is_ahead_counts_as_of_now():
    catalog = catalog_of("vip: {if: \"count('ordered', within='1d') >= 1\"}\n")
    record, _ = take(catalog, None, said("ordered", 500), START_MS)
    assert codec.decode(record).past.counts == {"ordered": [START_MS]}


def test_a_count_is_exact_up_to_a_thousand_and_keeps_no_more():
    catalog = catalog_of("vip: {if: \"count('ordered', within='30d') >= 1000\"}\n")
    record = None
    for number in range(1_005):
        event = Event(f"o{number}", "ordered", START_MS + number, "ana", decoded={})
        record, told = take(catalog, record, event)
        assert bool(told) == (number == 999)
    state = codec.decode(record)
    assert len(state.past.counts["ordered"]) == 1_000


def test_opens_by_scanners_count_for_nobody():
    catalog = catalog_of("vip: {if: \"count('message_opened', within='30d') >= 1\"}\n")
    record, told = take(catalog, None, said("message_opened", 0, machine=True))
    assert told == []
    record, told = take(catalog, record, said("message_opened", 1))
    assert told[0] == ENTERED


def test_an_event_that_was_seen_before_is_not_counted_twice():
    catalog = catalog_of("vip: {if: \"count('ordered', within='30d') >= 2\"}\n")
    record, _ = take(catalog, None, said("ordered", 0))
    turned = on_event(catalog, said("ordered", 0), record, START_MS)
    assert turned.outcome == "duplicate"


def test_a_change_of_another_segment_is_no_business_of_a_journey():
    catalog = catalog_of("vip: {if: profile.points > 100}\ngood: {if: profile.points > 10}\n")
    _, told = take(catalog, None, said("profile_updated", 0, points=50))
    assert told == []


@pytest.mark.parametrize("bound", ["'2026-01-07T10:00:00Z'", "'2026-01-07T11:00:00+01:00'", "profile.since"])
def test_a_time_that_is_written_with_its_zone_brings_the_customer_in_at_that_very_instant(bound):
    catalog = catalog_of(f'vip: {{if: "profile.points > 100 and now >= {bound}"}}\n')
    record, told = take(catalog, None, said("profile_updated", 0, points=500, since="2026-01-07T05:00:00-05:00"))
    assert told == []
    assert codec.due_of(record) == START_MS + 2 * DAY_MS
    turned = on_timers(catalog, record, START_MS + 2 * DAY_MS)
    assert [decision.verdict for decision in turned.decisions] == [Verdict.ENTERED, Verdict.WAITED]


def test_what_a_step_sets_may_bring_the_customer_into_a_segment_at_once():
    journey = JOURNEY.replace("{segment: vip, again: after_exit}", "{event: came}").replace(
        "steps:", 'exit: [{segment: vip}]\nsteps:\n  - {id: note, set: {profile.points: "101"}}'
    )
    catalog = catalog_of("vip: {if: profile.points > 100}\n", journey)
    _, told = take(catalog, None, said("came", 0))
    assert [each[0] for each in told] == [Verdict.ENTERED, Verdict.CHANGED, Verdict.WAITED, Verdict.EXITED]
    assert told[-1][1] == "segment_entered"


def test_what_a_scorer_saves_may_bring_the_customer_into_a_segment_at_once_though_all_were_asked_before():
    journey = JOURNEY.replace("{segment: vip, again: after_exit}", "{event: wrote}").replace(
        "steps:", "exit: [{segment: cross}]\nsteps:\n  - {id: judge, score: {model: sentiment, save: profile.mood}}"
    )
    segments = "cross: {if: profile.mood < 0}\nbusy: {if: \"count('wrote', within='30d') >= 9\"}\n"
    _, told = take(catalog_of(segments, journey), None, said("wrote", 0, text="terrible, broken, awful"))
    assert [each[0] for each in told] == [Verdict.ENTERED, Verdict.SCORED, Verdict.WAITED, Verdict.EXITED]
    assert told[-1][1] == "segment_entered"


def test_journeys_that_drive_each_other_round_come_to_an_end():
    up = JOURNEY.replace("again: after_exit", "again: always").replace(
        "{id: stay, wait: 5000d}", '{id: lower, set: {profile.points: "0"}}'
    )
    down = up.replace("journey: hello", "journey: bye").replace("segment: vip", "segment_left: vip")
    down = down.replace("lower", "raise").replace('"0"', '"101"')
    sources = {
        "orchestrator.yaml": PROJECT,
        "segments.yaml": "vip: {if: profile.points > 100}\n",
        "a.journey.yaml": up,
        "b.journey.yaml": down,
    }
    catalog = compile_sources(sources).catalog
    record, told = take(catalog, None, said("profile_updated", 0, points=500))
    assert 100 <= [verdict for verdict, _ in told].count(Verdict.ENTERED) <= 101
    assert codec.decode(record).entries == []


@pytest.mark.parametrize("known", [True, False])
def test_a_project_that_asks_for_nothing_keeps_nothing(known):
    sources = {"orchestrator.yaml": PROJECT, "a.journey.yaml": JOURNEY.replace("segment: vip", "event: came")}
    catalog = compile_sources(sources).catalog
    record, _ = take(catalog, None, said("came", 0)) if known else (None, [])
    record, _ = take(catalog, record, said("profile_updated", 1, points=5))
    assert not codec.decode(record).has_past
    assert profile_of(catalog.project, said("came", 0)) == codec.decode(record).profile_id
