"""`orchestrator erase`: all that is kept of a customer is gone, with a receipt.

Owns the options and what is told. What is erased, and in which order, is `runtime.rights`'.
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
    from orchestrator.model.rights import Receipt

EXAMPLES = [
    Example("orchestrator erase ana --state shop.db", "all that is kept of a customer"),
    Example("orchestrator erase email:ana@example.com --state shop.db --json > receipt.json", "keep the receipt"),
    Example("orchestrator erase ana shop", "on Kafka: the workers carry it out"),
]


def command(
    customer: Customer,
    directory: KafkaProject = Path(),
    state: StoreOrKafka = None,
    config: Config = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="On Kafka, wait so long until it is in force.")
    ] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as one JSON object.")] = False,
) -> None:
    """Erase all that is kept of a customer.

    Their state, timers, identifiers, messages on their way, decisions, and lines that quote them; the file is
    rewritten, so that nothing is left in it. Later events of the same identifiers start afresh. A keyed hash of each
    address with an explicit no remains, so that whoever comes back under it is still refused. A running `serve` takes
    the event profile_erase_requested instead. On Kafka that event is sent, the workers carry it out, and the receipt
    says since when it is in force, everywhere. Exit code 1: nothing is known of them.
    """
    import msgspec

    receipt = _erased_from(state, customer) if state is not None else _asked_for(customer, directory, config, wait)
    if as_json:
        screen.out_json(msgspec.to_builtins(receipt))
        return
    told = ", ".join(
        screen.counted(count, what.replace("_", " ").removesuffix("s"))
        for what, count in receipt.erased.items()
        if count
    )
    screen.out(f"erased: {told or 'nothing'}")
    if receipt.objections:
        addresses = "address" if receipt.objections == 1 else "addresses"
        screen.out(f"remembered: {receipt.objections:,} {addresses} with an explicit no, as keyed hashes")
    for remains in receipt.remains:
        until = f", until {remains.until}" if remains.until else ""
        screen.out(f"not reached: {remains.what}: {', '.join(remains.where)}{until}")
    screen.out("in force: " + (receipt.in_force_at or "not yet, as far as was waited for; the workers carry it out"))
    screen.out(f"receipt {receipt.id}, {receipt.at}")


def _erased_from(state: Path, customer: str) -> "Receipt":
    from orchestrator.cli import customers
    from orchestrator.cli.decisions import catalog_of
    from orchestrator.model.project import Project
    from orchestrator.runtime import rights
    from orchestrator.storage import SqliteStore, StoreInUse

    try:
        opened = SqliteStore(state)
    except StoreInUse as error:
        raise StoreInUse(f"{error}; a `serve` that has it takes the event profile_erase_requested instead") from error
    with opened as store:
        found = customers.find(store, customer)
        if found is None:
            screen.complain("nothing is known of this customer; give a customer id, or kind:value")
            raise typer.Exit(1)
        catalog = catalog_of(store)
        project = Project("unknown") if catalog is None else catalog.project
        return rights.erase(store, project, found.profile_id, time.time_ns() // 1_000_000)


def _asked_for(customer: str, directory: Path, config: Path | None, wait_s: float) -> "Receipt":
    from orchestrator.cli import customers
    from orchestrator.runtime.kafka.rights import request_erasure
    from orchestrator.runtime.kafka.topics import Topics

    project = project_of(directory)
    settings = settings_for(project, Sources(config=config))
    now_ms = time.time_ns() // 1_000_000
    receipts = [
        ask(settings, request_erasure(settings, Topics.of(settings), customer_id, identifiers, now_ms, wait_s))
        for customer_id, identifiers in customers.events_about(customer, project)
    ]
    return receipts[-1]  # in force when all of them are
