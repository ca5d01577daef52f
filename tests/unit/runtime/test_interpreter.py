"""What a live process asks of its system."""

import resource

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
