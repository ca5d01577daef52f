"""The law of stillness: a turn that need not ask segments comes to what it came to had they been asked.

That is a turn by its plan where somebody asks for a customer's past, and one of the funnel.

Seen failing with a silence that an event did not break, with a customer who stood in a segment no more that nobody had
told of, with the project's time zone published anew, with more instants ahead than are tried, with a record that
was armed for other segments, with an entry that stood still while its journey was paused, with a channel of which the
last visit was not noted, with a life that was not kept on, and with a step that wrote what a segment reads.
"""

from collections import Counter
from unittest import mock

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine import segments
from orchestrator.engine.plans import plans_of
from orchestrator.model import codec
from orchestrator.model.catalog import Catalog, Plans
from orchestrator.model.event import Event
from orchestrator.runtime.turn import Turned, on_event, on_timers
from shop.tales import DAY_MS, HOUR_MS, PROJECT, START_MS, Tale, catalog_of

NO_PLANS = Plans({}, lambda state, now_ms: None)


def played(tale: Tale, happenings: int, came_to: Counter[str]) -> None:
    """Play a tale by plans, and each of its turns by the funnel beside it."""
    catalogs = tale.catalogs()
    both = [(counting(plans_of(catalog), came_to), catalog) for catalog in catalogs]
    record: bytes | None = None
    now_ms, published = START_MS, 0
    for number in range(happenings):
        until_ms = now_ms + tale.dice.choice([0, HOUR_MS // 2, HOUR_MS, 5 * HOUR_MS, DAY_MS, 2 * DAY_MS])
        record = woken(*both[published], record, until_ms, came_to)
        if tale.dice.random() < 0.2:
            published = 1 - published
        now_ms = until_ms
        came_to["event"] += 1
        record = turned_both_ways(*both[published], tale.event(number, now_ms), record, now_ms)


def woken(plans: Plans, catalog: Catalog, record: bytes | None, until_ms: int, came_to: Counter[str]) -> bytes | None:
    """Fire what is due before an instant."""
    while record is not None and 0 < (due_ms := codec.due_of(record)) < until_ms:
        came_to["timer"] += 1
        record = turned_both_ways(plans, catalog, None, record, due_ms)
    return record


def turned_both_ways(plans: Plans, catalog: Catalog, event: Event | None, record: bytes | None, now_ms: int):
    """Take a turn by plan, by the funnel, and by the funnel that asks all segments wherever anything has changed."""
    by_plan = turned(plans, catalog, event, record, now_ms)
    by_funnel = turned(NO_PLANS, catalog, event, record, now_ms)
    with mock.patch.object(segments, "stand", return_value=False):
        by_all_segments = turned(NO_PLANS, catalog, event, record, now_ms)
    assert msgspec.json.encode(by_plan) == msgspec.json.encode(by_all_segments)
    assert msgspec.json.encode(by_funnel) == msgspec.json.encode(by_all_segments)
    return None if by_plan.erased else by_plan.record or record


def turned(plans: Plans, catalog: Catalog, event: Event | None, record: bytes | None, now_ms: int) -> Turned:
    before, catalog.plans = catalog.plans, plans
    try:
        if event is not None:
            return on_event(catalog, msgspec.structs.replace(event, decoded=None), record, now_ms)
        assert record is not None
        return on_timers(catalog, record, now_ms)
    finally:
        catalog.plans = before


def counting(plans: Plans, came_to: Counter[str]) -> Plans:
    """Count what goes by plan."""

    def counted(kind, take):
        def taken(*turn):
            found = take(*turn)
            if found is not None and found is not False:
                came_to[kind] += 1
            return found

        return taken

    by_event = {event_type: counted("event by plan", plan) for event_type, plan in plans.by_event.items()}
    passes = None if plans.passes is None else counted("passed by", plans.passes)
    return Plans(by_event, counted("timer by plan", plans.wake), passes)


@settings(max_examples=300)
@given(st.integers(0, 2**32 - 1))
def test_a_turn_by_its_plan_is_the_turn_by_the_funnel_whatever_is_asked_of_the_past(seed):
    played(Tale(seed), 60, Counter())


def said(what: str, hours: float, **properties: object) -> Event:
    at_ms = START_MS + int(hours * HOUR_MS)
    return Event(f"{what} {hours}", what, at_ms, "ana", raw_properties=msgspec.Raw(msgspec.json.encode(properties)))


def last_of(first: Catalog, *events: Event, then: Catalog | None = None) -> None:
    """Let events happen, the last of them in a shop published anew, by plan and by the funnel."""
    record: bytes | None = None
    for event in events:
        now = then if then is not None and event is events[-1] else first
        record = woken(plans_of(now), now, record, event.time_ms, Counter())
        record = turned_both_ways(plans_of(now), now, event, record, event.time_ms)


def test_it_is_where_the_shop_has_moved_to_another_time_zone_since():
    conditions = {"fan": "days_since(profile.at) >= 1"}
    tokyo = PROJECT.format(zone="Asia/Tokyo", consent="opt_out", retention="")
    first, then = catalog_of(["fan"], conditions), catalog_of(["fan"], conditions, about=tokyo)
    last_of(first, said("profile_updated", 0, at="2026-01-08"), said("come", 1, cart="c"), then=then)


def test_it_is_where_more_instants_are_ahead_than_are_tried(monkeypatch):
    monkeypatch.setattr(segments, "LOOKED_AHEAD", 4)
    orders = [said("ordered", hours, total=1) for hours in range(9)]
    last_of(
        catalog_of(["fan"], {"fan": "count('ordered', within='30d') >= 1"}),
        *orders,
        said("come", 30 * 24 + 1.5, cart="c"),
    )


def test_it_is_where_somebody_left_a_segment_and_no_one_could_be_told_any_more(monkeypatch):
    monkeypatch.setattr(segments, "MAX_EMITTED", 1)
    conditions = {"fan": "profile.points == 1", "friend": "profile.points == 2"}
    known = said("profile_updated", 0, points=1), said("profile_updated", 1, points=2)
    last_of(catalog_of(["fan", "friend"], conditions), *known, said("come", 2, cart="c"))


def test_plans_take_most_turns_that_change_nothing_of_the_past():
    came_to: Counter[str] = Counter()
    for seed in range(60):
        played(Tale(seed), 60, came_to)
    assert came_to["passed by"] > came_to["event"] / 40, came_to
    assert came_to["event by plan"] > came_to["event"] / 20, came_to
    assert came_to["timer by plan"] > came_to["timer"] / 10, came_to
