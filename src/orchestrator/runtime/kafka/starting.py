"""Starting beside brokers that may be on their way up, as we are.

Owns how long they are waited for. Must never swallow what is not about brokers.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError

from orchestrator.errors import StorageError
from orchestrator.runtime.kafka.settings import KafkaSettings

log = logging.getLogger(__name__)

STARTING_S = 120.0
TRYING_S = 30.0
RETRY_S = 1.0

Result = TypeVar("Result")


async def once_brokers_answer(settings: KafkaSettings, prepare: Callable[[], Awaitable[Result]]) -> Result:
    """Prepare, again and again while no broker answers; raises StorageError when that takes too long."""
    began = time.monotonic()
    while True:
        try:
            async with asyncio.timeout(TRYING_S):
                return await prepare()
        except (KafkaError, TimeoutError) as error:
            log.warning("the brokers do not answer yet: %r", error)
            if time.monotonic() - began > STARTING_S:
                servers = settings.kafka_bootstrap_servers
                raise StorageError(f"no broker of {servers} answers; this process gives up") from error
            await asyncio.sleep(RETRY_S)
