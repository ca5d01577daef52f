"""A setting that takes several values."""

import pytest

from orchestrator.model.commas import listed


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (None, ()),
        ("", ()),
        (" , ,", ()),
        ("old", ("old",)),
        (" old ,, new\n", ("old", "new")),
        ("b,a,b", tuple("bab")),
    ],
)
def test_values_stand_between_commas_and_blanks_count_for_nothing(text, values):
    assert listed(text) == values
