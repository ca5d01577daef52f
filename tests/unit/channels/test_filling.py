"""Filling in: whatever is filled in is what Liquid itself makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.filling import filling_of
from orchestrator.channels.rendering import _SANDBOXES, _TEXT, _WRITERS, MAX_OUTPUT_BYTES

SANDBOXES = [_TEXT, *dict.fromkeys(_SANDBOXES.values())]
NAMES = st.sampled_from(["profile", "entry", "name", "a", "size", "first"])
PIECES = st.one_of(
    st.text(alphabet="ab <&*_é\n", max_size=6),
    st.builds(
        lambda path, more: "{{ " + ".".join(path) + more + " }}",
        st.lists(NAMES, min_size=1, max_size=3),
        st.sampled_from(["", " | default: 'x'", " | upcase", " | default: 1, allow_false: true"]),
    ),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 10**20), st.floats(allow_nan=False), st.text("a<&*_ é'", max_size=5)
    ),
    lambda inner: st.one_of(st.dictionaries(NAMES, inner, max_size=3), st.lists(inner, max_size=2)),
    max_leaves=8,
)


@pytest.mark.parametrize("sandbox", SANDBOXES)
@given(st.lists(PIECES, max_size=5), st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_is_filled_in_is_what_liquid_makes(sandbox, pieces, scope):
    template = sandbox.from_string("".join(pieces))
    filling = filling_of(template, _WRITERS[sandbox], MAX_OUTPUT_BYTES)
    filled = None if filling is None else filling.fill(scope)
    if filled is not None:
        assert filled == template.render(**scope)


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_what_marketers_write_is_filled_in(sandbox):
    template = sandbox.from_string(
        "Hola {{ profile.first_name | default: 'a' }}: {{ entry.total }} € {{ links.unsubscribe }}"
    )
    filling = filling_of(template, _WRITERS[sandbox], MAX_OUTPUT_BYTES)
    scope = {"profile": {"first_name": "Ana <b>*"}, "entry": {"total": 40.5}, "links": {"unsubscribe": "https://x/"}}
    assert filling is not None
    assert filling.fill(scope) == template.render(**scope)


@pytest.mark.parametrize(
    "source", ["{% if a %}x{% endif %}", "{{ a | upcase }}", "{{ a.size }}", "{{ a[0] }}", "{{ 'x' }}", "{{ a[b] }}"]
)
def test_what_does_more_is_liquids_own(source):
    assert filling_of(_TEXT.from_string(source), _WRITERS[_TEXT], MAX_OUTPUT_BYTES) is None


@pytest.mark.parametrize("value", [None, "", " ", True, [1], {"a": 1}])
def test_values_that_are_missing_or_odd_are_liquids_own(value):
    filling = filling_of(_TEXT.from_string("{{ a }}"), _WRITERS[_TEXT], MAX_OUTPUT_BYTES)
    assert filling is not None
    assert filling.fill({"a": value}) is None


def test_what_grows_too_large_is_liquids_to_refuse():
    filling = filling_of(_TEXT.from_string("{{ a }}"), _WRITERS[_TEXT], 40)
    assert filling is not None
    assert (filling.fill({"a": "x" * 10}), filling.fill({"a": "x" * 11})) == ("x" * 10, None)
