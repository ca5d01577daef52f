"""What operators set, and where each value in force is from.

Owns the order of strength: command line options, environment `ORCHESTRATOR_…` (a value, or `…_FILE` that names a file
with it), `--config` TOML with the same names, the default. Must never print a secret, nor judge a value: what a
setting may be is the business of whoever reads it.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import OrchestratorError

PREFIX = "ORCHESTRATOR_"
CONFIG = f"{PREFIX}CONFIG"
_IN_FILE = "_FILE"


class SettingsError(OrchestratorError):
    """Settings that cannot be read. The operator's move."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force: its value, and where that is from."""

    name: str
    value: Any
    source: str


class Sources:
    """Everything that was said about settings, the strongest first.

    `options` are those given on the command line; an option that was not given is not among them.
    """

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        config: Path | None = None,
    ) -> None:
        self.options = dict(options or {})
        self.environment = dict(os.environ if environment is None else environment)
        self.config = config or (Path(self.environment[CONFIG]) if self.environment.get(CONFIG) else None)
        self._in_config = {} if self.config is None else _read_config(self.config)

    def find(self, name: str, default: Any = None) -> Setting:
        """Find the value of a setting that is in force."""
        variable = PREFIX + name.upper()
        if name in self.options:
            return Setting(name, self.options[name], f"option --{name.replace('_', '-')}")
        if variable in self.environment:
            return Setting(name, self.environment[variable], f"environment {variable}")
        if variable + _IN_FILE in self.environment:
            file = Path(self.environment[variable + _IN_FILE])
            return Setting(name, _content_of(file, variable), f"{file}, named by {variable}{_IN_FILE}")
        if name in self._in_config:
            return Setting(name, self._in_config[name], str(self.config))
        in_file = name + _IN_FILE.lower()
        if in_file in self._in_config:
            file = Path(str(self._in_config[in_file]))
            return Setting(name, _content_of(file, variable), f"{file}, named by {self.config}")
        return Setting(name, default, "default")

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """Give what was said about these settings; those that nobody mentioned are left out."""
        found = [self.find(name) for name in names]
        return {setting.name: setting.value for setting in found if setting.source != "default"}

    @property
    def said(self) -> list[str]:
        """Name all that was said in the environment and the file, `…_file` as it is written there."""
        variables = [name.removeprefix(PREFIX).lower() for name in sorted(self.environment) if name.startswith(PREFIX)]
        return [*variables, *self._in_config]

    def unknown(self, names: Iterable[str]) -> list[str]:
        """List what was said about settings that nobody knows, each with the one that may be meant."""
        known = set(names)
        said = [name.removesuffix(_IN_FILE.lower()) if name not in known else name for name in self.said]
        strangers = [name for name in said if name not in known and name != "config"]
        return [_guessed(name, known) for name in dict.fromkeys(strangers)]


def _guessed(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"{name} is no setting" + (f"; {close[0]} is" if close else "")


def _read_config(path: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; name another file with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    # The same names as in the environment, in whichever case people write them.
    return {name.lower().removeprefix(PREFIX.lower()): value for name, value in read.items()}


def _content_of(path: Path, variable: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{variable}{_IN_FILE}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{variable}{_IN_FILE}: {path} is no text") from error
