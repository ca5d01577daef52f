"""The host: mode's worker around what runs, with its signals, supervision and clean stop.

The only place that imports mode and Faust, inside functions: importing Faust parses the process's arguments.
Owns how a part is hosted: alone under mode's worker, or by a Faust application beside its agents (`delivery`).
Must never know what a part does.
"""

import asyncio
import logging
import math
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.runtime import faults, interpreter
from orchestrator.runtime.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from mode import Worker

log = logging.getLogger(__name__)

# A stopped process has 10 s, whatever it is in the middle of.
LONGEST_END_S = 9.5
# The exit code of a process that could not begin, or go on (CONTRACTS.md).
FAILED = 2


class Part(Protocol):
    """Something that runs until it is stopped."""

    async def start(self) -> None:
        """Prepare; what it raises ends the process before anything has begun."""

    async def run(self) -> None:
        """Run until `stop`; what it raises ends the process."""

    async def stop(self) -> None:
        """Finish what is under way and return when `run` has."""


def service_of(make: Callable[[], Part], name: str) -> Any:
    """Wrap a part as a service of mode; the part is made inside the running loop."""
    from mode import Service

    class PartService(Service):
        """A part as mode sees it."""

        # None where it could not even be made: mode stops what it could not start.
        part: Part | None = None

        async def on_start(self) -> None:
            self.part = make()
            await self.part.start()

        @Service.task
        async def _run(self) -> None:
            if self.part is not None:
                await self.part.run()

        async def on_stop(self) -> None:
            if self.part is not None:
                await self.part.stop()

        @property
        def label(self) -> str:
            return name

    return PartService()


@dataclass(frozen=True, slots=True)
class Taken:
    """One committed record, as an agent takes it."""

    partition: int
    offset: int
    value: bytes


class AgentPart(Part, Protocol):
    """A part that a Faust agent feeds, beside which it runs."""

    async def take(self, taken: Taken) -> None:
        """Take one record in; only on return is it acknowledged, and until then it may come again."""

    async def assigned(self, partitions: list[int]) -> None:
        """Learn which partitions of the topic are this process's now."""

    async def revoked(self, partitions: list[int]) -> None:
        """Let go of partitions of the topic."""


def group_of(settings: KafkaSettings) -> str:
    """Name the group in which agents take actions in."""
    return f"{settings.app_id}-deliver"


# How often it is looked whether the topic has partitions, where nothing of it can be fetched: with aiokafka's five
# minutes, a topic that was deleted and created anew would be delivered from that much later.
LOOK_MS = 10_000
# So many records are being taken in at once; the next waits for the first to be done.
MOST_IN_HAND = 500


def host_agent(make: Callable[[], AgentPart], settings: KafkaSettings, topic: str) -> int:
    """Run a part beside the Faust agent that feeds it from a topic, committed records only; return the exit code."""
    import uvloop

    faults.arm_from(os.environ)
    name = group_of(settings)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    # The part first: it is there before the application's first assignment, and stops after its last record.
    service = service_of(make, name)
    application = _application(service, settings, topic, name)
    return _ended([service, application], loop, name)


