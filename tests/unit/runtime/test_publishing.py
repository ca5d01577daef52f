"""What publishing would change for whom."""

from collections import Counter

import pytest

from orchestrator.language import compile_sources
from orchestrator.runtime.publishing import Change, Kind, plan

PROJECT = "project: shop\nchannels: {email: {address: profile.email}}\npurposes: {service: {consent: none}}\n"
MESSAGE = "message: hello\nemail: {subject: a, text: b}\n"
JOURNEY = """
journey: cart
version: 3
title: Carts
status: live
purpose: service
enter: {event: cart_updated}
steps:
  - {id: settle, wait: 1h}
  - {id: remind, send: hello}
"""
INSIDE = Counter({("cart", 3, "settle"): 7, ("cart", 3, "remind"): 2, ("cart", 2, "settle"): 99, ("other", 3, "x"): 5})


def project(*journeys):
    sources = {
        "orchestrator.yaml": PROJECT,
        "messages/hello.message.yaml": "message: hello\nemail: {subject: a, text: b}\n",
    }
    return compile_sources({**sources, **{f"{number}.journey.yaml": text for number, text in enumerate(journeys)}})


def changed(*replacements):
    text = JOURNEY
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    (change,) = plan(project(JOURNEY), project(text), INSIDE)
    return change


def test_where_nothing_is_in_force_everything_is_new():
    (change,) = plan(None, project(JOURNEY), Counter())
    assert change == Change("cart", Kind.NEW, None, 3, status="live")


def test_the_same_is_unchanged():
    change = changed()
    assert (change.kind, change.touched, change.inside) == (Kind.UNCHANGED, (), {"remind": 2, "settle": 7})


@pytest.mark.parametrize(
    "edit",
    [("title: Carts", "title: Left carts"), ("title: Carts", "owner: growth"), ("status: live", "status: paused")],
)
def test_what_moves_nobody_needs_no_higher_version(edit):
    change = changed(edit)
    assert (change.kind, change.why) == (Kind.RETOUCHED, None)


@pytest.mark.parametrize(
    "edit",
    [
        ("wait: 1h", "wait: 2h"),
        ("event: cart_updated", "event: cart_left"),
        ("  - {id: remind, send: hello}\n", ""),
        ("id: settle", "id: rest"),
        ("purpose: service", "purpose: service\nexit: {event: order_placed}"),
    ],
)
def test_another_meaning_needs_a_higher_version(edit):
    change = changed(edit)
    assert (change.kind, change.before, change.after) == (Kind.REFUSED, 3, 3)
    assert change.why == "what it means has changed; write version: 4"
    assert changed(edit, ("version: 3", "version: 4")).kind is Kind.VERSION


def test_a_lower_version_is_refused():
    change = changed(("version: 3", "version: 2"))
    assert (change.kind, change.why) == (Kind.REFUSED, "version 3 is in force; write a version above it")


def test_a_change_names_the_steps_it_touches_and_who_stands_on_them():
    change = changed(("wait: 1h", "wait: 2h"), ("version: 3", "version: 4"))
    assert (change.touched, dict(change.inside)) == (("settle",), {"remind": 2, "settle": 7})


def test_a_step_that_is_gone_is_touched():
    change = changed(("  - {id: remind, send: hello}\n", ""), ("version: 3", "version: 4"))
    assert change.touched == ("remind",)


def test_a_journey_that_is_gone_is_withdrawn_and_its_customers_are_counted():
    (change,) = plan(project(JOURNEY), project(), INSIDE)
    assert (change.kind, change.before, change.after) == (Kind.WITHDRAWN, 3, None)
    assert change.inside == {"remind": 2, "settle": 7}
