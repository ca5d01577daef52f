"""Which broker is taken: the environment's, else a container, else Maven's, else tansu.

Owns the order, what each kind can promise, and the one message that says why there is none.
Must never fall back from a broker that somebody named: a name that does not answer is an error.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.testing.brokers.broker import AttachedBroker, Broker, BrokerError, BrokerKind, NoBrokerError
from orchestrator.testing.brokers.container import ContainerBroker, docker_answers
from orchestrator.testing.brokers.jvm import JvmBroker
from orchestrator.testing.brokers.libraries import find_java, kafka_libraries
from orchestrator.testing.brokers.readiness import await_ready, has_transactions
from orchestrator.testing.brokers.tansu import TansuBroker, find_tansu

_log = logging.getLogger(__name__)

ORDER = tuple(BrokerKind)
RESTARTABLE = frozenset({BrokerKind.CONTAINER, BrokerKind.MAVEN})
# Not the variable that workers read: tests create and delete topics, and must never do so because a shell happens
# to be set up for somebody's cluster.
SERVERS = "ORCHESTRATOR_TEST_BROKER"
IMAGE = "ORCHESTRATOR_TEST_KAFKA_IMAGE"
ENVIRONMENT_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Wish:
    """What a caller wants of a broker that is started for it."""

    settings: Mapping[str, str] = field(default_factory=dict)
    heap: str = "1g"
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


def start_broker(
    *,
    kinds: Sequence[BrokerKind] = ORDER,
    real_only: bool = False,
    restartable_only: bool = False,
    settings: Mapping[str, str] | None = None,
    heap: str = "1g",
    environment: Mapping[str, str] | None = None,
) -> Broker:
    """Start the first broker that can be had, or take the one that ORCHESTRATOR_TEST_BROKER names.

    `kinds` are tried in their order. `real_only` passes over brokers without transactions, `restartable_only` over
    those that are not ours to kill. `settings` are Kafka's own and go over FOR_ONE_NODE; a named broker and tansu
    have theirs. Raises NoBrokerError with every reason when there is none, BrokerError when the named one does not
    answer. The caller stops it, best by `with`; if the caller dies, the broker goes too.
    """
    wish = Wish(dict(settings or {}), heap, dict(os.environ if environment is None else environment))
    reasons: dict[BrokerKind, str] = {}
    for kind in kinds:
        if kind is BrokerKind.ENVIRONMENT and not wish.environment.get(SERVERS):
            reasons[kind] = f"{SERVERS} is not set"
        elif restartable_only and kind not in RESTARTABLE:
            reasons[kind] = "may not be killed and started again"
        elif real_only and kind is BrokerKind.TANSU:
            reasons[kind] = "has no transactions"
        elif kind is BrokerKind.ENVIRONMENT:
            return _attach(wish.environment[SERVERS], real_only=real_only)
        else:
            try:
                return STARTERS[kind](wish)
            except BrokerError as error:
                _log.info("no broker of kind %s: %s", kind, error)
                reasons[kind] = str(error)
    raise NoBrokerError(reasons)


def prepare_broker(environment: Mapping[str, str] | None = None) -> None:
    """Fetch what start_broker would have to fetch, so that the first start is as quick as any; never raises for want.

    Maven needs minutes on a new machine, and a test has less.
    """
    environment = dict(os.environ if environment is None else environment)
    if environment.get(SERVERS):
        return
    try:
        docker_answers()
    except BrokerError:
        try:
            find_java(environment)
            kafka_libraries(environment)
        except BrokerError as error:
            _log.info("nothing prepared, the broker's start will say why: %s", error)


def _attach(bootstrap_servers: str, *, real_only: bool) -> Broker:
    try:
        await_ready(bootstrap_servers, lambda: None, ENVIRONMENT_PATIENCE_S)
    except BrokerError as error:
        raise BrokerError(f"{SERVERS} names a broker that cannot be used: {error}; mend or unset it") from error
    is_real = has_transactions(bootstrap_servers)
    if real_only and not is_real:
        raise BrokerError(f"{SERVERS} names {bootstrap_servers}, which has no transactions; name another or unset it")
    return AttachedBroker(BrokerKind.ENVIRONMENT, bootstrap_servers, is_real=is_real)


def _in_container(wish: Wish) -> Broker:
    docker_answers()
    return ContainerBroker(wish.environment.get(IMAGE), wish.settings, wish.heap)


def _from_maven(wish: Wish) -> Broker:
    java = find_java(wish.environment)
    return JvmBroker(java, kafka_libraries(wish.environment), wish.settings, wish.heap)


def _tansu(_: Wish) -> Broker:
    return TansuBroker(find_tansu())


STARTERS = {BrokerKind.CONTAINER: _in_container, BrokerKind.MAVEN: _from_maven, BrokerKind.TANSU: _tansu}
