"""Turns on the compiled side, where they are about the form of an event and not about what it means."""

import time

import msgspec
import pytest

from orchestrator.compiled.turns import turns_of
from orchestrator.model.event import Event
from orchestrator.model.ids import profile_id_of
from orchestrator.runtime.turn import on_event
from shop import Customer
from shop.compiled import needs_compiled

pytestmark = needs_compiled


def told_by_compiled(ana: Customer, properties: str):
    turns, now_ms = turns_of(ana.catalog), ana.start_ms
    assert turns is not None
    key, raw = profile_id_of("customer_id", "ana").encode(), properties.encode()
    return turns.on_event("profile_updated", "e", now_ms, None, "ana", raw, ana.record, key, now_ms)


@pytest.mark.parametrize("names", [2, 31, 32, 33, 90])
def test_of_a_name_that_is_given_twice_the_last_counts_at_the_place_of_the_first(names):
    ana = Customer()
    given = [f'"n{number}": {number}' for number in range(names)] * 2
    text = "{" + ", ".join([*given, '"n\\u0031": "escaped"', '"n0": null', '"other": 1', '"other": 2']) + "}"
    came = told_by_compiled(ana, text)
    event = Event("e", "profile_updated", ana.start_ms, "ana", raw_properties=msgspec.Raw(text.encode()))
    assert came is not None
    assert came[1] == on_event(ana.catalog, event, ana.record, ana.start_ms).record


def test_an_event_of_very_many_names_holds_up_nobody():
    text = "{" + ", ".join(f'"name {number}": {number}' for number in range(60_000)) + "}"
    begun = time.process_time()
    told_by_compiled(Customer(), text)
    assert time.process_time() - begun < 1  # looked for one by one, the names took three
