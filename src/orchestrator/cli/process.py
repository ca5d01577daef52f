"""The process around a command: its exit code, and its last words when something goes wrong.

Owns how an exception becomes an exit code and lines on standard error. Must never print a traceback for an error
that the orchestrator raised on purpose: those texts already say what was found, where, and what to do.
"""

import io
import os
import sys
import traceback
from typing import Any, NoReturn

from orchestrator.cli import screen
from orchestrator.errors import InvalidProject, InvariantError, OrchestratorError

FINE, DOES_NOT_HOLD, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def run() -> NoReturn:
    """Run the command named by sys.argv; the process ends here."""
    _stand_in_for_closed_streams()
    try:
        code = _flush(_call())
    except (BrokenPipeError, screen.ReaderGone):
        # `orchestrator explain ana | head`: nobody is left to tell.
        _discard_output()
        code = FINE
    sys.exit(code)


def _flush(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if code == FINE:
            screen.complain(f"standard output cannot be written: {error.strerror}")
        _discard_output()
        return code or WRONG_USE
    return code


def _discard_output() -> None:
    # So that the interpreter's own flush at exit does not complain either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stand_in_for_closed_streams() -> None:
    """Take the place of streams that whoever started us has closed: `orchestrator run shop >&-`.

    Files opened next would get their numbers, and results be written into a state file. Results that nobody takes are
    an error when there are some; what is said beside them is not.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - the process's own, as the next two
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed(os.open(os.devnull, os.O_RDONLY), "w")))
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


class _Closed(io.FileIO):
    """Standard output that whoever started us has closed: says so to whoever writes."""

    def write(self, written: Any) -> int:
        try:
            return super().write(written)
        except OSError as error:
            raise OSError(error.errno, "it is closed", "standard output") from error


def _call() -> int:
    from orchestrator.cli.app import app

    try:
        code = app()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except InvariantError:
        return _report_bug()
    except InvalidProject as invalid:
        for problem in invalid.problems:
            (screen.warn if problem.is_warning else screen.complain)(str(problem))
        return WRONG_USE
    except OrchestratorError as error:
        for line in str(error).splitlines():
            screen.complain(line)
        return WRONG_USE
    except (BrokenPipeError, screen.ReaderGone):
        raise
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        screen.complain(f"{where}{error.strerror or error}")
        return WRONG_USE
    except Exception:  # noqa: BLE001 - the last frame of the process: what nobody foresaw is shown whole
        return _report_bug()
    if code == INTERRUPTED:
        # Also what typer makes of an interrupt, without a word.
        screen.say("interrupted")
    return code


def _report_bug() -> int:
    # Not 1: a check that broke has not found that the thing checked does not hold.
    traceback.print_exc()
    screen.complain("this is a bug in the orchestrator; please report it with the lines above")
    return WRONG_USE
