"""Lengths and local times in words."""

import pytest

from orchestrator.model import instants
from orchestrator.views import times

DAY = 86_400_000


@pytest.mark.parametrize(
    ("length_ms", "words"),
    [
        (0, "0ms"),
        (250, "250ms"),
        (1_000, "1s"),
        (90_000, "1m30s"),
        (3_600_000, "1h"),
        (DAY + DAY // 2, "1d12h"),
        (7 * DAY, "7d"),
    ],
)
def test_a_length_reads_as_authors_write_it(length_ms, words):
    assert instants.length(length_ms) == words


def test_an_instant_is_said_in_the_customers_local_time():
    instant_ms = 1_772_523_000_000  # 2026-03-03T07:30:00Z
    assert times.spoken(instant_ms, "Europe/Madrid") == "Tue 3 Mar 2026, 08:30"
    assert times.stamp(instant_ms, "Europe/Madrid") == "2026-03-03T08:30"
    assert times.stamp(instant_ms + 5_000, "UTC") == "2026-03-03T07:30:05"
    assert times.spoken(instant_ms + 5_000, "UTC") == "Tue 3 Mar 2026, 07:30:05"


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("9999-12-31T23:59:59Z", "Europe/Madrid", "Fri 31 Dec 9999, 23:59:59"),
        ("9999-12-31T23:59:59Z", "America/New_York", "Fri 31 Dec 9999, 18:59:59"),
        ("0001-01-01T00:00:00Z", "America/New_York", "Mon 1 Jan 1, 00:00"),
    ],
)
def test_an_instant_at_the_end_of_the_calendar_is_said_all_the_same(text, zone, said):
    assert times.spoken(instants.parse(text), zone) == said


@pytest.mark.parametrize("name", [None, "", "Nowhere/Here", "Europe", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_is_utc(name):
    assert times.zone(name).key == "UTC"


def test_a_minute_of_the_day_reads_as_a_clock():
    assert [times.minute_of_day(minute) for minute in (0, 570, 1439)] == ["00:00", "09:30", "23:59"]
