"""YAML 1.2 as authors write it, and as nobody should: the right value, or an error with its place.

Must never need a project: only texts and trees.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import DefinitionError
from orchestrator.language import syntax, yaml
from orchestrator.language.nodes import Mapping, Place, Scalar, plain
from orchestrator.language.problems import Problems


def values(text: str) -> object:
    return plain(yaml.read("file.yaml", text))


def error(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        yaml.read("file.yaml", text)
    assert caught.value.fix
    return f"{caught.value.line}:{caught.value.column} {caught.value.code}"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        # what YAML 1.1 would misread
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2026-11-27", "2026-11-27"),
        ("2026-11-27T09:00:00Z", "2026-11-27T09:00:00Z"),
        ("=", "="),
        # numbers, truth values, nothing
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        # texts
        ("'12'", "12"),
        ('"tab\\there"', "tab\there"),
        ("'it''s'", "it's"),
        ("a b # comment", "a b"),
        ("! 12", "12"),
        ("ñandú 🦤", "ñandú 🦤"),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        (">-\n  one\n  two\n", "one two"),
    ],
)
def test_a_scalar_is_read_by_the_rules_of_1_2(written, value):
    found = values(f"key: {written}")
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


def test_a_key_that_1_1_would_misread_is_a_text():
    assert values("on: 1\nyes: 2\nno: 3\n12:30: 4\n") == {"on": 1, "yes": 2, "no": 3, "12:30": 4}


def test_a_byte_order_mark_is_accepted_and_moves_no_column():
    root = yaml.read("f", "\ufeffkey: value")
    assert isinstance(root, Mapping)
    assert (root.keys["key"].line, root.keys["key"].column) == (1, 1)


def test_aliases_stand_for_their_values():
    assert values("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "1:1 E114"),
        ("~", "1:1 E114"),
        ("# only a comment\n", "1:1 E114"),
        ("a: 1\nb: 2\na: 3\n", "3:1 E108"),
        ('a: 1\n"a": 2\n', "2:1 E108"),
        ("a:\n\tb: 1\n", "2:1 E104"),
        ("a: [1,\n\t\t2\n", "3:1 E101"),
        ("a: 'x", "1:6 E101"),
        ("a: b: c", "1:5 E101"),
        ("- a\nb: c", "2:1 E101"),
        ("a: `x`", "1:4 E101"),
        ("%NOPE", "1:6 E101"),
        ("%", "1:2 E101"),
        ("a: &x\n  - *x", "2:5 E115"),
        ("a: *x", "1:4 E115"),
        ("a: 1\n---\nb: 2\n", "2:1 E113"),
        ("%YAML 1.1\n---\na: 1", "1:1 E116"),
        ("1: a", "1:1 E109"),
        ("~: a", "1:1 E109"),
        ("? {a: b}\n: c", "1:3 E109"),
        ("subject: {{ profile.first_name }}", "1:11 E109"),
        ("<<: {a: b}", "1:1 E112"),
        ("a: !!str 12", "1:4 E111"),
        ("a: !!python/object/new:os.system [x]", "1:4 E111"),
        ("a: !!set {x}", "1:4 E111"),
        ("a: .inf", "1:4 E110"),
        ("a: -.INF", "1:4 E110"),
        ("a: .NaN", "1:4 E110"),
        ("a: 1e999", "1:4 E110"),
        ("a: 9223372036854775808", "1:4 E110"),
        ("a: " + "9" * 10_000, "1:4 E110"),
        ("a: 0x" + "f" * 100, "1:4 E110"),
        ("a: \x00", "1:4 E103"),
        ("a: b\n\x1b[31m", "2:1 E103"),
        ("a: \ud800", "1:4 E103"),
        ('a: "\\0"', "1:4 E103"),
        ('a: "\\ud83d"', "1:4 E103"),
        ('a: "\\UFFFFFFFF"', "1:1 E101"),
        ("a: " + "[" * 64, "1:67 E106"),
        ("- " * 100 + "a", "1:129 E106"),
        ("x" * (yaml.MAX_CHARACTERS + 1), "1:1 E105"),
    ],
)
def test_what_cannot_be_read_ends_in_an_error_with_its_place(text, found):
    assert error(text) == found


def test_a_text_read_again_is_the_same_tree_until_others_have_taken_its_place(monkeypatch):
    monkeypatch.setattr(yaml, "_trees", yaml._Trees(most_nodes=4))
    first, second = yaml.read("a", "one: 1"), yaml.read("b", "two: 2")
    assert yaml.read("c", "one: 1") is first
    yaml.read("d", "three: 3")
    assert yaml.read("a", "one: 1") is first
    assert yaml.read("b", "two: 2") is not second


def test_a_text_that_cannot_be_read_is_blamed_on_each_file_that_holds_it():
    for name in ("a", "b"):
        with pytest.raises(DefinitionError) as caught:
            yaml.read(name, "one: [")
        assert caught.value.file == name


def test_an_explosion_of_aliases_is_stopped_before_it_is_written_out():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert error("\n".join(levels)) == "4:55 E107"


def test_a_template_that_lacks_its_quotes_is_told_so():
    with pytest.raises(DefinitionError) as caught:
        yaml.read("f", "email:\n  subject: {{ profile.first_name }}, hello")
    assert caught.value.fix == 'quotes around the template: "{{ ... }}"'


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        # Inside {...} a plain text ends at its first comma or bracket.
        ("a: {where: total in [1, 2]}", syntax.UNQUOTED),
        ("a: {where: contains(tags, 'x')}", syntax.UNQUOTED),
        ("a: {event: clicked within: 1d}", syntax.UNQUOTED),
        ("- {event: clicked\n- b: c", "close the map with }"),
        ("a: {b: [c, d: 1h}", "close the list with ]"),
        ("where: 'EUR' == currency", syntax.HALF_QUOTED),
        ("where: 'it''s' 'so'", syntax.HALF_QUOTED),
        ("title: 'Ana's cart'", syntax.OTHER_QUOTES),
        ("where: 'EUR' > currency", syntax.HALF_QUOTED),
        ("title: [Hola] Ana", syntax.HALF_QUOTED),
        ("title: {Hola} Ana", syntax.HALF_QUOTED),
        ("where: >= 30", syntax.SIGN_QUOTED),
        ("where: > 30", syntax.SIGN_QUOTED),
        ("title: | Ana", syntax.SIGN_QUOTED),
        ("title: - Ana", syntax.SIGN_QUOTED),
        ("title: ? Ana", syntax.SIGN_QUOTED),
        ("steps: - id: a", "the list on the lines below, each item with its dash"),
        ("a: b: c", 'put a text that holds ": " in quotes'),
        ("event: x\n    again: 7d", syntax.MISPLACED),
        ("steps:\n  -id: x\n    wait: 1h", syntax.MISPLACED),
        ("choose:\n  - else\n      - exit: x", syntax.MISPLACED),
        ("a: {where: total >= 1.000,50}", syntax.UNQUOTED),
        ("a: {50: x}", '"50":'),
        ("a: {b: c}}\nd: e", "the line without its last }"),
        ("a: [b]]\nd: e", "the line without its last ]"),
        ("a: 'x\nb: c\nd: e", "close the quote that line 1 opens"),
        ("a: @ana", "quotes around a text that begins with this sign"),
        ("a: *best* offer", "the value that *best* stands for, or quotes around a text that begins with *"),
        ("a:\n  - b: c\n  – d: e", "a dash, -, and not – before an item of a list"),
        ("a:\n  * b: c", "a dash, -, and not * before an item of a list"),
        ("a:\n  - b: c\n  -\u00a0b: d", "ordinary spaces instead of U+00A0"),
        (
            "- id: a\n  wait: 1h\n  id: b",
            "a dash before it, - id: ..., if the next item begins here; else one of the two",
        ),
        ("- id: a\n  wait: 1h\n  wait: 2h", "one of the two"),
        ("a: !wow", "the value without a tag, or quotes around a text that begins with !"),
    ],
)
def test_what_is_said_to_be_written_instead_is_the_cause_at_hand(text, fix):
    with pytest.raises(DefinitionError) as caught:
        yaml.read("f", text)
    assert caught.value.fix == fix


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b\nversion:1\nc: d\n", "2:1 E101 a space after version:"),
        ("a: b\npurpose marketing\nc: d\n", "2:1 E101 check the indentation, and that each key ends with a colon"),
        ("a: b\nversion:\u00a01\nc: d\n", "2:1 E101 ordinary spaces instead of U+00A0"),
        ("a:\n\u00a0\u00a0b: c\n", "2:1 E120 b"),
        ("a: {event:\u00a0x, c: d}\n", "1:5 E120 event: x"),
        ("? \ufeff", "1:3 E120 a word"),
    ],
)
def test_a_key_that_is_none_is_blamed_on_its_own_line(text, told):
    with pytest.raises(DefinitionError) as caught:
        yaml.read("f", text)
    assert f"{caught.value.line}:{caught.value.column} {caught.value.code} {caught.value.fix}" == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('a: "b\nc: d\ne: "f"\n', "1:4 the quote that opens here is closed on line 3 only"),
        ("a: 'it'\nb: 'c\nd: e\nf: 'g'\n", "2:4 the quote that opens here is closed on line 4 only"),
        ("a: 'Ana's cart'\n", "1:9 this is not YAML: something follows where the text has ended"),
        ("a: \"b\nc\"\nd: 'e' f\n", "3:8 this is not YAML: something follows where the text has ended"),
        ('a: "b\nc: "{{ d }}"\n', "1:4 the quote that opens here is closed on line 2 only"),
        ('a: "b\nc"\nd: [e] f\n', "3:8 this is not YAML: something follows where the text has ended"),
        ('a: "b\nc: "d"\n', "1:4 the quote that opens here is closed on line 2 only"),
        ("a: > 30\n", "1:4 this is not YAML: a text of one line cannot begin with this sign"),
        ("a: 'b' >= 30\n", "1:8 this is not YAML: something follows where the text has ended"),
        ("a: - b\n", "1:4 this is not YAML: a list begins on a line of its own, below its key"),
        ("a: {b: 1h\nc: d\n", "2:2 this is not YAML: a map that { opens on line 1 is not closed"),
        ("a: @ana\n", "1:4 this is not YAML: a text without quotes cannot begin with this sign"),
        ("a: [b, c}\n", "1:9 this is not YAML: a list that [ opens is not closed"),
        ("a:\n  - b\n - c\n", "3:2 this is not YAML: this line does not line up with those above it"),
    ],
)
def test_what_is_not_yaml_is_told_in_plain_words_where_the_cause_stands(text, told):
    with pytest.raises(DefinitionError) as caught:
        yaml.read("f", text)
    assert f"{caught.value.line}:{caught.value.column} {caught.value.message}".startswith(told)


def test_spaces_that_do_not_break_are_welcome_in_texts():
    assert values("title: 10\u00a0€\n'a\u00a0b': c\n") == {"title": "10\u00a0€", "a\u00a0b": "c"}


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("k: total > 3", 6, (1, 10)),
        ("k: 'total > 3'", 6, (1, 11)),
        ("k: 'it''s > 3'", 5, (1, 11)),
        ('k: "a\\tb > 3"', 4, (1, 10)),
        ('k: "\\u0041b > 3"', 1, (1, 11)),
        ('k: "a"', 9, (1, 6)),
        ("k: &x 'total > 3'", 6, (1, 14)),
        ("k: total\n  > 3", 6, (1, 4)),
        ("k: |\n  total > 3\n", 6, (1, 4)),
        ('k: "total\n  > 3"', 6, (1, 4)),
    ],
)
def test_a_character_of_a_text_is_found_in_the_file(text, offset, place):
    root = yaml.read("f", text)
    assert isinstance(root, Mapping)
    scalar = root.values["k"]
    assert isinstance(scalar, Scalar)
    assert scalar.at(offset) == place


def test_a_place_that_is_not_there_is_the_nearest_one_that_is():
    root = Place("f", yaml.read("f", "steps:\n  - wait: 1h\n"), Problems())
    assert root.at(("steps", 0, "wait", "for")).line == 2
    assert root["steps"][7].line == 2
    assert root["nothing"].line == 1


def attempt(text: str) -> DefinitionError | None:
    try:
        plain(yaml.read("f", text))
    except DefinitionError as problem:
        return problem
    return None


def check(text: str) -> None:
    problem = attempt(text)
    assert problem is None or (problem.code.startswith("E1") and problem.line >= 1 and problem.fix)


@given(st.text())
def test_no_text_makes_anything_but_a_tree_or_an_error(text):
    check(text)


PIECES = ["a", "b: ", "- ", "[", "]", "{", "}", ", ", ": ", "\n", "  ", "'", '"', "&x ", "*x", "!!str ", "| ", ">\n"]
RARER = [
    "? ", "%YAML 1.2", "---", "...", "\t", "1", "1e9", "\\", "<<: ", "~", "\ufeff", "\r\n", "!<x>", "@", "\x85", "#",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES + RARER), max_size=40).map("".join))
def test_no_heap_of_yaml_makes_anything_but_a_tree_or_an_error(text):
    check(text)


@pytest.mark.parametrize(
    "piece", ["[", "{a: ", "- ", "? ", "'", "&a ", "*a ", "!a ", "{{", ": ", "|", "%", "[[],", "a: [\n", "a: b\n"]
)
def test_no_repetition_takes_more_than_a_moment(piece):
    check(piece * 3_000)
