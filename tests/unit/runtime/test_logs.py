"""What operators may write for the log, and what they are told of anything else."""

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.runtime import logs


def test_levels_and_forms_are_read_in_capitals_too():
    assert [logs.level_of("INFO"), logs.level_of("warning "), logs.format_of("Json")] == ["info", "warning", "json"]


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (logs.level_of, "ORCHESTRATOR_LOG_LEVEL: write debug, info, warning, error or critical, not 'loud'"),
        (logs.format_of, "ORCHESTRATOR_LOG_FORMAT: write console or json, not 'loud'"),
    ],
)
def test_anything_else_is_refused_with_what_may_be_written(read, message):
    with pytest.raises(OrchestratorError, match=message):
        read("loud")
