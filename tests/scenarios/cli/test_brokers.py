"""Commands that ask brokers: where none answers, that is what is said, and not that the program has a fault."""

import socket

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from orchestrator.runtime.kafka import describing


@pytest.fixture
def nowhere():
    """Return an address at which nobody listens, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


COMMANDS = [["publish"], ["publish", "--dry-run"], ["export", "ana"], ["erase", "ana"], ["redeliver"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_that_no_broker_answers_is_said_in_one_line(orchestrator, shop, nowhere, command):
    ended = orchestrator(*command, shop, ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS=nowhere)
    assert (ended.code, ended.out) == (2, "")
    [told] = ended.err.splitlines()
    assert told.startswith(f"error: no broker of {nowhere} answers: are they well, and do ")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TopicAuthorizationFailedError("journeys"), "do not do what was asked of them: TopicAuthorizationFailedError"),
        (TimeoutError(), "error: no broker of 127.0.0.1:9092 answers: are they well"),
    ],
)
def test_what_brokers_refuse_is_said_in_their_words(orchestrator, shop, monkeypatch, error, told):
    async def refuse(*_):
        raise error

    monkeypatch.setattr(describing, "start", lambda starting, _: (starting.close(), refuse())[1])
    ended = orchestrator("publish", shop)
    assert ended.code == 2
    assert told in ended.err
    assert "Traceback" not in ended.err
