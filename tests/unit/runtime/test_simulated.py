"""The simulated runtime: the order of facts, and a clock of its own."""

import pytest

from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event
from orchestrator.model.expression import Expression
from orchestrator.model.journey import Again, ExitRule, Journey, Send, Trigger, Wait
from orchestrator.model.project import Channel, Message, Project, Purpose
from orchestrator.runtime.simulated import SimulatedRuntime
from orchestrator.runtime.timers import NEVER_MS

HOUR = 3_600_000
START = 1_767_607_200_000  # 2026-01-05T10:00Z

PROJECT = Project(
    "shop",
    channels={"email": Channel("email", Expression("profile.email", lambda scope: "customer@example.com"))},
    purposes={"service": Purpose("service", "none")},
    messages={"reminder": Message("reminder", ("email",), languages=("en",))},
)


@pytest.fixture
def catalog():
    """Build one journey: a wait of an hour, then a message; an order ends it."""
    trigger, bought = Trigger(frozenset({"cart_updated"})), ExitRule(Trigger(frozenset({"order_placed"})), "bought")
    journey = Journey(
        id="cart",
        version=1,
        first="settle",
        steps={
            "settle": Wait(id="settle", after_ms=HOUR, next="remind"),
            "remind": Send(id="remind", message="reminder", channels=("email",), purpose="service"),
        },
        enter=(trigger,),
        exits=(bought,),
        again=Again("after_exit"),
        status="live",
        enters_by_event={"cart_updated": (trigger,)},
        exits_by_event={"order_placed": (bought,)},
    )
    return Catalog(PROJECT, [journey])


def event(event_type, at_ms, customer="ana", event_id=None):
    return Event(event_id or f"{customer}-{event_type}-{at_ms}", event_type, START + at_ms, customer)


def sent(runtime):
    return [
        (happened.now_ms - START, action.customer_id)
        for happened in runtime.history
        for action in happened.turned.actions
    ]


def test_a_timer_fires_at_its_own_instant_before_a_later_event(catalog):
    runtime = SimulatedRuntime(catalog, START)
    runtime.receive(event("cart_updated", 0))
    runtime.receive(event("order_placed", 2 * HOUR))
    assert sent(runtime) == [(HOUR, "ana")]
    assert runtime.now_ms == START + 2 * HOUR


def test_at_the_same_instant_the_event_comes_first(catalog):
    runtime = SimulatedRuntime(catalog, START)
    runtime.receive(event("cart_updated", 0))
    runtime.receive(event("order_placed", HOUR))
    runtime.run_until(START + 10 * HOUR)
    assert sent(runtime) == []
    assert runtime.next_due_ms() == NEVER_MS


def test_moving_the_clock_fires_what_is_due_at_its_end(catalog):
    runtime = SimulatedRuntime(catalog, START)
    runtime.receive(event("cart_updated", 0))
    assert runtime.next_due_ms() == START + HOUR
    runtime.run_until(START + HOUR - 1)
    assert sent(runtime) == []
    runtime.run_until(START + HOUR)
    assert sent(runtime) == [(HOUR, "ana")]


def test_timers_of_one_instant_fire_by_profile(catalog):
    runtime = SimulatedRuntime(catalog, START)
    for customer in ("cleo", "ana", "ben"):
        runtime.receive(event("cart_updated", 0, customer))
    runtime.run_until(START + HOUR)
    woken = [happened.turned.actions[0].profile_id for happened in runtime.history if happened.event is None]
    assert woken == sorted(woken)
    assert len(woken) == 3


def test_a_wait_that_is_over_early_leaves_no_wake_behind(catalog):
    runtime = SimulatedRuntime(catalog, START)
    runtime.receive(event("cart_updated", 0))
    runtime.receive(event("order_placed", 10))
    runtime.receive(event("cart_updated", 20))
    runtime.run_until(START + 5 * HOUR)
    assert sent(runtime) == [(HOUR + 20, "ana")]


def test_what_nobody_asks_for_is_on_the_history_as_ignored(catalog):
    runtime = SimulatedRuntime(catalog, START)
    assert runtime.receive(event("page_viewed", 0)).outcome == "ignored"
    assert [happened.event.type for happened in runtime.history] == ["page_viewed"]


def test_the_same_event_twice_changes_nothing_and_says_so(catalog):
    runtime = SimulatedRuntime(catalog, START)
    runtime.receive(event("cart_updated", 0, event_id="e1"))
    assert runtime.receive(event("cart_updated", 0, event_id="e1")).outcome == "duplicate"
    runtime.run_until(START + HOUR)
    assert sent(runtime) == [(HOUR, "ana")]


def test_the_clock_never_goes_back(catalog):
    runtime = SimulatedRuntime(catalog, START)
    runtime.receive(event("cart_updated", HOUR))
    runtime.receive(event("cart_updated", 0, "ben"))
    assert runtime.now_ms == START + HOUR
    assert runtime.next_due_ms() == START + 2 * HOUR


def test_a_known_profiles_timers_are_taken_up(catalog):
    first = SimulatedRuntime(catalog, START)
    first.receive(event("cart_updated", 0))
    profile_id = first.history[0].turned.decisions[0].profile_id
    second = SimulatedRuntime(catalog, START, {profile_id: first.record_of(profile_id)})
    second.run_until(START + HOUR)
    assert sent(second) == [(HOUR, "ana")]
    assert second.record_of("nobody") is None
