"""Recommendations: what goes with what, counted by hand here."""

import math

import pytest

from orchestrator.model.project import Project, Table
from orchestrator.scorers.port import Setup, Unusable
from orchestrator.scorers.recommend import open_scorer

BASKETS = """\
order,item
o1,lamp
o1,bulb
o2,lamp
o2,bulb
o3,lamp
o3,shade
o4,bag
o4,lamp
o5,bag
o6,bag
o7,bag
o7,bulb
"""
ROWS = {name: {"sku": name, "title": name.title()} for name in ("lamp", "bulb", "shade", "rug")}


def _scorer(baskets: str = BASKETS, **settings):
    tables = {"products": Table("sku", ROWS, ("sku", "title"))}
    files = {"baskets.csv": baskets}
    return open_scorer(Setup("goes-with", {"baskets": "baskets.csv", **settings}, tables=tables, read=files.get))


@pytest.fixture
def scope(seen):
    assert isinstance(seen().project, Project)
    return seen()


def test_what_is_bought_together_comes_first_however_often_the_rest_is_bought(scope):
    judgement = _scorer()(["lamp"], scope)
    # bulb: 2 of lamp's 4 and its own 3; shade: 1 of 4 and 1; bag: 1 of 4 and 4.
    assert judgement.label == "bulb"
    assert judgement.value == round(2 / math.sqrt(4 * 3), 4)
    assert judgement.items == [{"id": "bulb"}, {"id": "shade"}, {"id": "bag"}]
    assert judgement.why[0] == "bulb: bought with lamp in 2 orders"


def test_what_somebody_has_already_is_never_recommended(scope):
    assert {"id": "bulb"} not in _scorer()(["lamp", "bulb"], scope).items


def test_a_catalog_says_what_may_be_recommended_and_what_it_is_called(scope):
    judgement = _scorer(catalog="products", at_most=2)([{"sku": "lamp", "quantity": 1}], scope)
    assert judgement.items == [{"sku": "bulb", "title": "Bulb"}, {"sku": "shade", "title": "Shade"}]


def test_for_something_nobody_knows_it_is_what_is_bought_most(scope):
    judgement = _scorer(catalog="products", at_most=2)("rug", scope)
    assert (judgement.label, judgement.value) == ("lamp", 0.0)
    assert judgement.why == ["lamp: bought most, in 4 orders", "bulb: bought most, in 3 orders"]


@pytest.mark.parametrize("given", [None, True, 1.5, {"sku": "lamp"}])
def test_what_is_no_list_of_things_is_not_judged(scope, given):
    assert _scorer()(given, scope) is None


def test_an_order_of_a_thousand_lines_costs_no_more_than_fifty(scope):
    large = "order,item\n" + "".join(f"o,item{number}\n" for number in range(1000))
    assert len(_scorer(large, at_most=100)("item1", scope).items) == 49


@pytest.mark.parametrize("text", [None, "", "a,b\n1,2\n"])
def test_without_orders_to_learn_from_there_is_no_scorer(text):
    with pytest.raises(Unusable) as error:
        open_scorer(Setup("goes-with", {"baskets": "baskets.csv"}, read=lambda _name: text))
    assert "order" in error.value.fix
