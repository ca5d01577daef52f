"""`orchestrator export`: all that is kept of a customer, as one document.

Owns the options. What the document holds is `runtime.rights`', its shape is schemas/export.schema.json.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.kafka import ask, project_of, settings_for
from orchestrator.cli.options import Config, Customer, KafkaProject, StoreOrKafka
from orchestrator.cli.settings import Sources

if TYPE_CHECKING:
    from orchestrator.model.rights import Export

EXAMPLES = [
    Example("orchestrator export ana --state shop.db > ana.json", "everything that is kept of a customer"),
    Example("orchestrator export phone:+34600112233 --state shop.db | jq .profile", "known by something else"),
    Example("orchestrator export ana shop > ana.json", "on Kafka: what all topics of ours hold"),
]


def command(
    customer: Customer,
    directory: KafkaProject = Path(),
    state: StoreOrKafka = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="The document is JSON in any case.")] = False,
) -> None:
    """Write all that is kept of a customer as one JSON document.

    Who they are, what they agreed to, where they stand, what was sent and decided and why, what is still on its way.
    On Kafka that is read from the topics, which takes as long as a worker's restore. Exit code 1: nothing is known of
    them.
    """
    import msgspec

    now_ms = time.time_ns() // 1_000_000
    document = _from_kafka(customer, directory, config, now_ms) if state is None else _from(state, customer, now_ms)
    if document is None:
        screen.complain("nothing is known of this customer; give a customer id, or kind:value")
        raise typer.Exit(1)
    screen.out_json(msgspec.to_builtins(document))


def _from(state: Path, customer: str, now_ms: int) -> "Export | None":
    from orchestrator.cli import customers
    from orchestrator.cli.decisions import catalog_of
    from orchestrator.runtime import rights
    from orchestrator.storage import SqliteStore

    with SqliteStore(state, writes=False) as store:
        found = customers.find(store, customer)
        catalog = catalog_of(store)
        project = None if catalog is None else catalog.project
        return None if found is None else rights.export(store, found.profile_id, now_ms, project)


def _from_kafka(customer: str, directory: Path, config: Path | None, now_ms: int) -> "Export | None":
    from orchestrator.cli import customers
    from orchestrator.runtime.kafka.exporting import export
    from orchestrator.runtime.kafka.topics import Topics

    project = project_of(directory)
    settings = settings_for(project, Sources(config=config))
    candidates = customers.candidates(customer, project.identity)
    return ask(settings, export(settings, Topics.of(settings), candidates, now_ms, project))
