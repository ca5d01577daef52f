"""`orchestrator worker`: the Kafka runtime, one of many.

Owns how a worker is asked for. What it does is the runtime's.
"""

from pathlib import Path

import typer

from orchestrator.cli.help import Example
from orchestrator.cli.kafka import begin
from orchestrator.cli.options import Config, ProjectFolder
from orchestrator.cli.settings import Sources

EXAMPLES = [
    Example("orchestrator worker shop", "read the topic `events` of the broker at 127.0.0.1:9092"),
    Example(
        "ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 ORCHESTRATOR_EVENTS_TOPICS=web,tills orchestrator worker shop",
        "another broker, two channel systems",
    ),
    Example("orchestrator worker shop --config prod.toml", "settings from a file; `orchestrator doctor` lists them"),
    Example("ORCHESTRATOR_RESOLVE=off orchestrator worker shop", "events are keyed by the customer as Java does"),
]


def command(
    directory: ProjectFolder = Path(),
    config: Config = None,
) -> None:
    """Turn events from Kafka into actions, as one worker of many.

    Workers of one application share its partitions; start as many as there are partitions, on as many machines as
    you like. The project's journeys are published if none of them is yet; later versions come by `publish`, without
    a restart. Stopped by SIGTERM: it finishes its batch, commits, leaves the group and exits 0.
    """
    from orchestrator.runtime import interpreter

    interpreter.may_end()
    from orchestrator.language import load
    from orchestrator.runtime.kafka.worker import run_worker

    interpreter.allow_files()
    loaded = load(directory)
    raise typer.Exit(run_worker(loaded, begin(loaded, Sources(config=config))))
