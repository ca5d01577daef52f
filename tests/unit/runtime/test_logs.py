"""Logs: whoever says a line, it looks like any other; what libraries repeat is told once in a while.

And what operators may write for them.
"""

import json
import logging
import os
import subprocess
import sys

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.runtime import logs
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.logs import MOST_LINES, REPEATS_S, Repeats


def line(name: str, message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, args, None)


def test_what_a_library_says_again_and_again_is_said_once_in_a_while_with_a_count():
    now = [0.0]
    repeats = Repeats(lambda: now[0])
    again = [line("aiokafka", "Unable connect to node with id %s", number) for number in range(400)]
    assert [repeats.filter(each) for each in again] == [True] + [False] * 399
    assert repeats.filter(line("aiokafka.consumer.fetcher", "Failed fetch messages from %s", 1))
    now[0] += REPEATS_S
    later = line("aiokafka", "Unable connect to node with id %s", 7)
    assert repeats.filter(later)
    assert later.getMessage() == "Unable connect to node with id 7 (399 more like it were left out)"
    now[0] += REPEATS_S
    assert repeats.filter(last := line("aiokafka", "Unable connect to node with id %s", 8))
    assert last.getMessage() == "Unable connect to node with id 8"


def test_our_own_lines_are_all_said():
    repeats = Repeats(lambda: 0.0)
    assert all(repeats.filter(line("orchestrator.runtime.kafka.worker", "the same")) for _ in range(3))


def test_lines_with_their_values_written_into_them_do_not_pile_up():
    repeats = Repeats(lambda: 0.0)
    assert all(repeats.filter(line("aiokafka", f"line {number}")) for number in range(3 * MOST_LINES))
    assert len(repeats._said) <= MOST_LINES


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
# As a lane or HTTP, which do not know in which process they are, and as the rest of the Kafka runtime.
LINES = """
import logging, structlog
shared, ours = structlog.get_logger("orchestrator.web.hooks"), logging.getLogger("orchestrator.runtime.kafka.worker")
from orchestrator.runtime import logs
logs.configure({level!r}, "json")
shared.info("a hook was taken", provider="ses")
shared.warning("a hook is not set up", provider="ses")
ours.warning("partition %d is restored", 3)
address = "ana@example.com"
try:
    raise ValueError("no such lane")
except ValueError:
    shared.exception("an action could not be handled", lane="email")
"""


@pytest.mark.parametrize(("level", "quietest"), [("info", "a hook was taken"), ("warning", "a hook is not set up")])
def test_lines_of_all_look_alike_on_standard_error_and_show_no_values_of_what_failed(level, quietest):
    code = LINES.format(level=level)
    ran = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert lines[0]["event"] == quietest
    *_, hook, restored, failed = lines
    assert (hook["event"], hook["provider"], hook["level"]) == ("a hook is not set up", "ses", "warning")
    assert (hook["logger"], restored["logger"]) == ("orchestrator.web.hooks", "orchestrator.runtime.kafka.worker")
    assert (restored["event"], restored["level"]) == ("partition 3 is restored", "warning")
    assert failed["exception"].endswith("ValueError: no such lane")
    assert "ana@example.com" not in failed["exception"]


def test_levels_and_forms_are_read_in_capitals_too():
    assert [logs.level_of("INFO"), logs.level_of("warning "), logs.format_of("Json")] == ["info", "warning", "json"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("log_level", "ORCHESTRATOR_LOG_LEVEL: write debug, info, warning, error or critical, not 'loud'"),
        ("log_format", "ORCHESTRATOR_LOG_FORMAT: write console or json, not 'loud'"),
    ],
)
def test_anything_else_is_refused_with_what_may_be_written_by_every_command(name, message):
    with pytest.raises(OrchestratorError, match=message):
        logs.as_set({name: "loud"}.get)
    with pytest.raises(OrchestratorError, match=message):
        KafkaSettings.of({"app_id": "shop", name: "loud"})


def test_where_nobody_says_otherwise_it_is_info_in_the_form_of_the_place():
    assert logs.as_set({}.get) == ("info", None)
    assert logs.as_set({"log_level": "", "log_format": " JSON"}.get) == ("info", "json")
