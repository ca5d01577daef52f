"""One broker shared by processes: started by the first, stopped by its starter after the last.

Two SharedBrokers of one folder are to the operating system's locks what two processes are.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest

from orchestrator.testing.brokers import BrokerError, BrokerKind, SharedBroker
from orchestrator.testing.brokers.broker import AttachedBroker


class NotedBroker(AttachedBroker):
    """A broker that writes down that it was stopped."""

    def __init__(self, notes: list[str], number: int) -> None:
        super().__init__(BrokerKind.MAVEN, f"127.0.0.1:{20_000 + number}", is_real=True, pid=number)
        self._notes = notes

    def stop(self) -> None:
        self._notes.append("stopped")


@pytest.fixture
def notes():
    return []


@pytest.fixture
def start(notes):
    def start() -> NotedBroker:
        notes.append("started")
        return NotedBroker(notes, notes.count("started"))

    return start


def test_the_second_gets_what_the_first_started(tmp_path, notes, start):
    first, second = SharedBroker(tmp_path, start), SharedBroker(tmp_path, start)
    brokers = [first.take(), second.take()]
    assert [(b.kind, b.bootstrap_servers, b.is_real, b.pid) for b in brokers] == [
        (BrokerKind.MAVEN, "127.0.0.1:20001", True, 1)
    ] * 2
    second.give_back()
    first.give_back()
    assert notes == ["started", "stopped"]


def test_those_who_come_at_once_get_one_broker(tmp_path, notes, start):
    parts = [SharedBroker(tmp_path, start) for _ in range(6)]
    with ThreadPoolExecutor(max_workers=6) as pool:
        addresses = {broker.bootstrap_servers for broker in pool.map(SharedBroker.take, parts)}
        list(pool.map(SharedBroker.give_back, parts))
    assert addresses == {"127.0.0.1:20001"}
    assert notes == ["started", "stopped"]


def test_the_starter_waits_for_those_who_still_use_it(tmp_path, notes, start):
    first, second = SharedBroker(tmp_path, start), SharedBroker(tmp_path, start)
    first.take()
    second.take()
    leaving = Thread(target=first.give_back)
    leaving.start()
    leaving.join(timeout=0.2)
    assert leaving.is_alive()
    notes.append("second leaves")
    second.give_back()
    leaving.join()
    assert notes == ["started", "second leaves", "stopped"]


def test_who_comes_after_the_end_starts_another(tmp_path, notes, start):
    first, late = SharedBroker(tmp_path, start), SharedBroker(tmp_path, start)
    first.take()
    first.give_back()
    first.give_back()
    assert late.take().bootstrap_servers == "127.0.0.1:20002"
    late.give_back()
    assert notes == ["started", "stopped", "started", "stopped"]


def test_a_start_that_fails_leaves_the_next_free_to_try(tmp_path, notes, start):
    def fail() -> NotedBroker:
        raise BrokerError("no")

    broken, next_one = SharedBroker(tmp_path, fail), SharedBroker(tmp_path, start)
    with pytest.raises(BrokerError):
        broken.take()
    broken.give_back()
    assert next_one.take().pid == 1
    next_one.give_back()
    assert notes == ["started", "stopped"]
