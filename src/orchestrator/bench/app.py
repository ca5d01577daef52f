"""`orchestrator bench`: which benchmark, how large, and its results as a table or JSON.

Owns the options. Must never import a benchmark before it is asked for.
"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, help="Measure how fast it is on this machine.")

# What its help teaches with: a line, and what it is for.
EXAMPLES = [
    ("orchestrator bench run", "a million events, in memory and on SQLite"),
    ("orchestrator bench run --events 100000 --rounds 3 --json", "a quick look, for a program"),
    ("orchestrator bench deliver", "mails and webhooks, as a ratio to the bare client library"),
    ("orchestrator bench deliver --memory --messages 1000000", "what a million of them hold in memory"),
    ("orchestrator bench ingest", "events over HTTP into `serve`"),
    ("orchestrator bench ingest --kafka", "the same in front of Kafka, with a broker of its own"),
    ("orchestrator bench identity", "what linking identifiers and merging customers costs"),
    ("orchestrator bench kafka", "workers on a real broker, beside what nobody can be faster than"),
    ("orchestrator bench kafka --only latency,restore", "some of its figures: see its --help"),
]

Events = Annotated[int, typer.Option("--events", min=10, help="How many events to make.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Measure so often, and show the fastest.")]
AsJson = Annotated[bool, typer.Option("--json", help="The results as JSON, for a program.")]


def _show(rows: object, text: str, *, as_json: bool) -> None:
    """Print the results, for people below what they were taken on."""
    from orchestrator.bench.machine import machine, text_of_machine

    typer.echo(json.dumps(rows) if as_json else f"{text_of_machine(machine())}\n\n{text}")


@app.callback(invoke_without_command=True)
def bench(context: typer.Context) -> None:
    """Measure how fast it is on this machine; without a name, `run` with a million events."""
    if context.invoked_subcommand is None:
        run()


@app.command(short_help="`orchestrator run`, in memory and on SQLite")
def run(events: Events = 1_000_000, rounds: Rounds = 1, as_json: AsJson = False) -> None:
    """Measure `orchestrator run`, in memory and on SQLite, as a ratio to reading the same file alone.

    Makes a shop's day of events, in order of time, and runs the abandoned-cart journey over it, with
    actions and decisions written to files.
    """
    from orchestrator.bench.run import bench_run, rows_of, text_of

    measured = bench_run(events, rounds)
    _show(rows_of(measured), text_of(measured), as_json=as_json)


@app.command(short_help="handing messages over, by mail and by webhook")
def deliver(
    messages: Annotated[int, typer.Option("--messages", min=10, help="How many messages to hand over.")] = 20_000,
    rounds: Rounds = 1,
    memory: Annotated[
        bool, typer.Option("--memory", help="Webhooks alone, with the memory they take after each tenth of them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure handing messages over, by mail and by webhook, as a ratio to the bare client library.

    Takes them from the outbox on disk, renders, composes or signs, hands them to a server beside it that says yes, and
    settles the outcome on disk, as `serve` does.
    """
    from orchestrator.bench.live.benching import bench_deliver, bench_memory
    from orchestrator.bench.live.figures import rows_of_delivered, text_of_delivered

    measured = bench_memory(messages) if memory else bench_deliver(messages, rounds)
    _show(rows_of_delivered(measured), text_of_delivered(measured), as_json=as_json)


@app.command(short_help="taking events over HTTP into `serve`")
def ingest(
    events: Events = 200_000,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Into `serve --kafka`, in front of a real broker on this machine.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure taking events over HTTP into `serve`, one by one (a tenth of them) and 500 at a time.

    Each is answered when it is durable. Latencies are told at full speed and at half of it.
    """
    from orchestrator.bench.live.benching import bench_ingest, bench_ingest_kafka
    from orchestrator.bench.live.figures import rows_of_taken, text_of_taken
    from orchestrator.testing.brokers import start_broker

    if kafka:
        with start_broker(real_only=True) as running:
            taken = bench_ingest_kafka(events, running.bootstrap_servers)
    else:
        taken = bench_ingest(events)
    _show(rows_of_taken(taken), text_of_taken(taken), as_json=as_json)


@app.command(short_help="linking identifiers and merging customers")
def identity(events: Events = 200_000, as_json: AsJson = False) -> None:
    """Measure what it costs to link identifiers, and to merge customers, beside a run that links nothing."""
    from orchestrator.bench.identity import bench_identity, rows_of, text_of

    costs = bench_identity(events)
    _show(rows_of(costs), text_of(costs), as_json=as_json)


@app.command(short_help="real workers on a real broker")
def kafka(
    events: Events = 1_000_000,
    rounds: Rounds = 1,
    only: Annotated[
        str,
        typer.Option(
            "--only", metavar="NAMES", help="Some of throughput, latency, timers, restore, linking, merging, idle."
        ),
    ] = "throughput,latency,timers,restore,linking,merging,idle",
    project: Annotated[
        Path, typer.Option("--project", help="The shop's journeys; its abandoned-cart.journey.yaml is measured alone.")
    ] = Path("journeys"),
    peers: Annotated[
        Path | None, typer.Option("--peers", help="Programs to compare with, where somebody has them.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="HOST:PORT", help="Use this broker instead of starting one.")
    ] = None,
    customers: Annotated[int, typer.Option(min=1, help="How many wait while restore is measured.")] = 1_000_000,
    timers: Annotated[int, typer.Option(min=1, help="How many timers are due at one instant.")] = 100_000,
    seconds: Annotated[int, typer.Option(min=1, help="How long each steady stream of events is.")] = 10,
    rates: Annotated[str, typer.Option(help="The steady streams of latency, in events a second.")] = "1000,10000",
    as_json: AsJson = False,
) -> None:
    """Measure real workers on a real broker, each rate beside the raw limit of the same run.

    Starts a broker (or takes one), loads a day of a shop, and runs `orchestrator worker` processes over it: with
    resolve off, on, and with all journeys. What they commit must equal the memory run's, or the bench fails.
    """
    from orchestrator.bench.kafka.benching import bench_kafka
    from orchestrator.bench.kafka.report import NAMES, rows_of, text_of
    from orchestrator.bench.kafka.setting import Sizes
    from orchestrator.testing.brokers import start_broker

    names = [name.strip() for name in only.split(",")]
    if strangers := [name for name in names if name not in NAMES]:
        raise typer.BadParameter(f"{', '.join(strangers)}: choose from {', '.join(NAMES)}", param_hint="--only")
    if not (project / "abandoned-cart.journey.yaml").is_file():
        raise typer.BadParameter(f"{project} has no abandoned-cart.journey.yaml", param_hint="--project")
    try:
        offered = tuple(int(rate) for rate in rates.split(","))
    except ValueError:
        raise typer.BadParameter("write numbers, as in 1000,10000", param_hint="--rates") from None
    sizes = Sizes(events=events, rounds=rounds, customers=customers, timers=timers, seconds=seconds, rates=offered)
    environment = None if broker is None else {**os.environ, "ORCHESTRATOR_TEST_BROKER": broker}
    with start_broker(real_only=True, environment=environment) as running:
        figures, about = bench_kafka(running, sizes, names, project, peers, lambda line: typer.echo(line, err=True))
    typer.echo(json.dumps(rows_of(figures, about)) if as_json else text_of(figures, about))
