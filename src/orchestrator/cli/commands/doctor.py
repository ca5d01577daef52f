"""`orchestrator doctor`: the settings in force and where each is from, who each channel goes by, and what DNS says.

Owns how they are shown, and that no secret is. What a setting may be is for the runtimes to say, what a record should
be for `channels.email.domains`.
"""

import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import __version__
from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import Config, ProjectFolder
from orchestrator.cli.settings import Setting, Sources
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.channels.email.domains.records import Verdict
    from orchestrator.cli.channels import Found
    from orchestrator.language import Loaded

EXAMPLES = [
    Example("orchestrator doctor shop", "show what a worker of this project would run with"),
    Example("orchestrator doctor shop --no-dns", "without asking DNS about the domains that mails come from"),
    Example("ORCHESTRATOR_PARTITIONS=24 orchestrator doctor --config prod.toml", "see which of several values wins"),
    Example("orchestrator doctor --json | jq '.settings[] | select(.source != \"default\")'", "for a program"),
]

_HIDDEN = "********"
_COLORS = {"fine": "green", "warning": "yellow", "problem": "red", "unknown": "dim"}


def command(
    directory: ProjectFolder = Path(),
    config: Config = None,
    no_dns: Annotated[bool, typer.Option("--no-dns", help="Ask DNS nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the settings in force and where each is from, and check channels and the domains that mails come from.

    Settings are what operators own; the strongest source wins: command line options, the environment
    (ORCHESTRATOR_PARTITIONS, or ORCHESTRATOR_PARTITIONS_FILE naming a file), a TOML file with the same names, the
    default. Of each domain that mails come from, DNS is asked for SPF, DKIM (the selectors in
    ORCHESTRATOR_DKIM_SELECTORS, else the usual ones) and DMARC, at this machine's name servers or those in
    ORCHESTRATOR_NAMESERVERS. Of each channel its provider is named, and its URL and secret are read, without asking
    anybody. Exit code 1: a setting is unknown or cannot be, or a record is missing or broken.
    """
    from orchestrator.cli import channels, senders, strangers
    from orchestrator.compiled.turns import IS_THERE
    from orchestrator.runtime.kafka.settings import KafkaSettings

    sources = Sources(config=config)
    names = list(KafkaSettings.model_fields)
    defaults = {
        name: field.get_default() for name, field in KafkaSettings.model_fields.items() if not field.is_required()
    }
    loaded = _project(directory)
    defaults["app_id"] = None if loaded is None else loaded.catalog.project.name
    found = [sources.find(name, defaults.get(name)) for name in names]
    problems = strangers.among(loaded, sources)
    try:
        KafkaSettings.of({one.name: one.value for one in found if one.value is not None})
    except OrchestratorError as error:
        problems.append(str(error))
    roads = channels.examine(loaded, sources)
    problems += [each.problem for each in roads if each.problem and each.provider]
    domains = {} if no_dns else senders.examine(loaded, sources)
    if as_json:
        screen.out_json(
            {
                "version": __version__,
                "python": platform.python_version(),
                "compiled": IS_THERE,
                "config": None if sources.config is None else str(sources.config),
                "settings": [_values(one) for one in found],
                "channels": [asdict(each) for each in roads],
                "domains": {domain: [asdict(one) for one in told] for domain, told in domains.items()},
                "problems": problems,
            }
        )
    else:
        _show(sources, found)
        _show_channels(roads)
        _show_domains(domains)
        for problem in problems:
            screen.warn(problem)
    is_broken = any(verdict.level == "problem" for told in domains.values() for verdict in told)
    raise typer.Exit(1 if problems or is_broken else 0)


def _project(directory: Path) -> "Loaded | None":
    """Read the project, whose name the application id is by default; None where there is none."""
    from orchestrator.language import load

    return load(directory) if (directory / "orchestrator.yaml").is_file() else None


def _values(setting: Setting) -> dict[str, Any]:
    return {"name": setting.name, "value": _shown(setting), "source": setting.source}


def _shown(setting: Setting) -> Any:
    """Give the value as a program may have it; a secret's is never shown."""
    from orchestrator.runtime.kafka.settings import is_secret

    if setting.value is not None and is_secret(setting.name):
        return _HIDDEN
    return setting.value if isinstance(setting.value, bool | int | str | None) else str(setting.value)


def _show(sources: Sources, found: list[Setting]) -> None:
    from orchestrator.compiled.turns import IS_THERE

    config = "none" if sources.config is None else str(sources.config)
    screen.out(f"orchestrator {__version__}, Python {platform.python_version()} on {sys.platform}, config: {config}")
    if not IS_THERE:
        screen.out(
            "turns on Kafka go at Python's speed: installed with a Rust compiler at hand, the commonest are compiled"
        )
    widest = max(len(setting.name) for setting in found)
    for setting in found:
        value = _shown(setting)
        text = "-" if value is None or value == "" else str(value)
        line = f"  {setting.name:<{widest}}  {text:<24}  "
        screen.out(line + (screen.paint(setting.source, "dim") if setting.source == "default" else setting.source))


def _show_channels(roads: "list[Found]") -> None:
    from orchestrator.runtime.delivery.routes import setting_of

    for each in roads:
        key = f", applicationServerKey {each.public_key}" if each.public_key else ""
        color = "dim" if each.provider is None else "red" if each.problem else "green"
        road = each.provider or f"no provider: ORCHESTRATOR_{setting_of(each.name).upper()} names one"
        screen.out(f"channel {each.name}  {screen.paint(road, color)}{key}")


def _show_domains(domains: "dict[str, list[Verdict]]") -> None:
    for domain, verdicts in domains.items():
        screen.out(f"mails from {domain}")
        for each in verdicts:
            screen.out(f"  {each.record:<5}  {screen.paint(f'{each.level:<7}', _COLORS[each.level])}  {each.found}")
            if each.publish is not None:
                screen.out(f"  {'':<5}  {'':<7}  publish: {each.publish}")
