"""The small values: instants, ids, what may be stored, catalogs, profiles and scopes."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from orchestrator.model import ids, instants, values
from orchestrator.model.catalog import Catalog
from orchestrator.model.event import KeptEvent
from orchestrator.model.expression import Expression, Scope
from orchestrator.model.profile import Profile
from orchestrator.model.state import Entry, Result, State
from shop import exits, goal, journey, on, project, repeat, value, wait, wait_for

# Instants


@pytest.mark.parametrize(
    ("instant_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_261_600_000, "2026-01-01T10:00:00.000Z"),
        (1_767_261_659_007, "2026-01-01T10:00:59.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (instants.EARLIEST_MS, "0001-01-01T00:00:00.000Z"),
        (instants.LATEST_MS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_written_as_rfc_3339_with_milliseconds_and_read_back(instant_ms, text):
    assert instants.to_text(instant_ms) == text
    assert instants.parse(text) == instant_ms


@pytest.mark.parametrize("odd", [None, True, "soon", "", [], {}, math.nan, math.inf, -math.inf, 1e300, "10000-01-01"])
def test_what_is_no_instant_is_none(odd):
    assert instants.parse(odd) is None


def test_an_instant_out_of_the_calendar_is_none():
    assert instants.parse(instants.LATEST_MS + 1) is None
    assert instants.parse(instants.EARLIEST_MS - 1) is None
    assert instants.parse("0001-01-01T00:00:00+14:00") is None
    assert instants.parse("9999-12-31T23:59:59-14:00") is None


def test_datetimes_with_any_zone_or_none_become_instants_and_back():
    at = datetime(2026, 1, 1, 11, tzinfo=timezone(timedelta(hours=1)))
    assert instants.from_datetime(at) == instants.from_datetime(at.replace(hour=10, tzinfo=None)) == 1_767_261_600_000
    assert instants.to_datetime(1_767_261_600_000) == datetime(2026, 1, 1, 10, tzinfo=UTC)


# Ids


def test_ids_stay_what_they_are():
    # What stands in stores, topics and providers' records: these may never change.
    assert ids.profile_id_of("customer_id", "ana") == "251063d297c1d5d25bd8b63183ccff82"
    assert ids.derive("cart", "1", "ñ") == ids.derive("cart", "1", "ñ")
    assert ids.derive("ab", "c") != ids.derive("a", "bc")
    assert len(ids.digest_of("e1")) == 8


def test_draws_are_sticky_and_spread_over_the_whole_of_a_hundred():
    draws = [ids.share_of("cart", "offer", f"customer-{number}") for number in range(2000)]
    assert draws == [ids.share_of("cart", "offer", f"customer-{number}") for number in range(2000)]
    assert all(0 <= draw < 100 for draw in draws)
    tenths = [sum(1 for draw in draws if tenth <= draw < tenth + 10) for tenth in range(0, 100, 10)]
    assert all(150 < count < 250 for count in tenths)


# What may be stored


@pytest.mark.parametrize("good", [None, True, 0, -(2**63), 2**63 - 1, 1.5, "ñ", [], {}, [[{"a": [None]}]]])
def test_plain_values_can_be_stored(good):
    assert values.is_storable(good)


@pytest.mark.parametrize(
    "odd", [2**63, -(2**63) - 1, math.nan, math.inf, {1, 2}, (1,), b"x", {1: 2}, [{"a": math.inf}], {"a": [object()]}]
)
def test_other_values_cannot(odd):
    assert not values.is_storable(odd)


def nested(depth, inner):
    found = inner
    for level in range(depth):
        found = [found] if level % 2 else {"a": found}
    return found


def test_values_nest_as_deep_as_the_bound_and_no_deeper():
    assert values.is_storable(nested(values.MAX_DEPTH, 1))
    assert not values.is_storable(nested(values.MAX_DEPTH + 1, 1))


# The catalog


def test_a_catalog_lists_journeys_by_priority_then_id_and_finds_versions():
    low, high = journey(id="a", priority=1), journey(id="b", priority=9)
    old = journey(id="a", version=0)
    catalog = Catalog(project(), [low, high], [old])
    assert catalog.current == (high, low)
    assert (catalog.journey("a", 0), catalog.journey("a", 1), catalog.journey("a", 2)) == (old, low, None)
    assert catalog.interests["cart_updated"].entering == (high, low)
    assert "nothing" not in catalog.interests


def test_a_catalog_wants_whatever_anybody_asks_about_older_versions_too():
    steps = (
        wait("a", "1h", restart_on=["restarted"]),
        wait_for("b", on("answered"), within="1h"),
        repeat("c", wait("d", "1h"), every="1d", at_most=2, until_event=on("ended")),
    )
    new = journey(*steps, exits=[exits("left")], goals=[goal("reached")])
    old = journey(wait_for("x", on("old_event"), within="1h"), version=0)
    wanted = Catalog(project(), [new], [old]).wanted
    asked = {"cart_updated", "restarted", "answered", "ended", "left", "reached", "old_event"}
    assert asked <= wanted
    assert {"profile_updated", "consent_changed", "preference_changed", "message_bounced"} <= wanted
    assert not {"page_viewed", "message_delivered"} & wanted


def test_a_catalog_wants_all_receipts_where_somebody_reads_a_status():
    assert "message_delivered" in Catalog(project(), [journey(reads_receipts=True)]).wanted


# Scopes


def scope(**fields):
    return Scope(project(), State(Profile("p")), 5, **fields)


def test_what_is_not_there_is_missing():
    empty = scope()
    assert (empty.event_value("type"), empty.entry_value("total"), empty.step_value("a", "status")) == (
        None,
        None,
        None,
    )
    assert (empty.step_event("a"), empty.step_events("a"), empty.properties) == (None, [], {})


def test_an_event_is_looked_up_by_its_envelope():
    event = KeptEvent("e1", "seen", 7, "web", {"total": 40})
    found = scope(event=event)
    assert [found.event_value(name) for name in ("id", "type", "time", "channel", "nothing")] == [
        "e1",
        "seen",
        7,
        "web",
        None,
    ]
    assert found.properties == {"total": 40}


def test_an_entry_is_looked_up_by_its_opening_event_and_its_steps():
    event = KeptEvent("e1", "seen", 7)
    results = {"a": Result("sent", "email", "x", "yes", event, [event], {"score": 9})}
    found = scope(entry=Entry("n", "cart", 1, None, 0, "b", properties={"total": 40}, results=results))
    assert found.entry_value("total") == 40
    names = ("status", "channel", "action_id", "name", "score", "nothing")
    assert [found.step_value("a", name) for name in names] == ["sent", "email", "x", "yes", 9, None]
    assert (found.step_event("a"), found.step_events("a"), found.step_event("b")) == (event, [event], None)


@pytest.mark.parametrize(
    ("result", "holds"), [(None, False), (0, False), ("", False), ([], False), (1, True), ("x", True)]
)
def test_a_condition_holds_unless_it_is_missing_empty_or_zero(result, holds):
    assert Expression("x", lambda scope: result).holds(scope()) is holds


def test_an_expression_tells_what_it_looked_at():
    assert value("profile.id", lambda s: s.state.profile.id).values_seen(scope()) == {"profile.id": "p"}


# What a state remembers


def test_a_state_remembers_whole_digests_only():
    state = State(Profile("p"))
    state.remember(b"12345678")
    state.remember(b"abcdefgh")
    assert state.has_seen(b"12345678")
    assert state.has_seen(b"abcdefgh")
    # the same bytes, but across two digests
    assert not state.has_seen(b"5678abcd")
    state.remember(b"5678abcd")
    assert state.has_seen(b"5678abcd")
