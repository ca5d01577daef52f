"""What a process of the Kafka runtime logs when it ends of an error, and the exit code of that."""

import asyncio
import io
import json
import logging

import pytest
import structlog

from orchestrator.errors import InvariantError, OrchestratorError, StorageError
from orchestrator.runtime import logs
from orchestrator.runtime.kafka.app import host


class Failing:
    """A part that cannot begin."""

    def __init__(self, error):
        self.error = error

    async def start(self):
        raise self.error

    async def run(self):
        await asyncio.sleep(0)

    async def stop(self):
        await asyncio.sleep(0)


@pytest.fixture
def logged():
    """Log as a process does, and give the lines that tell of errors."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("info", "json")
    root.handlers[0].setStream(written := io.StringIO())
    yield lambda: [line for line in map(json.loads, written.getvalue().splitlines()) if line["level"] == "error"]
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_process_that_cannot_begin_says_why_in_a_line_and_exits_2(logged):
    assert host(lambda: Failing(StorageError("the topics do not fit: events does not exist")), "shop") == 2
    [line] = logged()
    assert (line["event"], "exception" in line) == ("the topics do not fit: events does not exist", False)


@pytest.mark.parametrize("error", [InvariantError("a bug"), ZeroDivisionError()])
def test_a_bug_is_shown_whole(logged, error):
    assert host(lambda: Failing(error), "shop") == 2
    [line] = logged()
    assert "Traceback" in line["exception"]


def test_a_part_that_cannot_even_be_made_says_why_in_a_line(logged):
    def make():
        raise OrchestratorError("channel email: nobody brings the scheme 'smpt'")

    assert host(make, "shop") == 2
    [line] = logged()
    assert (line["event"], "exception" in line) == ("channel email: nobody brings the scheme 'smpt'", False)
