"""Logs of a live process: one line an event, as text for people or JSON for machines, on standard error.

Owns the names that operators write, the set-up of structlog and of the standard library's loggers, so that all lines
look alike, whoever's they are, and how often libraries may say the same.
Must never let a customer's address or content through: what is logged are numbers, names of topics, and errors.
"""

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, get_args

import structlog

from orchestrator.errors import InvariantError, OrchestratorError

Level = Literal["debug", "info", "warning", "error", "critical"]
Format = Literal["console", "json"]
# Whose lines tell what a process ends of: mode's worker logs by the name of the module that makes it ours.
HOST = "orchestrator.runtime.kafka.app"
# Libraries that tell at `info` what we count in metrics, or say ourselves.
QUIET = ("aiokafka", "faust", "mode", "aiohttp.access", "uvicorn")

# Without brokers aiokafka says so 400 times a second: an outage of an hour would fill the disk.
REPEATS_S = 10.0
# So many different lines are told apart: some have their values written into them.
MOST_LINES = 1_000


def level_of(written: str) -> str:
    """Read a level, in capitals or not; raises ValueError that says which there are."""
    return _one_of(written, get_args(Level))


def format_of(written: str) -> str:
    """Read a form, in capitals or not; raises ValueError that says which there are."""
    return _one_of(written, get_args(Format))


def _one_of(written: str, names: tuple[str, ...]) -> str:
    found = written.strip().lower()
    if found not in names:
        raise ValueError(f"write {', '.join(names[:-1])} or {names[-1]}")
    return found


def as_set(find: Callable[[str], str | None]) -> tuple[str, str | None]:
    """Read the level and the form that an operator set, as `configure` takes them; raises OrchestratorError."""
    return _set(find, "log_level", level_of) or "info", _set(find, "log_format", format_of)


def _set(find: Callable[[str], str | None], name: str, read: Callable[[str], str]) -> str | None:
    written = find(name)
    try:
        return read(written) if written else None
    except ValueError as error:
        raise OrchestratorError(f"ORCHESTRATOR_{name.upper()}: {error}, not {written!r}") from error


class Repeats(logging.Filter):
    """Lets each of aiokafka's lines through once in so long, with a count of those like it that were left out."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        # By what was said, without what was filled in: when it was said last, and how often it was left out since.
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is said; everybody else's always are."""
        if not record.name.startswith("aiokafka"):
            return True
        what = record.name, str(record.msg)
        said_at, left_out = self._said.get(what, (-REPEATS_S, 0))
        if self._now() - said_at < REPEATS_S:
            self._said[what] = said_at, left_out + 1
            return False
        if len(self._said) >= MOST_LINES:
            self._said.clear()
        self._said[what] = self._now(), 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like it were left out)", ()
        return True


def configure(level: str, fmt: str | None) -> None:
    """Set up logging; `fmt` is console or json, by default console on a terminal and JSON elsewhere."""
    chosen = fmt or ("console" if sys.stderr.isatty() else "json")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_traceback,
        structlog.processors.format_exc_info,
    ]
    last: Any = structlog.processors.JSONRenderer() if chosen == "json" else structlog.dev.ConsoleRenderer(colors=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    handler.addFilter(Repeats())
    # What is shared with other processes (lanes, HTTP) logs by structlog: by itself that would go to standard output,
    # whatever the level, and show the values of whatever was at hand when something failed.
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _without_traceback(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Let an error that was raised on purpose speak for itself, where the host tells what a process ends of."""
    error = event["exc_info"][1] if event.get("logger") == HOST and event.get("exc_info") else None
    if isinstance(error, OrchestratorError) and not isinstance(error, InvariantError):
        del event["exc_info"]
        event["event"] = str(error)
    return event