def _application(service: Any, settings: KafkaSettings, topic: str, name: str) -> Any:
    """Make the Faust application, whose agent feeds the part of a service."""
    from orchestrator.runtime.kafka.group_offsets import mend_aiokafka

    faust = _imported_faust()
    mend_aiokafka()
    application = faust.App(
        name,
        broker=[f"aiokafka://{server}" for server in settings.connection()["bootstrap_servers"]],
        broker_credentials=_credentials(faust, settings),
        broker_session_timeout=settings.session_timeout_ms / 1000,
        broker_heartbeat_interval=settings.heartbeat_interval_ms / 1000,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=LOOK_MS,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        datadir=tempfile.gettempdir(),
    )
    application.transport = _committed_transport(application)
    actions = application.topic(topic, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")

    in_hand: set[asyncio.Task[None]] = set()
    # By partition, the first that could not be taken in; as long as it is held, no commit passes over it.
    refused: dict[int, Any] = {}

    async def deliver(stream: Any) -> None:
        async for event in stream.noack().events():
            if len(in_hand) >= MOST_IN_HAND:
                await asyncio.wait(in_hand, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(_take(service.part, event, refused))
            in_hand.add(task)
            task.add_done_callback(in_hand.discard)

    async def assigned(_: Any, assigned: Any, **__: Any) -> None:
        await service.part.assigned([tp.partition for tp in assigned if tp.topic == topic])

    async def revoked(_: Any, revoked: Any, **__: Any) -> None:
        refused.clear()  # all are revoked at once, and whoever has them next is handed these again
        await service.part.revoked([tp.partition for tp in revoked if tp.topic == topic])

    application.agent(actions, name="deliver")(deliver)
    application.on_partitions_assigned.connect(assigned)
    application.on_partitions_revoked.connect(revoked)
    return application


async def _take(part: AgentPart, event: Any, refused: dict[int, Any]) -> None:
    message = event.message
    try:
        await part.take(Taken(message.partition, message.offset, message.value))
    except Exception as error:  # noqa: BLE001 - not acknowledged: it comes again with the partition's next owner
        first = refused.setdefault(message.partition, event)
        if message.offset < first.message.offset:
            refused[message.partition] = event
        log.warning("an action at %s/%d could not be taken in: %r", message.partition, message.offset, error)
    else:
        event.ack()


def _imported_faust() -> Any:
    """Import Faust, which looks for options of its own among the process's arguments."""
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        import faust
    finally:
        sys.argv = arguments
    return faust


def _credentials(faust: Any, settings: KafkaSettings) -> Any:
    options = settings.connection()
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=options.get("ssl_context"),
        )
    return faust.SSLCredentials(options["ssl_context"]) if "ssl_context" in options else None


def _committed_transport(application: Any) -> Any:
    """Make Faust's own transport, but for two things: its consumer reads committed records only, and skips none.

    Faust asks for that only together with its own transactions; without it, an agent would send what aborted
    transactions decided. Faust writes the level down inside a long method, so it is changed on what that returns,
    before the consumer is started.
    """
    from faust.transport.drivers import aiokafka as driver

    class CommittedConsumerThread(driver.AIOKafkaConsumerThread):
        """The thread that owns the consumer."""

        def _create_worker_consumer(self, transport: Any) -> Any:
            consumer = super()._create_worker_consumer(transport)
            consumer._isolation_level = "read_committed"
            return consumer

    class CommittedConsumer(driver.Consumer):
        """The consumer that makes that thread, and commits no further than to the first record still in hand.

        Faust's own passes over that one where a later record is acknowledged first: the first of all, the first behind
        what was committed, and the first behind a gap, such as the mark of a transaction. With the process, it is lost.
        """

        def _new_consumer_thread(self) -> Any:
            return CommittedConsumerThread(self, loop=self.loop, beacon=self.beacon)

        def ack(self, message: Any) -> bool:
            return self._counts(message) and bool(super().ack(message))

        def _counts(self, message: Any) -> bool:
            """Tell whether a record was handed out since the group last met: what was before, is handed out again."""
            return bool(message.generation_id == self.app.consumer_generation_id)

        def _new_offset(self, tp: Any) -> int | None:
            open_ones = (each for each in self.unacked if each.tp == tp and not each.acked and self._counts(each))
            acked, first = self._acked[tp], min((each.offset for each in open_ones), default=math.inf)
            done = [offset for offset in acked if offset < first]
            if not done:
                return None
            acked[:] = [offset for offset in acked if offset >= first]
            self._acked_index[tp].difference_update(done)
            return max(done) + 1

        async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
            """Take no note: what is never handed out is in nobody's hand."""

    class CommittedTransport(driver.Transport):
        """The transport that makes that consumer."""

        Consumer = CommittedConsumer

    return CommittedTransport(application.conf.broker, application, loop=application.loop)


def host(make: Callable[[], Part], name: str) -> int:
    """Run a part until SIGTERM, SIGINT or SIGHUP; return 0 after a clean stop, 2 after an error, which is logged."""
    import uvloop

    faults.arm_from(os.environ)
    return _ended([service_of(make, name)], uvloop.new_event_loop(), name)


def _ended(services: Sequence[Any], loop: asyncio.AbstractEventLoop, name: str) -> int:
    """Run services to their end, which mode tells by SystemExit; give the exit code."""
    last_resort = LastResort(name)
    worker = _worker(services, loop, last_resort.begin)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        # Mode says 1, which everywhere else means that something that was checked does not hold.
        return FAILED if ended.code else 0
    except Exception:
        log.exception("%s ends after an error", name)
        return FAILED
    finally:
        last_resort.cancel()


def _worker(services: Sequence[Any], loop: asyncio.AbstractEventLoop, ending: Callable[[], None]) -> "Worker":
    """Make mode's worker around services; `ending()` is called when they begin to stop, whatever the reason."""
    from mode import Worker

    class Host(Worker):
        """Mode's worker with our signals: its own start a debugger at SIGUSR2, which nobody answers."""

        def _install_signal_handlers_unix(self) -> None:
            for each in interpreter.ending_signals():
                self.loop.add_signal_handler(each, self._schedule_shutdown, each)

        def _schedule_shutdown(self, signal: signal.Signals) -> None:
            ending()
            super()._schedule_shutdown(signal)

        def on_worker_shutdown(self) -> None:
            ending()

    return Host(*services, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)


class LastResort:
    """The end of a process that does not come to its end by itself: a library may wait for brokers without end.

    What was open is then done again by whoever has the partitions next, as after a power cut.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Give the process so long from now on; the first call counts."""
        if self._timer is None:
            self._timer = threading.Timer(LONGEST_END_S, self._end)
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        """Take note that it has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        log.error("%s did not end in %g s and is cut off; what was open is done again", self._name, LONGEST_END_S)
        logging.shutdown()
        os._exit(FAILED)
