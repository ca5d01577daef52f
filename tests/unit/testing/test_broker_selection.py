"""Which broker start_broker takes, and what it says when there is none."""

import pytest

from orchestrator.testing.brokers import BrokerError, BrokerKind, NoBrokerError, selection, start_broker
from orchestrator.testing.brokers.broker import AttachedBroker
from orchestrator.testing.brokers.container import docker_answers, environment_of

STARTED = [BrokerKind.CONTAINER, BrokerKind.MAVEN, BrokerKind.TANSU]


@pytest.fixture
def have(monkeypatch):
    """Return a function that says which kinds this machine has; it returns the list of those that were tried."""

    def only(*kinds: BrokerKind) -> list[BrokerKind]:
        tried: list[BrokerKind] = []

        def starter(kind: BrokerKind):
            def start(_: selection.Wish) -> AttachedBroker:
                tried.append(kind)
                if kind not in kinds:
                    raise BrokerError(f"this machine has no {kind}")
                return AttachedBroker(kind, "127.0.0.1:20000", is_real=kind is not BrokerKind.TANSU)

            return start

        for kind in STARTED:
            monkeypatch.setitem(selection.STARTERS, kind, starter(kind))
        return tried

    return only


@pytest.mark.parametrize(
    ("there", "tried"),
    [
        (STARTED, STARTED[:1]),
        ([BrokerKind.MAVEN, BrokerKind.TANSU], STARTED[:2]),
        ([BrokerKind.TANSU], STARTED),
    ],
)
def test_a_container_goes_before_maven_and_maven_before_tansu(have, there, tried):
    seen = have(*there)
    assert start_broker(environment={}).kind is there[0]
    assert seen == tried


def test_a_named_broker_goes_before_all_others(have, monkeypatch):
    seen = have(*STARTED)
    monkeypatch.setattr(selection, "await_ready", lambda *_: None)
    monkeypatch.setattr(selection, "has_transactions", lambda _: True)
    broker = start_broker(environment={"ORCHESTRATOR_TEST_BROKER": "kafka.test:9092"})
    assert (broker.kind, broker.bootstrap_servers, broker.is_real) == (BrokerKind.ENVIRONMENT, "kafka.test:9092", True)
    assert seen == []


def test_a_named_broker_that_does_not_answer_is_an_error_and_not_a_reason_to_take_another(have, monkeypatch):
    seen = have(*STARTED)
    monkeypatch.setattr(selection, "ENVIRONMENT_PATIENCE_S", 0)
    with pytest.raises(BrokerError) as refusal:
        start_broker(environment={"ORCHESTRATOR_TEST_BROKER": "127.0.0.1:1"})
    assert not isinstance(refusal.value, NoBrokerError)
    assert str(refusal.value) == (
        "ORCHESTRATOR_TEST_BROKER names a broker that cannot be used: "
        "the broker at 127.0.0.1:1 does not answer within 0 s; mend or unset it"
    )
    assert seen == []


def test_a_named_broker_without_transactions_is_refused_where_only_a_real_one_will_do(monkeypatch):
    monkeypatch.setattr(selection, "await_ready", lambda *_: None)
    monkeypatch.setattr(selection, "has_transactions", lambda _: False)
    named = {"ORCHESTRATOR_TEST_BROKER": "kafka.test:9092"}
    assert not start_broker(environment=named).is_real
    with pytest.raises(BrokerError) as refusal:
        start_broker(environment=named, real_only=True)
    assert "names kafka.test:9092, which has no transactions" in str(refusal.value)


@pytest.mark.parametrize("address", ["kafka.test", "kafka.test:", ":x"])
def test_a_name_that_is_no_address_is_refused(address):
    with pytest.raises(BrokerError) as refusal:
        start_broker(environment={"ORCHESTRATOR_TEST_BROKER": address})
    assert f"{address!r} is not an address of a broker; write host:port" in str(refusal.value)


def test_the_name_that_workers_read_is_not_ours(have):
    have()
    with pytest.raises(NoBrokerError) as refusal:
        start_broker(environment={"ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS": "production:9092"})
    assert refusal.value.reasons[BrokerKind.ENVIRONMENT] == "ORCHESTRATOR_TEST_BROKER is not set"


def test_without_any_broker_every_reason_is_told_in_order(have):
    have()
    with pytest.raises(NoBrokerError) as refusal:
        start_broker(environment={})
    assert str(refusal.value) == (
        "no Kafka broker (environment: ORCHESTRATOR_TEST_BROKER is not set; container: this machine has no container; "
        "maven: this machine has no maven; tansu: this machine has no tansu)"
    )


def test_tansu_is_not_even_tried_where_only_a_real_one_will_do(have):
    seen = have(BrokerKind.TANSU)
    with pytest.raises(NoBrokerError) as refusal:
        start_broker(real_only=True, environment={})
    assert seen == [BrokerKind.CONTAINER, BrokerKind.MAVEN]
    assert refusal.value.reasons[BrokerKind.TANSU] == "has no transactions"


def test_a_broker_to_break_is_never_a_named_one(have):
    have(BrokerKind.MAVEN)
    broker = start_broker(restartable_only=True, environment={"ORCHESTRATOR_TEST_BROKER": "kafka.test:9092"})
    assert broker.kind is BrokerKind.MAVEN


def test_only_the_kinds_asked_for_are_tried(have):
    seen = have(*STARTED)
    assert start_broker(kinds=[BrokerKind.TANSU, BrokerKind.MAVEN], environment={}).kind is BrokerKind.TANSU
    assert seen == [BrokerKind.TANSU]


def test_a_containers_settings_are_written_as_its_image_reads_them():
    settings = {"transaction.state.log.min.isr": "1", "log.retention.ms": "-1"}
    assert environment_of(settings) == {"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1", "KAFKA_LOG_RETENTION_MS": "-1"}


def test_an_engine_that_nobody_runs_does_not_answer(monkeypatch, tmp_path):
    pytest.importorskip("testcontainers")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(BrokerError) as refusal:
        docker_answers()
    assert str(refusal.value) == f"Docker does not answer at {tmp_path}/docker.sock: No such file or directory"
