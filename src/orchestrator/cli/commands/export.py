"""`orchestrator export`: all that is kept of a customer, as one document.

Owns the options. What the document holds is `runtime.rights`', its shape is schemas/export.schema.json.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example

EXAMPLES = [
    Example("orchestrator export ana --state shop.db > ana.json", "everything that is kept of a customer"),
    Example("orchestrator export phone:+34600112233 --state shop.db | jq .profile", "known by something else"),
]


def command(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer id, or an identifier as kind:value.")],
    state: Annotated[Path, typer.Option("--state", metavar="FILE", help="The store of `run` or `serve`.")],
    as_json: Annotated[bool, typer.Option("--json", help="The document is JSON in any case.")] = False,
) -> None:
    """Write all that is kept of a customer as one JSON document.

    Who they are, what they agreed to, where they stand, what was sent and decided and why. Exit code 1: nothing is
    known of them.
    """
    import msgspec

    from orchestrator.cli import customers
    from orchestrator.runtime import rights
    from orchestrator.storage import SqliteStore

    with SqliteStore(state, writes=False) as store:
        found = customers.find(store, customer)
        if found is None:
            screen.complain("nothing is known of this customer; give a customer id, or kind:value")
            raise typer.Exit(1)
        document = rights.export(store, found.profile_id, time.time_ns() // 1_000_000)
    screen.out_json(msgspec.to_builtins(document))
