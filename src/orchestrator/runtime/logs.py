"""Which lines a live process logs, and in which form: the names that operators write, whichever process it is.

Owns those names. Must never log.
"""

from typing import Literal, get_args

from orchestrator.errors import OrchestratorError

Level = Literal["debug", "info", "warning", "error", "critical"]
Format = Literal["console", "json"]


def level_of(written: str) -> str:
    """Read a level, in capitals or not; raises OrchestratorError for none of ours."""
    return _one_of("LOG_LEVEL", written, get_args(Level))


def format_of(written: str) -> str:
    """Read a form; raises OrchestratorError for none of ours."""
    return _one_of("LOG_FORMAT", written, get_args(Format))


def _one_of(name: str, written: str, names: tuple[str, ...]) -> str:
    found = written.strip().lower()
    if found not in names:
        raise OrchestratorError(f"ORCHESTRATOR_{name}: write {', '.join(names[:-1])} or {names[-1]}, not {written!r}")
    return found
