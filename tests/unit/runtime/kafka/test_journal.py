"""Delivery's journal, without a broker: what comes after its end is not waited for."""

import asyncio
import gc

import pytest

from orchestrator.runtime.kafka import journal
from orchestrator.runtime.kafka.journal import Journal
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics


class Producer:
    """A producer that nobody answers."""

    def __init__(self, settings, transactional_id):
        pass

    async def open(self):
        pass

    async def close(self):
        pass

    async def discard(self):
        pass


@pytest.fixture
def failures(monkeypatch):
    async def refused(*_):
        raise TimeoutError("no answer")

    async def restored(*_, **__):
        pass

    monkeypatch.setattr(journal, "Writer", Producer)
    monkeypatch.setattr(journal, "restore", restored)
    monkeypatch.setattr(journal, "commit", refused)
    return []


@pytest.mark.timeout(10)
async def test_whoever_writes_to_a_journal_that_has_ended_hears_so_at_once(failures):
    settings = KafkaSettings.of({"app_id": "shop"})
    opened = Journal(settings, Topics.of(settings), 0, failures.append)
    await opened.open()
    for _ in range(2):  # the one that finds out, and one that has hold of it still
        with pytest.raises(ConnectionError):
            await opened.write({"a": b"1"})
    assert len(failures) == 1
    await opened.close()
    with pytest.raises(ConnectionError):
        await opened.write({"a": b"1"})


@pytest.mark.timeout(10)
async def test_whoever_makes_journals_is_told_of_an_end_and_the_log_holds_no_other_word_of_it(failures):
    forgotten = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: forgotten.append(context["message"]))
    settings = KafkaSettings.of({"app_id": "shop"})
    opened = Journal(settings, Topics.of(settings), 0, failures.append)
    await opened.open()
    with pytest.raises(ConnectionError):
        await opened.write({"a": b"1"})
    assert [str(error) for error in failures] == ["no answer"]
    failures.clear()
    del opened
    await asyncio.sleep(0)  # the loop lets go of the task as well
    gc.collect()
    assert forgotten == []
