"""What a live process asks of its system."""

import resource
import signal

import pytest

from orchestrator.runtime import interpreter


@pytest.fixture
def limits():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_process_may_have_as_many_files_open_as_its_system_allows_within_reason(limits, monkeypatch):
    _, hard = limits
    monkeypatch.setattr(interpreter, "OPEN_FILES", 800)
    resource.setrlimit(resource.RLIMIT_NOFILE, (700, hard))
    assert interpreter.allow_files() == 800
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (800, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (900, hard))
    assert interpreter.allow_files() == 900  # what it has already is not taken away


def test_a_process_in_which_nothing_runs_yet_ends_in_order_when_it_is_told_to(limits):
    before = {each: signal.getsignal(each) for each in interpreter.ending_signals()}
    try:
        interpreter.may_end()
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
        assert ended.value.code == 0
        assert signal.getsignal(signal.SIGINT) is before[signal.SIGINT]
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
