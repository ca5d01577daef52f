"""Logs of a long-running process: one line an event, as text for people or JSON for machines, on standard error.

Owns the set-up of structlog over the standard library's loggers, so that libraries' lines look like ours.
Must never let a customer's address or content through: what is logged are numbers, names of topics, and errors.
"""

import logging
import sys
from typing import Any

import structlog

# Libraries that tell at `info` what we count in metrics.
QUIET = ("aiokafka", "faust", "mode", "aiohttp.access")


def configure(level: str, fmt: str | None) -> None:
    """Set up logging; `fmt` is console or json, by default console on a terminal and JSON elsewhere."""
    chosen = fmt or ("console" if sys.stderr.isatty() else "json")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: Any = structlog.processors.JSONRenderer() if chosen == "json" else structlog.dev.ConsoleRenderer(colors=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
