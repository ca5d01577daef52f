"""Asking on Kafka: whoever asks is answered by what their process has copied, and by nothing before."""

import asyncio

import msgspec
import pytest

from orchestrator.errors import StorageError
from orchestrator.model.casework import CaseFile, CaseLine, TurnedDown, Wanted
from orchestrator.runtime.agents import Agent
from orchestrator.runtime.desk import Ask, NotDone, line_of
from orchestrator.runtime.kafka import inbox
from orchestrator.runtime.kafka.cases import Asking
from orchestrator.storage import Batch, MemoryStore

EVA = Agent("eva", b"", Wanted({"care": None}))
CLAIM = Ask("c1", "claim", "eva", "once")


class Clock:
    def now_ms(self) -> int:
        return 1


class Copy:
    """A read side that copies what a test writes."""

    def __init__(self) -> None:
        self.store, self.changed = MemoryStore(), asyncio.Event()

    async def ask(self, call):
        return call(self.store)

    def write(self, **batch) -> None:
        self.store.commit(Batch(**batch))
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


def case(**fields) -> CaseFile:
    return CaseFile(**{"id": "c1", "kind": "case", "profile_id": "ana", "team": "care", "opened_ms": 1, **fields})


@pytest.fixture
def asked():
    """Return a read side with a case, what was told of it, and the inbox over both."""
    copy, told = Copy(), asyncio.Queue()
    copy.write(records={"ana": bytes(9)}, cases=[case()])

    async def hear(profile_id, event):
        told.put_nowait((profile_id, event.type, event.properties))

    return copy, told, inbox.Inbox(copy, hear, Clock(), 60_000)


async def test_it_is_done_once_the_copy_shows_it(asked):
    copy, told, box = asked
    asking = asyncio.create_task(box.do(EVA, CLAIM))
    copy.write(cases=[case(lines=[CaseLine(1, "note", "tom", id="another")])])
    await asyncio.sleep(0)
    assert not asking.done()
    copy.write(cases=[case(agent="eva", lines=[CaseLine(1, "claimed", "eva", id=line_of(CLAIM))])])
    assert (await asking).agent == "eva"
    profile_id, kind, said = await told.get()
    assert (profile_id, kind, said["claim_ms"]) == ("ana", "case_asked", 60_000)
    assert msgspec.convert(said, Asking).ask == CLAIM


async def test_who_is_turned_down_hears_why_and_not_why_somebody_else_was(asked):
    copy, told, box = asked
    asking = asyncio.create_task(box.do(EVA, CLAIM))
    _, _, said = await told.get()
    others = TurnedDown("another", "closed", "the case is closed")
    copy.write(cases=[case(turned_down=[others])])
    await asyncio.sleep(0)
    assert not asking.done()
    mine = TurnedDown(said["asking"], "taken", "tom works on it")
    copy.write(cases=[case(turned_down=[others, mine])])
    with pytest.raises(NotDone) as refused:
        await asking
    assert refused.value.args == ("taken", "tom works on it")


async def test_a_case_that_is_gone_or_not_theirs_is_unknown(asked):
    copy, told, box = asked
    with pytest.raises(NotDone, match="no such case"):
        await box.do(Agent("lea", b"", Wanted({"sales": None})), CLAIM)
    assert told.empty()
    asking = asyncio.create_task(box.do(EVA, CLAIM))
    await told.get()
    copy.write(records={"ana": None})
    with pytest.raises(NotDone, match="any more"):
        await asking


async def test_where_no_worker_takes_it_nobody_is_told_that_it_was_done(asked, monkeypatch):
    monkeypatch.setattr(inbox, "PATIENCE_S", 0.01)
    with pytest.raises(StorageError, match="no worker has taken it yet"):
        await asked[2].do(EVA, CLAIM)
