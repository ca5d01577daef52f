"""Turns: repeats of an event, bugs of ours inside an entry, and what cannot be stored."""

import dataclasses

import msgspec
import pytest

from orchestrator.errors import EventError, StorageError
from orchestrator.model import codec, envelopes
from orchestrator.model.catalog import Catalog
from orchestrator.model.expression import Expression
from orchestrator.model.journey import Journey
from orchestrator.model.state import Stored
from orchestrator.runtime.turn import MOST_RECORD_BYTES, on_event
from shop import (
    FAILS,
    KEEPS_ALL,
    Customer,
    channel,
    choose,
    const,
    exits,
    goal,
    journey,
    on,
    project,
    send,
    set_to,
    value,
    wait,
    wait_for,
)


def test_an_expression_that_raises_parks_exactly_its_entry_and_the_others_go_on():
    broken = journey(wait("settle", "1h"), set_to("mark", tier=FAILS), id="broken")
    sound = journey(wait("settle", "1h"), send("remind", "cart-reminder", "email"), id="sound")
    ana = Customer(broken, sound)
    ana.does("cart_updated")
    ana.forget()
    ana.until("1d")
    assert ana.told_by_journey == [
        ("broken", "parked", "failure", "settle", "1h"),
        ("sound", "resumed", "time_passed", "settle", "1h"),
        ("sound", "sent", "allowed", "remind", "1h"),
        ("sound", "exited", "completed", None, "1h"),
    ]
    assert [(one.journey, one.reason) for one in ana.failures] == [("broken", "failure")]
    assert "an expression with a bug of ours" in ana.failures[0].traceback


def test_a_parked_entry_keeps_its_state_and_nothing_moves_it_any_more():
    broken = journey(
        wait("settle", "1h", restart_on=["cart_updated"]), set_to("mark", tier=FAILS), exits=[exits("left")]
    )
    ana = Customer(broken)
    ana.does("cart_updated", total=40)
    ana.until("1h")
    before = ana.state.entries
    ana.forget()
    assert ana.does("left", "2h").outcome == "ignored"
    ana.does("cart_updated", "3h")
    ana.until("9d")
    assert ana.told == [("not_entered", "already_inside", None, "3h")]
    assert ana.state.entries == before
    assert (before[0].step, before[0].parked, before[0].properties) == ("settle", "failure", {"total": 40})


def test_an_enter_condition_that_raises_is_on_record_and_the_others_go_on():
    broken = journey(wait("settle", "1h"), id="broken", enter=on("cart_updated", where=FAILS))
    sound = journey(wait("settle", "1h"), id="sound")
    ana = Customer(broken, sound)
    turned = ana.does("cart_updated")
    assert ana.told_by_journey == [
        ("broken", "parked", "failure", None, "0m"),
        ("sound", "entered", "event", None, "0m"),
        ("sound", "waited", "time", "settle", "0m"),
    ]
    assert [(one.journey, one.reason) for one in turned.failures] == [("broken", "failure")]


def test_an_enter_condition_that_raises_is_reported_even_where_nothing_else_happens():
    ana = Customer(journey(wait("settle", "1h"), id="broken", enter=on("cart_updated", where=FAILS)))
    turned = ana.does("cart_updated")
    assert (turned.outcome, turned.record) == ("applied", None)
    assert ana.told == [("parked", "failure", None, "0m")]
    assert [(one.journey, one.reason) for one in turned.failures] == [("broken", "failure")]


def test_a_first_step_that_raises_parks_the_entry_at_its_beginning():
    ana = Customer(journey(set_to("mark", tier=FAILS), wait("settle", "1h")))
    ana.does("cart_updated")
    assert ana.told == [("entered", "event", None, "0m"), ("parked", "failure", "mark", "0m")]


def test_a_goal_of_an_ended_entry_that_raises_gives_up_that_goal_and_nothing_else():
    broken = journey(id="broken", goals=[goal("order_placed", where=FAILS, within="3d")])
    sound = journey(wait("settle", "1d"), id="sound", exits=[exits("order_placed")])
    ana = Customer(broken, sound)
    ana.does("cart_updated")
    ana.forget()
    turned = ana.does("order_placed", "1h")
    assert ana.told_by_journey == [
        ("broken", "parked", "failure", None, "1h"),
        ("sound", "exited", "order_placed", "settle", "1h"),
    ]
    assert [(one.journey, one.reason) for one in turned.failures] == [("broken", "failure")]
    ana.forget()
    assert ana.does("order_placed", "2h").outcome == "ignored"


