"""Schedules, dates and silences: a table of local times in every kind of zone, and what moves or ends a watch."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from orchestrator.engine import merging
from orchestrator.language import compile_sources
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Verdict
from orchestrator.model.event import Event
from orchestrator.model.ids import profile_id_of
from orchestrator.model.profile import Profile
from orchestrator.model.state import State
from orchestrator.runtime.simulated import SimulatedRuntime

MADRID, NEW_YORK, LORD_HOWE, KOLKATA = "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"
PROJECT = """\
project: shop
channels: {email: {address: profile.email}}
purposes: {service: {consent: none}}
"""
JOURNEY = """\
journey: hello
version: %d
purpose: service
status: %s
enter: {%s, again: %s}
steps:
  - {id: leave, %s}
"""


def catalog_of(
    rule: str,
    *,
    again: str = "after_exit",
    step: str = "exit: done",
    version: int = 1,
    status: str = "live",
    **files: str,
) -> Catalog:
    journey = JOURNEY % (version, status, rule, again, step)
    return compile_sources({"orchestrator.yaml": PROJECT, "a.journey.yaml": journey, **files}).catalog


def ms(local: str, zone: str = "UTC") -> int:
    return instants.from_datetime(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)))


class Told:
    """Ana, known from the start, on a virtual clock in her own zone; reads back what was decided, in local time."""

    def __init__(self, catalog: Catalog, start: str, zone: str = MADRID, **traits: object) -> None:
        self.zone = zone
        self.id = profile_id_of("customer_id", "ana")
        profile = Profile(self.id, customer_id="ana", traits={"timezone": zone, **traits})
        self.runtime = SimulatedRuntime(catalog, ms(start, zone), {self.id: codec.encode(State(profile))})
        self._count = 0

    def does(self, name: str, at: str, **properties: object) -> None:
        self._count += 1
        event_id, at_ms = f"e{self._count}", ms(at, self.zone)
        self.runtime.receive(Event(event_id, name, at_ms, "ana", decoded=properties))

    def until(self, at: str) -> "Told":
        self.runtime.run_until(ms(at, self.zone))
        return self

    def decided(self, verdict: str) -> list[str]:
        return [
            self._local(happened.now_ms)
            for happened in self.runtime.history
            for decision in happened.turned.decisions
            if decision.verdict == verdict
        ]

    def _local(self, at_ms: int) -> str:
        text = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(self.zone)).replace(tzinfo=None).isoformat()
        return text.removesuffix(":00")

    @property
    def entered(self) -> list[str]:
        return self.decided(Verdict.ENTERED)

    @property
    def state(self) -> State:
        record = self.runtime.record_of(self.id)
        assert record is not None
        return codec.decode(record)


def daily(at: str) -> str:
    return f'schedule: {{every: day, at: "{at}"}}'


def monthly(day: int, at: str = "09:00") -> str:
    return f'schedule: {{every: month, day: {day}, at: "{at}"}}'


# zone, start, rule, until, the local times at which it opens an entry
TABLE = [
    # every day, over both changes of the clocks
    (MADRID, "2026-03-28T12:00", daily("02:30"), "2026-03-31", ["2026-03-29T03:30", "2026-03-30T02:30"]),
    (MADRID, "2026-10-24T12:00", daily("02:30"), "2026-10-27", ["2026-10-25T02:30", "2026-10-26T02:30"]),
    (NEW_YORK, "2026-03-07T12:00", daily("02:30"), "2026-03-10", ["2026-03-08T03:30", "2026-03-09T02:30"]),
    (NEW_YORK, "2026-10-31T12:00", daily("01:30"), "2026-11-03", ["2026-11-01T01:30", "2026-11-02T01:30"]),
    (LORD_HOWE, "2026-10-03T12:00", daily("02:15"), "2026-10-06", ["2026-10-04T02:45", "2026-10-05T02:15"]),
    (LORD_HOWE, "2026-04-04T12:00", daily("01:45"), "2026-04-07", ["2026-04-05T01:45", "2026-04-06T01:45"]),
    (KOLKATA, "2026-03-28T12:00", daily("02:30"), "2026-03-30", ["2026-03-29T02:30"]),
    # strictly later than the moment they are first seen, midnight included
    (MADRID, "2026-01-05T09:00", daily("09:00"), "2026-01-07T00:00", ["2026-01-06T09:00"]),
    (MADRID, "2026-01-05T08:59", daily("09:00"), "2026-01-06T00:00", ["2026-01-05T09:00"]),
    (MADRID, "2026-01-05T12:00", daily("00:00"), "2026-01-07T12:00", ["2026-01-06T00:00", "2026-01-07T00:00"]),
    # weeks
    (
        MADRID, "2026-03-20T12:00", 'schedule: {every: week, weekday: sun, at: "02:30"}', "2026-04-06",
        ["2026-03-22T02:30", "2026-03-29T03:30", "2026-04-05T02:30"],
    ),
    # the ends of months
    (
        MADRID, "2026-01-31T09:00", monthly(31), "2026-05-01",
        ["2026-02-28T09:00", "2026-03-31T09:00", "2026-04-30T09:00"],
    ),
    (MADRID, "2028-01-31T09:00", monthly(30), "2028-04-01", ["2028-02-29T09:00", "2028-03-30T09:00"]),
    (NEW_YORK, "2026-12-31T23:59", monthly(1, "00:00"), "2027-02-02", ["2027-01-01T00:00", "2027-02-01T00:00"]),
    (MADRID, "2026-12-15T12:00", monthly(15, "12:00"), "2027-01-16", ["2027-01-15T12:00"]),
    # once
    (MADRID, "2026-11-01T12:00", 'schedule: {once: "2026-11-27T09:00"}', "2027-12-01", ["2026-11-27T09:00"]),
    (KOLKATA, "2026-11-01T12:00", 'schedule: {once: "2026-11-27T09:00"}', "2027-12-01", ["2026-11-27T09:00"]),
    (MADRID, "2026-03-01T12:00", 'schedule: {once: "2026-03-29T02:30"}', "2026-04-01", ["2026-03-29T03:30"]),
    (MADRID, "2026-11-27T09:00", 'schedule: {once: "2026-11-27T09:00"}', "2027-12-01", []),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "start", "rule", "until", "expected"), TABLE)
def test_a_schedule_comes_by_the_customers_own_clock(zone, start, rule, until, expected):
    assert Told(catalog_of(rule), start, zone).until(until).entered == expected


BIRTHDAY = 'date: {date: profile.birthday, yearly: true, time: "09:00"}'
DATES = [
    ("1996-02-29", MADRID, BIRTHDAY, "2026-01-05", "2029-01-01",
     ["2026-02-28T09:00", "2027-02-28T09:00", "2028-02-29T09:00"]),
    ("1996-02-29", KOLKATA, BIRTHDAY, "2028-02-28T09:00", "2028-03-02", ["2028-02-29T09:00"]),
    ("1990-01-01", NEW_YORK, BIRTHDAY.replace("yearly", "offset: -3d, yearly"), "2026-06-01", "2027-06-01",
     ["2026-12-29T09:00"]),
    ("1990-03-29", MADRID, BIRTHDAY.replace("09:00", "02:30"), "2026-01-05", "2027-01-01", ["2026-03-29T03:30"]),
    ("1990-07-01", LORD_HOWE, "date: {date: profile.birthday, yearly: true}", "2026-06-30T23:59", "2026-08-01",
     ["2026-07-01T00:00"]),
    ("2026-03-01", MADRID, "date: {date: profile.birthday, offset: -1d}", "2026-01-05", "2028-01-01",
     ["2026-02-28T00:00"]),
    ("2025-03-01", MADRID, "date: {date: profile.birthday}", "2026-01-05", "2028-01-01", []),
    ("soon", MADRID, BIRTHDAY, "2026-01-05", "2028-01-01", []),
    # beyond the calendar on their own clock
    ("9999-12-31T23:59:59Z", MADRID, BIRTHDAY, "2026-01-05", "2028-01-01", []),
    ("0001-01-01T00:00:00Z", NEW_YORK, BIRTHDAY, "2026-01-05", "2028-01-01", []),
    (None, MADRID, BIRTHDAY, "2026-01-05", "2028-01-01", []),
]  # fmt: skip


@pytest.mark.parametrize(("birthday", "zone", "rule", "start", "until", "expected"), DATES)
def test_a_date_comes_on_its_day_leap_days_included(birthday, zone, rule, start, until, expected):
    assert Told(catalog_of(rule), start, zone, birthday=birthday).until(until).entered == expected


def test_a_date_that_becomes_known_or_changes_moves_its_watch():
    ana = Told(catalog_of(BIRTHDAY), "2026-01-05T10:00")
    ana.does("profile_updated", "2026-01-06T10:00", birthday="1990-03-01")
    ana.does("profile_updated", "2026-02-06T10:00", birthday="1990-02-10")
    ana.until("2026-12-31")
    assert ana.entered == ["2026-02-10T09:00"]


@pytest.mark.parametrize(
    ("rule", "moves_at", "to", "expected"),
    [
        # in local time of Madrid; New York's 09:00 is 15:00 there
        (BIRTHDAY, "2026-05-10T10:00", NEW_YORK, ["2026-05-10T09:00", "2027-05-10T15:00"]),
        (BIRTHDAY, "2026-05-10T08:00", NEW_YORK, ["2026-05-10T15:00", "2027-05-10T15:00"]),
        (monthly(10), "2026-05-10T10:00", NEW_YORK, ["2026-05-10T09:00", "2026-06-10T15:00"]),
        (daily("09:00"), "2026-05-10T10:00", NEW_YORK, ["2026-05-10T09:00", "2026-05-11T15:00"]),
        (daily("09:00"), "2026-05-10T08:00", NEW_YORK, ["2026-05-10T15:00", "2026-05-11T15:00"]),
        (daily("09:00"), "2026-05-10T04:00", KOLKATA, ["2026-05-10T05:30", "2026-05-11T05:30"]),
    ],
)
def test_what_recurs_comes_once_a_day_also_for_who_moves_to_another_zone_behind_it(rule, moves_at, to, expected):
    ana = Told(catalog_of(rule), "2026-05-09T10:00", birthday="1990-05-10")
    ana.does("preference_changed", moves_at, timezone=to)
    ana.does("profile_updated", moves_at, tier="gold")  # asked again, it is the same
    assert ana.until("2028-01-01").entered[:2] == expected


def test_who_moves_to_another_zone_gets_a_broadcast_by_its_clock_and_only_once():
    rule = 'schedule: {once: "2026-11-27T09:00"}'
    west = Told(catalog_of(rule), "2026-11-01T10:00")
    west.does("preference_changed", "2026-11-27T08:00", timezone=NEW_YORK)
    west.until("2026-12-31")
    assert west.entered == ["2026-11-27T15:00"]
    again = Told(catalog_of(rule), "2026-11-01T10:00")
    again.does("preference_changed", "2026-11-27T10:00", timezone=NEW_YORK)
    again.until("2026-12-31")
    assert again.entered == ["2026-11-27T09:00"]
    east = Told(catalog_of(rule), "2026-11-01T10:00")
    east.does("preference_changed", "2026-11-27T07:00", timezone=KOLKATA)
    east.until("2026-12-31")
    assert east.entered == ["2026-11-27T07:00:00.001000"]


SILENCE = "inactive: {for: 30d}"


@pytest.mark.parametrize(
    ("rule", "events", "expected"),
    [
        # from first sight, and from the last of them, whatever it was
        (SILENCE, [], ["2026-02-04T10:00"]),
        (SILENCE, [("viewed", "2026-01-20T10:00")], ["2026-02-19T10:00"]),
        # what others report is not their doing, what they answer is
        (SILENCE, [("message_delivered", "2026-01-20T10:00")], ["2026-02-04T10:00"]),
        (SILENCE, [("message_clicked", "2026-01-20T10:00")], ["2026-02-19T10:00"]),
        # only some events count
        ("inactive: {for: 30d, events: [bought, returned]}", [("viewed", "2026-01-20T10:00")], ["2026-02-04T10:00"]),
        ("inactive: {for: 30d, events: [bought, returned]}", [("bought", "2026-01-20T10:00")], ["2026-02-19T10:00"]),
        # at the same instant the event comes first
        (SILENCE, [("viewed", "2026-02-04T10:00")], ["2026-03-06T10:00"]),
        # a new silence after they were heard again
        (SILENCE, [("viewed", "2026-02-10T10:00")], ["2026-02-04T10:00", "2026-03-12T10:00"]),
    ],
)
def test_a_silence_is_counted_from_the_last_sign_of_life(rule, events, expected):
    ana = Told(catalog_of(rule, step="wait: 1d"), "2026-01-05T10:00")
    for name, at in events:
        ana.does(name, at)
    last = expected[-1]
    assert ana.until(last).entered == expected


def test_after_leaving_a_journey_its_silence_begins_anew():
    ana = Told(catalog_of(SILENCE, step="wait: 10d"), "2026-01-05T10:00")
    assert ana.until("2026-03-17T00:00").entered == ["2026-02-04T10:00", "2026-03-16T10:00"]


def test_a_silence_without_a_second_time_ends_and_what_recurs_is_told_apart():
    once = Told(catalog_of(SILENCE, again="once"), "2026-01-05T10:00").until("2028-01-01")
    assert once.decided(Verdict.ENTERED) == ["2026-02-04T10:00"]
    assert once.decided(Verdict.NOT_ENTERED) == ["2026-03-06T10:00"]
    assert codec.due_of(codec.encode(once.state)) == 0
    weekly = Told(catalog_of(daily("09:00")), "2026-01-05T10:00")
    assert weekly.state.due_ms() > 0
    assert weekly.state.settling_ms() == 0


def test_only_who_is_in_the_segment_at_that_moment_gets_a_broadcast_and_the_others_are_told_why():
    rule = 'schedule: {every: day, at: "09:00", segment: vip}'
    segments = {"segments.yaml": "vip: {if: profile.points > 10}\n"}
    ana = Told(catalog_of(rule, **segments), "2026-01-05T10:00")
    ana.does("profile_updated", "2026-01-06T12:00", points=20)
    ana.until("2026-01-07T12:00")
    decisions = [each for happened in ana.runtime.history for each in happened.turned.decisions]
    assert [(each.verdict, each.reason, each.saw) for each in decisions[:2]] == [
        ("not_entered", "condition_false", {"segment": "vip", "in_segment": False}),
        ("entered", "schedule", {"segment": "vip", "in_segment": True}),
    ]


def test_a_version_with_the_same_schedule_never_makes_a_broadcast_again():
    rule = 'schedule: {once: "2026-01-07T09:00"}'
    ana = Told(catalog_of(rule, again="always"), "2026-01-05T10:00").until("2026-01-07T09:00")
    record = codec.encode(ana.state)
    edited = catalog_of(rule, again="always", version=2, step="exit: other")
    later = SimulatedRuntime(edited, ms("2026-01-07T10:00", MADRID), {ana.id: record})
    later.run_until(ms("2026-12-31", MADRID))
    assert [decision for happened in later.history for decision in happened.turned.decisions] == []


def test_a_schedule_that_is_published_later_reaches_who_was_never_seen_again():
    before = Told(catalog_of("event: came"), "2026-01-05T10:00")
    record = codec.encode(before.state)
    published = catalog_of('schedule: {once: "2026-06-01T09:00"}', version=2)
    later = SimulatedRuntime(published, ms("2026-05-01T10:00", MADRID), {before.id: record})
    later.run_until(ms("2026-12-31", MADRID))
    assert [happened.now_ms for happened in later.history] == [ms("2026-06-01T09:00", MADRID)]


def test_a_silence_that_is_published_later_counts_from_then_for_who_is_known_already():
    before = Told(catalog_of("event: came"), "2026-01-05T10:00")
    published = catalog_of(SILENCE, version=2)
    later = SimulatedRuntime(published, ms("2026-05-01T10:00", MADRID), {before.id: codec.encode(before.state)})
    later.run_until(ms("2026-06-15", MADRID))
    assert [happened.now_ms for happened in later.history] == [ms("2026-05-31T10:00", MADRID)]


@pytest.mark.parametrize(("status", "expected"), [("draft", []), ("paused", ["not_live"]), ("draining", ["not_live"])])
def test_nobody_enters_what_is_not_live(status, expected):
    ana = Told(catalog_of('schedule: {once: "2026-01-07T09:00"}', status=status), "2026-01-05T10:00").until(
        "2026-02-01"
    )
    assert [each.reason for happened in ana.runtime.history for each in happened.turned.decisions] == expected


def test_a_journey_without_a_rule_any_more_leaves_no_watch_behind():
    ana = Told(catalog_of(daily("09:00")), "2026-01-05T10:00")
    segments = {"segments.yaml": "vip: {if: profile.points > 10}\n"}
    for plain in (catalog_of("event: came, where: in_segment('vip')", **segments), catalog_of("event: came")):
        later = SimulatedRuntime(plain, ms("2026-01-05T11:00", MADRID), {ana.id: codec.encode(ana.state)})
        later.run_until(ms("2026-01-07T11:00", MADRID))
        record = later.record_of(ana.id)
        assert record is not None
        assert codec.due_of(record) == 0
        assert [each for happened in later.history for each in happened.turned.decisions] == []


def test_timers_of_an_instant_go_before_what_the_instant_lets_in():
    catalog = catalog_of(daily("10:00"), again="always", step="wait: 1d")
    ana = Told(catalog, "2026-01-05T10:00").until("2026-01-08T00:00")
    order = [(each.verdict, each.at[8:10]) for happened in ana.runtime.history for each in happened.turned.decisions]
    assert order == [
        ("entered", "06"), ("waited", "06"),
        ("resumed", "07"), ("exited", "07"), ("entered", "07"), ("waited", "07"),
    ]  # fmt: skip


def test_a_limit_takes_so_many_in_any_window_over_all_customers():
    catalog = catalog_of("event: came, limit: {entries: 2, per: 1d}", again="always")
    runtime = SimulatedRuntime(catalog, ms("2026-01-05T10:00"))
    for number, hour in enumerate([0, 1, 2, 24, 24, 25]):
        at_ms = ms("2026-01-05T10:00") + hour * instants.HOUR_MS
        runtime.receive(Event(f"e{number}", "came", at_ms, f"customer-{number}", decoded={}))
    told = [each.reason for happened in runtime.history for each in happened.turned.decisions if each.step is None]
    assert told == ["event", "event", "limit_reached", "event", "limit_reached", "event"]


def test_a_limit_counts_what_the_same_turn_let_in():
    step = "emit: {event: came}"
    catalog = catalog_of("event: came, limit: {entries: 3, per: 1d}", again="always", step=step)
    runtime = SimulatedRuntime(catalog, ms("2026-01-05T10:00"))
    runtime.receive(Event("e", "came", ms("2026-01-05T10:00"), "ana", decoded={}))
    [happened] = runtime.history
    assert [each.verdict for each in happened.turned.decisions].count("entered") == 3
    assert happened.turned.decisions[-1].reason == "limit_reached"


@pytest.mark.parametrize("swapped", [False, True])
def test_when_two_lives_become_one_a_broadcast_that_either_had_is_made(swapped):
    rules = '[{schedule: {once: "2026-01-07T09:00"}}, {inactive: {for: 30d}}, {schedule: {every: day, at: "12:00"}}]'
    catalog = catalog_of(f"any: {rules}", again="always")
    had = Told(catalog, "2026-01-05T10:00").until("2026-01-07T10:00")
    east = Told(catalog, "2026-01-07T02:00", NEW_YORK).until("2026-01-07T03:00")
    lives = [had.state, east.state]
    mine, other = reversed(lives) if swapped else lives
    merging.join(catalog, mine, other)
    later = SimulatedRuntime(catalog, ms("2026-01-07T10:00", MADRID), {had.id: codec.encode(mine)})
    later.run_until(ms("2026-02-08T00:00", MADRID))
    reasons = [each.reason for happened in later.history for each in happened.turned.decisions if each.step is None]
    assert reasons.count("schedule") == 32  # every day from then on, and no broadcast
    assert reasons.count("inactive") == 0  # the schedule lets them in, and out, every day


@pytest.mark.parametrize("swapped", [False, True])
def test_a_visit_of_after_a_broadcast_takes_it_from_nobody_who_waits_for_it_in_a_zone_behind(swapped):
    catalog = catalog_of('schedule: {once: "2026-01-07T09:00"}')
    west = Told(catalog, "2026-01-05T10:00", NEW_YORK).until("2026-01-07T04:30")
    visit = Told(catalog, "2026-01-07T10:00").until("2026-01-07T10:30").state
    del visit.profile.traits["timezone"]
    lives = [west.state, visit]
    mine, other = reversed(lives) if swapped else lives
    merging.join(catalog, mine, other)
    later = SimulatedRuntime(catalog, ms("2026-01-07T11:00", MADRID), {west.id: codec.encode(mine)})
    later.run_until(ms("2026-02-08T00:00", MADRID))
    entered = [each.at for happened in later.history for each in happened.turned.decisions if each.step is None]
    assert entered[:1] == ["2026-01-07T14:00:00.000Z"]
