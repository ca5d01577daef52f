"""Properties whose name is nearly one that an example gives: said where they stand, in conditions and messages."""

import pytest

EXAMPLE = """
examples:
  - name: a
    given:
      - {at: 0m, event: cart_updated, properties: {cart_id: c1, total: 40, address: {city: Madrid}}}
      - {at: 1m, event: order_placed, properties: {amount: 40}}
    expect: {exit: null}
"""


def journey(where="total > 3", value="event.properties.amount", given="entry.total", example=EXAMPLE):
    return f"""\
journey: cart
version: 1
purpose: service
enter: {{event: cart_updated, where: {where}, key: cart_id}}
goal: {{event: order_placed, value: {value}}}
steps:
  - {{id: settle, wait: 1h}}
  - {{id: greet, send: {{message: welcome, data: {{x: {given}}}}}}}
{example}"""


def seen(problems):
    doubts = [each for each in problems if each.code == "W407"]
    return [f"{each.file.rpartition('/')[2]}:{each.line}:{each.column} {each.fix}" for each in doubts]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"where": "totl > 3"}, ["hello.journey.yaml:4:37 total"]),
        ({"where": "total > 3 and exists(adress.city)"}, ["hello.journey.yaml:4:58 address"]),
        ({"where": "event.properties.totl > 3"}, ["hello.journey.yaml:4:37 total"]),
        ({"where": "amout > 3"}, []),  # another event's
        ({"where": "old_total > 3 or sku == 'x'"}, []),
        (
            {"where": "Total > 3 or exists(cartId)"},
            ["hello.journey.yaml:4:37 total", "hello.journey.yaml:4:57 cart_id"],
        ),
        ({"value": "event.properties.amout"}, ["hello.journey.yaml:5:36 amount"]),
        ({"given": "entry.cart_idd"}, ["hello.journey.yaml:8:52 cart_id"]),
        ({"given": "profile.totl"}, []),
        ({"where": "totl > 3", "example": ""}, []),
    ],
)
def test_a_name_that_no_example_gives_is_doubted_where_one_is_nearly_so(changed, told, found):
    assert seen(found(journey(**changed))) == told


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("{{ entry.totl }}", ["welcome.message.yaml:2:22 total"]),
        ("{{ event.properties.amout }}", ["welcome.message.yaml:2:22 amount"]),
        ("{{ entry.total }} {{ entry.sku }}", []),
        ("{{ steps.settle.event.properties.totl }}", ["welcome.message.yaml:2:22 total"]),
        ("{{ steps.settle.event.properties.amount }} {{ steps.settle.event.type }}", []),
    ],
)
def test_the_same_holds_for_messages(subject, told, found):
    assert seen(found(journey(), message=f"message: welcome\nemail: {{subject: '{subject}', text: x}}\n")) == told


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("total >= §'30'", "30"),
        ("event.properties.total != §'many'", "a number"),
        ("sku == 'x' and cart_id == §7", "'7'"),
        ("total >= 30", None),
        ("cart_id == '7'", None),
        ("amount == '7'", None),  # another event's
        ("address.total == '7'", None),
        ("subtotal == '7' and total_was == '7'", None),
        ("cart_id == total", None),
    ],
)
def test_a_number_in_quotes_is_doubted_where_the_examples_give_numbers(where, told, found):
    problems = [each for each in found(journey(where=where.replace("§", ""))) if each.code == "W409"]
    place = "enter: {event: cart_updated, where: " + where
    assert [(each.line, each.column, each.fix) for each in problems] == (
        [(4, place.find("§") + 1, told)] if told else []
    )


def test_where_the_examples_give_both_kinds_neither_is_doubted(found):
    example = EXAMPLE.replace("{amount: 40}", "{amount: '40'}").replace("order_placed", "cart_updated")
    example = example.replace("amount:", "total:")
    assert [each for each in found(journey(where="total == '40'", example=example)) if each.code == "W409"] == []


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("order_place", ["W410 14:25 order_placed"]),
        ("order_placed", []),
        ("order_shipped", []),
        ("orders_placed", []),  # the other journey's
    ],
)
def test_an_event_of_an_example_that_nobody_asks_for_is_doubted_where_one_is_nearly_so(event, told, found):
    example = EXAMPLE.replace("event: order_placed", f"event: {event}")
    other = "journey: other\nversion: 1\npurpose: service\nenter: {event: orders_placed}\nsteps: [{id: a, wait: 1h}]\n"
    problems = found(journey(value="40", example=example), **{"other.journey.yaml": other})
    doubts = [each for each in problems if each.code == "W410"]
    assert [f"{each.code} {each.line}:{each.column} {each.fix}" for each in doubts] == told