def test_any_number_of_entries_may_fail_in_one_turn():
    broken = [
        journey(wait("settle", "1h"), set_to("mark", tier=FAILS), id=name, again="always") for name in ("one", "two")
    ]
    ana = Customer(*broken)
    for minute in range(60):
        ana.does("cart_updated", f"{minute}s")
    turned = ana.wake_at("2h")
    assert len(turned.failures) == 120
    assert {entry.parked for entry in ana.state.entries} == {"failure"}


@pytest.mark.parametrize("odd", [10**30, -(10**30)], ids=["huge", "tiny"])
def test_a_number_too_large_to_store_is_refused_with_its_event(odd):
    ana = Customer(journey(wait("settle", "1h")))
    before = ana.record
    with pytest.raises(EventError) as refused:
        ana.does("cart_updated", total=odd)
    assert refused.value.reason == "bad_properties"
    assert ana.record == before


def test_properties_that_nest_too_deep_to_store_are_refused_with_their_event():
    ana = Customer(journey(wait("settle", "1h")))
    deep: list[object] = []
    for _ in range(150):
        deep = [deep]
    with pytest.raises(EventError) as refused:
        ana.does("profile_updated", deep=deep)
    assert refused.value.reason == "bad_properties"


@pytest.mark.parametrize("odd", [10**30, float("inf"), {1, 2}], ids=["huge", "infinite", "a set"])
def test_a_result_that_cannot_be_stored_changes_nothing_and_says_so(odd):
    ana = Customer(journey(wait("settle", "1h"), set_to("mark", tier=const(odd))))
    ana.does("cart_updated")
    ana.forget()
    ana.until("1h")
    assert ana.told == [
        ("resumed", "time_passed", "settle", "1h"),
        ("changed", "value_missing", "mark", "1h"),
        ("exited", "completed", None, "1h"),
    ]


def test_a_value_that_grows_with_every_event_stops_growing_before_it_cannot_be_stored():
    nest = Expression("[profile.nest, 1]", lambda scope: [scope.state.profile.value("nest"), 1])
    ana = Customer(journey(set_to("grow", nest=nest), again="always"))
    for second in range(1200):
        ana.does("cart_updated", f"{second}s")
    assert ana.told[-2:] == [("changed", "value_missing", "grow", "19m59s"), ("exited", "completed", None, "19m59s")]


def test_the_same_event_twice_changes_nothing_and_says_so():
    ana = Customer(journey(wait("settle", "1h"), again="always"))
    event = ana.event("cart_updated")
    first = ana.take(event)
    record = ana.record
    again = ana.take(event)
    assert (first.outcome, again.outcome) == ("applied", "duplicate")
    assert (again.record, list(again.actions), list(again.decisions), list(again.failures)) == (None, [], [], [])
    assert ana.record == record


def test_an_event_that_nobody_asks_about_is_ignored_and_writes_nothing():
    ana = Customer(journey(wait("settle", "1h")))
    turned = ana.does("page_viewed")
    assert (turned.outcome, turned.record, list(turned.decisions)) == ("ignored", None, [])


def test_an_event_that_is_only_refused_is_applied_without_a_write():
    ana = Customer(journey(wait("settle", "1h"), enter=on("cart_updated", where=value("false", lambda scope: False))))
    turned = ana.does("cart_updated")
    assert (turned.outcome, turned.record) == ("applied", None)
    assert ana.told == [("not_entered", "condition_false", None, "0m")]


def test_the_last_128_events_that_changed_a_profile_are_remembered():
    ana = Customer(journey(wait("settle", "1h")))
    events = [ana.event("profile_updated", f"{second}s", properties={"n": second}) for second in range(129)]
    for event in events:
        ana.take(event)
    assert [ana.take(event).outcome for event in events[1:]] == ["duplicate"] * 128
    assert ana.take(events[0]).outcome == "applied"


def test_a_wake_up_with_nothing_due_changes_nothing():
    ana = Customer(journey(wait("settle", "1h")))
    ana.does("cart_updated")
    turned = ana.wake_at("59m")
    assert (turned.outcome, turned.record, list(turned.decisions)) == ("applied", None, [])


def test_a_failing_choice_after_an_event_leaves_the_entry_where_the_event_found_it():
    broken = journey(wait_for("answer", on("clicked"), within="1d"), choose("pick", (FAILS, [])))
    ana = Customer(broken)
    ana.does("cart_updated")
    ana.forget()
    ana.does("clicked", "1h")
    ana.until("2d")
    assert ana.told == [("parked", "failure", "answer", "1h")]


def test_a_turn_that_fails_outside_of_any_entry_refuses_the_event_and_changes_nothing():
    ana = Customer(journey(wait("settle", "1h")))
    before = ana.record
    broken = {**ana.catalog.project.channels, "email": channel("email", address=FAILS)}
    ana.under(project=dataclasses.replace(ana.catalog.project, channels=broken))
    with pytest.raises(EventError) as refused:
        ana.does("message_bounced", "1m", channel="email", kind="hard")
    assert refused.value.reason == "failure"
    assert "an expression with a bug of ours" in refused.value.message
    assert ana.record == before


