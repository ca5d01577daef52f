"""What publishing would change for whom."""

from collections import Counter

import pytest

from orchestrator.language import compile_sources
from orchestrator.model import codec
from orchestrator.model.profile import Profile
from orchestrator.model.state import Entry, State
from orchestrator.runtime.publishing import Change, Kind, plan, standing_of

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
    assert change.refusal == "what it means has changed; write version: 4"
    assert changed(edit, ("version: 3", "version: 4")).kind is Kind.VERSION


def test_a_lower_version_is_refused():
    change = changed(("version: 3", "version: 2"))
    assert (change.kind, change.refusal) == (Kind.REFUSED, "version 3 is in force; write version: 4")


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


MIGRATES = ("version: 3", "version: 4\non_change: migrate")


def test_who_moves_is_counted_over_all_versions_that_are_left():
    change = changed(MIGRATES, ("wait: 1h", "wait: 2h"))
    assert (change.kind, change.inside, change.touched) == (Kind.VERSION, {"remind": 2, "settle": 106}, ("settle",))


def test_a_step_that_is_gone_and_not_mapped_is_refused_with_the_number_of_customers_on_it():
    change = changed(MIGRATES, ("id: settle", "id: rest"))
    assert (change.kind, change.refusal) == (
        Kind.REFUSED,
        "there is no step for 106 customers on settle; write moves: {settle: ...}",
    )


def test_a_step_that_is_gone_and_mapped_is_not():
    mapped = ("version: 3", "version: 4\non_change: migrate\nmoves: {settle: rest}")
    change = changed(mapped, ("id: settle", "id: rest"))
    assert (change.kind, change.moves) == (Kind.VERSION, {"settle": "rest"})


def test_a_step_that_is_gone_and_that_nobody_stands_on_needs_no_mapping():
    text = JOURNEY.replace("version: 3", "version: 4\non_change: migrate").replace("id: settle", "id: rest")
    (change,) = plan(project(JOURNEY), project(text), Counter({("cart", 3, "remind"): 2}))
    assert change.why is None


def test_nobody_moves_into_a_version_that_knows_them_by_another_key():
    change = changed(MIGRATES, ("{event: cart_updated}", "{event: cart_updated, key: cart_id}"))
    assert change.refusal == "108 customers would be known by cart_id and are known by no key; write on_change: pin"


def test_where_it_is_not_known_what_was_in_force_customers_still_need_a_step():
    text = JOURNEY.replace("version: 3", "version: 4\non_change: migrate").replace("id: settle", "id: rest")
    (change,) = plan(None, project(text), INSIDE)
    assert (change.kind, change.refusal) == (
        Kind.REFUSED,
        "there is no step for 106 customers on settle; write moves: {settle: ...}",
    )


def test_a_draft_may_change_as_its_author_likes_while_nobody_is_inside():
    draft = JOURNEY.replace("status: live", "status: draft")
    other = draft.replace("wait: 1h", "wait: 2h")
    assert plan(project(draft), project(other), Counter())[0].kind is Kind.RETOUCHED
    assert plan(project(draft), project(other), INSIDE)[0].kind is Kind.REFUSED


def test_a_customer_who_stands_on_a_step_twice_counts_once():
    ana = State(Profile("ana"), [entry("e1", "settle"), entry("e2", "settle"), entry("e3", "remind")])
    records = [codec.encode(ana), codec.encode(State(Profile("ben"), [entry("e4", "settle")]))]
    assert standing_of(records) == {("cart", 3, "settle"): 2, ("cart", 3, "remind"): 1}


def entry(id, step):
    return Entry(id, "cart", 3, None, 0, step)


def test_who_is_parked_is_moved_by_nothing_and_keeps_nobody_from_publishing():
    parked = Entry("e1", "cart", 3, None, 0, "settle", parked="failure")
    assert standing_of([codec.encode(State(Profile("ana"), [parked]))]) == {}
