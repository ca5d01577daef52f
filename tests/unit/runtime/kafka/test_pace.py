"""The pace of commits: how long there should be between two, for the sake of the turns beside them."""

import pytest

from orchestrator.runtime.kafka.incarnation import pace_s


@pytest.mark.parametrize(
    ("took_s", "lag_s", "pace"),
    [
        (0.02, 0.0, 0.04),
        (0.02, 0.01, 0.04),
        (0.1, 0.6, 0.3),
        (0.4, 0.6, 0.8),
        (9.0, 0.0, 1.0),
        (0.02, 3600.0, 1.0),
    ],
)
def test_commits_wait_for_what_slows_them_down_and_for_what_is_late_anyway_and_never_long(took_s, lag_s, pace):
    assert pace_s(took_s, lag_s) == pytest.approx(pace)
