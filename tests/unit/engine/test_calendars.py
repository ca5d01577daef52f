"""Calendars: local times, dates and their anniversaries, through wait_until and quiet hours."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator.engine.calendars import at_minute, local, quiet_until
from orchestrator.model.project import QuietHours
from shop import Customer, const, journey, leave, project, purpose, quiet, send, trait, wait_until

MADRID, NEW_YORK, LORD_HOWE, KOLKATA = "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"
NEPAL, CAIRO = "Asia/Kathmandu", "Africa/Cairo"


def waits_until(step, start, zone, profile=None):
    """Tell when a customer who comes at a local time goes on, as local time; with what reasons."""
    ana = Customer(journey(step), start=start, zone=zone, profile=profile)
    ana.does("cart_updated")
    ana.until("2400d")
    resumed = [(told[1], told[3]) for told in ana.told if told[0] == "resumed"]
    assert len(resumed) == 1
    return resumed[0]


TIMES = [
    # the next such time, strictly later than now
    (MADRID, "2026-03-02T08:59", "09:00", "2026-03-02T09:00"),
    (MADRID, "2026-03-02T09:00", "09:00", "2026-03-03T09:00"),
    (MADRID, "2026-03-02T09:01", "09:00", "2026-03-03T09:00"),
    (KOLKATA, "2026-03-02T08:59", "09:00", "2026-03-02T09:00"),
    (NEPAL, "2026-03-02T08:59", "09:00", "2026-03-02T09:00"),
    ("UTC", "2026-02-28T23:59", "00:00", "2026-03-01T00:00"),
    ("UTC", "2028-02-28T12:00", "00:00", "2028-02-29T00:00"),
    ("UTC", "2026-12-31T12:00", "09:00", "2027-01-01T09:00"),
    # clocks go forward: a time that does not exist moves by the gap
    (MADRID, "2026-03-29T00:30", "02:30", "2026-03-29T03:30"),
    (MADRID, "2026-03-29T00:30", "03:00", "2026-03-29T03:00"),
    (MADRID, "2026-03-29T03:10", "02:30", "2026-03-29T03:30"),
    (MADRID, "2026-03-29T03:30", "02:30", "2026-03-30T02:30"),
    (NEW_YORK, "2026-03-08T00:30", "02:30", "2026-03-08T03:30"),
    (NEW_YORK, "2026-03-08T00:30", "02:00", "2026-03-08T03:00"),
    (LORD_HOWE, "2026-10-04T00:30", "02:15", "2026-10-04T02:45"),
    (LORD_HOWE, "2026-10-04T00:30", "02:30", "2026-10-04T02:30"),
    # midnight itself may be missing
    (CAIRO, "2026-04-23T12:00", "00:00", "2026-04-24T01:00"),
    # over the whole night of the change
    (MADRID, "2026-03-28T22:00", "09:00", "2026-03-29T09:00"),
    (MADRID, "2026-10-24T22:00", "09:00", "2026-10-25T09:00"),
]


@pytest.mark.parametrize(("zone", "start", "time", "until"), TIMES)
def test_a_wait_until_a_time_ends_at_the_next_such_time(zone, start, time, until):
    assert waits_until(wait_until("morning", time), start, zone) == ("time_passed", until)


def instant(text):
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "start", "time", "first"),
    [
        (MADRID, "2026-10-24T22:00", "02:30", "2026-10-25T02:30+02:00"),
        (NEW_YORK, "2026-10-31T22:00", "01:30", "2026-11-01T01:30-04:00"),
        (LORD_HOWE, "2026-04-04T22:00", "01:45", "2026-04-05T01:45+11:00"),
    ],
)
def test_a_time_that_exists_twice_is_the_first(zone, start, time, first):
    ana = Customer(journey(wait_until("morning", time)), start=start, zone=zone)
    ana.does("cart_updated")
    ana.until("2030-01-01T00:00")
    assert instant(ana.decisions[-1].at) == instant(first)


def test_between_the_two_of_a_time_that_exists_twice_it_is_tomorrows():
    # 02:45 summer time, after 02:30 summer time and before 02:30 winter time
    ana = Customer(journey(wait_until("night", "02:30")), start="2026-10-25T02:45+02:00", zone=MADRID)
    ana.does("cart_updated")
    ana.until("2027-01-01T00:00")
    assert ana.told[-1] == ("exited", "completed", None, "2026-10-26T02:30")


def test_a_time_that_a_gap_moves_past_midnight_is_still_to_come_after_it():
    # There the clocks go from 23:00 to 00:00: Saturday's 23:30 is Sunday's 00:30.
    ana = Customer(journey(wait_until("night", "23:30")), start="2026-03-29T00:10", zone="America/Nuuk")
    ana.does("cart_updated")
    ana.until("2026-04-01T00:00")
    assert ana.told[-1] == ("exited", "completed", None, "2026-03-29T00:30")


MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


@pytest.mark.parametrize(
    ("start", "weekdays", "until"),
    [
        ("2026-03-02T12:00", [TUE, THU], "2026-03-03T10:00"),
        ("2026-03-03T12:00", [TUE, THU], "2026-03-05T10:00"),
        ("2026-03-05T12:00", [TUE, THU], "2026-03-10T10:00"),
        ("2026-03-03T09:59", [TUE], "2026-03-03T10:00"),
        ("2026-03-03T10:00", [TUE], "2026-03-10T10:00"),
        ("2026-03-27T12:00", [SUN], "2026-03-29T10:00"),
    ],
)
def test_a_wait_until_weekdays_ends_at_the_next_of_them(start, weekdays, until):
    assert waits_until(wait_until("day", "10:00", weekdays=weekdays), start, MADRID) == ("time_passed", until)


def until_date(date, time=None, **fields):
    return wait_until("day", time, date=const(date), **fields)


@pytest.mark.parametrize(
    ("step", "until"),
    [
        (until_date("2026-06-10"), "2026-06-10T00:00"),
        (until_date("2026-06-10", "10:00"), "2026-06-10T10:00"),
        (until_date("2026-06-10", "10:00", offset_days=-3), "2026-06-07T10:00"),
        (until_date("2026-06-10", offset_days=5), "2026-06-15T00:00"),
        # month ends and leap years
        (until_date("2026-03-31", offset_days=1), "2026-04-01T00:00"),
        (until_date("2028-03-01", offset_days=-1), "2028-02-29T00:00"),
        (until_date("2027-03-01", offset_days=-1), "2027-02-28T00:00"),
        # a date that is today counts while its time is still to come
        (until_date("2026-03-02", "23:00"), "2026-03-02T23:00"),
        # a time of day, or its text, is the local day it falls on; text without a zone is local already
        (until_date("2026-06-10T22:30:00Z", "10:00"), "2026-06-11T10:00"),
        (until_date("2026-06-10T22:30:00", "10:00"), "2026-06-10T10:00"),
        (until_date("2026-06-10T22:30:00+02:00", "10:00"), "2026-06-10T10:00"),
        (until_date(1_781_130_600_000, "10:00"), "2026-06-11T10:00"),
        # an offset in calendar days, over the change of the clocks
        (until_date("2026-03-30", "02:30", offset_days=-1), "2026-03-29T03:30"),
    ],
)
def test_a_wait_until_a_date_ends_on_that_local_day(step, until):
    assert waits_until(step, "2026-03-02T12:00", MADRID) == ("time_passed", until)


@pytest.mark.parametrize(
    "step",
    [
        until_date("2026-03-01"),
        until_date("2026-03-02"),
        until_date("2026-03-02", "12:00"),
        until_date("2026-03-10", offset_days=-8),
        until_date("1900-01-01"),
        until_date("0001-01-01", offset_days=-5),
    ],
)
def test_a_date_that_has_passed_leads_on_at_once(step):
    assert waits_until(step, "2026-03-02T12:00", MADRID) == ("date_passed", "2026-03-02T12:00")


@pytest.mark.parametrize("odd", [None, "", "soon", "2026-02-30", "10/06/2026", [], {}, True, float("nan"), 1e300])
def test_a_date_that_is_missing_or_unreadable_leads_on_at_once(odd):
    assert waits_until(until_date(odd), "2026-03-02T12:00", MADRID) == ("date_missing", "2026-03-02T12:00")


@pytest.mark.parametrize(
    ("zone", "never"),
    [
        # How other systems write "never" and "not set", which on this clock is no day of the calendar any more.
        (MADRID, "9999-12-31T23:59:59Z"),
        (MADRID, 253_402_300_799_999),
        (NEW_YORK, "0001-01-01T00:00:00Z"),
        (NEW_YORK, -62_135_596_800_000),
    ],
)
def test_an_instant_beyond_the_calendar_on_the_customers_clock_leads_on_at_once(zone, never):
    assert waits_until(until_date(never), "2026-03-02T12:00", zone) == ("date_missing", "2026-03-02T12:00")


def test_a_date_beyond_the_calendar_leads_on_at_once():
    assert waits_until(until_date("9999-12-31", offset_days=5), "2026-03-02T12:00", MADRID)[0] == "date_passed"


@pytest.mark.parametrize(
    ("birthday", "start", "fields", "until"),
    [
        ("1980-06-10", "2026-03-02T12:00", {}, "2026-06-10T00:00"),
        ("1980-01-10", "2026-03-02T12:00", {}, "2027-01-10T00:00"),
        ("2031-06-10", "2026-03-02T12:00", {}, "2026-06-10T00:00"),
        ("1980-03-02", "2026-03-02T09:59", {"time": "10:00"}, "2026-03-02T10:00"),
        ("1980-03-02", "2026-03-02T10:00", {"time": "10:00"}, "2027-03-02T10:00"),
        # 29 February is 28 February in other years
        ("1996-02-29", "2026-01-02T12:00", {}, "2026-02-28T00:00"),
        ("1996-02-29", "2026-03-02T12:00", {}, "2027-02-28T00:00"),
        ("1996-02-29", "2027-03-02T12:00", {}, "2028-02-29T00:00"),
        ("1996-02-29", "2028-02-29T12:00", {}, "2029-02-28T00:00"),
        # three days before, over the turn of the month and of the year
        ("1980-01-02", "2026-03-02T12:00", {"offset_days": -3}, "2026-12-30T00:00"),
        ("1980-01-02", "2026-12-30T12:00", {"offset_days": -3}, "2027-12-30T00:00"),
        ("1980-12-30", "2026-01-01T12:00", {"offset_days": 5}, "2026-01-04T00:00"),
        ("1980-12-30", "2026-01-05T12:00", {"offset_days": 5}, "2027-01-04T00:00"),
        ("1996-02-29", "2026-01-02T12:00", {"offset_days": 1}, "2026-03-01T00:00"),
        ("1996-02-29", "2028-01-02T12:00", {"offset_days": 1}, "2028-03-01T00:00"),
        ("1980-06-10", "2026-03-02T12:00", {"offset_days": -400}, "2026-05-06T00:00"),
    ],
)
def test_a_yearly_date_is_its_next_anniversary(birthday, start, fields, until):
    fields = dict(fields)
    step = until_date(birthday, fields.pop("time", None), yearly=True, **fields)
    assert waits_until(step, start, MADRID) == ("time_passed", until)


def test_a_birthday_comes_every_year_from_the_profile():
    flow = journey(
        wait_until("day", "10:00", date=trait("birthday"), yearly=True),
        send("wish", "hello", "email"),
        again="after_exit",
    )
    profile = {"email": "ana@shop.example", "birthday": "1980-06-10"}
    ana = Customer(flow, start="2026-03-02T12:00", zone=MADRID, profile=profile)
    ana.does("cart_updated")
    ana.does("cart_updated", "2026-07-01T12:00")
    ana.until("2028-01-01T00:00")
    assert [at for _, _, at in ana.messages] == ["2026-06-10T10:00", "2027-06-10T10:00"]


@pytest.mark.parametrize(
    ("own", "shops", "until"),
    [
        ("America/New_York", "Europe/Madrid", "14:00"),
        (None, "Europe/Madrid", "08:00"),
        ("Nowhere/Else", "Europe/Madrid", "08:00"),
        ("", "Europe/Madrid", "08:00"),
        ("../etc", "Europe/Madrid", "08:00"),
        (7, "Europe/Madrid", "08:00"),
        ("Europe", "Europe/Madrid", "08:00"),
        (None, "Nowhere/Else", "09:00"),
    ],
)
def test_the_customers_zone_counts_else_the_projects_else_utc(own, shops, until):
    flow = journey(wait_until("morning", "09:00"))
    ana = Customer(flow, project=project(timezone=shops), start="2026-01-05T00:30", profile={"timezone": own})
    ana.does("cart_updated")
    assert ana.saw[-1] == {"until": f"2026-01-05T{until}:00.000Z"}


def test_a_customer_who_moves_is_asked_on_their_new_clock():
    flow = journey(wait_until("one", "09:00"), wait_until("two", "09:00"), leave("end", "end"))
    ana = Customer(flow, start="2026-01-05T00:30")
    ana.does("preference_changed", timezone="Europe/Madrid")
    ana.does("cart_updated")
    ana.does("preference_changed", "1h", timezone="America/New_York")
    ana.until("1d12h")
    # 08:00 UTC was armed on the old clock; the next 09:00 is New York's
    assert [one.at for one in ana.decisions if one.verdict == "resumed"] == [
        "2026-01-05T08:00:00.000Z",
        "2026-01-05T14:00:00.000Z",
    ]


@pytest.mark.parametrize(
    ("zone", "window", "start", "until"),
    [
        # over midnight, in the nights in which the clocks change
        (MADRID, ("21:30", "08:30"), "2026-03-28T23:00", "2026-03-29T08:30"),
        (MADRID, ("21:30", "08:30"), "2026-10-24T23:00", "2026-10-25T08:30"),
        (NEW_YORK, ("21:30", "08:30"), "2026-03-08T01:00", "2026-03-08T08:30"),
        (LORD_HOWE, ("21:30", "08:30"), "2026-10-04T01:00", "2026-10-04T08:30"),
        (KOLKATA, ("21:30", "08:30"), "2026-03-02T21:30", "2026-03-03T08:30"),
        # an end that does not exist moves by the gap
        (MADRID, ("22:00", "02:30"), "2026-03-29T01:30", "2026-03-29T03:30"),
        # an end that exists twice is the first
        (MADRID, ("22:00", "02:30"), "2026-10-25T01:30", "2026-10-25T02:30"),
        # from midnight, to midnight, a whole day
        (MADRID, ("00:00", "06:00"), "2026-03-02T00:00", "2026-03-02T06:00"),
        (MADRID, ("20:00", "00:00"), "2026-03-02T20:00", "2026-03-03T00:00"),
        (MADRID, ("09:00", "09:00"), "2026-03-02T12:00", "2026-03-03T09:00"),
    ],
)
def test_quiet_hours_end_on_the_customers_clock(zone, window, start, until):
    shop = project(purpose("marketing", "opt_in", quiet_hours=(quiet(*window),)))
    ana = Customer(journey(send("say", "hello", "email")), project=shop, start=start, zone=zone)
    ana.does("cart_updated")
    assert ana.decisions[-1].verdict == "held"
    held_until = ana.saw[-1]["until"]
    assert ana.clock(held_until) == until


def test_a_whole_day_of_quiet_is_left_at_its_end_only_to_be_held_again():
    shop = project(purpose("marketing", "opt_in", quiet_hours=(quiet("09:00", "09:00"),)))
    ana = Customer(
        journey(send("say", "hello", "email", expires="60h")), project=shop, start="2026-03-02T12:00", zone=MADRID
    )
    ana.does("cart_updated")
    ana.until("2026-03-10T00:00")
    assert ana.told[1:] == [
        ("held", "quiet_hours", "say", "2026-03-02T12:00"),
        ("held", "quiet_hours", "say", "2026-03-03T09:00"),
        ("suppressed", "expired", "say", "2026-03-04T09:00"),
        ("exited", "completed", None, "2026-03-04T09:00"),
    ]


@pytest.mark.parametrize("zone", [MADRID, NEW_YORK, LORD_HOWE, KOLKATA, NEPAL, CAIRO, "America/Asuncion"])
@pytest.mark.parametrize("window", [(1290, 510), (0, 0), (1410, 1409), (45, 75), (0, 60), (600, 601)])
def test_quiet_hours_are_the_same_however_many_messages_of_an_hour_ask(zone, window):
    zone, windows = ZoneInfo(zone), (QuietHours(*window),)
    for day in ("2026-03-28", "2026-04-23", "2026-10-24", "2024-03-23"):
        noon_ms = int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp() * 1000)
        for now_ms in range(noon_ms, noon_ms + 86_400_000, 1_500_000):
            assert quiet_until(now_ms, zone, windows) == reckoned_for_itself(now_ms, zone, *window)


def reckoned_for_itself(now_ms, zone, from_minute, to_minute):
    today, until_ms = local(now_ms, zone).date(), 0
    for days in (-2, -1, 0, 1):
        begins = today + timedelta(days=days)
        length = (to_minute - from_minute) % 1440 or 1440
        end_ms = at_minute(begins, from_minute + length, zone)
        if at_minute(begins, from_minute, zone) <= now_ms < end_ms:
            until_ms = max(until_ms, end_ms)
    return until_ms
