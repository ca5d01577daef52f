"""`orchestrator serve`: the live service, events in over HTTP, messages out.

Owns the options and what is said at the start. Serving is the serving runtime's and the web's work.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import lessons, screen
from orchestrator.cli.help import Example
from orchestrator.cli.kafka import begin
from orchestrator.cli.options import Config, ProjectFolder
from orchestrator.cli.settings import Sources

if TYPE_CHECKING:
    from orchestrator.runtime.delivery.routes import Find
    from orchestrator.runtime.live_settings import ServeSettings
    from orchestrator.runtime.serving import Service

# The settings that take the place of keys that are made.
_NAMED = {"write_key": "write_keys", "read_key": "read_keys", "agent_key": "agents"}
EXAMPLES = [
    Example("orchestrator serve shop --try-out", "see on the screen what customers would get"),
    Example(
        "ORCHESTRATOR_CHANNEL_EMAIL='smtp://user@mail.example:587?from=Shop <hello@shop.example>#rate=14' "
        "orchestrator serve shop --state shop.db",
        "send e-mail; the password stands in ORCHESTRATOR_CHANNEL_EMAIL_SECRET",
    ),
    Example(
        "orchestrator serve shop --kafka --state copy.db",
        "stand in front of `worker` and `deliver`; keys and ORCHESTRATOR_LINK_SECRET are set for all of them",
    ),
    Example(
        "curl -u $KEY: localhost:8080/v1/events -d "
        '\'{"type": "cart_updated", "customer_id": "ana", "properties": {"total": 40}}\'',
        "send an event",
    ),
]


def command(
    directory: ProjectFolder = Path(),
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            help="Keep the state in this file and go on from it; with --kafka, a copy of it."
            " [default: orchestrator.db, with --kafka orchestrator-copy.db]",
        ),
    ] = None,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Stand in front of `worker` and `deliver`, which do the rest.")
    ] = False,
    http: Annotated[str | None, typer.Option("--http", metavar="HOST:PORT", help="Where to listen.")] = None,
    try_out: Annotated[
        bool, typer.Option("--try-out", help="Show messages of channels without a provider here, and send none.")
    ] = False,
    config: Config = None,
) -> None:
    """Serve: take events over HTTP, let journeys go on by the clock, hand messages to their channels.

    Everything that an answer 202 stands for is on disk. Journeys are read anew when their files change, and stay as
    they were while those are not valid. Stop it with SIGTERM or Ctrl-C: it finishes what it is doing.

    With --kafka the same HTTP stands in front of workers and deliverers, as many times as is needed: what 202 stands
    for is in the topics. All such processes, and `deliver`, share ORCHESTRATOR_LINK_SECRET and _PUBLIC_URL.
    """
    from orchestrator.errors import OrchestratorError
    from orchestrator.runtime import faults, interpreter
    from orchestrator.runtime.live_settings import ServeSettings
    from orchestrator.web.server import listen

    options = {"http": http} if http is not None else {}
    sources = Sources(options, config=config)

    def find(name: str) -> str | None:
        value = sources.find(name).value
        if value is None and name == "channel_default" and try_out:
            return "console:"
        return None if value is None else str(value)

    faults.arm_from(os.environ)
    settings = ServeSettings.read(find)
    if kafka and try_out:
        raise OrchestratorError("--try-out shows messages, and with --kafka `deliver` has them; leave one of them out")
    _log_as(sources)
    interpreter.allow_files()
    with closing(listen(settings.host, settings.port)) as bound:
        if kafka:
            _run(_serve_kafka(directory, state or Path("orchestrator-copy.db"), settings, sources, find, bound))
        else:
            _run(_serve(directory, state or Path("orchestrator.db"), settings, sources, find, bound, try_out))


def _run(serving: Coroutine[Any, Any, None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serving)


async def _serve_kafka(
    directory: Path, copy: Path, settings: "ServeSettings", sources: Sources, find: "Find", bound: socket.socket
) -> None:
    from orchestrator.language import load
    from orchestrator.runtime import interpreter
    from orchestrator.runtime.kafka.gateway import Gateway
    from orchestrator.web.server import serve, stop_by_signal

    loaded = load(directory)
    kafka = begin(loaded, sources)
    gateway = Gateway(loaded, kafka, settings, copy, find)

    def ready() -> None:
        interpreter.settle_down()
        screen.say(f"serving on {_url_of(bound)}")

    await serve(gateway, bound, ready, stop_by_signal())


async def _serve(
    directory: Path,
    state: Path,
    settings: "ServeSettings",
    sources: Sources,
    find: "Find",
    bound: socket.socket,
    try_out: bool,
) -> None:
    from orchestrator.cli import strangers
    from orchestrator.runtime import interpreter
    from orchestrator.runtime.serving import Service
    from orchestrator.web.server import serve, stop_by_signal

    service = Service(directory, state, settings, find)

    def ready() -> None:
        interpreter.settle_down()
        strangers.tell(service.loaded, sources)
        _tell(service, bound)
        if try_out:
            _teach(service, bound)

    await serve(service, bound, ready, stop_by_signal())


def _tell(service: "Service", bound: socket.socket) -> None:
    """Say where it listens, and once the keys that were made because nobody named any; later, how to have others."""
    if service.is_empty:
        screen.say(f"{service.state} knows nobody yet")
    for name, key in service.keys.made:
        screen.say(f"made the {name.replace('_', ' ')}, kept in the state file: {key}")
        if name == "agent_key":
            screen.say(f"with it, {service.agents[0].name} signs in at {service.links.base_url}/inbox")
    service.told()
    told = dict(service.keys.made)
    kept = [name for key, name in _NAMED.items() if key not in told and not getattr(service.settings, name)]
    if kept:
        named = ", ".join(f"ORCHESTRATOR_{name.upper()}" for name in kept)
        screen.say(f"keys are in force that were told when they were made; where they are lost, name yours in {named}")
    for lane in service.lanes.by_name.values():
        missing = getattr(lane.road, "missing", None)
        if missing is not None:
            screen.say(screen.paint(f"{missing}; what goes there waits", "yellow", sys.stderr))
    screen.say(f"serving on {_url_of(bound)}")


def _url_of(bound: socket.socket) -> str:
    from orchestrator.runtime import listening

    return listening.url(*bound.getsockname()[:2])


def _teach(service: "Service", bound: socket.socket) -> None:
    """Show whoever tries it out how events come in; a key that an operator named is theirs to write down."""
    key = "KEY" if service.settings.write_keys else service.keys.write[0]
    screen.say("messages are shown here and not sent; a customer comes in by:")
    screen.say(lessons.command(service.loaded, _url_of(bound), key))


def _log_as(sources: Sources) -> None:
    """Log as the operator wishes."""
    from orchestrator.runtime import logs

    logs.configure(*logs.as_set(lambda name: str(sources.find(name).value or "")))