def test_a_record_whose_inner_part_is_broken_is_refused_not_parked():
    ana = Customer(journey(send("say", "hello", "email")))
    broken = msgspec.msgpack.decode(ana.record[9:], type=Stored)
    broken.profile = msgspec.Raw(b"\x91\x01")
    ana.record = ana.record[:9] + msgspec.msgpack.encode(broken)
    with pytest.raises(StorageError):
        ana.does("cart_updated")


def test_the_first_event_of_a_customer_that_tells_nothing_makes_no_record():
    catalog = Catalog(project(), [journey(wait("settle", "1h"), exits=[exits("order_placed")])])
    event = envelopes.read(b'{"type": "order_placed", "customer_id": "bea", "id": "1"}', 0)
    turned = on_event(catalog, event, None, 0)
    assert (turned.outcome, turned.record, list(turned.decisions)) == ("ignored", None, [])


def test_a_customer_first_known_by_an_identifier_learns_their_id():
    catalog = Catalog(project(), [])
    by_mail = envelopes.read(b'{"type": "seen", "identifiers": {"email": "a@b.example"}, "id": "1"}', 0)
    record = on_event(catalog, by_mail, None, 0).record
    raw = b'{"type": "seen", "identifiers": {"email": "a@b.example"}, "customer_id": "ana", "id": "2"}'
    record = on_event(catalog, envelopes.read(raw, 1), record, 1).record
    assert codec.decode(record).profile.customer_id == "ana"


def _digest(id: str = "digest") -> Journey:
    """Keep every cart of a day: what grows without an author noticing."""
    return journey(wait("collect", "1d", restart_on=["cart_updated"], kept=KEEPS_ALL), id=id)


def test_an_entry_that_makes_the_record_too_large_is_parked_and_the_others_go_on():
    ana = Customer(_digest(), journey(wait("settle", "1h"), send("remind", "cart-reminder", "email"), id="sound"))
    ana.does("cart_updated")
    turned = None
    for minute in range(1, 5):
        ana.forget()
        turned = ana.does("cart_updated", f"{minute}m", items="x" * 110_000)
        assert len(ana.record) <= MOST_RECORD_BYTES
        if turned.failures:
            break
    # The fourth cart is one too many: it is not kept, what was there before is.
    assert ("digest", "parked", "state_too_large", "collect", "3m") in ana.told_by_journey
    assert [(one.journey, one.reason) for one in turned.failures] == [("digest", "state_too_large")]
    assert [len(entry.results["collect"].events) for entry in ana.state.entries if entry.journey == "digest"] == [3]
    assert ana.take(ana.event("cart_updated", "3m", event_id=f"ana-{ana._count}")).outcome == "duplicate"
    ana.forget()
    ana.until("1d")
    assert ("sound", "sent", "allowed", "remind", "1h") in ana.told_by_journey


def test_of_several_entries_only_one_that_grew_is_parked():
    ana = Customer(_digest("one"), journey(wait("collect", "1d", restart_on=["saw"], kept=KEEPS_ALL), id="two"))
    ana.does("cart_updated")
    ana.does("saw", "1m", items="x" * 100_000)
    ana.does("cart_updated", "2m", items="x" * 60_000)
    ana.forget()
    turned = ana.does("cart_updated", "3m", items="x" * 60_000)
    assert [(one.journey, one.reason) for one in turned.failures] == [("one", "state_too_large")]
    assert [(entry.journey, entry.parked) for entry in ana.state.entries] == [("one", "state_too_large"), ("two", None)]
    assert len(ana.record) <= MOST_RECORD_BYTES


def test_an_event_that_is_too_large_for_a_record_by_itself_is_refused_and_the_state_kept():
    ana = Customer(_digest())
    before = ana.record
    with pytest.raises(EventError) as refused:
        ana.does("cart_updated", items="x" * 600_000)
    assert (refused.value.reason, ana.record) == ("state_too_large", before)


def test_a_timer_that_makes_the_record_too_large_parks_its_entry_and_the_customer_stays():
    big = Expression("profile.big", lambda scope: "x" * 600_000)
    ana = Customer(journey(wait("settle", "1h"), set_to("mark", big=big)))
    ana.does("cart_updated")
    ana.forget()
    ana.until("1d")
    assert ana.told == [("parked", "state_too_large", "settle", "1h")]
    assert [(one.journey, one.reason) for one in ana.failures] == [("cart", "state_too_large")]
