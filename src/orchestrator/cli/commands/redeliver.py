"""`orchestrator redeliver`: what delivery gave up on, shown, and sent again.

Owns the options and the list. What it means to try again is the store's, and delivery's, work.
"""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.kafka import ask, project_of, settings_for
from orchestrator.cli.options import Config, KafkaProject
from orchestrator.cli.settings import Sources

if TYPE_CHECKING:
    from orchestrator.runtime.kafka.settings import KafkaSettings
    from orchestrator.storage import Pending

EXAMPLES = [
    Example("orchestrator redeliver --state shop.db --dry-run", "show what was given up on, and why"),
    Example("orchestrator redeliver --state shop.db --reason not_rendered", "after a template was mended"),
    Example("orchestrator redeliver shop", "on Kafka: `deliver` is asked to, and may go on meanwhile"),
]


def command(
    directory: KafkaProject = Path(),
    # A store that is not there would be made, and nothing found in it.
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", exists=True, help="The store of `serve`, which must not run; else on Kafka."
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="WORD", help="Only what was given up on for this reason.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show.")] = False,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send again what delivery gave up on.

    Each goes under the key that it had, so a provider that did take it does not send it twice; what is past its end
    by then is reported as such. They are sent when `serve` runs again. On Kafka `deliver` is asked to, and may go on
    meanwhile.
    """
    if state is not None:
        found, revived = _in_store(state, reason, dry_run)
    else:
        settings = settings_for(project_of(directory), Sources(config=config))
        found, revived = ask(settings, _on_kafka(settings, reason, dry_run))
    rows = [
        {"action_id": each.action_id, "lane": each.lane, "reason": each.reason, "why": each.why, "tries": each.attempts}
        for each in found
    ]
    if as_json:
        screen.out_json({"given_up": rows, "sent_again": revived})
        return
    for row in rows:
        screen.out(f"{row['action_id']}  {row['lane']}: {row['reason']}, {row['why']}")
    counts = Counter(str(row["reason"]) for row in rows)
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "nothing"
    screen.say(f"given up on: {told}" + ("" if dry_run else f"; {revived:,} will be sent again"))


def _in_store(state: Path, reason: str | None, dry_run: bool) -> "tuple[Sequence[Pending], int]":
    from orchestrator.storage import SqliteStore

    with SqliteStore(state, writes=not dry_run) as store:
        found = [each for each in store.given_up() if reason in (None, each.reason)]
        return found, 0 if dry_run else store.revive(time.time_ns() // 1_000_000, reason)


async def _on_kafka(settings: "KafkaSettings", reason: str | None, dry_run: bool) -> "tuple[Sequence[Pending], int]":
    from orchestrator.runtime.kafka.redelivering import given_up, redeliver
    from orchestrator.runtime.kafka.topics import Topics

    topics = Topics.of(settings)
    rows = [row for row in await given_up(settings, topics) if reason in (None, row.reason)]
    if not dry_run:
        await redeliver(settings, topics, rows, time.time_ns() // 1_000_000)
    return [row.pending() for row in rows], 0 if dry_run else len(rows)
