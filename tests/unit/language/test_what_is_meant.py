"""What authors write for our words, in other languages and after other tools, and what they are told instead.

Must never need more than one hint for one slip.
"""

import pytest

HEAD = "journey: j\nversion: 2\npurpose: service\nenter: {event: cart_updated}\n"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("steps:\n  - {id: x, esperar: 1h}", "E221 wait"),
        ("steps:\n  - {id: x, Senden: welcome}", "E221 send"),
        ("steps:\n  - {id: x, wait: {for: 1h, wenn: x}}", "E202 one of for, restart_on"),
        ("steps:\n  - ende", "E203 exit: ..."),
        (
            "steps:\n  - {id: x, send: Your cart is waiting!}",
            "E206 the id of a file in messages/; the text stands there",
        ),
        ("steps:\n  - {id: x, send: welcome.message.yaml}", "E206 welcome"),
        ("título: Hola\nsteps:\n  - {id: x, send: welcome}", "E202 title"),
        ("status: live // for now\nsteps:\n  - {id: x, send: welcome}", "E204 live"),
    ],
)
def test_words_of_other_languages_and_tools_are_answered_with_ours(written, told, found):
    problems = found(HEAD + written + "\n")
    assert [f"{each.code} {each.fix}" for each in problems] == [told]


def test_steps_under_a_misspelt_key_are_one_mistake(found):
    examples = (
        "examples: [{name: a, given: [], expect: {path: [greet], withheld: [{step: greet, reason: no consent}]}}]\n"
    )
    problems = found(HEAD + "schritte:\n  - {id: greet, send: welcome}\n" + examples)
    assert [f"{each.code} {each.fix}" for each in problems] == ["E201 steps: ...", "E202 steps", "E206 no_consent"]


def test_how_often_one_enters_is_no_truth_value(found):
    problems = found(HEAD.replace("enter: {", "enter: {again: true, ") + "steps: [{id: greet, send: welcome}]\n")
    assert [f"{each.code} {each.fix}" for each in problems] == ["E203 after_exit, or a length such as 7d"]
