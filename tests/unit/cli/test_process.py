"""How a command ends: every exception's exit code and last words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator
from orchestrator.cli import process
from orchestrator.errors import DefinitionError, InvalidProject, InvariantError, StorageError

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(orchestrator.__file__).parents[1])}

NEXT = "Next: orchestrator test, then orchestrator run --events events.jsonl\n"


@pytest.fixture
def ending(monkeypatch, capsys):
    """End a command by raising, and return the exit code and what was said."""
    import orchestrator.cli.app as application

    def call(raised):
        def app():
            if isinstance(raised, int):
                return raised
            raise raised

        monkeypatch.setattr(application, "app", app)
        with pytest.raises(SystemExit) as ended:
            process.run()
        captured = capsys.readouterr()
        assert captured.out == ""
        return ended.value.code, captured.err

    return call


def test_what_the_command_returns_is_the_exit_code(ending):
    assert ending(0) == (0, "")
    assert ending(1) == (1, "")


def test_an_error_on_purpose_is_one_line(ending):
    assert ending(StorageError("the disk is full")) == (2, "error: the disk is full\n")


def test_mistakes_in_a_project_are_a_line_each(ending):
    problems = [DefinitionError("a.yaml", 2, 3, "E101", "found x", fix="y"), DefinitionError("a.yaml", 1, 1, "E1", "z")]
    code, said = ending(InvalidProject(problems))
    assert code == 2
    assert said == "error: a.yaml:1:1: E1 z\nerror: a.yaml:2:3: E101 found x; write: y\n"


def test_what_only_may_be_mended_is_told_apart_from_what_must(ending):
    problems = [DefinitionError("a.yaml", 1, 1, "E101", "z"), DefinitionError("a.yaml", 2, 1, "W301", "y")]
    assert ending(InvalidProject(problems)) == (2, "error: a.yaml:1:1: E101 z\nwarning: a.yaml:2:1: W301 y\n")


def test_a_file_that_cannot_be_read_is_named(ending):
    assert ending(FileNotFoundError(2, "No such file or directory", "x.json")) == (
        2,
        "error: x.json: No such file or directory\n",
    )
    assert ending(OSError("out of luck")) == (2, "error: out of luck\n")


def test_an_interrupt_is_130(ending):
    assert ending(KeyboardInterrupt()) == (130, "interrupted\n")


def test_an_interrupt_inside_a_command_says_so_too(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    # Not through `ending`: typer turns it into an exit code on the way.
    monkeypatch.setattr("orchestrator.cli.commands.schema.command", interrupted)
    monkeypatch.setattr("sys.argv", ["orchestrator", "schema"])
    with pytest.raises(SystemExit) as ended:
        process.run()
    assert (ended.value.code, capsys.readouterr().err) == (130, "interrupted\n")


@pytest.mark.parametrize("bug", [InvariantError("cannot be"), RuntimeError("nor this")])
def test_a_bug_of_ours_is_shown_whole_and_is_not_a_failed_check(ending, bug):
    code, said = ending(bug)
    assert code == 2
    assert "Traceback" in said
    assert said.endswith("error: this is a bug in the orchestrator; please report it with the lines above\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["init", "."], 2, f"{NEXT}error: standard output cannot be written: it is closed\n"),
        (["--help"], 2, "error: standard output: it is closed\n"),
        # Nothing to write: the error is what it would be otherwise.
        (["validate", "nowhere"], 2, "error: nowhere: no such folder\n"),
    ],
)
def test_results_that_nobody_takes_are_an_error_and_no_bug_of_ours(arguments, code, said, tmp_path):
    command = [sys.executable, "-m", "orchestrator", *arguments]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    ended = subprocess.run(closed, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False, env=ENVIRONMENT)
    assert (ended.returncode, ended.stderr) == (code, said)
