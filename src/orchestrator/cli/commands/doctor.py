"""`orchestrator doctor`: the settings in force, and where each is from.

Owns how they are shown, and that no secret is. What a setting may be is for the runtimes to say.
"""

import platform
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator import __version__
from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.settings import InForce, Sources
from orchestrator.errors import OrchestratorError

EXAMPLES = [
    Example("orchestrator doctor shop", "show what a worker of this project would run with"),
    Example("ORCHESTRATOR_PARTITIONS=24 orchestrator doctor --config prod.toml", "see which of several values wins"),
    Example("orchestrator doctor --json | jq '.settings[] | select(.source != \"default\")'", "for a program"),
]

_HIDDEN = "********"


def command(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder.")] = Path(),
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the settings in force and where each is from.

    Settings are what operators own; the strongest source wins: command line options, the environment
    (ORCHESTRATOR_PARTITIONS, or ORCHESTRATOR_PARTITIONS_FILE naming a file), a TOML file with the same names, the
    default. Exit code 1: a setting is unknown or cannot be.
    """
    from orchestrator.runtime.kafka.settings import KafkaSettings

    sources = Sources(config=config)
    names = list(KafkaSettings.model_fields)
    defaults = {
        name: field.get_default() for name, field in KafkaSettings.model_fields.items() if not field.is_required()
    }
    defaults["app_id"] = _project_name(directory)
    found = [sources.find(name, defaults.get(name)) for name in names]
    problems = sources.unknown(names)
    try:
        KafkaSettings.of({one.name: one.value for one in found if one.value is not None})
    except OrchestratorError as error:
        problems.append(str(error))
    if as_json:
        screen.out_json(
            {
                "version": __version__,
                "python": platform.python_version(),
                "config": None if sources.config is None else str(sources.config),
                "settings": [_values(one) for one in found],
                "problems": problems,
            }
        )
    else:
        _show(sources, found)
        for problem in problems:
            screen.warn(problem)
    raise typer.Exit(1 if problems else 0)


def _project_name(directory: Path) -> str | None:
    """Read the project's name, which the application id is by default; None where there is no project."""
    from orchestrator.language import load

    return load(directory).catalog.project.name if (directory / "orchestrator.yaml").is_file() else None


def _values(setting: InForce) -> dict[str, Any]:
    return {"name": setting.name, "value": _shown(setting), "source": setting.source}


def _shown(setting: InForce) -> Any:
    """Give the value as a program may have it; a secret's is never shown."""
    from orchestrator.runtime.kafka.settings import is_secret

    if setting.value is not None and is_secret(setting.name):
        return _HIDDEN
    return setting.value if isinstance(setting.value, bool | int | str | None) else str(setting.value)


def _show(sources: Sources, found: list[InForce]) -> None:
    config = "none" if sources.config is None else str(sources.config)
    screen.out(f"orchestrator {__version__}, Python {platform.python_version()} on {sys.platform}, config: {config}")
    widest = max(len(setting.name) for setting in found)
    for setting in found:
        value = _shown(setting)
        text = "-" if value is None or value == "" else str(value)
        line = f"  {setting.name:<{widest}}  {text:<24}  "
        screen.out(line + (screen.paint(setting.source, "dim") if setting.source == "default" else setting.source))
