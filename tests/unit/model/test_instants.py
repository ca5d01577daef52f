"""Instants as text: read by the table as they are read by the calendar."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.model import instants

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(instants.EARLIEST_MS, instants.LATEST_MS))
def test_an_instant_is_read_back_as_it_was_written(instant_ms):
    assert instants.parse(instants.to_text(instant_ms)) == instant_ms


def _by_calendar(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)


DIGITS = st.text("0123456789", max_size=6)
PIECES = st.sampled_from(
    [
        "2026-01-01",
        "20260101",
        "2026-W01-1",
        "T",
        " ",
        "10:00:00",
        "100000",
        "10:00",
        ".",
        ",",
        "Z",
        "+01:00",
        "-01",
        "٣",
    ]
)


@given(st.lists(st.one_of(PIECES, DIGITS), max_size=6).map("".join))
@example("2026-01-01T10:00:00.086Z")
@example("20260101T100000.1234086Z")
@example("2026-01-01T10:00+01.086Z")
@example("2026-01-01T10:00:00.٣٤٥Z")
@example("2026-02-30T10:00:00.086Z")
def test_text_that_looks_like_an_instant_is_read_as_the_calendar_reads_it(text):
    expected = _by_calendar(text)
    found = instants.parse(text)
    # Beyond milliseconds one rounds and the other cuts.
    assert found == expected or (expected is not None and found == expected + 1)


@pytest.mark.parametrize(
    "value", [True, None, "yesterday", "", float("nan"), 1e20, [], "9999-12-31T23:59:59.999-01:00"]
)
def test_what_is_no_instant_is_none(value):
    assert instants.parse(value) is None


@pytest.mark.parametrize(
    ("text", "plainly"),
    [
        ("2026-01-01t10:00:00.5z", "2026-01-01T10:00:00.500Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("1990-12-31T15:59:60.25-08:00", "1991-01-01T00:00:00.250Z"),
    ],
)
def test_all_that_rfc_3339_allows_is_read(text, plainly):
    assert instants.to_text(instants.parse(text)) == plainly


@pytest.mark.parametrize("text", ["2016-12-31T22:59:60Z", "2016-12-31T23:58:60Z", "2016-12-31T23:59:61Z", "60"])
def test_a_minute_has_a_61st_second_only_at_the_end_of_a_day(text):
    assert instants.parse(text) is None
