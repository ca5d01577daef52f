"""Help and arguments: options that take many values in a row."""

import pytest

from orchestrator.cli.help import Listed, _spread


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("shop --events a", "shop --events a"),
        ("--events a b c --drain", "--events a --events b --events c --drain"),
        ("--events a --events b c", "--events a --events b --events c"),
        ("--events - x", "--events - --events x"),
        ("--events a --actions f shop", "--events a --actions f shop"),
        ("--events a -- b c", "--events a -- b c"),
        ("shop", "shop"),
        ("--events", "--events"),
        ("", ""),
    ],
)
def test_an_option_takes_what_follows_it_up_to_the_next(typed, read):
    assert list(_spread(typed.split(), ["--events"])) == read.split()


def test_a_command_whose_needs_are_not_installed_is_not_offered():
    assert Listed("x", "y").is_offered
    assert Listed("x", "y", needs="json").is_offered
    assert not Listed("x", "y", needs="no_such_module_anywhere").is_offered
