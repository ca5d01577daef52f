"""A journey as a graph: what is a node, which ways lead on, and the words on both."""

import dataclasses

import pytest

from orchestrator.model import journey
from orchestrator.model.expression import Expression
from orchestrator.model.journey import Step, Trigger
from orchestrator.views.graph import Edge, Node, graph_of


def test_every_step_that_can_be_reached_is_a_node(every_verb):
    graph = graph_of(every_verb)
    assert [(node.id, node.verb, node.title, node.details) for node in graph.nodes] == [
        (
            "(enter)",
            "enter",
            "cart_updated",
            ("where total >= 30", "or cart_shared", "one entry per cart_id", "again 7d after the exit"),
        ),
        ("settle", "wait", "1h", ("starts again on cart_updated",)),
        ("remind", "send", "cart-reminder", ("by preferred, email", "expires after 12h")),
        ("answer", "wait for", "message_clicked or message_opened", ("at most 1d",)),
        ("engaged", "exit", "engaged", ()),
        ("offer", "split", "by shares, sticky", ()),
        ("give-coupon", "send", "cart-coupon", ("by email",)),
        ("pick", "choose", "the first that holds", ()),
        ("daily", "repeat", "every 1d", ("at most 10 times", "until profile.carts > 3", "until order_placed")),
        ("nag", "send", "nag", ("by push",)),
        ("pause", "wait until", "tue, thu 10:00", ()),
        ("mark", "set", "tier = 'gold'", ("carts = profile.carts + 1",)),
        ("day", "wait until", "profile.birthday -3d 09:00", ("every year",)),
        ("tell", "emit", "cart_given_up", ("cart_id = entry.cart_id",)),
        ("survey", "ask", "nps: how-was-it", ("by email",)),
        ("judge", "score", "sentiment", ("saved as profile.mood",)),
        ("check", "call", "crm", ("cart = entry.cart_id",)),
        ("care", "handoff", "to care, high", ("pauses marketing", "until the case is closed")),
        ("brief", "handoff", "to sales, normal", ()),
        ("(completed)", "completed", "completed", ()),
    ]


def test_every_way_on_is_an_edge_with_its_condition(every_verb):
    edges = {(edge.source, edge.target): (edge.label, edge.is_loop) for edge in graph_of(every_verb).edges}
    assert edges == {
        ("(enter)", "settle"): (None, False),
        ("settle", "remind"): (None, False),
        ("remind", "answer"): (None, False),
        ("answer", "engaged"): ("clicked", False),
        ("answer", "pick"): ("message_opened where not machine", False),
        ("answer", "offer"): ("not within 1d", False),
        ("offer", "give-coupon"): ("coupon 12.5 %", False),
        ("offer", "pick"): ("nothing 87.5 %", False),
        ("give-coupon", "pick"): (None, False),
        ("pick", "daily"): ("profile.tier == 'gold'", False),
        ("pick", "mark"): ("entry.total > 9", False),
        ("pick", "(completed)"): ("none of them", False),
        ("daily", "nag"): ("each round", False),
        ("daily", "mark"): ("done", False),
        ("nag", "pause"): (None, False),
        ("pause", "daily"): (None, True),
        ("mark", "day"): (None, False),
        ("day", "tell"): (None, False),
        ("tell", "survey"): (None, False),
        ("survey", "judge"): ("answered", False),
        ("survey", "(completed)"): ("not within 3d", False),
        ("judge", "check"): (None, False),
        ("check", "care"): ("answered", False),
        ("check", "(completed)"): ("not within 10s", False),
        ("care", "brief"): ("closed", False),
        ("care", "(completed)"): ("not within 2d", False),
        ("brief", "(completed)"): (None, False),
    }


def test_rules_that_end_an_entry_anywhere_are_told_beside(every_verb):
    assert graph_of(every_verb).leaving == (
        "exit on order_placed (reason: bought)",
        "exit on cart_emptied",
        "goal: order_placed within 3d, counts without ending",
    )


def test_a_segment_is_told_as_what_it_is_and_not_as_the_event_behind_it(every_verb):
    about = Expression("segment == 'vip'", lambda scope: None)
    came, left = (Trigger(frozenset({f"segment_{how}"}), about, "vip") for how in ("entered", "left"))
    changed = dataclasses.replace(every_verb, enter=(came,), exits=(journey.ExitRule(left),), goals=())
    graph = graph_of(changed)
    assert (graph.nodes[0].title, graph.nodes[0].details[0]) == ("entering segment vip", "one entry per cart_id")
    assert graph.leaving == ("exit on leaving segment vip",)


def test_a_journey_without_steps_leads_straight_to_the_end(every_verb):
    graph = graph_of(dataclasses.replace(every_verb, first=None, steps={}))
    assert [node.id for node in graph.nodes] == ["(enter)", "(completed)"]
    assert graph.edges == (Edge("(enter)", "(completed)"),)


def test_every_verb_of_the_model_can_be_drawn(every_verb):
    drawn = {type(every_verb.steps[node.id]) for node in graph_of(every_verb).nodes if node.id in every_verb.steps}
    assert drawn == {kind for kind in vars(journey).values() if isinstance(kind, type) and issubclass(kind, Step)} - {
        Step
    }


def test_a_step_of_an_unknown_kind_is_refused(every_verb):
    class Dance(Step):
        pass

    steps = {"dance": Dance(id="dance")}
    with pytest.raises(TypeError, match="Dance"):
        graph_of(dataclasses.replace(every_verb, first="dance", steps=steps))


def test_a_node_says_which_step_it_is(every_verb):
    assert Node("settle", "wait", "1h", ("starts again on cart_updated",)) in graph_of(every_verb).nodes
