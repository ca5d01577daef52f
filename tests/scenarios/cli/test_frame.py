"""What all commands share: help, exit codes, colour, and lines instead of tracebacks."""

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from orchestrator import __version__
from orchestrator.cli.app import COMMANDS

OFFERED = [name for name, listed in COMMANDS.items() if listed.is_offered]
ANSI = "\x1b["


def test_help_lists_every_command_with_its_summary(orchestrator_process):
    ended = orchestrator_process("--help")
    assert ended.code == 0
    assert ended.err == ""
    listed = re.findall(r"^  ([a-z]+) {2,}(\S.*)$", ended.out.partition("Commands:")[2], flags=re.MULTILINE)
    assert listed == [(name, COMMANDS[name].summary) for name in OFFERED]


@pytest.mark.parametrize("name", OFFERED)
def test_every_commands_help_teaches_with_examples(orchestrator, name):
    ended = orchestrator(name, "--help")
    assert ended.code == 0
    assert ended.err == ""
    assert ANSI not in ended.out
    examples = ended.out.partition("Examples:")[2]
    assert re.findall(r"^  # \S.*\n  .*\borchestrator \S.*$", examples, flags=re.MULTILINE)


def test_without_arguments_the_help_is_shown_as_wrong_use(orchestrator):
    ended = orchestrator()
    assert ended.code == 2
    assert "Commands:" in ended.err
    assert ended.out == ""


def test_the_version_is_printed(orchestrator_process):
    ended = orchestrator_process("--version")
    assert (ended.code, ended.out) == (0, f"orchestrator {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["validate", "--frobnicate"], "No such option: --frobnicate"),
        (["map"], "Missing argument 'JOURNEY'"),
        (["map", "x", "--format", "gif"], "Invalid value for '--format'"),
        (["validate", "a", "b"], "unexpected extra argument"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_is_wrong(orchestrator, arguments, said):
    ended = orchestrator(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert said in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", [["erase", "ana"], ["export", "ana"], ["redeliver"]])
def test_without_a_store_and_a_project_both_are_asked_for(orchestrator, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = orchestrator(*command)
    assert (ended.code, ended.err) == (2, "error: name the store with --state; on Kafka, the project's folder\n")


@pytest.mark.parametrize("command", [["erase", "ana"], ["redeliver"]])
def test_a_mistyped_store_is_not_made_and_found_empty(orchestrator, tmp_path, command):
    ended = orchestrator(*command, "--state", "typo.db")
    assert (ended.code, ended.out) == (2, "")
    assert "'typo.db' does not exist" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_command_is_guessed(orchestrator):
    assert "validate" in orchestrator("valdate").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "nowhere"],
        ["test", "nowhere"],
        ["map", "x", "nowhere"],
        ["run", "nowhere", "--events", "none.jsonl"],
    ],
)
def test_a_folder_that_is_not_there_is_one_line_and_2(orchestrator, arguments):
    ended = orchestrator(*arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "nowhere" in ended.err


def test_a_reader_that_has_read_enough_is_no_error(shop):
    # `orchestrator map … | head -1`: the pipe closes before everything is written.
    command = [sys.executable, "-m", "orchestrator", "map", "abandoned-cart", str(shop)]
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "") or str(_src())}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 0
    assert err == ""


def test_on_a_terminal_there_is_colour_and_no_color_declines_it(shop):
    assert ANSI in on_a_terminal("test", str(shop))
    assert ANSI not in on_a_terminal("test", str(shop), NO_COLOR="1")
    assert ANSI not in on_a_terminal("test", str(shop), TERM="dumb")


def on_a_terminal(*arguments, **environment):
    """Run the command with a terminal as its standard output, and return what was written there."""
    leader, follower = pty.openpty()
    own = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *arguments],
        env={**own, "PYTHONPATH": str(_src()), "TERM": "xterm-256color", **environment},
        stdout=follower,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    os.close(follower)
    written = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        written += part
    os.close(leader)
    process.wait(60)
    return written.decode()


def _src():
    from orchestrator import __file__ as package

    return os.path.dirname(os.path.dirname(package))


# A shell begins its background jobs with interrupts ignored, and whatever such a job starts ignores them too.
_INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("orchestrator", run_name="__main__", alter_sys=True)
"""


def test_an_interrupt_ends_a_run_with_130(shop):
    events = (shop / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    process = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, "run", str(shop), "--events", "-", "--in-order"],
        env={**os.environ, "PYTHONPATH": _src()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("".join(events))
    process.stdin.flush()
    # An action shows that the run is under way; its input stays open, so that it waits for more.
    assert "cart-reminder" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "Traceback" not in process.stderr.read()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
