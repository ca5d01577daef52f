"""What of a project is written down for the compiled side, and what is left to the engine in Python."""

import orjson
import pytest

from orchestrator.compiled import program
from orchestrator.compiled.expressions import UntranslatableError, asked, code_of
from orchestrator.compiled.program import TELLING
from orchestrator.compiled.turns import kinds_of, turns_of
from orchestrator.language import compile_sources
from shop.compiled import needs_compiled

PROJECT = """\
project: shop
channels: {email: {address: profile.email}, push: {address: profile.device_token}}
purposes: {service: {consent: none}}
"""
MESSAGE = """\
message: hello
purpose: service
email: {subject: Hi, text: "Hello {{ profile.name }}"}
push: {title: Hi, body: Hello}
"""
CART = """\
journey: cart
version: {version}
purpose: service
status: live
enter: {{event: come, where: "{where}", key: cart, again: after_exit}}
exit: [{{event: ordered, reason: bought}}]
steps:
  - {{id: settle, wait: {{for: 1h, restart_on: come}}}}
  - {{id: whether, choose: [{{if: "{asks}", then: [{{exit: small}}]}}]}}
  - {{id: remind, send: {{message: hello, channels: [email, push]}}}}
"""


def catalog_of(where: str = "total >= 30", asks: str = "entry.total < 50", **sources: str):
    cart = CART.format(version=1, where=where, asks=asks)
    given = {"orchestrator.yaml": PROJECT, "hello.message.yaml": MESSAGE, "cart.journey.yaml": cart, **sources}
    return compile_sources(given).catalog


def written(catalog):
    text, _, kinds = program.write(catalog)
    return orjson.loads(text), kinds


def test_a_plain_journey_is_written_down_as_a_whole():
    found, kinds = written(catalog_of())
    assert kinds == {"come", "ordered", *TELLING}
    assert found["arrivals"]["come"]["where"]["code"] == ["ge", ["property", "total"], ["constant", 30]]
    [cart] = found["journeys"]
    assert [step["verb"] for step in cart["steps"]] == ["wait", "choose", "exit", "send"]
    assert cart["woken"] == ["settle", "remind"]
    assert found["wanted"] is not None
    assert found["audiences"] is None


def test_a_condition_that_has_no_form_there_leaves_its_event_or_its_step_to_python():
    found, kinds = written(catalog_of(where="days_since(at) > 3"))
    assert ("come" in kinds, "ordered" in kinds) == (False, True)
    found, _ = written(catalog_of(asks="lower(entry.name) == 'ana'"))
    assert [step["verb"] for step in found["journeys"][0]["steps"]] == ["wait", "other", "exit", "send"]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("tier in ['gold', 'tin']", ["one_of", ["property", "tier"], ["gold", "tin"]]),
        ("tier == 'gold'", ["same", ["property", "tier"], "gold"]),
        ("new == True", ["same", ["property", "new"], True]),
        ("exists(total)", ["exists", ["property", "total"]]),
        ("length(items) == 0 or total < 1.5", [
            "or", ["eq", ["length", ["property", "items"]], ["constant", 0]],
            ["lt", ["property", "total"], ["constant", 1.5]],
        ]),
        ("address.city != 'Cuenca'", ["ne", ["inside", ["property", "address"], ["city"]], ["constant", "Cuenca"]]),
        ("not profile.points", ["not", ["profile", "points"]]),
        ("a + 2 > profile.points / b", [
            "gt", ["add", ["property", "a"], ["constant", 2]], ["div", ["profile", "points"], ["property", "b"]],
        ]),
    ],
)  # fmt: skip
def test_conditions_are_lists_there(condition, code):
    catalog = catalog_of(where=condition)
    (trigger,) = catalog.current[0].enters_by_event["come"]
    assert asked(trigger.where, catalog.project)["code"] == code


def test_a_function_without_its_text_is_refused():
    with pytest.raises(UntranslatableError):
        code_of(lambda scope: None, catalog_of().project)


@needs_compiled
def test_customers_who_move_to_another_version_are_for_python():
    moving = CART.format(version=2, where="total >= 30", asks="entry.total < 50") + "on_change: migrate\n"
    catalog = compile_sources(
        {"orchestrator.yaml": PROJECT, "hello.message.yaml": MESSAGE, "cart.journey.yaml": moving}
    ).catalog
    assert turns_of(catalog) is None
    assert turns_of(catalog_of()) is not None
    assert kinds_of(catalog_of()) == {"come", "ordered", *TELLING}


def told_of(catalog):
    return written(catalog)[0]["telling"]


def test_what_is_said_of_a_profile_is_for_python_where_a_journey_asks_for_it():
    assert told_of(catalog_of()) == [*TELLING]
    welcome = CART.replace("cart\n", "welcome\n", 1).replace("event: ordered", "event: consent_changed")
    welcome = welcome.format(version=1, where="total >= 30", asks="entry.total < 50")
    assert told_of(catalog_of(**{"welcome.journey.yaml": welcome})) == ["profile_updated"]


@pytest.mark.parametrize(
    ("enter", "condition", "telling"),
    [
        ("{segment: fan}", "profile.points > 2", TELLING),
        ("{segment: fan}", "count('come', within='2d') > 2", TELLING),
        ("{segment: fan}", "count('come', within='2d') > profile.points", ()),
        ("{inactive: {for: 2d, events: [come]}}", "profile.points > 2", TELLING),
        ("{schedule: {every: day, at: '12:00'}}", "profile.points > 2", ()),
    ],
)
def test_and_where_it_may_move_an_instant(enter, condition, telling):
    journey = "journey: fans\nversion: 1\npurpose: service\nstatus: live\nenter: {ENTER, again: always}\n"
    journey = journey.replace("{ENTER", enter[:-1]) + "steps:\n  - {id: stay, wait: 30h}\n"
    sources = {"fans.journey.yaml": journey, "segments.yaml": f'fan: {{if: "{condition}"}}\n'}
    assert told_of(catalog_of(**sources)) == [*telling]
