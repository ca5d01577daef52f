"""The tree of errors and the one line each of them is.

Must never test who catches them; their catchers' tests do.
"""

import pickle
from datetime import timedelta

import pytest

from orchestrator.errors import (
    Bounced,
    ChannelError,
    DefinitionError,
    EventError,
    InvalidProject,
    InvariantError,
    OptedOut,
    OrchestratorError,
    Refused,
    StorageError,
    TryLater,
    Unavailable,
)

GOLD = DefinitionError("a.journey.yaml", 7, 12, "E101", "unknown name\n  gold", "upgrade", "\"'gold'\"")
LATE = DefinitionError("a.journey.yaml", 9, 1, "E102", "no way out")
OTHER_FILE = DefinitionError("b.journey.yaml", 1, 1, "E103", "not YAML")
WARNING = DefinitionError("a.journey.yaml", 8, 1, "W201", "this step has no id")


def test_a_definition_error_is_one_line_that_an_editor_can_jump_to():
    assert str(GOLD) == "a.journey.yaml:7:12: E101 unknown name gold (step upgrade); write: \"'gold'\""


def test_a_definition_error_without_step_or_fix_says_no_more_than_it_knows():
    assert str(LATE) == "a.journey.yaml:9:1: E102 no way out"


def test_an_invalid_project_lists_everything_in_the_order_of_the_files():
    problems = InvalidProject([OTHER_FILE, LATE, WARNING, GOLD])
    assert problems.problems == (GOLD, WARNING, LATE, OTHER_FILE)
    assert problems.errors == (GOLD, LATE, OTHER_FILE)
    assert problems.warnings == (WARNING,)
    assert str(problems).splitlines() == [str(GOLD), str(WARNING), str(LATE), str(OTHER_FILE)]


def test_a_project_with_warnings_only_is_not_invalid():
    with pytest.raises(InvariantError):
        InvalidProject([WARNING])


def test_an_event_error_carries_the_reason_for_its_dead_letter():
    error = EventError("not_json", "unexpected character\nat 3")
    assert (error.reason, str(error)) == ("not_json", "not_json: unexpected character at 3")


def test_a_provider_says_when_to_try_again_or_leaves_it_to_delivery():
    assert str(TryLater(timedelta(seconds=90), "rate limit")) == "rate limit; again in 90 s"
    assert str(TryLater(None, "connection reset")) == "connection reset"


@pytest.mark.parametrize(
    "error",
    [
        GOLD,
        InvalidProject([LATE, GOLD]),
        EventError("no_type", "an event without a type"),
        TryLater(timedelta(minutes=1), "busy"),
        Refused("mailbox does not exist"),
        Unavailable(None, "no route to host"),
        Bounced("mailbox does not exist", True),
        OptedOut("code 21610"),
        StorageError("the store is locked"),
        InvariantError("an entry without a step"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_is_ours_and_survives_the_way_to_another_process(error):
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, a line ago
    assert isinstance(error, OrchestratorError)
    assert (type(copy), str(copy)) == (type(error), str(error))


def test_both_answers_of_a_provider_are_channel_errors():
    assert issubclass(TryLater, ChannelError)
    assert issubclass(Refused, ChannelError)
