"""`orchestrator deliver`: takes actions from Kafka to the providers.

Owns how delivery is asked for. What it does is the runtime's.
"""

from pathlib import Path

import typer

from orchestrator.cli.help import Example
from orchestrator.cli.kafka import begin
from orchestrator.cli.options import Config, ProjectFolder
from orchestrator.cli.settings import Sources

EXAMPLES = [
    Example("ORCHESTRATOR_CHANNEL_DEFAULT=console: orchestrator deliver shop", "show every message on the terminal"),
    Example("ORCHESTRATOR_CHANNEL_EMAIL=file:outbox.jsonl orchestrator deliver shop", "append e-mails to a file"),
    Example("orchestrator deliver shop --config prod.toml", "settings from a file; `orchestrator doctor` lists them"),
]


def command(
    directory: ProjectFolder = Path(),
    config: Config = None,
) -> None:
    """Take actions from Kafka to the providers.

    Only what workers have committed is sent. Each channel has its own pace and patience; what waits, for a retry or
    for the morning, waits in delivery's own topic, and its outcome goes back to the customer's journeys. Sent at
    least once, under the action's id, which providers take once. Stopped by SIGTERM: it finishes what it is sending.
    """
    from orchestrator.runtime import interpreter

    interpreter.may_end()
    from orchestrator.language import load
    from orchestrator.runtime.kafka.delivering import run_deliverer

    interpreter.allow_files()
    loaded = load(directory)
    sources = Sources(config=config)
    settings = begin(loaded, sources)

    def find(name: str) -> str | None:
        value = sources.find(name).value
        return None if value is None else str(value)

    raise typer.Exit(run_deliverer(loaded, settings, find))
